# SPDX-License-Identifier: BSD-3-Clause
noinst_LTLIBRARIES += libnvmeof.la
libnvmeof_la_SOURCES = \
	nvmeof/ana.c \
	nvmeof/ana.h \
	nvmeof/command-check.c \
	nvmeof/command-check.h \
	nvmeof/command-describe.c \
	nvmeof/command-describe.h \
	nvmeof/command.h \
	nvmeof/cross-reset.c \
	nvmeof/cross-reset.h \
	nvmeof/digest.c \
	nvmeof/digest.h \
	nvmeof/endian.h \
	nvmeof/epoch.c \
	nvmeof/epoch.h \
	nvmeof/identify-check.c \
	nvmeof/identify-check.h \
	nvmeof/lba-status.c \
	nvmeof/lba-status.h \
	nvmeof/nqn.c \
	nvmeof/nqn.h \
	nvmeof/rdma.c \
	nvmeof/rdma.h \
	nvmeof/status.c \
	nvmeof/status.h \
	nvmeof/tcp-check.c \
	nvmeof/tcp-check.h \
	nvmeof/tcp-make.c \
	nvmeof/tcp-pdu.h
libnvmeof_la_CPPFLAGS = $(AM_CPPFLAGS) $(ISAL_CFLAGS)
libnvmeof_la_LIBADD = libcommon.la $(ISAL_LIBS)
