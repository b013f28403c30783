#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Client and server in a simulated world, from 100 seeds: the volume grows under
# a load, connections are lost; and a seed determines everything.
source "${0%/*}/functions.sh"

timeout 150 "$QBD_BUILDDIR/tests/sim/sim" --seeds 100
timeout 60 "$QBD_BUILDDIR/tests/sim/sim" --seeds 10 --from 1000 --twice
