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
	cli/torture/client.c \
	cli/torture/history.c \
	cli/torture/nvme.c \
	cli/torture/pair.c \
	cli/torture/pair.h \
	cli/torture/plan.c \
	cli/torture/plan.h \
	cli/torture/proxy.c \
	cli/torture/proxy.h \
	cli/torture/report.c \
	cli/torture/target.c \
	cli/torture/target.h \
	cli/torture/torture.c \
	cli/torture/torture.h \
	cli/torture/whole.c \
	cli/transfer.c \
	cli/transfer.h
if HAVE_LIBNBD
qbd_SOURCES += cli/torture/nbd.c
endif
qbd_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS) $(LIBNBD_CFLAGS)
qbd_LDADD = libqbd.la libcommon.la $(CURL_LIBS) $(JANSSON_LIBS) $(LIBNBD_LIBS)
