#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a request costs over the link's own round trip: perftest's ib_send_lat,
# which sends so many bytes there and back, and qbd bench, with one request of
# 4 KiB at a time, in turn, over the same link of two devices of Soft-RoCE.  In
# the build directory:
#
#     ./run ../bench/vm/send-lat.sh
#
# Both sleep for each completion, as libqbd does by default.  The machine has one
# processor, each instruction of which takes a nanosecond (QEMU's -icount), so
# that microseconds are thousands of instructions, at both ends and between them,
# whatever else the host does.  Prints the medians, of the rounds' medians.
QBD_VM_ACCEL=tcg,thread=single
vm_options=(-smp 1 -icount shift=0 -cpu max,-erms,-fsrm)
vm_cmdline=tsc=reliable
source "${0%/*}/../../tests/vm/functions.sh"
set +x
source "$srcdir/tests/vm/rdma.sh"
rounds=3
messages=2000
seconds=1

listens ()
{
    rdma resource show cm_id | grep -q 'state LISTEN.*:18515'
}

round_trip ()
{
    local name=$1
    shift
    ib_send_lat -R -F -e -n $messages "$@" >"$tmp/peer.log" 2>&1 &
    until_true listens
    # Bytes, messages, then the least, the most, and the median of half a round
    # trip.
    ib_send_lat -R -F -e -n $messages "$@" $rdma_host >"$tmp/send-lat.log"
    wait $!
    awk -v name="$name" '$1 ~ /^[0-9]+$/ && NF >= 7 {
        print name, 2 * $5 }' "$tmp/send-lat.log"
}

request ()
{
    local type=$1 option=
    test $type = read || option=--overwrite
    qbd bench demo/disk --depth 1 --io-type $type $option \
        --seconds $seconds --quiet --json |
        jq -r --arg type $type \
           '"\($type)-4096 \(.[$type].latency_us.percentiles["50"])"'
}

rdma_link_up
TMPDIR=/dev/shm
mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --allow-any-host \
             --listen rdma://$rdma_host:4420
qbd create demo/disk 8M
# Or only holes are read.
qbd bench demo/disk --io-type write --io-pattern seq --io-size 1M --depth 1 \
    --overwrite --seconds 2 --quiet
for ((i = 0; i < rounds; i++)); do
    round_trip send-64 -s 64
    round_trip send-4096 -s 4096
    request read
    request write
done >"$tmp/took"
for name in send-64 send-4096 read-4096 write-4096; do
    awk -v name=$name '$1 == name { print $2 }' "$tmp/took" | sort -n |
        sed -n "$((rounds / 2 + 1))s/^/$name: /p"
done
stop_server
