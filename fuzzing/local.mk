# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzz drivers.  With --enable-fuzzing they are libFuzzer's; else they have
# their own main, and make check runs a few thousand inputs.
check_PROGRAMS += fuzzing/fuzz-client fuzzing/fuzz-config \
	fuzzing/fuzz-control fuzzing/fuzz-discovery fuzzing/fuzz-pages \
	fuzzing/fuzz-server

fuzz_main = fuzzing/fuzz.h
if !FUZZING
fuzz_main += fuzzing/main.c
endif

fuzz_session = \
	$(fuzz_main) \
	fuzzing/mangler.c \
	fuzzing/mangler.h \
	fuzzing/session-mutate.c \
	fuzzing/session.c \
	fuzzing/session.h

fuzzing_fuzz_client_SOURCES = $(fuzz_session)
fuzzing_fuzz_client_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_SERVER=0
fuzzing_fuzz_client_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
fuzzing_fuzz_client_LDADD = $(sim_libs)

fuzzing_fuzz_server_SOURCES = $(fuzz_session)
fuzzing_fuzz_server_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_SERVER=1
fuzzing_fuzz_server_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
fuzzing_fuzz_server_LDADD = $(sim_libs)

fuzzing_fuzz_pages_SOURCES = $(fuzz_main) fuzzing/pages.c
fuzzing_fuzz_pages_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
fuzzing_fuzz_pages_LDADD = libnvmeof.la libcommon.la

fuzzing_fuzz_config_SOURCES = $(fuzz_main) fuzzing/config.c
fuzzing_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
fuzzing_fuzz_config_LDADD = liboptions.la libtarget.la libengine.la libreactor.la \
	libnvmeof.la libcommon.la

fuzzing_fuzz_control_SOURCES = $(fuzz_main) fuzzing/control.c \
	tests/unit/api-fixture.c tests/unit/api-fixture.h
fuzzing_fuzz_control_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
fuzzing_fuzz_control_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
fuzzing_fuzz_control_LDADD = libcontrol.la libtarget.la libengine.la \
	libreactor.la libnvmeof.la libcommon.la $(JANSSON_LIBS)

fuzzing_fuzz_discovery_SOURCES = $(fuzz_main) fuzzing/discovery.c
fuzzing_fuzz_discovery_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LDFLAGS)
fuzzing_fuzz_discovery_LDADD = libqbd-internal.la libnvmeof.la libcommon.la \
	$(UUID_LIBS)

SH_TESTS += tests/fuzz.sh
EXTRA_DIST += fuzzing/README fuzzing/coverage
# Lists would go stale.
dist-hook: dist-fuzzing-corpus
.PHONY: dist-fuzzing-corpus
dist-fuzzing-corpus:
	cp -R $(srcdir)/fuzzing/corpus $(distdir)/fuzzing/
