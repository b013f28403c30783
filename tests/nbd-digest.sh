#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Header and data digests, each alone and together.
source "${0%/*}/functions.sh"
start_volume 8M
head -c 8388608 /dev/urandom >"$tmp/in"
for digests in hdr_digest=true data_digest=true \
               'hdr_digest=true data_digest=true'; do
    start_nbdkit qbd volume=demo/disk $digests
    nbdcopy --flush "$tmp/in" "$uri"
    nbdcopy "$uri" "$tmp/out"
    cmp "$tmp/in" "$tmp/out"
    qemu_io "$uri" 'write -P 3 512 1536' 'read -P 3 512 1536'
    stop_nbdkit
done
