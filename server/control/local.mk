# SPDX-License-Identifier: BSD-3-Clause
noinst_LTLIBRARIES += libcontrol.la
libcontrol_la_SOURCES = \
	server/control/api-hosts.c \
	server/control/api-hosts.h \
	server/control/api-inflight.c \
	server/control/api-inflight.h \
	server/control/api-json.c \
	server/control/api-json.h \
	server/control/api.c \
	server/control/api.h \
	server/control/control.h \
	server/control/http-accept.c \
	server/control/http-accept.h \
	server/control/http-connections.c \
	server/control/http-connections.h \
	server/control/http.c \
	server/control/inflight.c \
	server/control/inflight.h \
	server/control/metrics.c \
	server/control/metrics.h \
	server/control/volumes-change.c \
	server/control/volumes-check.c \
	server/control/volumes-hosts.c \
	server/control/volumes-internal.h \
	server/control/volumes-live.c \
	server/control/volumes-pools.c \
	server/control/volumes.c \
	server/control/volumes.h
libcontrol_la_CPPFLAGS = $(AM_CPPFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS)
libcontrol_la_LIBADD = libnvmeof.la libcommon.la $(MHD_LIBS) $(JANSSON_LIBS)
