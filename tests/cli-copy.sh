#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# import and export carry every byte, in files, pipes and images, and holes
# stay holes.
source "${0%/*}/functions.sh"
requires jq --version
requires nbdcopy --version
requires mke2fs -V

allocated ()                    # of a volume
{
    qbd info "$1" --json | jq .allocated_bytes
}

make_filesystem "$tmp/disk.img" 48M
size=$(stat -c %s "$tmp/disk.img")
start_volume 1M

# A missing volume is made, of the file's size; as nbdcopy would fill it.
qbd import "$tmp/disk.img" demo/new --json >"$tmp/json"
jq -e ".name == \"demo/new\" and .size_bytes == $size" "$tmp/json"
start_nbdkit -r qbd demo/new
nbdcopy "$uri" "$tmp/by-nbdcopy"
stop_nbdkit
cmp "$tmp/disk.img" "$tmp/by-nbdcopy"
test "$(allocated demo/new)" -le $((size / 2))

# And back, in place of an older file, whose name is never a part of it.
echo older >"$tmp/out.img"
qbd export demo/new "$tmp/out.img"
cmp "$tmp/disk.img" "$tmp/out.img"
test "$(stat -c %s "$tmp/out.img")" -eq "$size"
test $(($(stat -c '%b * %B' "$tmp/out.img"))) -le $((size / 2))
test -z "$(find "$tmp" -name '*.qbd-*')"

# What nbdcopy wrote, export reads.
qbd create demo/nbd $size
start_nbdkit qbd demo/nbd
nbdcopy --flush "$tmp/disk.img" "$uri"
stop_nbdkit
qbd export demo/nbd "$tmp/out2.img" --quiet
cmp "$tmp/disk.img" "$tmp/out2.img"

# Pipes, both ways; the volume's size was given, or was there.
cat "$tmp/disk.img" | qbd import - demo/pipe --size 64M
qbd export demo/pipe - | head -c "$size" | cmp - "$tmp/disk.img"
test "$(allocated demo/pipe)" -le $((size / 2))
test "$(qbd export demo/pipe - | wc -c)" -eq $((64 << 20))
cat "$tmp/disk.img" | qbd import - demo/nbd
qbd export demo/nbd - | cmp - "$tmp/disk.img"
expect_error '^qbd: import: -: its size is not known: say --size$' \
    bash -c 'true | qbd import - demo/none'
expect_error '^qbd: import: -: is longer than the 1048576 bytes of demo/disk; ' \
    bash -c 'head -c 2M /dev/urandom | qbd import - demo/disk'

# A volume that is not new is zero where the file is, afterwards.
head -c "$size" /dev/urandom >"$tmp/noise"
qbd import "$tmp/noise" demo/new
qbd import "$tmp/disk.img" demo/new
qbd export demo/new - | cmp - "$tmp/disk.img"
test "$(allocated demo/new)" -le $((size / 2))

# A hole only, zeroes only, and the last block half full.
truncate -s 10G "$tmp/hole"
qbd import "$tmp/hole" demo/hole
test "$(allocated demo/hole)" -eq 0
head -c 1000001 /dev/urandom >"$tmp/odd"
qbd import "$tmp/odd" demo/odd --block-size 4096
test "$(qbd info demo/odd --json | jq .size_bytes)" -eq 1003520
qbd export demo/odd - | head -c 1000001 | cmp - "$tmp/odd"
qbd export demo/odd - | tail -c 2519 | cmp -n 2519 - /dev/zero
