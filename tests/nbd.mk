# SPDX-License-Identifier: BSD-3-Clause
#
# What an NBD client sees of a volume.
SH_TESTS += tests/nbd-beyond-end.sh
SH_TESTS += tests/nbd-block-4096.sh
SH_TESTS += tests/nbd-copy-kill.sh
SH_TESTS += tests/nbd-copy-restart.sh
SH_TESTS += tests/nbd-copy.sh
SH_TESTS += tests/nbd-digest.sh
SH_TESTS += tests/nbd-discard.sh
SH_TESTS += tests/nbd-durable.sh
SH_TESTS += tests/nbd-dump-plugin.sh
SH_TESTS += tests/nbd-enospc.sh
SH_TESTS += tests/nbd-fast-zero.sh
SH_TESTS += tests/nbd-exports-many.sh
SH_TESTS += tests/nbd-exports.sh
SH_TESTS += tests/nbd-filters.sh
SH_TESTS += tests/nbd-fio.sh
SH_TESTS += tests/nbd-fio-connections.sh
SH_TESTS += tests/nbd-flush-covers.sh
SH_TESTS += tests/nbd-flush-truth.sh
SH_TESTS += tests/nbd-fua.sh
SH_TESTS += tests/nbd-info.sh
SH_TESTS += tests/nbd-ipv6.sh
SH_TESTS += tests/nbd-large-request.sh
SH_TESTS += tests/nbd-lazy.sh
SH_TESTS += tests/nbd-left-behind-foreign.sh
SH_TESTS += tests/nbd-left-behind.sh
SH_TESTS += tests/nbd-lost-again.sh
SH_TESTS += tests/nbd-magic-key.sh
SH_TESTS += tests/nbd-map-fragments.sh
SH_TESTS += tests/nbd-map.sh
SH_TESTS += tests/nbd-multi-conn.sh
SH_TESTS += tests/nbd-notice.sh
SH_TESTS += tests/nbd-nqn.sh
SH_TESTS += tests/nbd-one-block.sh
SH_TESTS += tests/nbd-parameter-unknown.sh
SH_TESTS += tests/nbd-parameter-value.sh
SH_TESTS += tests/nbd-paths-absent.sh
SH_TESTS += tests/nbd-paths-all-lost.sh
SH_TESTS += tests/nbd-paths-ana.sh
SH_TESTS += tests/nbd-paths-policy.sh
SH_TESTS += tests/nbd-paths-refused.sh
SH_TESTS += tests/nbd-paths.sh
SH_TESTS += tests/nbd-poll.sh
SH_TESTS += tests/nbd-qemu-img.sh
SH_TESTS += tests/nbd-qemu-io-unaligned.sh
SH_TESTS += tests/nbd-qemu-io.sh
SH_TESTS += tests/nbd-qemu-nbd.sh
SH_TESTS += tests/nbd-queues.sh
SH_TESTS += tests/nbd-readonly.sh
SH_TESTS += tests/nbd-reattach.sh
SH_TESTS += tests/nbd-reconnect.sh
SH_TESTS += tests/nbd-retain-load.sh
SH_TESTS += tests/nbd-retain-paths.sh
SH_TESTS += tests/nbd-retain.sh
SH_TESTS += tests/nbd-resize.sh
SH_TESTS += tests/nbd-server-absent.sh
SH_TESTS += tests/nbd-server-dies.sh
SH_TESTS += tests/nbd-server-foreign.sh
SH_TESTS += tests/nbd-several-stop.sh
SH_TESTS += tests/nbd-several.sh
SH_TESTS += tests/nbd-slow-server.sh
SH_TESTS += tests/nbd-sparse-in.sh
SH_TESTS += tests/nbd-sparse-out.sh
SH_TESTS += tests/nbd-stop-frozen.sh
SH_TESTS += tests/nbd-stop-lost.sh
SH_TESTS += tests/nbd-stop-silent.sh
SH_TESTS += tests/nbd-stop-server.sh
SH_TESTS += tests/nbd-swap.sh
SH_TESTS += tests/nbd-tcp.sh
SH_TESTS += tests/nbd-unaligned-client.sh
SH_TESTS += tests/nbd-unaligned-concurrent.sh
SH_TESTS += tests/nbd-unaligned-race.sh
SH_TESTS += tests/nbd-volume-missing.sh
SH_TESTS += tests/nbd-zero.sh
SH_TESTS += tests/plugin-no-alloc.sh
SH_TESTS += tests/plugin-unload.sh

check_PROGRAMS += tests/plugin-unload
tests_plugin_unload_SOURCES = tests/plugin-unload.c \
	tests/plugin-host.c tests/plugin-host.h
tests_plugin_unload_CFLAGS = $(AM_CFLAGS) $(NBDKIT_CFLAGS)
tests_plugin_unload_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
tests_plugin_unload_LDADD = -ldl

check_PROGRAMS += tests/plugin-no-alloc
tests_plugin_no_alloc_SOURCES = tests/plugin-no-alloc.c \
	tests/allocations.c tests/allocations.h \
	tests/plugin-host.c tests/plugin-host.h
tests_plugin_no_alloc_CFLAGS = $(AM_CFLAGS) $(NBDKIT_CFLAGS) -fno-builtin
tests_plugin_no_alloc_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
tests_plugin_no_alloc_LDADD = -ldl

# For dev/check: too long for make check.
EXTRA_DIST += tests/nbd-faults.sh
