#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The plugin has two paths to a volume, by RDMA and by TCP: the link of the first
# goes under load, and comes back, and then the other's address.  No request
# fails, and all data is right.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_link_up
tcp_host=10.0.9.1
ip address add $tcp_host/32 dev lo
mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --allow-any-host \
             --listen rdma://$rdma_host:4420 --listen tcp://$tcp_host:4420
qbd create demo/disk 64M

# The transports by which the host is there, each once.
transports ()
{
    qbd info --json demo/disk | jq -r '.hosts[].address' |
        sed 's/:.*//' | sort -u | xargs
}

has_transports ()
{
    test "$(transports)" = "$*"
}

start_nbdkit qbd volume=demo/disk server=rdma://$rdma_host \
             server=tcp://$tcp_host keep_alive_tmo=5 reconnect_delay=1
start_writes
until_true has_transports rdma tcp
rdma_link $rdma_netdev down
until_true has_transports tcp
writes_go_on
rdma_link $rdma_netdev up
until_true has_transports rdma tcp
ip address delete $tcp_host/32 dev lo
until_true has_transports rdma
writes_go_on
ip address add $tcp_host/32 dev lo
until_true has_transports rdma tcp
end_writes
stop_nbdkit
stop_server
