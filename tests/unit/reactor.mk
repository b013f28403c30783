# SPDX-License-Identifier: BSD-3-Clause
if HAVE_CMOCKA
reactor_tests = tests/unit/reactor tests/unit/reactor-file \
	tests/unit/reactor-watch
check_PROGRAMS += $(reactor_tests)
TESTS += $(reactor_tests)

tests_unit_reactor_SOURCES = tests/unit/reactor.c tests/unit/reactor-fixture.h
tests_unit_reactor_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_reactor_LDADD = libreactor.la $(CMOCKA_LIBS)

tests_unit_reactor_file_SOURCES = tests/unit/reactor-file.c
tests_unit_reactor_file_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_reactor_file_LDADD = libreactor.la $(CMOCKA_LIBS)

tests_unit_reactor_watch_SOURCES = tests/unit/reactor-watch.c \
	tests/unit/reactor-fixture.h
tests_unit_reactor_watch_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_reactor_watch_LDADD = libreactor.la $(CMOCKA_LIBS)
endif
