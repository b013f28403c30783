#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Client and server in a simulated world, from 100 seeds: the volume grows under
# a load, and all kinds of things happen to both.  A seed determines
# everything; and what must not happen is noticed.
source "${0%/*}/functions.sh"

timeout 250 "$QBD_BUILDDIR/tests/sim/sim" --seeds 100
timeout 60 "$QBD_BUILDDIR/tests/sim/sim" --seeds 10 --from 1000 --twice
# A world that ends in the middle is not taken down.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
expect_error 'flush succeeded over a loss of power' \
    "$QBD_BUILDDIR/tests/sim/sim" --seeds 300 --without epoch
expect_error ' is wrong:$' \
    "$QBD_BUILDDIR/tests/sim/sim" --seeds 2000 --without range-lock
# It takes long to come to one: dev/check begins at the beginning.
expect_error ' is wrong:$' \
    "$QBD_BUILDDIR/tests/sim/sim" --seeds 200 --from 1050 --without fence
