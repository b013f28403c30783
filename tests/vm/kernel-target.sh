#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The plugin attaches the kernel's NVMe target by nqn=: copies both ways, with
# and without digests, odd requests, trim and zeroes, several connections, and
# what is told when something is not there.
source "${0%/*}/functions.sh"
# They are of NVMe/TCP.
all_digests=('' 'hdr_digest=true' 'hdr_digest=true data_digest=true')
if test "$transport" = rdma; then
    source "${0%/*}/rdma.sh"
    rdma_up
    address=$rdma_host
    all_digests=('')
fi
source "${0%/*}/nvmet.sh"
nqn=nqn.2014-08.org.example:target

truncate -s 16M "$tmp/first"
truncate -s 16M "$tmp/second"
module brd rd_nr=1 rd_size=16384
start_target "$nqn" "$tmp/first" "$tmp/second" /dev/ram0
make_filesystem "$tmp/in" 16M

qbd discover "$QBD_SERVER" | tee "$tmp/found"
grep -F "$nqn" "$tmp/found"

for digests in "${all_digests[@]}"; do
    start_nbdkit qbd "nqn=$nqn" nsid=1 $digests
    nbdinfo "$uri"
    test "$(nbdinfo --size "$uri")" -eq 16777216
    nbdcopy --flush "$tmp/in" "$uri"
    nbdcopy "$uri" "$tmp/out"
    cmp "$tmp/in" "$tmp/out"
    stop_nbdkit
    # What the target has is what was written.
    cmp "$tmp/in" "$tmp/first"
    : >"$tmp/first"
    truncate -s 16M "$tmp/first"
done

# A file, and a block device, as a namespace.
for nsid in 2 3; do
    start_nbdkit qbd "nqn=$nqn" nsid=$nsid
    nbdinfo --can multi-conn "$uri"
    qemu_io "$uri" 'write -P 0x11 0 512' 'write -P 0x22 512 4096' \
        'write -P 0x33 1M 8M' 'write -f -P 0x44 16776704 512' flush \
        'write -z 2M 1M' 'write -z -u 4M 1M' 'discard 6M 1M' \
        'read -P 0x11 0 512' 'read -P 0x22 512 4096' 'read -P 0 4608 4096' \
        'read -P 0x33 1M 1M' 'read -P 0 2M 1M' 'read -P 0x33 3M 1M' \
        'read -P 0 4M 1M' 'read -P 0x33 5M 1M' 'read -P 0x33 7M 1M' \
        'read -P 0x44 16776704 512'
    fio --name=verify --ioengine=nbd --uri="$uri" \
        --rw=randwrite --bsrange=4k-256k --size=4M --iodepth=16 \
        --verify=crc32c --verify_fatal=1 --verify_state_save=0 \
        --output="$tmp/fio.log"
    # Where the target does not tell what is allocated, all of it is data.
    nbdinfo --map --totals "$uri" | tee "$tmp/map"
    grep -q '100.0%.*data' "$tmp/map"
    stop_nbdkit
done

attach=(nbdkit -f -U - qbd --run true)
expect_error 'no active namespace 4' "${attach[@]}" "nqn=$nqn" nsid=4
expect_error 'no such subsystem: nqn.2014-08.org.example:none' \
             "${attach[@]}" nqn=nqn.2014-08.org.example:none
