# SPDX-License-Identifier: BSD-3-Clause
pkgconfig_DATA += lib/libqbd.pc
EXTRA_DIST += lib/libqbd.map

# All objects, for the library itself, the unit tests and the simulator, which
# add libnvmeof.la, libcommon.la and $(UUID_LIBS).
noinst_LTLIBRARIES += libqbd-internal.la
libqbd_internal_la_SOURCES = \
	lib/admin.c \
	lib/aio.c \
	lib/association-identify.c \
	lib/association-open.c \
	lib/association-queues.c \
	lib/association-steps.c \
	lib/association-steps.h \
	lib/association.c \
	lib/association.h \
	lib/block-status.c \
	lib/config.c \
	lib/discover-list.c \
	lib/durable.c \
	lib/discover.c \
	lib/error.c \
	lib/events.c \
	lib/fork.c \
	lib/host-identity.c \
	lib/inflight.c \
	lib/internal.h \
	lib/interrupt.c \
	lib/keeper.c \
	lib/left-behind.c \
	lib/namespace.c \
	lib/options.h \
	lib/paths-keep.c \
	lib/paths-open.c \
	lib/paths-replay.c \
	lib/paths.c \
	lib/paths.h \
	lib/queue-internal.h \
	lib/queue-roles.c \
	lib/queue.c \
	lib/queue.h \
	lib/reconnect.c \
	lib/registry.c \
	lib/retain.c \
	lib/retain.h \
	lib/sync.c \
	lib/tcp-queue.c \
	lib/tcp-queue.h \
	lib/tcp-receive.c \
	lib/tcp-send.c \
	lib/transfer.c \
	lib/transport.c \
	lib/transport.h \
	lib/volume.c \
	lib/volume.h
libqbd_internal_la_CFLAGS = $(AM_CFLAGS) $(UUID_CFLAGS) $(RDMA_CFLAGS)
libqbd_internal_la_LIBADD = $(RDMA_LIBS)
if HAVE_RDMA
libqbd_internal_la_SOURCES += \
	lib/rdma-connect.c \
	lib/rdma-queue.c \
	lib/rdma-queue.h \
	lib/rdma-transfer.c
endif

lib_LTLIBRARIES += libqbd.la
libqbd_la_SOURCES =
libqbd_la_LIBADD = libqbd-internal.la libnvmeof.la $(UUID_LIBS)
# A name server that hangs keeps a thread in common/resolve.c.
libqbd_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-Wl,--version-script=$(srcdir)/lib/libqbd.map -Wl,-z,nodelete
libqbd_la_DEPENDENCIES = libqbd-internal.la libnvmeof.la lib/libqbd.map

EXTRA_DIST += man/libqbd.pod
man_pages += man/libqbd.3
