#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# When one nbdkit of a machine ends, or is killed, the others go on.
source "${0%/*}/functions.sh"
start_volume 4M
start_nbdkit qbd volume=demo/disk
stays=$uri
start_nbdkit qbd volume=demo/disk
qemu_io "$stays" 'write -P 1 0 1M'
stop_nbdkit
qemu_io "$stays" 'write -P 2 0 1M' 'read -P 2 0 1M'
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'read -P 2 0 1M'
kill_nbdkit
qemu_io "$stays" 'write -P 3 0 1M' flush 'read -P 3 0 1M'
