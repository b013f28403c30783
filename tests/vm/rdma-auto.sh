#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# transport=auto: RDMA where it works, TCP elsewhere, and one line that says
# so; poll_us.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --allow-any-host \
             --listen rdma://$rdma_host:4420 --listen tcp://$rdma_host:4420 \
             --listen tcp://$rdma_host:4421
qbd create demo/disk 64M

# $1: its port; it works, and the server was reached over $2.
attach_over ()
{
    start_nbdkit qbd demo/disk server=$rdma_host:$1 transport=auto poll_us=50
    qemu_io "$uri" 'write -P 7 4k 4k' 'read -P 7 4k 4k'
    qbd info --json demo/disk | jq -r '.hosts[].address' | grep "^$2:"
    stop_nbdkit
}

attach_over 4420 rdma
! grep 'using TCP' "$nbdkit_log"
attach_over 4421 tcp
grep -q "rdma://$rdma_host:4421: .*no RDMA server listens there.*: using TCP" \
     "$nbdkit_log"
test "$(grep -c 'using TCP' "$nbdkit_log")" = 1

# Without any device.
rdma link delete $rdma_device
attach_over 4420 tcp
test "$(grep -c 'using TCP' "$nbdkit_log")" = 1
