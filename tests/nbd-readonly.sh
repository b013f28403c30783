#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit -r: readable, not writable, and the volume can be read by others.
source "${0%/*}/functions.sh"
start_volume 1M
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'write -P 9 0 64k' flush
start_nbdkit -r qbd volume=demo/disk
nbdinfo --is read-only "$uri"
qemu_io -r "$uri" 'read -P 9 0 64k'
expect_error 'read-only|permission|Operation not permitted' \
    nbdcopy "$QBD_BUILDDIR/config.h" "$uri"
