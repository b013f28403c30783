# SPDX-License-Identifier: BSD-3-Clause
include server/reactor/local.mk
include server/engine/local.mk
include server/target/local.mk
include server/transport/local.mk
include server/control/local.mk

# Options are a library too, for their unit test.
noinst_LTLIBRARIES += liboptions.la
liboptions_la_SOURCES = \
	server/options-file.c \
	server/options.c \
	server/options.h
liboptions_la_CPPFLAGS = $(AM_CPPFLAGS) $(INIH_CFLAGS)
liboptions_la_LIBADD = $(INIH_LIBS)

sbin_PROGRAMS += qbd-server
qbd_server_SOURCES = \
	server/listeners.c \
	server/listeners.h \
	server/main.c \
	server/notify.c \
	server/notify.h \
	server/reload.c \
	server/reload.h \
	server/server.c \
	server/server.h
qbd_server_LDADD = liboptions.la libcontrol.la libtransport.la libtarget.la \
	libengine.la libreactor.la libnvmeof.la libcommon.la
