# SPDX-License-Identifier: BSD-3-Clause
include server/reactor/local.mk
include server/engine/local.mk
include server/target/local.mk
include server/transport/local.mk
include server/control/local.mk
