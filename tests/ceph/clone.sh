#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What is allocated, by objects; and a clone: it has its parent's data, whenever
# the gateway came to see it, and holes where neither has any; it is written
# without the parent, and goes on while it is flattened under a host.
source "${0%/*}/functions.sh"
requires nbdcopy --version
requires nbdinfo --version
start_cluster
start_gateway
qbd create demo/parent 32M
start_nbdkit qbd volume=demo/parent
map () { nbdinfo --map --json "$uri" | jq -c '[.[] | [.offset, .length, .type]]'; }
M=$((1 << 20))
is_map () { test "$(map)" = "[$1]" || fail "map: $(map)"; }
is_map "[0,$((32 * M)),3]"
nbdsh -u "$uri" -c "h.pwrite (b'1' * $M, 8 * $M)" \
      -c "h.pwrite (b'2' * 4096, 20 * $M)"
is_map "[0,$((8 * M)),3],[$((8 * M)),$M,0],[$((9 * M)),$((11 * M)),3],[$((20 * M)),4096,0],[$((20 * M + 4096)),$((12 * M - 4096)),3]"
nbdsh -u "$uri" -c "h.trim (4 * $M, 8 * $M)"
is_map "[0,$((20 * M)),3],[$((20 * M)),4096,0],[$((20 * M + 4096)),$((12 * M - 4096)),3]"
nbdsh -u "$uri" -c "h.pwrite (b'3' * $M, 4 * $M)"
nbdcopy "$uri" "$tmp/parent"
rbd export rbd/parent - | cmp - "$tmp/parent"
stop_nbdkit

# Each snapshot makes the gateway look, just when clones are half made.
rbd snap create rbd/parent@s
for i in 1 2 3 4 5; do
    rbd snap create rbd/parent@look$i &
    rbd clone rbd/parent@s rbd/clone$i --rbd-default-clone-format 2
    wait $!
done
rbd clone rbd/parent@s rbd/clone --rbd-default-clone-format 2
for i in 1 2 3 4 5; do
    until_so qbd info demo/clone$i
    start_nbdkit qbd volume=demo/clone$i
    nbdcopy "$uri" "$tmp/copy"
    cmp "$tmp/parent" "$tmp/copy"
    stop_nbdkit
done
until_so qbd info demo/clone
start_nbdkit qbd volume=demo/clone
cp "$tmp/parent" "$tmp/expected"
nbdcopy "$uri" "$tmp/copy"
cmp "$tmp/expected" "$tmp/copy"
is_map "[0,$((4 * M)),3],[$((4 * M)),$M,0],[$((5 * M)),$((15 * M)),3],[$((20 * M)),4096,0],[$((20 * M + 4096)),$((12 * M - 4096)),3]"

# Half a block of the parent's, and where there was none.
for at in 4098 30720; do
    head -c 4096 /dev/urandom >"$tmp/block"
    nbdsh -u "$uri" \
          -c "h.pwrite (open ('$tmp/block', 'rb').read (), $at * 1024)"
    dd if="$tmp/block" of="$tmp/expected" bs=1k seek=$at conv=notrunc \
       status=none
done
nbdsh -u "$uri" -c "h.trim (65536, 20 * $M)"
dd if=/dev/zero of="$tmp/expected" bs=64k seek=$((20 * 16)) count=1 \
   conv=notrunc status=none
rbd export rbd/clone - | cmp - "$tmp/expected"
rbd export rbd/parent@s - | cmp - "$tmp/parent"
rbd flatten rbd/clone --no-progress
nbdcopy "$uri" "$tmp/copy"
cmp "$tmp/expected" "$tmp/copy"
stop_nbdkit
