# SPDX-License-Identifier: BSD-3-Clause
#
# Tests of the source tree and the build tree.
SH_TESTS += tests/comment-header.sh
SH_TESTS += tests/help.sh
SH_TESTS += tests/include-direction.sh
SH_TESTS += tests/man.sh
SH_TESTS += tests/man-examples.sh
SH_TESTS += tests/man-functions.sh
SH_TESTS += tests/man-troubleshooting.sh
SH_TESTS += tests/run-nbdkit.sh
SH_TESTS += tests/sparse.sh
