#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An RDMA device is removed under load, at the server's end and at the
# client's: whoever removes it need not wait, the listener and the requests go on
# when it is there again, and end with errors when it is not.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_link_up
mkdir "$tmp/pool"
serve ()
{
    start_server --pool "demo=file:$tmp/pool" --allow-any-host \
                 --listen rdma://${1:-$rdma_host}:4420
}

attach ()
{
    start_nbdkit qbd demo/disk server=rdma://$rdma_host reconnect_delay=1 \
                 connect_tmo=60 ctrl_loss_tmo="$1"
}

remove_device ()
{
    timeout "$patience" rdma link delete "$1"
    ! rdma link show | grep -w "link $1/1"
}

return_device ()
{
    rdma link add "$1" type rxe netdev "$2"
}

no_host ()
{
    test "$(qbd info --json demo/disk | jq '.hosts | length')" = 0
}

serve
qbd create demo/disk 64M

# The server's.
attach 300
start_writes
remove_device $rdma_device
wait_for_line "$server_log" "listen: rdma://$rdma_host:4420: the RDMA device was removed"
until_true no_host
return_device $rdma_device $rdma_netdev
wait_for_line "$server_log" "listen: rdma://$rdma_host:4420: there is an RDMA device again"
writes_go_on
end_writes
stop_nbdkit
# A server ends in good order while its device is away, too.
remove_device $rdma_device
wait_for_line "$server_log" "no host can connect here"
stop_server

# A listener on all addresses hears of no removal, nor need it.
return_device $rdma_device $rdma_netdev
serve 0.0.0.0
attach 300
start_writes
remove_device $rdma_device
until_true no_host
return_device $rdma_device $rdma_netdev
writes_go_on
end_writes
stop_nbdkit
stop_server

# The client's.  (Who has seen a device go has opened those that are left.)
serve
attach 300
start_writes
remove_device $client_device
until_true no_host
return_device $client_device $client_netdev
writes_go_on
end_writes
stop_nbdkit

# The client's, between two tries to reach a server that is away.
attach 300
start_writes
kill_server
wait_for_line "$nbdkit_log" 'connection lost: '
for _ in 1 2 3; do
    remove_device $client_device
    return_device $client_device $client_netdev
done
serve
writes_go_on
end_writes
stop_nbdkit

# After it gave up, while its client is still there.
attach 5
coproc nbdsh -u "$uri" -c 'print ("there", flush=True); input ()'
read -r -t "$patience" _ <&"${COPROC[0]}"
start_writes
kill_server
writes_fail
remove_device $client_device
return_device $client_device $client_netdev
echo >&"${COPROC[1]}"
wait "$COPROC_PID"
serve
attach 300
start_writes
end_writes
stop_nbdkit

# For good.
attach 5
start_writes
remove_device $client_device
writes_fail
grep 'error: write: demo/disk: .*no connection for 5 s' "$nbdkit_log"
stop_nbdkit
return_device $client_device $client_netdev

# SIGTERM while requests wait for it.
attach 300
start_writes
remove_device $client_device
until_true no_host
stop_nbdkit
writes_fail
stop_server
