# SPDX-License-Identifier: BSD-3-Clause
pkgconfig_DATA += lib/libqbd.pc
EXTRA_DIST += lib/transport.h
