#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The fuzz drivers: their corpora, which hold what was found before, and some
# thousand inputs made from those.
source "${0%/*}/functions.sh"
corpus=$srcdir/fuzzing/corpus

for driver in client server; do
    timeout "$patience" "$QBD_BUILDDIR/fuzzing/fuzz-$driver" --runs 1000 \
        "$corpus/session"
done
timeout "$patience" "$QBD_BUILDDIR/fuzzing/fuzz-discovery" --runs 300 \
    "$corpus/discovery"
for driver in control pages config; do
    timeout "$patience" "$QBD_BUILDDIR/fuzzing/fuzz-$driver" --runs 20000 \
        "$corpus/$driver"
done
