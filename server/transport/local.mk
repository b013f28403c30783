# SPDX-License-Identifier: BSD-3-Clause
noinst_LTLIBRARIES += libtransport.la
libtransport_la_SOURCES = \
	server/transport/handshakes.c \
	server/transport/internal.h \
	server/transport/listener.c \
	server/transport/rations.c \
	server/transport/rations.h \
	server/transport/tcp-connection.c \
	server/transport/tcp-internal.h \
	server/transport/tcp-pool.c \
	server/transport/tcp-receive.c \
	server/transport/tcp-send.c \
	server/transport/transport.h
libtransport_la_CPPFLAGS = $(AM_CPPFLAGS) $(RDMA_CFLAGS)
libtransport_la_LIBADD = libtarget.la libnvmeof.la libcommon.la $(RDMA_LIBS)
if HAVE_RDMA
libtransport_la_SOURCES += \
	server/transport/rdma-buffers.c \
	server/transport/rdma-connection.c \
	server/transport/rdma-device.c \
	server/transport/rdma-events.c \
	server/transport/rdma-internal.h \
	server/transport/rdma-listener.c \
	server/transport/rdma-receive.c \
	server/transport/rdma-send.c
endif
