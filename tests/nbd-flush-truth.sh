#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A flush fails, for good, when the server comes back and may have lost writes
# that were not flushed; not when it was only killed.  Whoever opens the volume
# anew starts anew.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires has_xattrs

start_volume 4M
start_nbdkit qbd volume=demo/disk

# A client that writes, and flushes when standard input says so.
client ()
{
    nbdsh -u "$uri" -c '
import sys
h.pwrite (b"1" * 4096, 0)
print ("written", flush=True)
for line in iter (sys.stdin.readline, "end\n"):
    try:
        h.flush ()
        print ("flushed", flush=True)
    except nbd.Error as e:
        print (e.errno, flush=True)
    h.pwrite (b"2" * 4096, 4096, nbd.CMD_FLAG_FUA)
    assert h.pread (4096, 4096) == b"2" * 4096
'
}

# The mark that is left on a file when it has a write-back error.
mark ()
{
    mark_lost "$tmp"/pool/volumes/*
}

for lost in no yes; do
    mkfifo "$tmp/$lost"
    client <"$tmp/$lost" >"$tmp/$lost.log" &
    client=$!
    exec 5>"$tmp/$lost"
    wait_for_line "$tmp/$lost.log" '^written$'
    kill_server
    test $lost = no || mark
    start_server --pool "demo=file:$tmp/pool"
    printf 'flush\nflush\nend\n' >&5
    exec 5>&-
    wait $client
    case $lost in
        no) test "$(grep -c '^flushed$' "$tmp/$lost.log")" = 2 ;;
        yes) test "$(grep -c '^EIO$' "$tmp/$lost.log")" = 2 ;;
    esac
done
# nbdkit closes the volume some time after its client has gone.
until qbd info demo/disk --json | grep -q '"attached": *0'; do
    :
done
qemu_io "$uri" 'write -P 0x42 0 1M' flush
stop_nbdkit
