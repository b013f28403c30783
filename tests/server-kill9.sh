#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 of qbd-server under a client's load: the next server starts at once
# on the same socket, and what it serves never changes by itself.
source "${0%/*}/functions.sh"
requires fio --version
rounds=${QBD_KILL9_ROUNDS:-3}

# What the volume holds, not by way of any server.
checksum ()
{
    dd if="$tmp/pool/volumes/disk.raw" iflag=direct bs=1M status=none |
        sha256sum
}

start_volume 64M
for ((round = 1; round <= rounds; round++)); do
    start_nbdkit qbd demo/disk
    fio --name=load --ioengine=nbd --uri="$uri" --rw=randwrite --bs=128k \
        --iodepth=32 --size=64M --time_based --runtime=60 --eta=always \
        --status-interval=200ms >"$tmp/fio.log" 2>&1 &
    fio=$!
    wait_for_line "$tmp/fio.log" 'WRITE: bw='
    # The client would go on with the next server.
    killed=$server_pid
    kill -9 "$nbdkit_pid" "$killed"
    start_server --pool "demo=file:$tmp/pool"
    first=$(checksum)
    for ((look = 0; look < 8; look++)); do
        test "$(checksum)" = "$first" || fail "round $round: the pool changed"
    done
    _end "$killed" KILL
    _end "$nbdkit_pid" KILL
    wait "$fio" || :            # it fails with its server, as it must
    qbd info demo/disk
done
