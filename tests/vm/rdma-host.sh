#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Linux attaches a volume over NVMe/RDMA: discovery, data in the capsule and
# by RDMA READ and WRITE, discard, and an orderly end.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

module nvme-rdma
rdma_up
mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --listen rdma://$rdma_host:0 \
             --allow-any-host
qbd create demo/disk 256M
port=$(rdma_address); port=${port##*:}
where=(-t rdma -a $rdma_host -s "$port")
nqn=$(qbd info --json demo/disk | jq -r .nqn)

nvme discover "${where[@]}" | tee "$tmp/log"
grep -Fq "subnqn:  $nqn" "$tmp/log"
grep -q 'trtype:  rdma' "$tmp/log"
grep -q 'treq:    not specified, sq flow control disable supported' "$tmp/log"
grep -q 'rdma_qptype: connected' "$tmp/log"
grep -q 'rdma_cms:    rdma-cm' "$tmp/log"

nvme connect "${where[@]}" -n "$nqn" -i 2
until_true test -b /dev/nvme0n1
device=/dev/nvme0n1
nvme id-ctrl /dev/nvme0 | grep -q '^mn .*qbd'
test "$(blockdev --getsize64 $device)" = 268435456

# From one block, in the capsule, to more than one command.
fio --name=verify --filename=$device --ioengine=libaio --direct=1 \
    --rw=randwrite --bsrange=512-2M --iodepth=16 --size=96M \
    --verify=md5 --verify_fatal=1 --verify_state_save=0 --do_verify=1
fio --name=small --filename=$device --ioengine=libaio --direct=1 \
    --rw=randwrite --bs=4k --iodepth=16 --size=8M --offset=128M \
    --verify=md5 --verify_fatal=1 --verify_state_save=0 --do_verify=1
blkdiscard $device
cmp -n 268435456 $device /dev/zero

nvme disconnect -n "$nqn"
until_true grep -q 'has left' "$server_log"
# Linux writes CC when its I/O queues are gone, and waits a minute for a
# server that does not answer then.
must_fail grep 'QID 0 timeout' <(dmesg)

nvme connect-all "${where[@]}"
until_true compgen -G '/dev/nvme*n1'
nvme disconnect -n "$nqn"
stop_server
