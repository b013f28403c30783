# SPDX-License-Identifier: BSD-3-Clause
#
# The server: storage, target, transport.
check_PROGRAMS += tests/pool-kill9
tests_pool_kill9_SOURCES = tests/pool-kill9.c
tests_pool_kill9_LDADD = libengine.la libreactor.la libcommon.la
SH_TESTS += tests/pool-kill9.sh tests/server-kill9.sh tests/scale.sh

check_PROGRAMS += tests/identify-pages
tests_identify_pages_SOURCES = tests/identify-pages.c
SH_TESTS += tests/server-idle.sh
SH_TESTS += tests/server-identify.sh
check_PROGRAMS += tests/flood
tests_flood_SOURCES = tests/flood.c
SH_TESTS += tests/server-sandbox.sh tests/systemd-security.sh
SH_TESTS += tests/server-greedy.sh tests/server-flood.sh tests/server-limits.sh
SH_TESTS += tests/server-modes.sh
SH_TESTS += tests/server-vanished.sh
EXTRA_DIST += tests/nvme-host.py
