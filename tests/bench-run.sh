#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# bench/run measures all its paths and writes what it found.
source "${0%/*}/functions.sh"
requires fio --version
requires sh -c 'fio --enghelp | grep -qw nbd'
requires python3 -c 'import os; os.pidfd_open'
requires command -v jq
bench=$srcdir/bench/run

"$bench" --rounds 1 --seconds 1 --size 16 --depths 4 --memory "$tmp" \
         --paths limit,local,same-shape,qbd,qbd-unix --output "$tmp/results" \
         >"$tmp/table"
cat "$tmp/table"
for path in limit local same-shape qbd qbd-unix; do
    grep -q "^$path " "$tmp/table"
    for operation in randread randwrite; do
        jq -e --arg path $path --arg what "4 KiB $operation, depth 4" '
            [.results[] | select (.path == $path and .workload == $what)] |
            length == 1 and .[0].iops > 0 and .[0].requests > 0 and
            .[0].mean_us > 0 and .[0].p99_us >= .[0].p50_us' \
            "$tmp"/results/*.json
    done
done
jq -e '.summary | length == 10 and
       all (.iops_to_limit != null or .path == "limit")' "$tmp"/results/*.json

# Nothing is left behind.
test -z "$(ls "$tmp" | grep '^qbd-bench-')"

expect_error 'bench/run: .*: not a build tree' \
             env -u QBD_BUILDDIR "$bench" --build "$tmp"
expect_error 'not one of limit, local' "$bench" --paths limit,no-such
expect_error 'MiB are needed' "$bench" --size 1000000000
