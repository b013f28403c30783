#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Writes that are no whole blocks keep the bytes around them.
source "${0%/*}/functions.sh"
start_volume 1M
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'write -P 0xaa 0 64k'
qemu_io "$uri" 'write -P 0x11 1 1' 'write -P 0x22 1000 3000' \
    'write -P 0x33 8191 2'
qemu_io "$uri" 'read -P 0xaa 0 1' 'read -P 0x11 1 1' 'read -P 0xaa 2 998' \
    'read -P 0x22 1000 3000' 'read -P 0xaa 4000 4191' 'read -P 0x33 8191 2' \
    'read -P 0xaa 8193 57343'
