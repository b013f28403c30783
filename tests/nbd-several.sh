#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Several nbdkits attach one volume; each sees what the others wrote.
source "${0%/*}/functions.sh"
start_volume 4M
uris=()
for i in 1 2 3; do
    start_nbdkit qbd volume=demo/disk
    uris+=("$uri")
done
for i in 0 1 2; do
    qemu_io "${uris[i]}" "write -P 0x1$i ${i}M 1M" flush
done
for i in 0 1 2; do
    qemu_io "${uris[i]}" 'read -P 0x10 0 1M' 'read -P 0x11 1M 1M' \
        'read -P 0x12 2M 1M'
done
