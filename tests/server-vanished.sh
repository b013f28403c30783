#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A pool's directory vanishes while it is served: volumes that are open go on,
# changes fail with the reason, other pools know nothing of it, and the next
# server refuses the pool in one sentence.
source "${0%/*}/functions.sh"
requires jq --version

mkdir "$tmp/gone" "$tmp/pool"
pools=(--pool "gone=file:$tmp/gone" --pool "demo=file:$tmp/pool")
start_server "${pools[@]}"
qbd create gone/disk 4M
qbd create gone/idle 4M
qbd create demo/disk 4M
start_nbdkit qbd
in_pool ()
{
    qemu_io "nbd+unix:///$1/disk?socket=$socket" "${@:2}"
}
in_pool gone 'write -P 1 0 1M' flush
rm -r "$tmp/gone"

in_pool gone 'read -P 1 0 1M' 'write -P 2 1M 1M' flush 'read -P 2 1M 1M'
in_pool demo 'write -P 3 0 4M' flush 'read -P 3 0 4M'
moved="^qbd: catalogue: $tmp/gone/qbd-pool: No such file or directory\$"
expect_error "$moved" qbd create gone/more 1M
expect_error "$moved" qbd rm gone/idle
qbd check gone >"$tmp/check" || :
grep -E '^disk: volumes/disk.raw is missing, but open and served: ' \
     "$tmp/check"
qbd create demo/more 1M
qbd rm demo/more
qbd info gone/disk --json | jq -e '.state == "ready"'
stop_nbdkit
stop_server

expect_error "^qbd-server: error: pool: $tmp/gone: No such file or directory: make an empty directory first\$" \
             qbd-server "${pools[@]}" --control "$tmp/control"
