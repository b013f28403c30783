# SPDX-License-Identifier: BSD-3-Clause
noinst_LTLIBRARIES += libcommon.la
libcommon_la_SOURCES = \
	common/address.c \
	common/address.h \
	common/buddy.c \
	common/buddy.h \
	common/cleanup.h \
	common/clock.h \
	common/control-path.c \
	common/control-path.h \
	common/cpus.h \
	common/dir-lock.c \
	common/dir-lock.h \
	common/error.c \
	common/error.h \
	common/hash.h \
	common/http-answer.c \
	common/http-answer.h \
	common/locked-memory.c \
	common/locked-memory.h \
	common/log.c \
	common/log.h \
	common/nearest.c \
	common/nearest.h \
	common/percent.c \
	common/percent.h \
	common/probe.h \
	common/random.h \
	common/resolve.c \
	common/resolve.h \
	common/size.c \
	common/size.h \
	common/socket-connect.c \
	common/socket-listen.c \
	common/socket-stream.c \
	common/spin.h \
	common/stream.h \
	common/thread-call.c \
	common/thread-call.h \
	common/thread-start.c \
	common/thread-start.h \
	common/usage.c \
	common/usage.h \
	common/volume-model-internal.h \
	common/volume-model-read.c \
	common/volume-model.c \
	common/volume-model.h
