#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# bench/run --ceph measures its paths over a cluster of its own, and leaves
# nothing behind.
source "${0%/*}/functions.sh"
requires ceph-mon --version
requires ceph-osd --version
requires rbd --version
requires /usr/bin/python3 -c 'import rados'
requires sh -c 'fio --enghelp | grep -qw nbd'
requires python3 -c 'import os; os.pidfd_open'
requires qemu-nbd --version
"$srcdir/bench/run" --ceph --rounds 1 --seconds 1 --size 16 \
                    --cases read-4,write-4 --memory "$tmp" \
                    --output "$tmp/results" >"$tmp/table"
cat "$tmp/table"
jq -e '.results | length == 10 and all (.requests > 0)' "$tmp"/results/*.json
# Compared with qemu-nbd, in both cases.
test "$(grep -c '^path .*/ceph-qemu$' "$tmp/table")" = 2
test "$(grep -c '^ceph-qbd .*[0-9]$' "$tmp/table")" = 2
test -z "$(ls "$tmp" | grep '^qbd-bench-')"
