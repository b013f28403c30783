# SPDX-License-Identifier: BSD-3-Clause
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/options
tests_unit_options_SOURCES = tests/unit/options.c
tests_unit_options_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_options_LDADD = liboptions.la libtarget.la libengine.la libreactor.la \
	libnvmeof.la libcommon.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/sandbox
tests_unit_sandbox_SOURCES = tests/unit/sandbox.c
tests_unit_sandbox_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_sandbox_LDADD = libsandbox.la liboptions.la libcontrol.la \
	libtarget.la libengine.la libreactor.la libnvmeof.la libcommon.la \
	$(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/control-api
tests_unit_control_api_SOURCES = tests/unit/control-api.c \
	tests/unit/api-fixture.c tests/unit/api-fixture.h
tests_unit_control_api_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS) \
	$(JANSSON_CFLAGS)
tests_unit_control_api_LDADD = libcontrol.la libtarget.la libengine.la \
	libreactor.la libnvmeof.la libcommon.la $(JANSSON_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/volumes-pools
tests_unit_volumes_pools_SOURCES = tests/unit/volumes-pools.c
tests_unit_volumes_pools_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_volumes_pools_LDADD = libcontrol.la libtarget.la libengine.la \
	libreactor.la libnvmeof.la libcommon.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/cli-latency
tests_unit_cli_latency_SOURCES = tests/unit/cli-latency.c cli/latency.c \
	cli/latency.h
tests_unit_cli_latency_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cli_latency_LDADD = $(CMOCKA_LIBS)

TESTS += tests/unit/sandbox tests/unit/cli-latency tests/unit/options tests/unit/control-api tests/unit/volumes-pools
endif
