#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What others do with the pool's images reaches a gateway that runs: images and
# snapshots come and go, sizes and settings change.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_cluster
start_gateway
qbd create demo/disk 8M

size_is () { test "$(qbd info --json "$1" | jq .size_bytes)" = "$2"; }
is_gone () { ! qbd info "$1"; }

: "rbd create, rbd rename, rbd rm"
rbd create rbd/other --size 8M
until_so qbd info demo/other
rbd rename rbd/other rbd/renamed
until_so qbd info demo/renamed
until_so is_gone demo/other

: "rbd resize, with a host attached: an event tells the host"
start_nbdkit qbd volume=demo/disk
disk_nbdkit=$nbdkit_pid
nbdsh -u "$uri" -c 'h.pwrite (b"1" * (8 << 20), 0)'
rbd resize rbd/disk --size 16M
wait_for_line "$server_log" 'demo/disk: is now 16777216 bytes; attached controllers: 1'
until_so size_is demo/disk 16777216
until_so sh -c "nbdinfo --size '$uri' | grep -qx 16777216"
nbdsh -u "$uri" -c 'assert h.get_size () == 16 << 20' \
      -c 'h.pwrite (b"2" * (8 << 20), 8 << 20)'

: "rbd snap create: a volume, read-only, as it was"
rbd snap create rbd/disk@then
until_so qbd info demo/disk@then
nbdsh -u "$uri" -c 'h.pwrite (b"3" * (1 << 20), 0)'
qbd info demo/disk@then | grep -E 'read-only +yes'
test "$(qbd info --json demo/disk@then | jq -r .uuid)" != \
     "$(qbd info --json demo/disk | jq -r .uuid)"
expect_error 'is a snapshot' qbd rm demo/disk@then
expect_error 'is a snapshot' qbd resize demo/disk@then 32M
expect_error 'is a snapshot' qbd set demo/disk@then read_only=off
expect_error 'is a snapshot' qbd host add demo/disk@then any
expect_error "cannot hold '@'" qbd create demo/disk@now 8M
start_nbdkit qbd volume=demo/disk@then
nbdinfo --is read-only "$uri"
nbdsh -u "$uri" -c '
assert h.get_size () == 16 << 20
assert h.pread (1 << 20, 0) == b"1" * (1 << 20)
assert h.pread (1 << 20, 15 << 20) == b"2" * (1 << 20)'

: "rbd snap rm while it is attached: its reads fail, and once it is not it goes"
rbd snap rm rbd/disk@then
wait_for_line "$server_log" 'demo/disk@then: the snapshot is gone'
nbdsh -u "$uri" -c '
try:
    h.pread (4096, 0)
    raise SystemExit ("a snapshot that is gone was read")
except nbd.Error as e:
    assert e.errno == "EIO", e'
stop_nbdkit
until_so is_gone demo/disk@then

: "a volume with snapshots is not removed, and is served as before"
rbd snap create rbd/renamed@s
until_so qbd info demo/renamed@s
expect_error 'the image has snapshots' qbd rm demo/renamed
qbd info demo/renamed | grep -E 'state +ready'

: "rbd mirror image demote: read-only; promote: no more"
is_read_only () { qbd info --json demo/mirrored | jq -e ".read_only == $1"; }
qbd create demo/mirrored 8M
rbd mirror pool enable rbd image
rbd mirror image enable rbd/mirrored snapshot
until_so is_read_only false
rbd mirror image demote rbd/mirrored
until_so is_read_only true
rbd mirror image promote rbd/mirrored
until_so is_read_only false
start_nbdkit qbd volume=demo/mirrored
nbdsh -u "$uri" -c 'h.pwrite (b"4" * 4096, 0)'

: "one where a host is attached by its old name is not shrunk, nor removed"
rbd rename rbd/disk rbd/moved
until_so qbd info demo/moved
expect_error 'resize: demo/moved: attached as disk, its old name' \
             qbd resize --shrink demo/moved 8M
expect_error 'set: demo/moved: attached as disk, its old name' \
             qbd set demo/moved read_only=on
expect_error 'rm: demo/moved: attached as disk, its old name.*qbd info demo/disk' \
             qbd rm demo/moved --force
qbd info --json demo/disk | jq -e '.hosts | length == 1'
_end $disk_nbdkit TERM
until_so qbd rm demo/moved
