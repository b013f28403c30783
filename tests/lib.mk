# SPDX-License-Identifier: BSD-3-Clause
SH_TESTS += \
	tests/lib-errors.sh \
	tests/lib-fork.sh \
	tests/lib-mixed.sh \
	tests/lib-reopen.sh \
	tests/lib-server-killed.sh \
	tests/lib-server-stopped.sh \
	tests/lib-stress.sh

check_PROGRAMS += tests/lib-client
tests_lib_client_SOURCES = tests/lib-client.c
tests_lib_client_LDADD = libqbd.la
