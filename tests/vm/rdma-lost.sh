#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# RDMA that ends: the server is killed under load, or stops to answer; or the
# host does.  Requests end with errors after ctrl_loss_tmo, never in a hang, and
# the server serves on.  (rdma-link has links that go down, rdma-removed devices.)
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
mkdir "$tmp/pool"
serve ()
{
    start_server --pool "demo=file:$tmp/pool" --allow-any-host \
                 --listen rdma://$rdma_host:4420
}

# Starts what keeps requests in flight until one fails; connections that are lost
# are made anew for so many seconds.
load ()
{
    start_nbdkit qbd demo/disk server=rdma://$rdma_host \
                 keep_alive_tmo=10 io_tmo=15 ctrl_loss_tmo=$1
    nbdsh -u "$uri" -c '
buf = bytearray(b"x" * 65536)
for i in range(1000000):
    if i == 20:
        print("under load", flush=True)
    try:
        h.pwrite(buf, 65536 * (i % 100))
    except nbd.Error as error:
        print("failed:", error, flush=True)
        break
' >"$tmp/load.log" 2>&1 &
    load_pid=$!
    wait_for_line "$tmp/load.log" '^under load'
}

# It has failed, in good order.
fails ()
{
    wait_for_line "$tmp/load.log" '^failed: '
    wait $load_pid
    grep -E "$1" "$nbdkit_log"
    stop_nbdkit
}

no_host ()
{
    test "$(qbd info --json demo/disk | jq '.hosts | length')" = 0
}

has_host ()
{
    ! no_host
}

serve
qbd create demo/disk 64M

load 5
kill_server
fails 'error: write: demo/disk: '

# Its kernel still acknowledges what is sent to it, but no answer comes.
serve
load 5
cleanup_fn kill -s CONT "$server_pid"
kill -s STOP "$server_pid"
fails 'error: write: demo/disk: '
kill -s CONT "$server_pid"

# The other way round: the keep-alive tells.
until_true no_host
load 60
cleanup_fn kill -s CONT "$nbdkit_pid"
kill -s STOP "$nbdkit_pid"
until_true no_host
# It has lost its connection, and makes another one.
kill -s CONT "$nbdkit_pid"
until_true has_host
kill $load_pid
stop_nbdkit
stop_server
