#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Zeroes that were written read as zeroes, with and without unmapping.
source "${0%/*}/functions.sh"
start_volume 16M
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'write -P 0x55 0 8M' 'write -z 1M 1M' 'write -z -u 3M 1M' \
    'write -z 5000k 3584' 'read -P 0x55 0 1M' 'read -P 0 1M 1M' \
    'read -P 0x55 2M 1M' 'read -P 0 3M 1M' 'read -P 0x55 4M 904k' \
    'read -P 0 5000k 3584' 'read -P 0x55 5123584 3000k'
