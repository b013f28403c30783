# SPDX-License-Identifier: BSD-3-Clause
EXTRA_DIST += bench/NOTES bench/README bench/plot bench/profile bench/run
EXTRA_DIST += bench/cases.py bench/command.py bench/figures.py \
	bench/flamegraph.py bench/load.py bench/paths.py bench/processes.py \
	bench/ratios.py bench/report.py bench/session.py bench/targets.py
