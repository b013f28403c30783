#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A Ceph pool at its quota: ENOSPC reaches the NBD client and nothing hangs; what
# was written is there, and discard makes room for writing again.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires ceph-mgr --version
start_cluster
cluster manage
start_gateway
qbd create demo/disk 256M
qbd pools --json | jq -e '.pools[0] | .capacity_bytes > .free_bytes and
                                      .free_bytes > 0'
start_nbdkit qbd volume=demo/disk
cluster ask 'osd pool set-quota' pool=rbd field=max_bytes val=16M
nbdsh -u "$uri" -c - <<END
import time
MiB = 1 << 20
def data (i):
    return bytes ([i + 1]) * MiB
def is_written (offset):
    assert time.monotonic () < end
    try:
        h.pwrite (b"x" * 4096, offset)
        return True
    except nbd.Error as e:
        assert e.errno == "ENOSPC", e
        return False
for i in range (24):
    h.pwrite (data (i), i * MiB)
# New blocks: what is there may be written again.
end = time.monotonic () + $patience
offset = 24 * MiB
while is_written (offset):
    offset += 4096
h.pwrite (data (23), 23 * MiB)
h.flush ()
for i in range (24):
    assert h.pread (MiB, i * MiB) == data (i), i
h.trim (h.get_size () - 24 * MiB, 24 * MiB)
h.trim (16 * MiB, 0)
assert h.pread (16 * MiB, 0) == bytes (16 * MiB)
end = time.monotonic () + $patience
while not is_written (0):
    pass
h.flush ()
assert h.pread (4096, 0) == b"x" * 4096
for i in range (16, 24):
    assert h.pread (MiB, i * MiB) == data (i), i
END
