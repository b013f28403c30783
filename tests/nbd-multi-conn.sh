#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Multi-conn is offered: a flush on one connection covers all of them, and
# each sees what the others wrote.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_volume 16M
start_nbdkit qbd volume=demo/disk
nbdinfo --can multi-conn "$uri"
nbdsh -c - <<END
import nbd
hs = [nbd.NBD () for _ in range (8)]
for h in hs:
    h.connect_uri ("$uri")
for i, h in enumerate (hs):
    h.pwrite (bytes ([i + 1]) * 65536, i * 65536)
hs[0].flush ()
for i in range (8):
    for h in hs:
        assert h.pread (65536, i * 65536) == bytes ([i + 1]) * 65536
END
make_filesystem "$tmp/in" 16M
nbdcopy --connections=8 --flush "$tmp/in" "$uri"
nbdcopy --connections=8 "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
