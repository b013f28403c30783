# SPDX-License-Identifier: BSD-3-Clause
noinst_LTLIBRARIES += libreactor.la
libreactor_la_SOURCES = \
	server/reactor/file-call.c \
	server/reactor/file-call.h \
	server/reactor/file-threads.c \
	server/reactor/file-uring.c \
	server/reactor/file.c \
	server/reactor/mailbox.c \
	server/reactor/poll.c \
	server/reactor/reactor-internal.h \
	server/reactor/reactor.c \
	server/reactor/reactor.h \
	server/reactor/timers.c \
	server/reactor/watch.c \
	server/reactor/workers.c
libreactor_la_CPPFLAGS = $(AM_CPPFLAGS) $(URING_CFLAGS)
libreactor_la_LIBADD = libcommon.la $(URING_LIBS)
