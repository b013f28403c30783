#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A volume over two RDMA portals, with fio that verifies: packets to one of them
# are lost, then those to the other one.  No request fails, all goes on over the
# portal that is left, and the other one comes back.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_link_up
second_host=10.0.8.3
rdma_second_address $second_host
module sch_ingress
module cls_flower
module act_gact

# All packets of one portal, on their way in.
cut ()
{
    tc qdisc add dev $client_netdev ingress
    tc filter add dev $client_netdev parent ffff: protocol ip \
       flower src_ip $1 action drop
    tc qdisc add dev $rdma_netdev ingress
    tc filter add dev $rdma_netdev parent ffff: protocol ip \
       flower dst_ip $1 action drop
}

mend ()
{
    tc qdisc del dev $client_netdev ingress
    tc qdisc del dev $rdma_netdev ingress
}

mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --allow-any-host \
             --listen rdma://$rdma_host:4420 --listen rdma://$second_host:4420
qbd create demo/disk 16M

has_paths ()
{
    test "$(qbd info --json demo/disk | jq '.hosts | length')" = $1
}

has_loads_or_ended ()
{
    test "$(load_rounds)" -ge "$1" || load_ended
}

# All of the load once, and once more from its beginning.
loads_go_on ()
{
    until_true has_loads_or_ended $(($(load_rounds) + 2))
    ! load_ended || fail "fio ended"
}

start_nbdkit qbd volume=demo/disk server=rdma://$rdma_host \
             server=rdma://$second_host keep_alive_tmo=5 reconnect_delay=1
start_load
until_true has_paths 2
for portal in $rdma_host $second_host; do
    cut $portal
    until_true has_paths 1
    grep "rdma://$portal:4420: connection lost" "$nbdkit_log"
    loads_go_on
    mend
    until_true has_paths 2
    wait_for_line "$nbdkit_log" "rdma://$portal:4420: connected again"
done
loads_go_on
end_load
test "$(grep -c 'connection lost' "$nbdkit_log")" = 2
stop_nbdkit
stop_server
