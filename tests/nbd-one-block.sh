#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The smallest volume: one block.
source "${0%/*}/functions.sh"
start_volume 512
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'write -P 5 0 512' flush 'read -P 5 0 512'
test "$(nbdinfo --size "$uri")" = 512
