#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# bench/run measures all its paths, adds to what it found, draws it, says
# which path failed, and leaves nothing behind; bench/profile samples a path.
source "${0%/*}/functions.sh"
PATH=$PATH:/usr/sbin:/sbin
requires fio --version
requires sh -c 'fio --enghelp | grep -qw nbd'
requires python3 -c 'import os; os.pidfd_open'
requires command -v jq
requires command -v qemu-nbd
requires command -v tgtd
requires sh -c 'ls /usr/lib/*/qemu/block-iscsi.so'
requires /usr/bin/python3 -c 'import matplotlib'
bench=$srcdir/bench/run
short=(--rounds 1 --seconds 0.2 --size 16 --memory "$tmp"
       --output "$tmp/results")

nothing_left ()
{
    test -z "$(ls "$tmp" | grep '^qbd-bench-')"
}

: every path that there is without a cluster
"$bench" "${short[@]}" --cases read-16 >"$tmp/table"
result=$(echo "$tmp"/results/*.json)
stem=${result%.json}
grep -e '<!-- iscsi -->' "$stem-percentiles.svg"
test -s "$stem-cpu.png"
"$bench" "${short[@]}" --cases 'file-read-32,mix-2x2,seq-write-*,volumes-8' \
         --paths qbd,fio-file,qbd-bench --append "$result" --quick
nothing_left
for path in limit floor local same-shape same-shape-qemu iscsi qbd qbd-poll \
            qbd-unix; do
    grep "^$path .*[0-9]" "$tmp/table"
    jq -e --arg path $path '
        [.results[] | select (.path == $path and .case == "read-16")] |
        length == 1 and .[0].iops > 0 and .[0].requests > 0 and
        .[0].mean_us > 0 and .[0].p99_us >= .[0].p50_us and
        .[0].cpu_us >= 0 and .[0].resident_kib > 1000' "$result"
done
jq -e '[.results[] | select (.round == 2) | .path + " " + .case] | sort ==
    ["fio-file file-read-32", "qbd mix-2x2", "qbd seq-write-1m",
     "qbd seq-write-64k", "qbd volumes-8", "qbd-bench file-read-32"]' "$result"

: what was measured, against what is to be reached
"$bench" --report "$result" --targets >"$tmp/targets"
grep -E '^qbd bench, .* 0.35 .* (no|yes|aim)$' "$tmp/targets"
"$bench" --report "$result" >"$tmp/again"
grep '^volumes-8: .* 8 volumes' "$tmp/again"

: a plot of what was added
test ! -e "$stem-block-size.svg"
"$srcdir/bench/plot" "$result"
grep -e '<!-- qbd -->' "$stem-block-size.svg"

: ratios are of pairs in one round, and medians
cat >"$tmp/made.json" <<'END'
{ "results": [
  { "path": "limit", "case": "read-16", "round": 1, "iops": 100 },
  { "path": "qbd", "case": "read-16", "round": 1, "iops": 50 },
  { "path": "limit", "case": "read-16", "round": 2, "iops": 10 },
  { "path": "qbd", "case": "read-16", "round": 2, "iops": 6 },
  { "path": "qbd", "case": "read-16", "round": 3, "iops": 900 },
  { "path": "limit", "case": "read-16", "round": 4, "iops": 1 },
  { "path": "qbd", "case": "read-16", "round": 4, "iops": 0.8 },
  { "path": "vm-nvmet-file", "case": "vm-rdma-write-1", "round": 1,
    "instructions": 1000 },
  { "path": "vm-qbd-server", "case": "vm-rdma-write-1", "round": 1,
    "instructions": 900 } ] }
END
sed -i 's/"iops"/"mean_us": 1, "p99_us": 2, &/' "$tmp/made.json"
"$bench" --report "$tmp/made.json" --targets >"$tmp/targets"
grep -E 'read, depth 16.* limit +>= 0.55 +>= 0.65 +0.60 ±.* yes$' \
     "$tmp/targets"
grep -E '^VM, RDMA, write, depth 1:.* <= 1.00 +<= 0.50 +0.90 +yes$' \
     "$tmp/targets"

: a path that does not work is named, and what it said is kept
mkdir "$tmp/bin"
printf '#!/bin/sh\necho no such luck >&2\nexit 1\n' >"$tmp/bin/tgtadm"
chmod +x "$tmp/bin/tgtadm"
PATH="$tmp/bin:$PATH" expect_error \
    'bench/run: iscsi: start: tgtadm: no such luck .logs: ' \
    "$bench" "${short[@]}" --paths iscsi --cases read-1
grep . "$tmp"/results/failed-*/iscsi/log0
nothing_left

: Ctrl-C
status=0
timeout --preserve-status -s INT 2 "$bench" "${short[@]}" --seconds 100 \
        --paths qbd,iscsi --cases read-1 || status=$?
test $status -eq 130
nothing_left

: where the time goes
if perf record -q -a -e cpu-clock -o "$tmp/perf" true; then
    "$srcdir/bench/profile" qbd read-16 --seconds 1 --size 16 \
        --frequency 99 --memory "$tmp" --output "$tmp/profiles" >"$tmp/profile"
    grep -E '^ +[0-9.]+ us +[0-9.]+%  (nbdkit|qbd-server)' "$tmp/profile"
    grep '<title>qbd-server: ' "$tmp"/profiles/*.svg
    python3 -c 'import sys, xml.dom.minidom as m; m.parse (sys.argv[1])' \
            "$tmp"/profiles/*.svg
    grep '^nbdkit;.* [0-9]*$' "$tmp"/profiles/*.folded
    nothing_left
fi

expect_error 'bench/run: .*: not a build tree' \
             env -u QBD_BUILDDIR "$bench" --build "$tmp"
expect_error 'not one of limit, floor, local' "$bench" --paths limit,no-such
expect_error 'no-such: no such case' "$bench" --cases read-1,no-such
expect_error 'none of these paths serves' "$bench" --paths limit \
             --cases volumes-2
expect_error 'MiB are needed' "$bench" --size 1000000000
