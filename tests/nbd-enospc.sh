#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A pool that is full: ENOSPC reaches the NBD client, the log has one line, and the
# volume stays good: what was written is there, and writing goes on when there
# is room.  Other volumes, where they need none, go on all the while.
source "${0%/*}/functions.sh"
requires nbdsh --version
if test -z "$QBD_TEST_IN_NAMESPACE"; then
    requires unshare -Urm mount -t tmpfs tmpfs /mnt
    rm -rf "$tmp"
    QBD_TEST_IN_NAMESPACE=1 exec unshare -Urm bash "$0"
fi
mkdir "$tmp/pool"
mount -t tmpfs -o size=24m tmpfs "$tmp/pool"
cleanup_fn umount -l "$tmp/pool"
start_server --pool "demo=file:$tmp/pool"
qbd create demo/disk 64M
qbd create demo/other 1M
start_nbdkit qbd volume=demo/other
qemu_io "$uri" 'write -P 1 0 1M'
other=$uri
start_nbdkit qbd volume=demo/disk
export other
nbdsh -u "$uri" -c - <<'END'
import os
MiB = 1 << 20
written = 0
try:
    while written < 64:
        h.pwrite (bytes ([written + 1]) * MiB, written * MiB)
        written += 1
    h.flush ()
    raise SystemExit ("the pool never became full")
except nbd.Error as e:
    assert e.errno == "ENOSPC", e
assert written > 8
for _ in range (3):
    try:
        h.pwrite (b"x" * MiB, 63 * MiB)
        raise SystemExit ("there was room")
    except nbd.Error as e:
        assert e.errno == "ENOSPC", e
o = nbd.NBD ()
o.connect_uri (os.environ["other"])
o.pwrite (b"o" * MiB, 0)
assert o.pread (MiB, 0) == b"o" * MiB
def check (first):
    for i in range (first, written):
        assert h.pread (MiB, i * MiB) == bytes ([i + 1]) * MiB
check (0)
h.trim (8 * MiB, 0)
for i in range (4):
    h.pwrite (bytes ([100 + i]) * MiB, (40 + i) * MiB)
h.flush ()
check (8)
for i in range (4):
    assert h.pread (MiB, (40 + i) * MiB) == bytes ([100 + i]) * MiB
END
test "$(grep -c 'error: write: demo/disk: No space left on device (' \
             "$server_log")" = 1
