#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A name with several addresses over RDMA: one that leads nowhere is not the end
# of the attempt, and a server that comes back at another one is found.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
printf '%s storage\n' "$rdma_host6" "$rdma_host" >>/etc/hosts
printf '%s stale\n' fd00:8::77 "$rdma_host" >>/etc/hosts
first_address ()
{
    getent ahosts "$1" | sed -n '1s/ .*//p'
}
test "$(first_address storage)" = "$rdma_host6"
test "$(first_address stale)" = fd00:8::77

mkdir "$tmp/pool"
serve ()
{
    start_server --pool "demo=file:$tmp/pool" --allow-any-host --listen "$1"
}
comes_from ()
{
    qbd info --json demo/disk | jq -r '.hosts[].address' | grep -F "rdma://$1:"
}

serve rdma://$rdma_host:4420
qbd create demo/disk 64M
# Nobody has the first, and nobody listens at the first.
for name in stale storage; do
    start_nbdkit qbd demo/disk server=rdma://$name
    qemu_io "$uri" 'write -P 7 4k 4k' 'read -P 7 4k 4k'
    comes_from $rdma_host
    stop_nbdkit
done
stop_server
expect_error "connect: rdma://storage:4420: Connection refused: no RDMA server" \
    nbdkit -U - qbd demo/disk server=rdma://storage --run true

serve "rdma://[$rdma_host6]:4420"
start_nbdkit qbd demo/disk server=rdma://storage reconnect_delay=1
start_writes
comes_from "[$rdma_host6]"
stop_server
serve rdma://$rdma_host:4420
writes_go_on
comes_from $rdma_host
end_writes
stop_nbdkit
stop_server
