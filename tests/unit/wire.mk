# SPDX-License-Identifier: BSD-3-Clause
if HAVE_CMOCKA

wire_tests = \
	tests/unit/ana \
	tests/unit/buddy \
	tests/unit/common \
	tests/unit/lba-status \
	tests/unit/nvmeof-names \
	tests/unit/resolve \
	tests/unit/rdma-check \
	tests/unit/stream \
	tests/unit/tcp-check \
	tests/unit/tcp-fuzz \
	tests/unit/tcp-header \
	tests/unit/volume-model
check_PROGRAMS += $(wire_tests)
TESTS += $(wire_tests)

tests_unit_ana_SOURCES = tests/unit/ana.c
tests_unit_ana_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_ana_LDADD = libnvmeof.la libcommon.la $(CMOCKA_LIBS)

tests_unit_buddy_SOURCES = tests/unit/buddy.c
tests_unit_buddy_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_buddy_LDADD = libcommon.la $(CMOCKA_LIBS)

tests_unit_volume_model_SOURCES = tests/unit/volume-model.c
tests_unit_volume_model_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_volume_model_LDADD = libcommon.la $(CMOCKA_LIBS)

tests_unit_common_SOURCES = tests/unit/common.c
tests_unit_common_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_common_LDADD = libcommon.la $(CMOCKA_LIBS)

tests_unit_lba_status_SOURCES = tests/unit/lba-status.c
tests_unit_lba_status_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_lba_status_LDADD = libnvmeof.la libcommon.la $(CMOCKA_LIBS)

tests_unit_nvmeof_names_SOURCES = tests/unit/nvmeof-names.c
tests_unit_nvmeof_names_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_nvmeof_names_LDADD = libnvmeof.la libcommon.la $(CMOCKA_LIBS)

tests_unit_resolve_SOURCES = tests/unit/resolve.c
tests_unit_resolve_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_resolve_LDADD = libcommon.la $(CMOCKA_LIBS)

tests_unit_rdma_check_SOURCES = tests/unit/rdma-check.c
tests_unit_rdma_check_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_rdma_check_LDADD = libnvmeof.la libcommon.la $(CMOCKA_LIBS)

tests_unit_stream_SOURCES = tests/unit/stream.c
tests_unit_stream_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_stream_LDADD = libcommon.la $(CMOCKA_LIBS)

tests_unit_tcp_check_SOURCES = tests/unit/tcp-check.c tests/unit/pdu.h
tests_unit_tcp_check_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_tcp_check_LDADD = libnvmeof.la libcommon.la $(CMOCKA_LIBS)

tests_unit_tcp_fuzz_SOURCES = tests/unit/tcp-fuzz.c
tests_unit_tcp_fuzz_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_tcp_fuzz_LDADD = libnvmeof.la libcommon.la $(CMOCKA_LIBS)

tests_unit_tcp_header_SOURCES = tests/unit/tcp-header.c tests/unit/pdu.h
tests_unit_tcp_header_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_tcp_header_LDADD = libnvmeof.la libcommon.la $(CMOCKA_LIBS)

endif
