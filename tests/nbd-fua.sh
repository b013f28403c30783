#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# FUA is offered, and taken with trim, too; what was written with it is there
# after the server got SIGKILL.
source "${0%/*}/functions.sh"
start_volume 8M
start_nbdkit qbd volume=demo/disk
nbdinfo --can fua "$uri"
qemu_io "$uri" 'write -f -P 0x77 0 4k' 'write -f -P 0x78 1M 2M' \
    'write -z -f 64k 4k'
nbdsh -u "$uri" -c 'h.trim (65536, 4 << 20, nbd.CMD_FLAG_FUA)' \
    -c 'h.trim (512, 5 << 20, nbd.CMD_FLAG_FUA)'
kill_server
stop_nbdkit
start_server --pool "demo=$pool_url"
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'read -P 0x77 0 4k' 'read -P 0x78 1M 2M' 'read -P 0 64k 4k'
