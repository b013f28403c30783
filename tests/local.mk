# SPDX-License-Identifier: BSD-3-Clause
include tests/unit/wire.mk
include tests/unit/reactor.mk
include tests/unit/engine.mk
include tests/unit/target.mk
include tests/unit/lib.mk
include tests/unit/control.mk
include tests/sim/local.mk
