#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A pool on a file system that is read-only is refused in one sentence, and
# stays as it is.
source "${0%/*}/functions.sh"
requires unshare -rm mount -t tmpfs none /mnt

cat >"$tmp/inside.sh" <<'EOF'
mount -t tmpfs none "$tmp/mount"
mkdir "$tmp/mount/pool"
mount -o remount,ro "$tmp/mount"
exec qbd-server --control "$tmp/control" --listen "unix://$tmp/server.sock" \
     --pool demo="file:$tmp/mount/pool"
EOF
mkdir "$tmp/mount"
export tmp
expect_error "^qbd-server: error: pool: $tmp/mount/pool: cannot be written: Read-only file system" \
             unshare -rm bash -e "$tmp/inside.sh"
test ! -e "$tmp/control"
test ! -e "$tmp/server.sock"
