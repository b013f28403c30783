# SPDX-License-Identifier: BSD-3-Clause
EXTRA_DIST += bench/run bench/paths.py bench/report.py
