#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A volume of 4,096-byte blocks holds a file system.
source "${0%/*}/functions.sh"
make_filesystem "$tmp/in" 32M
start_volume 32M --block-size 4096
start_nbdkit qbd volume=demo/disk
nbdinfo --json "$uri" | jq -e '.exports[0].block_size_minimum == 4096'
nbdcopy --flush "$tmp/in" "$uri"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
e2fsck -fn "$tmp/out"
