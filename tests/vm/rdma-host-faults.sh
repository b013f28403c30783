#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Linux's NVMe host over RDMA, under load: the server is killed and started
# again, and the host goes on; then two RDMA portals and one of TCP are three
# paths, of which any may go, and come back.  All data is right.
source "${0%/*}/functions.sh"
transport=rdma
source "${0%/*}/nvme.sh"

module nvme-rdma
module nvme-tcp
rdma_link_up
tcp_host=10.0.9.1
ip address add $tcp_host/32 dev lo
address=$rdma_host
mkdir "$tmp/pool"
serve ()
{
    start_server --pool "demo=file:$tmp/pool" --allow-any-host \
                 --listen rdma://$rdma_host:$port \
                 --listen rdma://$client_host:$port \
                 --listen tcp://$tcp_host:$port
}

serve
qbd create demo/disk 128M
nqn=$(qbd info --json demo/disk | jq -r .nqn)
connect ()
{
    host_connect "$nqn" -i 2 --keep-alive-tmo=2 --reconnect-delay=1
}

connect
start_load "$device"
for _ in 1 2; do
    progress 8000
    kill_server
    serve
done
progress 8000

address=$client_host
connect
transport=tcp address=$tcp_host
connect
until_true live_paths 3
nvme list-subsys
echo round-robin >/sys/class/nvme-subsystem/nvme-subsys0/iopolicy
progress 8000
# Each of the two goes through this link, from one end or from the other.
rdma_link $rdma_netdev down
until_true live_paths 1
progress 8000
rdma_link $rdma_netdev up
until_true live_paths 3
progress 8000
ip address delete $tcp_host/32 dev lo
until_true live_paths 2
progress 8000
ip address add $tcp_host/32 dev lo
until_true live_paths 3
end_load
nvme disconnect-all
stop_server
