#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdinfo --map shows what was written as data and the rest as holes, also
# where blocks are smaller or larger than the file system's.
source "${0%/*}/functions.sh"
requires nbdsh --version
mapped () {
    nbdinfo --map --json "$uri" |
        jq -c '[.[] | [.offset, .length, .description]]'
}
start_volume 64M
qbd create demo/big 64M --block-size 4096
for volume in demo/disk demo/big; do
    start_nbdkit qbd "$volume"
    test "$(mapped)" = '[[0,67108864,"hole,zero"]]'
    nbdsh -u "$uri" -c '
h.pwrite (b"x" * 65536, 1 << 20)
h.pwrite (b"y" * 4096, (64 << 20) - 4096)
h.flush ()'
    test "$(mapped)" = '[[0,1048576,"hole,zero"],[1048576,65536,"data"],[1114112,65990656,"hole,zero"],[67104768,4096,"data"]]'
    nbdsh -u "$uri" -c 'h.trim (65536, 1 << 20)'
    test "$(mapped)" = '[[0,67104768,"hole,zero"],[67104768,4096,"data"]]'
    stop_nbdkit
done

# Everything allocated, and written by a host of 512-byte blocks.
start_nbdkit qbd demo/disk
nbdsh -u "$uri" -c '
for offset in range (0, 64 << 20, 1 << 20):
    h.pwrite (b"z" * (1 << 20), offset)'
test "$(mapped)" = '[[0,67108864,"data"]]'
