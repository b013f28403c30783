# SPDX-License-Identifier: BSD-3-Clause
#
# Unit tests are programs (tests/unit), functional tests are scripts, one
# behaviour each.  A fragment lists scripts with SH_TESTS += tests/NAME.sh.
include tests/unit/wire.mk
include tests/unit/reactor.mk
include tests/unit/engine.mk
include tests/unit/target.mk
include tests/unit/lib.mk
include tests/unit/control.mk

SH_TESTS =
include tests/sim/local.mk
include tests/source.mk
include tests/cli.mk
include tests/server.mk
include tests/lib.mk
include tests/nbd.mk
include tests/bench.mk
include tests/ceph/local.mk
include tests/vm/local.mk

TESTS += $(SH_TESTS)
EXTRA_DIST += $(SH_TESTS) tests/functions.sh tests/network.sh \
	tests/paths.sh tests/path.py

# Seconds for one test, which takes one or two, and what takes only processor
# time half a minute; with sanitizers, on a busy machine, twenty times as much.
TEST_TIMEOUT = 900
TEST_EXTENSIONS = .sh
SH_LOG_COMPILER = ./run
AM_SH_LOG_FLAGS = timeout -k 20 $(TEST_TIMEOUT) bash
LOG_COMPILER = ./run
AM_LOG_FLAGS = timeout -k 20 $(TEST_TIMEOUT)
