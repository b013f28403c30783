# SPDX-License-Identifier: BSD-3-Clause
SH_TESTS += \
	tests/lib-errors.sh \
	tests/lib-fork.sh \
	tests/lib-mixed.sh \
	tests/lib-name-server-silent.sh \
	tests/lib-no-alloc.sh \
	tests/lib-reconnect-aio.sh \
	tests/lib-reopen.sh \
	tests/lib-server-killed.sh \
	tests/lib-server-stopped.sh \
	tests/lib-silent.sh \
	tests/lib-stress.sh

check_PROGRAMS += tests/lib-client tests/lib-no-alloc
tests_lib_client_SOURCES = tests/lib-client.c tests/lib-client.h \
	tests/lib-client-load.c
tests_lib_client_LDADD = libqbd.la
tests_lib_no_alloc_SOURCES = tests/lib-no-alloc.c \
	tests/allocations.c tests/allocations.h
tests_lib_no_alloc_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_lib_no_alloc_LDADD = libqbd.la
