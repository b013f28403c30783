#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Writes into one block at the same time, on two connections: none is lost.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_volume 1M --block-size 4096
start_nbdkit qbd volume=demo/disk
nbdsh -c - <<END
import nbd
hs = [nbd.NBD () for _ in range (2)]
for h in hs:
    h.set_strict_mode (0)
    h.connect_uri ("$uri")
for round in range (1, 100):
    left = []
    for i in range (16):
        h = hs[i % 2]
        buf = nbd.Buffer.from_bytearray (bytearray ([(round + i) % 256] * 256))
        left.append ((h, h.aio_pwrite (buf, i * 256)))
    for h, cookie in left:
        while not h.aio_command_completed (cookie):
            h.poll (-1)
    got = hs[0].pread (4096, 0)
    for i in range (16):
        assert got[i * 256:(i + 1) * 256] == bytes ([(round + i) % 256] * 256)
END
