#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A sparse image that is copied in leaves a sparse volume: by nbdcopy, and by
# qemu-img convert, also over old data.
source "${0%/*}/functions.sh"
allocated () { qbd info --json "$1" | jq .allocated_bytes; }
truncate -s 1G "$tmp/in"
dd if=/dev/urandom of="$tmp/in" bs=1M count=2 seek=3 conv=notrunc
dd if=/dev/urandom of="$tmp/in" bs=64k count=1 seek=16383 conv=notrunc

start_volume 1G
qbd create demo/other 1G
start_nbdkit qbd demo/disk
nbdcopy --flush "$tmp/in" "$uri"
test "$(allocated demo/disk)" -lt 4194304
cmp "$tmp/in" "$tmp/pool/volumes/disk.raw"

qemu_io "$uri" 'write -P 0x77 100M 200M'
test "$(allocated demo/disk)" -gt 200000000
nbdcopy --flush "$tmp/in" "$uri"
test "$(allocated demo/disk)" -lt 4194304
cmp "$tmp/in" "$tmp/pool/volumes/disk.raw"
stop_nbdkit

start_nbdkit qbd demo/other
qemu_io "$uri" 'write -P 0x77 100M 200M'
qemu-img convert -n -f raw -O raw "$tmp/in" "$uri"
test "$(allocated demo/other)" -lt 4194304
cmp "$tmp/in" "$tmp/pool/volumes/other.raw"
