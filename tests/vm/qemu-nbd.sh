#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The kernel's NBD client in front of qemu-nbd -c (which makes one
# connection): file systems.
source "${0%/*}/functions.sh"
source "${0%/*}/filesystems.sh"

module nbd nbds_max=1
start_volume 512M
start_nbdkit qbd demo/disk
device=/dev/nbd0

attach ()
{
    qemu-nbd -c "$device" -f raw --discard=unmap --cache=none --aio=threads \
             "$uri"
    until_true has_size "$device" 536870912
}

detach ()
{
    qemu-nbd -d "$device"
}

for type in ext4 xfs btrfs; do
    check_filesystem $type
done
attach
fio_verify "$device"
detach
