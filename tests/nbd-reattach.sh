#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# When the server comes back, the next NBD client has the volume again.
source "${0%/*}/functions.sh"
start_volume 4M
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'write -P 0x42 0 1M' flush
kill_server
start_server --pool "demo=$pool_url"
qemu_io "$uri" 'read -P 0x42 0 1M' 'write -P 0x43 1M 1M'
