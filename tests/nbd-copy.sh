#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A file system goes in and comes out with nbdcopy unchanged.
source "${0%/*}/functions.sh"
make_filesystem "$tmp/in" 64M
start_volume 64M
start_nbdkit qbd volume=demo/disk
nbdcopy --flush "$tmp/in" "$uri"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
e2fsck -fn "$tmp/out"
