# SPDX-License-Identifier: BSD-3-Clause
bin_PROGRAMS += qbd
qbd_SOURCES = \
	cli/cli.h \
	cli/client.c \
	cli/create.c \
	cli/info.c \
	cli/ls.c \
	cli/main.c \
	cli/output.c \
	cli/pools.c \
	cli/resize.c \
	cli/rm.c \
	cli/status.c
qbd_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
qbd_LDADD = libcommon.la $(CURL_LIBS) $(JANSSON_LIBS)
