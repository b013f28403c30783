# SPDX-License-Identifier: BSD-3-Clause
if HAVE_CMOCKA
engine_tests = \
	tests/unit/engine-file \
	tests/unit/engine-file-data \
	tests/unit/engine-file-mount \
	tests/unit/engine-ram \
	tests/unit/engine-random \
	tests/unit/engine-ranges \
	tests/unit/engine-settings \
	tests/unit/engine-sparse
check_PROGRAMS += $(engine_tests)
TESTS += $(engine_tests)
ENGINE_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
ENGINE_TEST_LDADD = libengine.la libreactor.la libcommon.la $(CMOCKA_LIBS)

tests_unit_engine_file_SOURCES = tests/unit/engine-file.c \
	tests/unit/engine-helpers.c tests/unit/engine-helpers.h \
	tests/unit/engine-sql.c tests/unit/engine-sql.h
tests_unit_engine_file_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_engine_file_LDADD = $(ENGINE_TEST_LDADD) $(SQLITE_LIBS)
tests_unit_engine_file_data_SOURCES = tests/unit/engine-file-data.c \
	tests/unit/engine-helpers.c tests/unit/engine-helpers.h
tests_unit_engine_file_data_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_engine_file_data_LDADD = $(ENGINE_TEST_LDADD)
tests_unit_engine_file_mount_SOURCES = tests/unit/engine-file-mount.c \
	tests/unit/engine-helpers.c tests/unit/engine-helpers.h
tests_unit_engine_file_mount_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_engine_file_mount_LDADD = $(ENGINE_TEST_LDADD)
tests_unit_engine_ram_SOURCES = tests/unit/engine-ram.c \
	tests/unit/engine-helpers.c tests/unit/engine-helpers.h
tests_unit_engine_ram_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_engine_ram_LDADD = $(ENGINE_TEST_LDADD)
tests_unit_engine_random_SOURCES = tests/unit/engine-random.c \
	tests/unit/engine-helpers.c tests/unit/engine-helpers.h
tests_unit_engine_random_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_engine_random_LDADD = $(ENGINE_TEST_LDADD)
tests_unit_engine_ranges_SOURCES = tests/unit/engine-ranges.c
tests_unit_engine_ranges_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_engine_ranges_LDADD = $(ENGINE_TEST_LDADD)
tests_unit_engine_settings_SOURCES = tests/unit/engine-settings.c \
	tests/unit/engine-helpers.c tests/unit/engine-helpers.h \
	tests/unit/engine-sql.c tests/unit/engine-sql.h
tests_unit_engine_settings_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS) $(SQLITE_CFLAGS)
tests_unit_engine_settings_LDADD = $(ENGINE_TEST_LDADD) $(SQLITE_LIBS)
tests_unit_engine_sparse_SOURCES = tests/unit/engine-sparse.c \
	tests/unit/engine-helpers.c tests/unit/engine-helpers.h
tests_unit_engine_sparse_CPPFLAGS = $(ENGINE_TEST_CPPFLAGS)
tests_unit_engine_sparse_LDADD = $(ENGINE_TEST_LDADD)
endif
