# SPDX-License-Identifier: BSD-3-Clause
if HAVE_CMOCKA

lib_tests = \
	tests/unit/identify-check \
	tests/unit/lib-association \
	tests/unit/lib-association-live \
	tests/unit/lib-block-status \
	tests/unit/lib-config \
	tests/unit/lib-paths \
	tests/unit/lib-queue \
	tests/unit/lib-reconnect \
	tests/unit/lib-retain \
	tests/unit/lib-tcp \
	tests/unit/lib-tcp-hostile \
	tests/unit/lib-volume
check_PROGRAMS += $(lib_tests)
TESTS += $(lib_tests)

lib_tests_libs = libqbd-internal.la libnvmeof.la libcommon.la \
	$(UUID_LIBS) $(CMOCKA_LIBS)

tests_unit_identify_check_SOURCES = tests/unit/identify-check.c
tests_unit_identify_check_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_identify_check_LDADD = libnvmeof.la libcommon.la $(CMOCKA_LIBS)

lib_controller = tests/unit/lib-controller.c tests/unit/lib-controller.h \
	tests/unit/lib-wire.h

tests_unit_lib_association_SOURCES = tests/unit/lib-association.c \
	$(lib_controller)
tests_unit_lib_association_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_association_LDADD = $(lib_tests_libs)

tests_unit_lib_association_live_SOURCES = tests/unit/lib-association-live.c \
	$(lib_controller)
tests_unit_lib_association_live_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_association_live_LDADD = $(lib_tests_libs)

tests_unit_lib_block_status_SOURCES = tests/unit/lib-block-status.c
tests_unit_lib_block_status_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_block_status_LDADD = $(lib_tests_libs)

tests_unit_lib_config_SOURCES = tests/unit/lib-config.c
tests_unit_lib_config_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(UUID_CFLAGS)
tests_unit_lib_config_LDADD = $(lib_tests_libs)

tests_unit_lib_volume_SOURCES = tests/unit/lib-volume.c
tests_unit_lib_volume_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_volume_LDADD = $(lib_tests_libs)

tests_unit_lib_paths_SOURCES = tests/unit/lib-paths.c $(lib_controller)
tests_unit_lib_paths_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_paths_LDADD = $(lib_tests_libs)

tests_unit_lib_queue_SOURCES = tests/unit/lib-queue.c \
	tests/unit/lib-queue-peer.c tests/unit/lib-queue-peer.h
tests_unit_lib_queue_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_queue_LDADD = $(lib_tests_libs)

tests_unit_lib_reconnect_SOURCES = tests/unit/lib-reconnect.c \
	$(lib_controller)
tests_unit_lib_reconnect_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_reconnect_LDADD = $(lib_tests_libs)

tests_unit_lib_retain_SOURCES = tests/unit/lib-retain.c $(lib_controller)
tests_unit_lib_retain_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_retain_LDADD = $(lib_tests_libs)

tests_unit_lib_tcp_SOURCES = tests/unit/lib-tcp.c \
	tests/unit/lib-tcp-fixture.h tests/unit/lib-wire.h
tests_unit_lib_tcp_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_tcp_LDADD = $(lib_tests_libs)

tests_unit_lib_tcp_hostile_SOURCES = tests/unit/lib-tcp-hostile.c \
	tests/unit/lib-tcp-fixture.h tests/unit/lib-wire.h
tests_unit_lib_tcp_hostile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lib_tcp_hostile_LDADD = $(lib_tests_libs)

if HAVE_RDMA
check_PROGRAMS += tests/unit/lib-rdma
TESTS += tests/unit/lib-rdma
tests_unit_lib_rdma_SOURCES = tests/unit/lib-rdma.c \
	tests/unit/rdma-adapter.c tests/unit/rdma-adapter.h
tests_unit_lib_rdma_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(RDMA_CFLAGS)
tests_unit_lib_rdma_LDADD = $(lib_tests_libs)
endif

endif
