# SPDX-License-Identifier: BSD-3-Clause
#
# Tests of the Ceph engine, each with a small cluster of its own.  They are no
# part of make check: make check-ceph, and one by hand as any other test.
CEPH_TESTS =
CEPH_TESTS += tests/ceph/bench.sh
CEPH_TESTS += tests/ceph/clone.sh
CEPH_TESTS += tests/ceph/compare.sh
CEPH_TESTS += tests/ceph/copy.sh
CEPH_TESTS += tests/ceph/cut-off.sh
CEPH_TESTS += tests/ceph/failover.sh
CEPH_TESTS += tests/ceph/fence.sh
CEPH_TESTS += tests/ceph/full.sh
CEPH_TESTS += tests/ceph/gateways.sh
CEPH_TESTS += tests/ceph/identity.sh
CEPH_TESTS += tests/ceph/late-osd.sh
CEPH_TESTS += tests/ceph/live.sh
CEPH_TESTS += tests/ceph/lost.sh
CEPH_TESTS += tests/ceph/monitors.sh
CEPH_TESTS += tests/ceph/nbd.sh
CEPH_TESTS += tests/ceph/osd-killed.sh
CEPH_TESTS += tests/ceph/quota.sh
CEPH_TESTS += tests/ceph/silent.sh
CEPH_TESTS += tests/ceph/stale.sh
CEPH_TESTS += tests/ceph/unreachable.sh

check-ceph: all
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(CEPH_TESTS)" \
		check_PROGRAMS= check_LTLIBRARIES=
.PHONY: check-ceph

EXTRA_DIST += $(CEPH_TESTS) tests/ceph/cluster.py tests/ceph/functions.sh \
	tests/ceph/ledger.sh
