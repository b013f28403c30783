# SPDX-License-Identifier: BSD-3-Clause
bin_PROGRAMS += qbd
qbd_SOURCES = \
	cli/attach.c \
	cli/bench-report.c \
	cli/bench.c \
	cli/bench.h \
	cli/check.c \
	cli/cli.h \
	cli/client.c \
	cli/create.c \
	cli/discover.c \
	cli/export.c \
	cli/host.c \
	cli/image.c \
	cli/import.c \
	cli/inflight.c \
	cli/info.c \
	cli/latency.c \
	cli/latency.h \
	cli/ls.c \
	cli/main.c \
	cli/options.c \
	cli/options.h \
	cli/output.c \
	cli/pools.c \
	cli/progress.c \
	cli/resize.c \
	cli/rm.c \
	cli/set.c \
	cli/status.c \
	cli/transfer.c \
	cli/transfer.h
qbd_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
qbd_LDADD = libqbd.la libcommon.la $(CURL_LIBS) $(JANSSON_LIBS)
