#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The server is killed in the middle of the load: every request ends with an
# error, and the client ends; at once, or when it has waited for long enough.
source "${0%/*}/functions.sh"

for mode in stress aio; do
    for queues in 1 3; do
        start_server --pool demo=ram:
        qbd create demo/disk 64M
        loss=$((queues - 1))    # 0: at once
        # io_tmo is longer than our patience: it is the end of the connections
        # that is noticed.
        : >"$tmp/client.log"    # the last one's "running" does not count
        tests/lib-client "$mode" 16 0 7 volume=demo/disk io_tmo=3600 \
                         keep_alive_tmo=0 nr_io_queues="$queues" \
                         ctrl_loss_tmo="$loss" \
                         >"$tmp/client.log" &
        client=$!
        wait_for_line "$tmp/client.log" '^running$'
        kill_server
        timeout "$patience" tail --pid="$client" -f /dev/null ||
            fail "the client hangs"
        wait "$client"
        grep -q '[0-9] requests$' "$tmp/client.log"
    done
done
