# SPDX-License-Identifier: BSD-3-Clause
#
# Benchmarks are programs, too.
SH_TESTS += tests/bench-run.sh
