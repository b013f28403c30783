#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A host with 128 requests of 1 MiB in flight does not starve one with a single
# small request, on one reactor: while that one waits for its answer, at most a
# few of the greedy one's are served, and never its whole queue.
#
# With QBD_GREEDY_QUEUES=N (dev/check: 8) it has them in so many queues, each of
# which has its turn.
source "${0%/*}/functions.sh"
requires jq --version
requires curl --version
queues=${QBD_GREEDY_QUEUES-1}
most=$((6 + 4 * queues))        # without turns: 22 of one queue

start_server --pool demo=ram: --reactors 1 --listen tcp://127.0.0.1:0
qbd create demo/greedy 256M
qbd create demo/small 64M

# Sets $while_waiting to the requests of the greedy one in the time of one of
# the other's.
measure ()                      # read or write
{
    local greedy
    qbd bench demo/greedy --io-type "$1" --overwrite --depth 128 \
        --queues "$queues" --io-size 1M --seconds 4 --json \
        >"$tmp/greedy.json" &
    greedy=$!
    # It is at work.
    until test "$(curl -sS --unix-socket "$QBD_CONTROL" http://qbd/metrics |
        sed -n "s/^qbd_operations_total{.*greedy.*=\"$1\"} //p")" -gt 0; do
        kill -0 $greedy
    done
    qbd bench demo/small --depth 1 --seconds 2 --json >"$tmp/small.json"
    wait $greedy
    while_waiting=$(jq -s --arg op "$1" \
        '(.[0][$op].iops * .[1].read.latency_us.mean / 1e6)' \
        "$tmp/greedy.json" "$tmp/small.json")
}
for op in read write; do
    measure $op
    echo "$op: $while_waiting"
    awk "BEGIN { exit !($while_waiting < $most) }" ||
        fail "$op: $while_waiting requests of the greedy host in the time of one"
done
