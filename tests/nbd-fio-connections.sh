#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fio over four connections at once, each with 16 requests in flight of any
# size, verifies all that it wrote; and once more over new connections.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires sh -c 'fio --enghelp | grep -w nbd'
start_volume 128M
start_nbdkit qbd volume=demo/disk
cd "$tmp"
fio_four ()
{
    fio --name=four --ioengine=nbd --uri="$uri" --rw=randwrite \
        --bsrange=512-64k --bs_unaligned=0 --size=32M --offset_increment=32M \
        --numjobs=4 --iodepth=16 --verify=crc32c --verify_fatal=1 \
        --verify_state_save=0 \
        --randseed=7 --allrandrepeat=1 "$@" >"$tmp/fio.log" || {
        cat "$tmp/fio.log"
        fail "fio: $*"
    }
    test "$(grep -c 'err= 0' "$tmp/fio.log")" = 4
}
fio_four --do_verify=1
fio_four --verify_only

: a wrong byte would have been found
nbdsh -u "$uri" -c 'b = bytearray (h.pread (512, 70 << 20)); b[300] ^= 1
h.pwrite (b, 70 << 20)'
if ( fio_four --verify_only ); then
    fail "fio sees no wrong byte"
fi
