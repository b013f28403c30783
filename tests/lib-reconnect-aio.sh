#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Asynchronous requests over several queues wait for a server that is killed
# and started again, and go on at once: who polls them may read the answers
# that connecting waits for.
source "${0%/*}/functions.sh"
requires jq --version
requires curl --version

start_volume 64M
# (What runs in the background would ignore SIGINT.)
env --default-signal=INT \
    qbd bench demo/disk --depth 32 --queues 4 --seconds 1000 --json \
    >"$tmp/result" 2>"$tmp/bench.log" &
bench=$!
cleanup_fn sh -c "kill $bench 2>/dev/null || :"
reads ()                        # the server has answered some
{
    curl -sS --unix-socket "$QBD_CONTROL" http://qbd/metrics |
        grep -q '^qbd_operations_total{.*operation="read"} [1-9]'
}
await_reads ()
{
    until reads; do
        kill -0 $bench          # it has not ended
    done
}
for round in 1 2 3 4 5; do
    await_reads
    kill_server
    start_server --pool "demo=file:$tmp/pool"
done
await_reads
kill -INT $bench                # it ends with its result
wait $bench
# The longest pause, in microseconds.
jq -e '.read.operations > 1000 and .read.latency_us.max < 8e6' "$tmp/result"
