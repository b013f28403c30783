#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Copies out of a sparse volume read its data only, and what they make is
# sparse: nbdcopy and qemu-img convert.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires nbdkit --dump-plugin null --filter=stats
start_volume 1G
start_nbdkit --filter=stats qbd demo/disk "statsfile=$tmp/stats"
nbdsh -u "$uri" -c '
h.pwrite (b"x" * (1 << 20), 5 << 20)
h.pwrite (b"y" * 65536, (1 << 30) - 65536)'
stop_nbdkit
read_mib () { sed -En 's/^read: .* s, ([0-9]+).* MiB, .*/\1/p' "$tmp/stats"; }

for copy in 'nbdcopy' 'qemu-img convert -f raw -O raw'; do
    start_nbdkit --filter=stats qbd demo/disk "statsfile=$tmp/stats"
    $copy "$uri" "$tmp/out"
    stop_nbdkit
    cat "$tmp/stats"
    test "$(read_mib)" -lt 4
    cmp "$tmp/out" "$tmp/pool/volumes/disk.raw"
    test "$(du -B1 "$tmp/out" | cut -f1)" -lt 4194304
    rm "$tmp/out"
done
