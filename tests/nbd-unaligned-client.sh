#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A client that ignores the minimum block size gets what it asks for.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_volume 1M --block-size 4096
start_nbdkit qbd volume=demo/disk
nbdsh -c 'h.set_strict_mode (0)' -u "$uri" -c '
h.pwrite (b"\xaa" * 65536, 0)
h.pwrite (b"\x11" * 3, 1)
h.pwrite (b"\x22" * 9000, 4095)
h.zero (5000, 20001)
expected = bytearray (b"\xaa" * 65536)
expected[1:4] = b"\x11" * 3
expected[4095:13095] = b"\x22" * 9000
expected[20001:25001] = bytes (5000)
assert h.pread (65536, 0) == expected
assert h.pread (7, 13090) == expected[13090:13097]
h.trim (100, 30001)
got = h.pread (200, 29950)
assert got[:51] == b"\xaa" * 51 and got[151:] == b"\xaa" * 49
'
