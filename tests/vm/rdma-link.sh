#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# All packets between two RDMA devices are lost: the retries of the device
# exceed their limit, or the keep-alive tells; or a link goes down.  Requests go
# on when packets come through again, end with errors when none do, and nothing
# hangs.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_link_up
module sch_ingress
module cls_matchall
module act_gact

# On the way in: a packet that cannot be sent, Soft-RoCE sends again for ever
# and counts no retry.
cut ()
{
    local netdev
    for netdev in $client_netdev $rdma_netdev; do
        tc qdisc add dev $netdev ingress
        tc filter add dev $netdev parent ffff: matchall action drop
    done
}

mend ()
{
    tc qdisc del dev $client_netdev ingress
    tc qdisc del dev $rdma_netdev ingress
}

# How often retries of the device $1 were exceeded.
exceeded ()
{
    rdma statistic show link $1/1 |
        sed -n 's/.* retry_exceeded_err \([0-9]*\) .*/\1/p'
}

# More often than $1 and $2.
has_exceeded ()
{
    test "$(exceeded $client_device)" -gt "$1" ||
        test "$(exceeded $rdma_device)" -gt "$2"
}

no_host ()
{
    test "$(qbd info --json demo/disk | jq '.hosts | length')" = 0
}

attach ()
{
    start_nbdkit qbd demo/disk server=rdma://$rdma_host reconnect_delay=1 "$@"
}

mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --allow-any-host \
             --listen rdma://$rdma_host:4420
qbd create demo/disk 64M

# The keep-alive notices, on both sides.
attach keep_alive_tmo=5 ctrl_loss_tmo=300
start_writes
cut
until_true no_host
mend
writes_go_on
end_writes
stop_nbdkit

# A link that goes down, at either end.  The server's device says so.
for netdev in $client_netdev $rdma_netdev; do
    attach keep_alive_tmo=5 ctrl_loss_tmo=300
    start_writes
    rdma_link $netdev down
    test $netdev = $client_netdev ||
        wait_for_line "$server_log" \
            "warning: RDMA device $rdma_device: port 1 has no link"
    wait_for_line "$nbdkit_log" 'connection lost'
    until_true no_host
    rdma_link $netdev up
    writes_go_on
    end_writes
    stop_nbdkit
done

# For good: errors, and a server that has let go.
attach keep_alive_tmo=5 ctrl_loss_tmo=5
start_writes
cut
writes_fail
grep 'error: write: demo/disk: .*no connection for 5 s' "$nbdkit_log"
until_true no_host
stop_nbdkit

# SIGTERM while requests wait.
mend
attach keep_alive_tmo=5 ctrl_loss_tmo=300
start_writes
cut
stop_nbdkit
writes_fail
mend
# And the server serves.
attach
qemu_io "$uri" 'write -P 7 4k 4k' 'read -P 7 4k 4k'
stop_nbdkit

# The device notices, by its retries.
attach keep_alive_tmo=100 io_tmo=100 ctrl_loss_tmo=300
start_writes
before=($(exceeded $client_device) $(exceeded $rdma_device))
cut
until_true has_exceeded ${before[0]} ${before[1]}
mend
writes_go_on
end_writes
stop_nbdkit

stop_server
