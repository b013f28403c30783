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

# So is the sandbox.
noinst_LTLIBRARIES += libsandbox.la
libsandbox_la_SOURCES = \
	server/sandbox-internal.h \
	server/sandbox-landlock.c \
	server/sandbox-seccomp.c \
	server/sandbox.c \
	server/sandbox.h
libsandbox_la_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
libsandbox_la_LIBADD = $(SECCOMP_LIBS)

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
qbd_server_LDADD = libsandbox.la liboptions.la libcontrol.la libtransport.la libtarget.la \
	libengine.la libreactor.la libnvmeof.la libcommon.la
