# SPDX-License-Identifier: BSD-3-Clause
#
# The world and the real server in it, also for fuzz drivers.  Its reactor
# shares with the real one what a file request does.
check_LTLIBRARIES += libsim.la
libsim_la_SOURCES = \
	server/reactor/file-call.c \
	server/reactor/file-call.h \
	tests/sim/sim-disk.c \
	tests/sim/sim-disk.h \
	tests/sim/sim-reactor.c \
	tests/sim/sim-reactor.h \
	tests/sim/sim-server.c \
	tests/sim/sim-server.h \
	tests/sim/sim-stream.c \
	tests/sim/sim-stream.h \
	tests/sim/world.c \
	tests/sim/world.h
sim_libs = libsim.la libqbd-internal.la libtransport.la libtarget.la \
	libengine.la libnvmeof.la libcommon.la

check_PROGRAMS += tests/sim/sim
tests_sim_sim_SOURCES = \
	tests/sim/fiber.c \
	tests/sim/fiber.h \
	tests/sim/sim-call.c \
	tests/sim/sim-call.h \
	tests/sim/sim-client-load.c \
	tests/sim/sim-client-map.c \
	tests/sim/sim-client-parts.h \
	tests/sim/sim-client.c \
	tests/sim/sim-client.h \
	tests/sim/sim-plugin.c \
	tests/sim/sim.c
tests_sim_sim_LDADD = $(sim_libs)
SH_TESTS += tests/sim.sh

# Until a seed fails.
.PHONY: soak
soak: tests/sim/sim
	from=`date +%s`; \
	while tests/sim/sim --seeds 1000 --from $$from; do \
	  from=`expr $$from + 1000`; \
	done; exit 1
