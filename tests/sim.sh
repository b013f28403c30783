#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Client and server in a simulated world, from 100 seeds: the volume grows under
# a load, and all kinds of things happen to both.  A seed determines
# everything; and what must not happen is noticed.
source "${0%/*}/functions.sh"
patience=900                    # it waits for nothing but a processor

"$QBD_BUILDDIR/tests/sim/sim" --seeds 100
"$QBD_BUILDDIR/tests/sim/sim" --seeds 10 --from 1000 --twice
"$QBD_BUILDDIR/tests/sim/sim" --seeds 50 --giving-up
# A world that ends in the middle is not taken down.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
# From shortly before a seed that shows it; dev/check begins at the beginning.
without ()
{
    expect_error ' is wrong:$|flush succeeded over a loss of power' \
        "$QBD_BUILDDIR/tests/sim/sim" --seeds 500 --from "$2" --without "$1" \
        "${@:3}"
}
without range-lock 10
without epoch 30
without path-fence 400
without order 440
without fence 790
without drain 4000
without left-behind 190 --giving-up
