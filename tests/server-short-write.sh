#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The kernel writes a part of what it is given: the rest is tried, and what it
# says of that reaches the client, with one line in the log.  Other volumes, and
# the rest of this one, go on.
source "${0%/*}/functions.sh"
requires nbdsh --version

mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool"
qbd create demo/disk 8M
qbd create demo/other 1M
stop_server

# No file may be written beyond 4130 KiB.
trap '' XFSZ
limit=$(ulimit -S -f)
for cache in direct buffered; do
    ulimit -S -f 4130
    start_server --pool "demo=file:$tmp/pool?cache=$cache"
    ulimit -S -f "$limit"
    start_nbdkit qbd
    nbdsh -u "nbd+unix:///demo%2Fdisk?socket=$socket" -c '
MiB = 1 << 20
for _ in range (3):
    try:
        h.pwrite (b"1" * 131072, 4 * MiB - 65536)
        raise SystemExit ("all of it was written")
    except nbd.Error as e:
        assert e.errno == "ENOSPC", e
h.pwrite (b"2" * MiB, 0)
h.flush ()
assert h.pread (MiB, 0) == b"2" * MiB
assert h.pread (65536, 4 * MiB - 65536) == b"1" * 65536
# What was not written is as it was.
assert h.pread (4096, 4 * MiB + 40960) == bytes (4096)
'
    qemu_io "nbd+unix:///demo%2Fother?socket=$socket" \
        'write -P 3 0 1M' flush 'read -P 3 0 1M'
    stop_nbdkit
    stop_server
    test "$(grep -c 'error: write: demo/disk: No space left on device (' \
                 "$server_log")" = 1
done
