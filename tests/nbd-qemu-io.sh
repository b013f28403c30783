#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qemu-io reads back the patterns that it wrote, at block bounds.
source "${0%/*}/functions.sh"
start_volume 64M
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'write -P 0x11 0 512' 'write -P 0x22 512 4096' \
    'write -P 0x33 1M 8M' 'write -P 0x44 67108352 512' 'flush' \
    'read -P 0x11 0 512' 'read -P 0x22 512 4096' 'read -P 0x00 4608 4096' \
    'read -P 0x33 1M 8M' 'read -P 0x44 67108352 512'
