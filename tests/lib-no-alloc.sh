#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# libqbd allocates nothing for I/O, keep-alive and events, nor when the server
# goes away, comes back, and is gone for good.
source "${0%/*}/functions.sh"
requires not_sanitized          # it has the allocators

start_volume 17M
: >"$tmp/client.log"
timeout "$patience" tests/lib-no-alloc volume=demo/disk keep_alive_tmo=1 \
    nr_io_queues=2 ctrl_loss_tmo=10 >>"$tmp/client.log" 2>&1 &
client=$!
grep -q '^running$' < <(timeout "$patience" tail -n +1 -s 0.1 -f \
                            --pid=$client "$tmp/client.log") ||
    fail "lib-no-alloc did not start"
for size in 18M 19M; do
    kill_server
    start_server --pool "demo=file:$tmp/pool"
    wait_for_line "$server_log" 'controller [0-9]* serves'
    # It is told, or learns when it connects.
    qbd resize demo/disk $size
done
wait_for_line "$tmp/client.log" '^grown$'
# Two Keep Alive commands go out in this time.
sleep 1.2
kill_server
status=0; wait $client || status=$?
cat "$tmp/client.log"
test $status = 0
grep -qx '0 allocations' "$tmp/client.log"
