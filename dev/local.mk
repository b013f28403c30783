# SPDX-License-Identifier: BSD-3-Clause
EXTRA_DIST += dev/check dev/check-installed dev/demo dev/deps \
	dev/functions.sh .ci/run
