#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A server that stops answering with its connections open: io_tmo ends the
# requests, with or without keep-alive; and keep-alive ends them before a
# longer io_tmo does.
source "${0%/*}/functions.sh"

cont ()
{
    kill -s CONT "$server_pid" 2>/dev/null || :
}

one ()
{
    local mode=$1 client
    shift
    start_server --pool demo=ram:
    qbd create demo/disk 64M
    : >"$tmp/client.log"
    tests/lib-client "$mode" 16 0 7 volume=demo/disk "$@" >"$tmp/client.log" &
    client=$!
    wait_for_line "$tmp/client.log" '^running$'
    kill -s STOP "$server_pid"
    timeout "$patience" tail --pid="$client" -f /dev/null ||
        fail "the client hangs"
    wait "$client"
    cont
    stop_server
}
cleanup_fn cont

for mode in stress aio; do
    one "$mode" ctrl_loss_tmo=0 io_tmo=1 keep_alive_tmo=0
    one "$mode" ctrl_loss_tmo=0 io_tmo=1
    one "$mode" ctrl_loss_tmo=0 io_tmo=3600 keep_alive_tmo=1
    # Aborted first, then connected again for a while.
    one "$mode" ctrl_loss_tmo=2 io_tmo=1 keep_alive_tmo=0
    # It goes on trying, but nobody waits for that.
    one "$mode" fast_io_fail_tmo=1 io_tmo=3600 keep_alive_tmo=1
done
