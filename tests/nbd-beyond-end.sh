#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Requests beyond the end fail, and nothing is written.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_volume 1M
start_nbdkit qbd volume=demo/disk
nbdsh -c 'h.set_strict_mode (0)' -u "$uri" -c '
import errno
def fails (call, *args):
    try:
        call (*args)
    except nbd.Error as e:
        return e.errno
assert fails (h.pread, 512, 1048576) == "EINVAL"
assert fails (h.pread, 1024, 1048064) == "EINVAL"
assert fails (h.pwrite, b"x" * 512, 1048576) == "ENOSPC"
assert fails (h.pwrite, b"x" * 1024, 1048064) == "ENOSPC"
assert fails (h.zero, 1024, 1048064) in ("ENOSPC", "EINVAL")
assert h.pread (512, 1048064) == bytes (512)
'
