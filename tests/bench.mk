# SPDX-License-Identifier: BSD-3-Clause
#
# Benchmarks are programs, too.  For dev/check: too long for make check.
EXTRA_DIST += tests/bench-run.sh
