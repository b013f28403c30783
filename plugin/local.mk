# SPDX-License-Identifier: BSD-3-Clause
nbdkit_plugin_LTLIBRARIES = nbdkit-qbd-plugin.la
nbdkit_qbd_plugin_la_SOURCES = \
	plugin/attach.c \
	plugin/attach.h \
	plugin/blocks.c \
	plugin/blocks.h \
	plugin/control.c \
	plugin/control.h \
	plugin/exports.c \
	plugin/exports.h \
	plugin/notice.c \
	plugin/notice.h \
	plugin/plugin.c \
	plugin/probe.c \
	plugin/probe.h \
	plugin/range-lock.c \
	plugin/range-lock.h \
	plugin/stall.c \
	plugin/stall.h \
	plugin/swap.c \
	plugin/swap.h
nbdkit_qbd_plugin_la_CPPFLAGS = $(AM_CPPFLAGS) $(NBDKIT_CFLAGS)
nbdkit_qbd_plugin_la_LDFLAGS = $(AM_LDFLAGS) \
	-module -avoid-version -shared \
	-Wl,--version-script=$(srcdir)/plugin/plugin.syms
nbdkit_qbd_plugin_la_LIBADD = libqbd.la libcommon.la
EXTRA_DIST += plugin/plugin.syms
