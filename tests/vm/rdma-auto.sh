#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# transport=auto: RDMA where it works, TCP elsewhere, and one line that says
# so; poll_us at both ends; IPv6; a limit on locked memory.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
mkdir "$tmp/pool"
serve ()
{
    start_server --pool "demo=file:$tmp/pool" --allow-any-host "$@" \
                 --poll-us 50 \
                 --listen tcp://$rdma_host:4420 --listen tcp://$rdma_host:4421
}

serve --listen rdma://$rdma_host:4420 --listen "rdma://[$rdma_host6]:4422"
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
must_fail grep 'using TCP' "$nbdkit_log"
attach_over 4421 tcp
grep -q "rdma://$rdma_host:4421: .*no RDMA server listens there.*: using TCP" \
     "$nbdkit_log"
test "$(grep -c 'using TCP' "$nbdkit_log")" = 1

start_nbdkit qbd demo/disk server="rdma://[$rdma_host6]:4422"
qemu_io "$uri" 'write -P 8 4k 4k' 'read -P 8 4k 4k'
qbd info --json demo/disk | jq -r '.hosts[].address' |
    grep -F "rdma://[$rdma_host6]:"
stop_nbdkit

# With little memory to lock, and with too little.
limited=(bash -c 'ulimit -l "$1" && exec setpriv --bounding-set=-ipc_lock "${@:2}"'
         -)
head -c 16M /dev/urandom >"$tmp/random"
"${limited[@]}" 4096 nbdkit -U - qbd demo/disk server=rdma://$rdma_host \
    --run "nbdcopy $tmp/random \"\$uri\" && nbdcopy \"\$uri\" $tmp/back"
cmp -n $((16 << 20)) "$tmp/random" "$tmp/back"
expect_error 'not enough locked memory: this connection takes .* is 600 KiB' \
    "${limited[@]}" 600 nbdkit -U - qbd demo/disk server=rdma://$rdma_host --run true

# Without any device.  (While it is in use, Soft-RoCE cannot be removed.)
stop_server
serve
rdma link delete $rdma_device
attach_over 4420 tcp
test "$(grep -c 'using TCP' "$nbdkit_log")" = 1
