# SPDX-License-Identifier: BSD-3-Clause
#
# qbd, the management API, and qbd-server as its user sees it.
SH_TESTS += tests/cli-attached.sh
SH_TESTS += tests/cli-bad-input.sh
SH_TESTS += tests/cli-bench.sh
SH_TESTS += tests/cli-check.sh
SH_TESTS += tests/cli-check-progress.sh
SH_TESTS += tests/cli-completion.sh
SH_TESTS += tests/cli-copy.sh
SH_TESTS += tests/cli-copy-format.sh
SH_TESTS += tests/cli-copy-full.sh
SH_TESTS += tests/cli-copy-interrupted.sh
SH_TESTS += tests/cli-copy-refused.sh
SH_TESTS += tests/cli-discover.sh
SH_TESTS += tests/cli-force.sh
SH_TESTS += tests/cli-full.sh
SH_TESTS += tests/cli-host.sh
SH_TESTS += tests/cli-no-server.sh
SH_TESTS += tests/cli-read-only.sh
if HAVE_LIBNBD
SH_TESTS += tests/cli-torture.sh tests/cli-torture-descriptors.sh \
	tests/cli-torture-faults.sh tests/cli-torture-tls.sh
check_LTLIBRARIES += tests/torture-target.la
tests_torture_target_la_SOURCES = tests/torture-target.c
tests_torture_target_la_CPPFLAGS = $(AM_CPPFLAGS) $(NBDKIT_CFLAGS)
tests_torture_target_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
else
EXTRA_DIST += tests/cli-torture.sh tests/cli-torture-descriptors.sh \
	tests/cli-torture-faults.sh tests/cli-torture-tls.sh \
	tests/torture-target.c
endif
EXTRA_DIST += tests/torture.sh
SH_TESTS += tests/cli-volumes.sh
SH_TESTS += tests/control-api.sh
SH_TESTS += tests/control-concurrent.sh
SH_TESTS += tests/control-descriptors.sh
SH_TESTS += tests/control-full.sh
SH_TESTS += tests/control-idle.sh
SH_TESTS += tests/inflight-client.sh
SH_TESTS += tests/inflight-server.sh
check_LTLIBRARIES += tests/stall-sync.la
tests_stall_sync_la_SOURCES = tests/stall-sync.c
tests_stall_sync_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
SH_TESTS += tests/metrics.sh
SH_TESTS += tests/probes.sh
EXTRA_DIST += tests/metrics.py
SH_TESTS += tests/server-any-host.sh
SH_TESTS += tests/server-config-default.sh
SH_TESTS += tests/server-config.sh
SH_TESTS += tests/server-damaged.sh
SH_TESTS += tests/server-journal.sh
SH_TESTS += tests/server-kill-changes.sh
if HAVE_RDMA
SH_TESTS += tests/server-locked-memory.sh
SH_TESTS += tests/server-locked-memory-namespace.sh
else
EXTRA_DIST += tests/server-locked-memory.sh \
	tests/server-locked-memory-namespace.sh
endif
SH_TESTS += tests/server-options.sh
SH_TESTS += tests/server-read-only.sh
SH_TESTS += tests/server-reload.sh
SH_TESTS += tests/server-reload-kill.sh
SH_TESTS += tests/server-reload-listen.sh
SH_TESTS += tests/server-reload-pools.sh
SH_TESTS += tests/server-reload-waits.sh
SH_TESTS += tests/server-restart.sh
SH_TESTS += tests/server-second.sh
SH_TESTS += tests/server-short-write.sh
SH_TESTS += tests/server-stop-attached.sh
SH_TESTS += tests/server-socket-in-pool.sh
SH_TESTS += tests/server-stop.sh
