# SPDX-License-Identifier: BSD-3-Clause
EXTRA_DIST += bench/run bench/cases.py bench/load.py bench/paths.py \
	bench/processes.py bench/ratios.py bench/report.py bench/session.py \
	bench/targets.py
