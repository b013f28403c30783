#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A cluster that is full: ENOSPC reaches the NBD client and nothing hangs; what
# was written is there, discard works, and with room there is writing again.
source "${0%/*}/functions.sh"
requires nbdsh --version
QBD_TEST_OSD_MIB=2048 start_cluster
start_gateway
qbd create demo/disk 1G
start_nbdkit qbd volume=demo/disk
# Each above the one before, or the OSDs take no notice.
cluster ask 'osd set-nearfull-ratio' ratio=0.05
cluster ask 'osd set-backfillfull-ratio' ratio=0.1
cluster ask 'osd set-full-ratio' ratio=0.15
nbdsh -u "$uri" -c - <<END
import subprocess, time
MiB = 1 << 20
written = 0
try:
    while written < 1024:
        h.pwrite (bytes ([written % 255 + 1]) * MiB, written * MiB)
        written += 1
    raise SystemExit ("the cluster never became full")
except nbd.Error as e:
    assert e.errno == "ENOSPC", e
assert written > 16
def check (first):
    for i in range (first, written):
        assert h.pread (MiB, i * MiB) == bytes ([i % 255 + 1]) * MiB
check (0)
h.trim (8 * MiB, 0)
assert h.pread (8 * MiB, 0) == bytes (8 * MiB)

subprocess.check_call (["$srcdir/tests/ceph/cluster.py", "ask",
                        "$cluster_dir", "osd set-full-ratio", "ratio=0.95"])
end = time.monotonic () + $patience
while True:
    try:
        h.pwrite (b"x" * MiB, 0)
        break
    except nbd.Error as e:
        assert e.errno == "ENOSPC", e
        assert time.monotonic () < end, "it stays full"
h.flush ()
assert h.pread (MiB, 0) == b"x" * MiB
check (8)
END
