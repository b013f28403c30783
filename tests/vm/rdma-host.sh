#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Linux attaches a volume over NVMe/RDMA: all that nvme-host.sh shows over TCP;
# what its discovery log says of RDMA, data in the capsule and by RDMA READ and
# WRITE, discard, and an orderly end.
transport=rdma
source "${0%/*}/nvme-host.sh"

where=(-t rdma -a "$address" -s "$port")
nvme discover "${where[@]}" | tee "$tmp/log"
grep -Fq "subnqn:  $nqn" "$tmp/log"
grep -q 'trtype:  rdma' "$tmp/log"
grep -q 'treq:    not specified, sq flow control disable supported' "$tmp/log"
grep -q 'rdma_qptype: connected' "$tmp/log"
grep -q 'rdma_cms:    rdma-cm' "$tmp/log"

# From one block, in the capsule, to more than one command.
host_connect "$nqn" -i 2
fio_verify "$device" --bsrange=512-2M --size=64M
fio_verify "$device" --bsrange=4k-4k --size=4M --offset=128M
blkdiscard "$device"
cmp -n 268435456 "$device" /dev/zero
nr_left=$(grep -c 'has left' "$server_log")
has_left ()
{
    test "$(grep -c 'has left' "$server_log")" -gt "$nr_left"
}
host_disconnect "$nqn"
until_true has_left
# Linux writes CC when its I/O queues are gone, and waits a minute for a
# server that does not answer then.
must_fail grep 'QID 0 timeout' <(dmesg)
stop_server
