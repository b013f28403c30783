#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A discard gives space back to the pool and leaves the rest alone.
source "${0%/*}/functions.sh"
allocated () { qbd info --json demo/disk | jq .allocated_bytes; }
start_volume 64M
start_nbdkit qbd volume=demo/disk
test "$(allocated)" -lt 1048576
qemu_io "$uri" 'write -P 0x66 0 32M' flush
test "$(allocated)" -ge 33554432
qemu_io "$uri" 'discard 8M 16M' 'flush'
test "$(allocated)" -le 20000000
qemu_io "$uri" 'read -P 0x66 0 8M' 'read -P 0x66 24M 8M'
