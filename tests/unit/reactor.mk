# SPDX-License-Identifier: BSD-3-Clause
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/reactor tests/unit/reactor-file
TESTS += tests/unit/reactor tests/unit/reactor-file

tests_unit_reactor_SOURCES = tests/unit/reactor.c
tests_unit_reactor_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_reactor_LDADD = libreactor.la $(CMOCKA_LIBS)

tests_unit_reactor_file_SOURCES = tests/unit/reactor-file.c
tests_unit_reactor_file_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_unit_reactor_file_LDADD = libreactor.la $(CMOCKA_LIBS)
endif
