# SPDX-License-Identifier: BSD-3-Clause
noinst_LTLIBRARIES += libengine.la
libengine_la_SOURCES = \
	server/engine/engine.h \
	server/engine/engines.c \
	server/engine/failures.c \
	server/engine/file-bounce.c \
	server/engine/file-catalogue-internal.h \
	server/engine/file-catalogue-volumes.c \
	server/engine/file-catalogue.c \
	server/engine/file-catalogue.h \
	server/engine/file-check.c \
	server/engine/file-epoch.c \
	server/engine/file-internal.h \
	server/engine/file-io.c \
	server/engine/file-length.c \
	server/engine/file-loan.c \
	server/engine/file-lock.c \
	server/engine/file-lock.h \
	server/engine/file-open.c \
	server/engine/file-pool.c \
	server/engine/file-sync.c \
	server/engine/file-unfinished.c \
	server/engine/file.c \
	server/engine/host-list.c \
	server/engine/host-list.h \
	server/engine/pool-argument.c \
	server/engine/pool-argument.h \
	server/engine/ram.c \
	server/engine/ranges.c \
	server/engine/ranges.h \
	server/engine/sparse.c \
	server/engine/sparse.h \
	server/engine/volume-name.c \
	server/engine/volume-name.h
libengine_la_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS) $(UUID_CFLAGS)
libengine_la_LIBADD = libreactor.la libcommon.la $(SQLITE_LIBS) $(UUID_LIBS)
if HAVE_RBD
libengine_la_SOURCES += \
	server/engine/rbd-ask.c \
	server/engine/rbd-cluster.c \
	server/engine/rbd-extents.c \
	server/engine/rbd-fenced.c \
	server/engine/rbd-gateway.c \
	server/engine/rbd-internal.h \
	server/engine/rbd-io.c \
	server/engine/rbd-learn.c \
	server/engine/rbd-live.c \
	server/engine/rbd-metadata.c \
	server/engine/rbd-open.c \
	server/engine/rbd-pool.c \
	server/engine/rbd.c
libengine_la_LIBADD += $(RBD_LIBS)
endif
