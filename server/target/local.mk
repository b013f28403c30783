# SPDX-License-Identifier: BSD-3-Clause
noinst_LTLIBRARIES += libtarget.la
libtarget_la_SOURCES = \
	server/target/admin-cmd.c \
	server/target/ana.c \
	server/target/attached.c \
	server/target/command.c \
	server/target/controller.c \
	server/target/counters.c \
	server/target/counters.h \
	server/target/cross-reset.c \
	server/target/discovery.c \
	server/target/events.c \
	server/target/fabrics-cmd.c \
	server/target/features.c \
	server/target/gateways.c \
	server/target/hosts.c \
	server/target/identify.c \
	server/target/inflight.c \
	server/target/internal.h \
	server/target/io-cmd.c \
	server/target/lba-status.c \
	server/target/limits.c \
	server/target/limits.h \
	server/target/log-page.c \
	server/target/queue.c \
	server/target/subsystem.c \
	server/target/target.c \
	server/target/target.h
libtarget_la_CPPFLAGS = $(AM_CPPFLAGS) $(UUID_CFLAGS)
libtarget_la_LIBADD = libnvmeof.la libcommon.la $(UUID_LIBS)
