# SPDX-License-Identifier: BSD-3-Clause
EXTRA_DIST += bench/NOTES bench/README bench/plot bench/profile bench/run
EXTRA_DIST += bench/cases.py bench/command.py bench/figures.py \
	bench/flamegraph.py bench/load.py bench/paths.py bench/processes.py \
	bench/ratios.py bench/report.py bench/session.py bench/targets.py \
	bench/vm.py
EXTRA_DIST += bench/flames/floor-read-16.svg bench/flames/limit-read-1.svg \
	bench/flames/limit-read-16.svg bench/flames/qbd-read-1.svg \
	bench/flames/qbd-read-16.svg bench/flames/qbd-read-16x4.svg \
	bench/flames/qbd-read-64.svg bench/flames/qbd-seq-read-1m.svg \
	bench/flames/qbd-seq-write-1m.svg \
	bench/flames/qbd-unix-seq-read-1m.svg \
	bench/flames/qbd-unix-seq-write-1m.svg bench/flames/qbd-write-16.svg \
	bench/flames/same-shape-read-16.svg \
	bench/flames/same-shape-read-16x4.svg
EXTRA_DIST += bench/plots/block-size.svg bench/plots/cpu.svg \
	bench/plots/percentiles.svg bench/plots/read.svg \
	bench/plots/scaling.svg bench/plots/write.svg

# What bench/run's path "floor" serves.
noinst_LTLIBRARIES += bench-floor.la
bench_floor_la_SOURCES = bench/floor.c
bench_floor_la_CPPFLAGS = $(AM_CPPFLAGS) $(NBDKIT_CFLAGS)
bench_floor_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-rpath /nowhere

# For bench/vm: what counts in the emulator, and the guest's program for it.
bench_vm_cc = $(AM_V_CC)$(MKDIR_P) bench/vm && $(CC) -std=gnu17 $(WARN_CFLAGS) \
	-I$(top_srcdir) -O2
bench_vm = $(srcdir)/bench/vm

bench/vm/instructions.so: $(bench_vm)/instructions.c $(bench_vm)/mark.h \
		$(bench_vm)/qemu-plugin.h
	$(bench_vm_cc) -shared -fPIC -fvisibility=hidden -o $@ $<

bench/vm/mark: $(bench_vm)/mark.c $(bench_vm)/mark.h
	$(bench_vm_cc) -o $@ $<

CLEANFILES += bench/vm/instructions.so bench/vm/mark
EXTRA_DIST += bench/vm/instructions.c bench/vm/mark.c \
	bench/vm/mark.h bench/vm/qemu-plugin.h bench/vm/rdma.sh \
	bench/vm/requests.sh bench/vm/send-lat.sh bench/vm/tcp.sh
