#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# More extents than one answer holds, and a question that lies between
# blocks: the map is what was written, byte for byte.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_volume 64M
start_nbdkit qbd demo/disk
nbdsh -c - <<END
import nbd
h = nbd.NBD ()
h.set_strict_mode (0)
h.add_meta_context (nbd.CONTEXT_BASE_ALLOCATION)
h.connect_uri ("$uri")
STEP = 8192
for i in range (5000):
    h.pwrite (b"x" * 4096, i * STEP)

def ask (offset, count, flags = 0):
    got = []
    def extent (context, at, entries, error):
        assert at == offset
        for i in range (0, len (entries), 2):
            got.append ((entries[i], entries[i + 1]))
    h.block_status (count, offset, extent, flags)
    return got

at = 0
while at < h.get_size ():
    entries = ask (at, h.get_size () - at)
    assert entries
    for length, status in entries:
        if at < 5000 * STEP - 4096:
            assert length == 4096, (at, length)
            assert status == (3 if at % STEP else 0), (at, status)
        else:
            assert status == 3
        at += length
assert at == h.get_size ()

# One extent, as much of it as is known.
assert ask (0, 64 << 20, nbd.CMD_FLAG_REQ_ONE) == [(4096, 0)]
assert ask (4096, 32 << 20, nbd.CMD_FLAG_REQ_ONE)[0] == (4096, 3)
# Neither offset nor length is whole blocks.
first = ask (4000, 200)
assert first[0] == (96, 0) and first[1][1] == 3
assert ask (12287, 1)[0] == (1, 0)
END
