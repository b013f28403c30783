#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A fast zero that may make a hole is done, and frees the space.  One that
# may not is refused, and changes nothing.
source "${0%/*}/functions.sh"
requires nbdsh --version
allocated () { qbd info --json demo/disk | jq .allocated_bytes; }
start_volume 64M
start_nbdkit qbd demo/disk
nbdinfo --can fast-zero "$uri"
nbdsh -u "$uri" -c - <<END
import errno
h.pwrite (b"x" * (32 << 20), 0)
try:
    h.zero (16 << 20, 0, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE)
    assert False
except nbd.Error as e:
    assert e.errnum in (errno.ENOTSUP, errno.EOPNOTSUPP), e
assert h.pread (32 << 20, 0) == b"x" * (32 << 20)
h.zero (16 << 20, 0, nbd.CMD_FLAG_FAST_ZERO)
assert h.pread (16 << 20, 0) == bytes (16 << 20)
assert h.pread (16 << 20, 16 << 20) == b"x" * (16 << 20)
END
test "$(allocated)" -lt 20000000
