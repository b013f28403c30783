#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# RDMA that ends: the server is killed under load, the device is removed, the
# link goes down.  Requests end with errors, never in a hang, and the server
# serves on.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
mkdir "$tmp/pool"
serve ()
{
    start_server --pool "demo=file:$tmp/pool" --allow-any-host \
                 --listen rdma://$rdma_host:4420
}

# Starts what keeps requests in flight until one fails.
load ()
{
    start_nbdkit qbd demo/disk server=rdma://$rdma_host \
                 keep_alive_tmo=5 io_tmo=10 "$@"
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
    wait_for_line "$tmp/load.log" 'under load'
}

# It has failed, in good order.
fails ()
{
    wait_for_line "$tmp/load.log" 'failed: '
    wait $load_pid
    grep -E "$1" "$nbdkit_log"
    stop_nbdkit
}

serve
qbd create demo/disk 64M

load
kill_server
fails 'connection lost: .*(closed the connection|connection broke)'

serve
load
rdma link delete $rdma_device
fails 'connection lost: the RDMA device was removed'
wait_for_line "$server_log" 'RDMA device was removed'
# It has no host any more, and ends as ever.
until_true test "$(qbd info --json demo/disk | jq '.hosts | length')" = 0
stop_server

rdma link add $rdma_device type rxe netdev veth0
serve
load
ip link set veth1 down
fails 'connection lost: '
ip link set veth1 up
stop_server
