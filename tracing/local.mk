# SPDX-License-Identifier: BSD-3-Clause
#
# Scripts for bpftrace, which name the installed program and library.
tracingdir = $(pkgdatadir)/tracing
tracing_scripts = \
	tracing/client-latency.bt \
	tracing/server-latency.bt \
	tracing/server-outliers.bt
tracing_DATA = $(tracing_scripts)
CLEANFILES += $(tracing_scripts)
EXTRA_DIST += $(tracing_scripts:.bt=.bt.in)

$(tracing_scripts): %.bt: $(srcdir)/%.bt.in Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -e 's,@sbindir[@],$(sbindir),' \
	  -e 's,@libdir[@],$(libdir),' $< >$@.tmp && mv $@.tmp $@
