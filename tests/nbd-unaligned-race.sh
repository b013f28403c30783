#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Writes of parts of blocks, beside writes of whole blocks and zeroes over the
# same blocks, on several connections: no byte is lost.  Each byte holds what
# one of this round's writers of that very byte wrote.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_volume 1M --block-size 4096
start_nbdkit qbd volume=demo/disk nr_io_queues=2
patience=300 nbdsh -c - <<END   # 300 rounds take processor time
import nbd

# (connection, offset, count, zero?): several cross blocks, the aligned ones
# lie over them.
WRITERS = [
    (0, 0, 16384, False),
    (1, 100, 100, False),
    (2, 4000, 4292, False),
    (3, 9000, 1, False),
    (1, 13000, 1000, True),
    (2, 12288, 4096, True),
    (3, 16000, 1000, False),
    (0, 20480, 4096, False),
    (1, 20000, 1000, True),
    # Nothing but parts: all of them must be there.
    (0, 28672, 1000, False),
    (1, 29672, 1000, False),
    (2, 30672, 1000, False),
    (3, 31672, 1096, False),
]
SIZE = 32768

hs = [nbd.NBD () for _ in range (4)]
for h in hs:
    h.set_strict_mode (0)
    h.connect_uri ("$uri")

# Between two of these all bytes have the same writers.
EDGES = sorted ({0, SIZE} | {offset for _, offset, _, _ in WRITERS}
                | {offset + count for _, offset, count, _ in WRITERS})
PIECES = list (zip (EDGES, EDGES[1:]))

before = bytes (SIZE)
for round in range (300):
    legal = {piece: set () for piece in PIECES}
    left = []
    # In another order each time.
    for j in range (len (WRITERS)):
        n = (j * 5 + round) % len (WRITERS)
        conn, offset, count, zero = WRITERS[n]
        value = 0 if zero else 1 + (round * 16 + n) % 255
        if zero:
            cookie = hs[conn].aio_zero (count, offset)
        else:
            buf = nbd.Buffer.from_bytearray (bytearray ([value]) * count)
            cookie = hs[conn].aio_pwrite (buf, offset)
        left.append ((hs[conn], cookie))
        for start, end in PIECES:
            if offset <= start < offset + count:
                legal[start, end].add (value)
    for h, cookie in left:
        while not h.aio_command_completed (cookie):
            h.poll (-1)
    got = hs[round % 4].pread (SIZE, 0)
    for start, end in PIECES:
        values = legal[start, end]
        if values:
            assert set (got[start:end]) <= values, (round, start, values)
        else:
            assert got[start:end] == before[start:end], (round, start)
    before = got
END
