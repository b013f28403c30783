# SPDX-License-Identifier: BSD-3-Clause
#
# qbd, the management API, and qbd-server as its user sees it.
SH_TESTS += tests/control-api.sh
SH_TESTS += tests/server-stop.sh
