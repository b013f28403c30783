#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# OSDs are killed and come back under load, one after the other: with two
# replicas no request fails, and every byte is what was written last.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_cluster 3
start_gateway
qbd create demo/disk 16M
start_nbdkit qbd volume=demo/disk nr_io_queues=2

patience=240 nbdsh -u "$uri" -c - >"$tmp/load.log" 2>&1 <<END &
import os, random, struct, sys
BLOCK, BLOCKS, DEPTH = 4096, 4096, 4
random.seed (8)
last = [0] * BLOCKS             # the number that was written last
count = 0
busy = {}                       # block: cookie
def pattern (block, number):
    return struct.pack ("<QQ", block, number) * (BLOCK // 16)
def reap ():
    h.poll (-1)
    for block in [b for b, c in busy.items () if h.aio_command_completed (c)]:
        del busy[block]
while not os.path.exists ("$tmp/enough"):
    while len (busy) < DEPTH:
        block = random.randrange (BLOCKS)
        if block in busy:
            continue
        count += 1
        last[block] = count
        busy[block] = h.aio_pwrite (pattern (block, count), block * BLOCK)
    reap ()
    if count % 1000 == 0:
        print ("written", count, flush=True)
while busy:
    reap ()
h.flush ()
for block in range (BLOCKS):
    expected = pattern (block, last[block]) if last[block] else bytes (BLOCK)
    assert h.pread (BLOCK, block * BLOCK) == expected, block
print ("verified", count, flush=True)
END
load=$!
_pids+=("$load load")
for osd in osd.0 osd.1; do
    wait_for_line "$tmp/load.log" "^written "
    cluster kill $osd
    cluster restart $osd
    cluster settle
done
touch "$tmp/enough"
wait $load || fail "the load failed"
tail -n 1 "$tmp/load.log" | grep '^verified'
