# SPDX-License-Identifier: BSD-3-Clause
noinst_LTLIBRARIES += libcommon.la
libcommon_la_SOURCES = \
	common/address.h \
	common/cleanup.h \
	common/clock.h \
	common/error.c \
	common/error.h \
	common/log.h \
	common/nearest.h \
	common/size.h \
	common/stream.h
