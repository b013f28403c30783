# SPDX-License-Identifier: BSD-3-Clause
if HAVE_CMOCKA

target_tests = \
	tests/unit/command-check \
	tests/unit/listener \
	tests/unit/target-admin \
	tests/unit/target-events \
	tests/unit/target-fabrics \
	tests/unit/target-fence \
	tests/unit/target-hosts \
	tests/unit/target-io \
	tests/unit/target-lba-status \
	tests/unit/target-loan \
	tests/unit/tcp-limits \
	tests/unit/tcp-malformed \
	tests/unit/tcp-stall
check_PROGRAMS += $(target_tests)
TESTS += $(target_tests)

tests_unit_command_check_SOURCES = tests/unit/command-check.c
tests_unit_command_check_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_command_check_LDADD = libnvmeof.la libcommon.la $(CMOCKA_LIBS)

check_LTLIBRARIES += libserver-fixture.la
libserver_fixture_la_SOURCES = \
	tests/unit/attached-fixture.c \
	tests/unit/attached-fixture.h \
	tests/unit/host-fixture.c \
	tests/unit/server-fixture.c \
	tests/unit/server-fixture.h
libserver_fixture_la_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
libserver_fixture_la_LIBADD = libtransport.la libtarget.la libengine.la \
	libreactor.la libnvmeof.la libcommon.la $(CMOCKA_LIBS)

tests_unit_listener_SOURCES = tests/unit/listener.c
tests_unit_listener_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_listener_LDADD = libserver-fixture.la

tests_unit_target_admin_SOURCES = tests/unit/target-admin.c
tests_unit_target_admin_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) \
	$(UUID_CFLAGS)
tests_unit_target_admin_LDADD = libserver-fixture.la $(UUID_LIBS)

tests_unit_target_events_SOURCES = tests/unit/target-events.c
tests_unit_target_events_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_target_events_LDADD = libserver-fixture.la

tests_unit_target_fabrics_SOURCES = tests/unit/target-fabrics.c
tests_unit_target_fabrics_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_target_fabrics_LDADD = libserver-fixture.la

tests_unit_target_fence_SOURCES = tests/unit/target-fence.c \
	tests/unit/fence-fixture.c tests/unit/fence-fixture.h
tests_unit_target_fence_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_target_fence_LDADD = libserver-fixture.la

tests_unit_target_hosts_SOURCES = tests/unit/target-hosts.c \
	tests/unit/fence-fixture.c tests/unit/fence-fixture.h
tests_unit_target_hosts_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_target_hosts_LDADD = libserver-fixture.la

tests_unit_target_io_SOURCES = tests/unit/target-io.c
tests_unit_target_io_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_target_io_LDADD = libserver-fixture.la

tests_unit_target_lba_status_SOURCES = tests/unit/target-lba-status.c
tests_unit_target_lba_status_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_target_lba_status_LDADD = libserver-fixture.la

tests_unit_target_loan_SOURCES = tests/unit/target-loan.c \
	tests/unit/engine-helpers.c tests/unit/engine-helpers.h
tests_unit_target_loan_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_target_loan_LDADD = libserver-fixture.la

tests_unit_tcp_limits_SOURCES = tests/unit/tcp-limits.c \
	tests/unit/hostile-fixture.h
tests_unit_tcp_limits_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_tcp_limits_LDADD = libserver-fixture.la

tests_unit_tcp_malformed_SOURCES = tests/unit/tcp-malformed.c \
	tests/unit/hostile-fixture.h
tests_unit_tcp_malformed_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_tcp_malformed_LDADD = libserver-fixture.la

tests_unit_tcp_stall_SOURCES = tests/unit/tcp-stall.c
tests_unit_tcp_stall_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_tcp_stall_LDADD = libserver-fixture.la

if HAVE_RDMA
check_PROGRAMS += tests/unit/rdma-device tests/unit/rdma-receive \
	tests/unit/rdma-send
TESTS += tests/unit/rdma-device tests/unit/rdma-receive tests/unit/rdma-send
tests_unit_rdma_device_SOURCES = tests/unit/rdma-device.c \
	tests/unit/rdma-adapter.c tests/unit/rdma-adapter.h
tests_unit_rdma_device_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) \
	$(RDMA_CFLAGS)
tests_unit_rdma_device_LDADD = libtransport.la libtarget.la libengine.la \
	libreactor.la libnvmeof.la libcommon.la $(RDMA_LIBS) $(CMOCKA_LIBS)
tests_unit_rdma_receive_SOURCES = tests/unit/rdma-receive.c
tests_unit_rdma_receive_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) \
	$(RDMA_CFLAGS)
tests_unit_rdma_receive_LDADD = $(tests_unit_rdma_device_LDADD)
tests_unit_rdma_send_SOURCES = tests/unit/rdma-send.c
tests_unit_rdma_send_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) $(RDMA_CFLAGS)
tests_unit_rdma_send_LDADD = $(tests_unit_rdma_device_LDADD)
endif

endif
