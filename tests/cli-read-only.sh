#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A read-only volume: no NBD client can write to it, and no host of any kind.
source "${0%/*}/functions.sh"
requires jq --version
requires qemu-io --version

start_volume 1M
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'write -P 9 0 64k' flush
uuid=$(qbd info demo/disk --json | jq -r .uuid)
# Not under the feet of a host.
coproc nbdsh -u "$uri" -c '
import sys
print (h.is_read_only (), flush=True)
sys.stdin.readline ()' 2>"$tmp/nbdsh.log"
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = False
expect_error '^qbd: set: demo/disk: attached by nqn' \
             qbd set demo/disk read_only=on
end_coproc
stop_nbdkit

qbd set demo/disk read_only=on
qbd set demo/disk read_only=on
qbd info demo/disk --json |
    jq -e --arg uuid "$uuid" '.read_only == true and .uuid == $uuid'
start_nbdkit qbd volume=demo/disk
nbdinfo --is read-only "$uri"
qemu_io -r "$uri" 'read -P 9 0 64k' flush
nbdcopy "$uri" "$tmp/copy"
cmp -n 65536 "$tmp/copy" <(head -c 65536 /dev/zero | tr '\0' '\11')
expect_error 'read-only|permission|Operation not permitted' \
    nbdcopy "$QBD_BUILDDIR/config.h" "$uri"
stop_nbdkit

# Neither do resize and import change it, and both say what it takes.
head -c 1M /dev/urandom >"$tmp/other"
for size in 2M 1M 512k; do
    expect_error '^qbd: resize: demo/disk: is read-only \(qbd set demo/disk read_only=off\)$' \
                 qbd resize demo/disk $size --shrink
done
expect_error '^qbd: import: demo/disk: is read-only \(qbd set demo/disk read_only=off\)$' \
             qbd import "$tmp/other" demo/disk
qbd export demo/disk - | cmp - "$tmp/copy"

# After a restart, too; and back.
stop_server
start_server --pool demo="file:$tmp/pool" --pool mem=ram:
qbd info demo/disk --json | jq -e '.read_only == true'
qbd create mem/disk 1M
qbd set mem/disk read_only=on
expect_error '^qbd: resize: mem/disk: is read-only ' qbd resize mem/disk 2M
qbd set demo/disk read_only=off
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'read -P 9 0 64k' 'write -P 8 0 64k' flush

expect_error '^qbd: set: read_only=maybe: must be on or off$' \
             qbd set demo/disk read_only=maybe
expect_error '^qbd: set: property: readonly: unknown, did you mean read_only' \
             qbd set demo/disk readonly=on
expect_error '^qbd: set: demo/none: no such volume$' \
             qbd set demo/none read_only=on
