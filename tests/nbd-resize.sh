#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A volume that grows while NBD clients use it: a new connection sees the new
# size, old ones go on with the old one, and nothing shrinks under them.
source "${0%/*}/functions.sh"
requires nbdsh --version

start_volume 64M
start_nbdkit qbd demo/disk
nbdinfo --size "$uri" | grep -qx 67108864

nbdsh -c - <<END
import nbd, subprocess

def qbd (*args):
    return subprocess.run (["qbd", *args], capture_output=True, text=True)

def connect ():
    n = nbd.NBD ()
    n.connect_uri ("$uri")
    return n

# libqbd learns it by an event, which takes a moment; the time limit of nbdsh
# ends this if none comes.
def connect_until_size (wanted, others):
    while True:
        n = connect ()
        if n.get_size () == wanted:
            return n
        assert n.get_size () in others, n.get_size ()
        n.shutdown ()

M = 1 << 20
old = connect ()
old.pwrite (b"o" * 512, 64 * M - 512)
assert qbd ("resize", "demo/disk", "96M").returncode == 0
new = connect_until_size (96 * M, [64 * M])

new.pwrite (b"n" * 512, 96 * M - 512)
assert old.get_size () == 64 * M
assert old.pread (512, 64 * M - 512) == b"o" * 512
assert new.pread (512, 64 * M - 512) == b"o" * 512
old.pwrite (b"p" * 512, 0)
old.flush ()
assert new.pread (512, 0) == b"p" * 512

r = qbd ("resize", "demo/disk", "32M", "--shrink")
assert r.returncode == 1 and "attached" in r.stderr, r

# Several in a row: the last one counts.
for mib in 97, 98, 99, 100:
    assert qbd ("resize", "demo/disk", "%dM" % mib).returncode == 0
connect_until_size (100 * M, [m * M for m in (96, 97, 98, 99)])
END
stop_nbdkit

# Once nobody is attached it shrinks.
timeout "$patience" bash -c \
    'until qbd resize demo/disk 32M --shrink; do :; done'
start_nbdkit qbd demo/disk
nbdinfo --size "$uri" | grep -qx 33554432
