#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# On a full file system, create says so and changes nothing; what is there
# stays good, and with space again all goes on.
source "${0%/*}/functions.sh"
requires jq --version
requires unshare -rm mount -t tmpfs none /mnt
if test -z "$QBD_TEST_INSIDE"; then
    QBD_TEST_INSIDE=1 exec unshare -rm "$0"
fi

mkdir "$tmp/mount"
mount -t tmpfs -o size=2m none "$tmp/mount"
cleanup_fn umount -l "$tmp/mount"
mkdir "$tmp/mount/pool"
start_server --pool demo="file:$tmp/mount/pool"
qbd create demo/disk 64M
qbd create demo/gone 1M
qbd ls --json >"$tmp/before"

# All of it, to the last page.
dd if=/dev/zero of="$tmp/mount/filler" bs=4096 2>/dev/null || :
failed=
for i in $(seq 100); do
    if ! qbd create demo/full-$i 1M 2>"$tmp/stderr"; then
        failed=demo/full-$i
        break
    fi
done
cat "$tmp/stderr"
test -n "$failed"
grep -E "^qbd: (create: $failed|catalogue): .*(No space left on device|is full)$" "$tmp/stderr"
expect_error "^qbd: info: $failed: no such volume$" qbd info "$failed"
qbd info demo/disk

# Room can be made by removing a volume.
qbd rm demo/gone
expect_error '^qbd: info: demo/gone: no such volume$' qbd info demo/gone

rm "$tmp/mount/filler"
qbd create "$failed" 1M
qbd create demo/gone 1M
for name in $(qbd ls --json | jq -r '.volumes[].name' | grep /full-); do
    qbd rm "$name"
done
qbd rm demo/gone
qbd ls --json | jq -r '.volumes[].name' >"$tmp/names"
test "$(cat "$tmp/names")" = demo/disk
qbd ls --json >"$tmp/before"
stop_server
start_server --pool demo="file:$tmp/mount/pool"
qbd ls --json | cmp - "$tmp/before"
stop_server
