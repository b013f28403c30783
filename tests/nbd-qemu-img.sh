#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qemu-img converts a file system in and out, also through qcow2.
source "${0%/*}/functions.sh"
make_filesystem "$tmp/in" 64M
qemu-img convert -f raw -O qcow2 "$tmp/in" "$tmp/in.qcow2"
start_volume 64M
start_nbdkit qbd volume=demo/disk
qemu-img convert -n -f qcow2 -O raw "$tmp/in.qcow2" "$uri"
qemu-img convert -f raw -O qcow2 "$uri" "$tmp/out.qcow2"
qemu-img convert -f qcow2 -O raw "$tmp/out.qcow2" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
qemu-img compare -f raw -F raw "$tmp/in" "$uri"
e2fsck -fn "$tmp/out"
