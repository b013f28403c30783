# SPDX-License-Identifier: BSD-3-Clause
EXTRA_DIST += dev/check dev/check-installed dev/demo dev/deps \
	dev/functions.sh dev/tsan.suppressions .ci/run

# See the file: ./run nbdkit preloads it.
if SANITIZE
noinst_LTLIBRARIES += sanitize-first.la
sanitize_first_la_SOURCES = dev/sanitize-first.c
sanitize_first_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-rpath /nowhere -Wl,-z,initfirst
endif

# Made again when their sources change.
noinst_SCRIPTS = run dev/path/nbdkit
