#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The kernel's NBD client, by nbd-client with one connection: file systems, and
# data are right.
source "${0%/*}/functions.sh"
source "${0%/*}/filesystems.sh"

module nbd nbds_max=1
start_volume 512M
start_nbdkit qbd demo/disk
device=/dev/nbd0

attach ()
{
    attach_nbd "$device" 1
}

detach ()
{
    nbd-client -d "$device"
}

check_filesystem ext4
check_filesystem xfs
check_filesystem btrfs
attach
fio_verify "$device"
detach
