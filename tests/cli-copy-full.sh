#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An import into a full pool fails with that reason, tells where, and goes on
# from there once there is space; an export onto a full disk leaves nothing.
source "${0%/*}/functions.sh"
requires curl --version
requires unshare -rm mount -t tmpfs none /mnt
if test -z "$QBD_TEST_INSIDE"; then
    QBD_TEST_INSIDE=1 exec unshare -rm "$0"
fi

mkdir "$tmp/mount"
mount -t tmpfs -o size=24m none "$tmp/mount"
cleanup_fn umount -l "$tmp/mount"
mkdir "$tmp/mount/pool"
head -c 32M /dev/urandom >"$tmp/image"
start_server --pool demo="file:$tmp/mount/pool"

expect_error "^qbd: import: .*/image: demo/disk: No space left on device; demo/disk is incomplete: the same command goes on with --from [0-9]+$" \
    qbd import "$tmp/image" demo/disk | tee "$tmp/said"
from=$(sed -n 's/.*--from //p' "$tmp/said")
test "$from" -gt 0
test "$from" -lt $((24 << 20))
curl -sS --unix-socket "$QBD_CONTROL" http://localhost/metrics |
    grep -E '^qbd_operation_errors_total\{pool="demo",volume="disk",operation="write"\} [1-9]'

mount -o remount,size=64m "$tmp/mount"
qbd import "$tmp/image" demo/disk --from "$from"
qbd export demo/disk - | cmp - "$tmp/image"

expect_error '^qbd: export: .*/out: No space left on device$' \
    qbd export demo/disk "$tmp/mount/out"
test "$(ls "$tmp/mount")" = pool
