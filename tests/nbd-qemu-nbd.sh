#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qemu-nbd and qemu-storage-daemon attach a volume and export it again: a
# client of theirs has the volume's data, holes and flushes.
source "${0%/*}/functions.sh"
requires qemu-nbd --version
requires qemu-storage-daemon --version

make_filesystem "$tmp/in" 64M
start_volume 64M
start_nbdkit qbd volume=demo/disk

allocated () { qbd info --json demo/disk | jq .allocated_bytes; }

# Neighbours that are alike are joined: qemu may cut where it likes.
mapped ()
{
    nbdinfo --map --json "$1" | jq -c 'reduce (.[] | [.offset, .length, .type])
        as $e ([]; if length > 0 and .[-1][2] == $e[2]
                   then .[-1][1] += $e[1] else . + [$e] end)'
}

# again SOCKET EXPORT: through what listens there
again ()
{
    local uri2="nbd+unix:///$2?socket=$1"
    nbdinfo --size "$uri2" | grep -qx 67108864
    nbdcopy --flush "$tmp/in" "$uri2"
    nbdcopy "$uri2" "$tmp/out"
    cmp "$tmp/in" "$tmp/out"
    # Right behind it, past any cache of qemu's: what was flushed is there.
    nbdcopy "$uri" "$tmp/out"
    cmp "$tmp/in" "$tmp/out"
    : holes: made through it, seen through it, and real
    nbdsh -u "$uri2" -c 'h.zero (64 << 20, 0)' \
          -c 'h.pwrite (b"x" * (16 << 20), 16 << 20)' -c 'h.flush ()'
    test "$(mapped "$uri2")" = \
        '[[0,16777216,3],[16777216,16777216,0],[33554432,33554432,3]]'
    test "$(allocated)" -ge 16777216
    nbdsh -u "$uri2" -c 'h.trim (12 << 20, 20 << 20)' -c 'h.flush ()'
    test "$(mapped "$uri2")" = \
        '[[0,16777216,3],[16777216,4194304,0],[20971520,46137344,3]]'
    test "$(allocated)" -lt 8388608
}

# It tells its parent when it listens (--fork), and ends with its last client
# unless it is told to stay.
qemu-nbd --fork --pid-file="$tmp/qemu-nbd.pid" --persistent --shared=8 \
    --format=raw --discard=unmap --detect-zeroes=off --aio=threads \
    --socket="$tmp/qemu-nbd.sock" "$uri"
qemu_nbd=$(<"$tmp/qemu-nbd.pid")
cleanup_fn kill "$qemu_nbd"
again "$tmp/qemu-nbd.sock" ''
kill "$qemu_nbd"
_wait_gone "$qemu_nbd"
_cleanups=()

qemu-storage-daemon --daemonize --pidfile "$tmp/daemon.pid" \
    --blockdev "driver=nbd,node-name=volume,discard=unmap,server.type=unix,server.path=$socket" \
    --nbd-server "addr.type=unix,addr.path=$tmp/daemon.sock,max-connections=8" \
    --export type=nbd,id=again,node-name=volume,name=again,writable=on
daemon=$(<"$tmp/daemon.pid")
cleanup_fn kill "$daemon"
again "$tmp/daemon.sock" again
kill "$daemon"
_wait_gone "$daemon"
_cleanups=()
stop_nbdkit
