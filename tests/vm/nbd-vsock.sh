#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# NBD over vsock, as between a hypervisor and its guest.
source "${0%/*}/functions.sh"

module vsock_loopback
start_volume 64M
make_filesystem "$tmp/in" 64M
start_nbdkit --vsock -p 10809 qbd demo/disk
uri=nbd+vsock://1:10809         # VMADDR_CID_LOCAL
nbdinfo "$uri"
nbdcopy --flush --connections=4 "$tmp/in" "$uri"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
nbdsh -u "$uri" -c '
h.pwrite (b"x" * 512, 1024, nbd.CMD_FLAG_FUA)
h.zero (1 << 20, 1 << 20)
h.flush ()
assert h.pread (512, 1024) == b"x" * 512
assert h.pread (1 << 20, 1 << 20) == bytes (1 << 20)
'
