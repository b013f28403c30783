# SPDX-License-Identifier: BSD-3-Clause
noinst_LTLIBRARIES += libengine.la
libengine_la_SOURCES = \
	server/engine/engine.h \
	server/engine/engines.c \
	server/engine/ram.c
libengine_la_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) $(UUID_CFLAGS)
libengine_la_LIBADD = libreactor.la libcommon.la $(SQLITE_LIBS) $(UUID_LIBS)
