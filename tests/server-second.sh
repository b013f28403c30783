#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A second server on a pool ends with an error, and takes nothing from the
# first: not its sockets either.
source "${0%/*}/functions.sh"

mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool"
qbd create demo/disk 1M

expect_error "^qbd-server: error: pool: $tmp/pool: in use by process $server_pid$" \
             qbd-server --control "$tmp/control2" \
             --listen "unix://$tmp/server2.sock" --pool demo="file:$tmp/pool"
test ! -e "$tmp/control2"
test ! -e "$tmp/server2.sock"

# Also under the first one's own addresses, and by another name.
expect_error "^qbd-server: error: pool: $tmp/pool: in use by process $server_pid$" \
             qbd-server --control "$tmp/control" \
             --listen "unix://$tmp/server.sock" --pool demo="file:$tmp/pool"
ln -s pool "$tmp/alias"
expect_error "^qbd-server: error: pool: $tmp/pool: in use by process $server_pid$" \
             qbd-server --control "$tmp/control2" \
             --listen "unix://$tmp/server2.sock" --pool b="file:$tmp/alias"

# Lock files that somebody took for stale and removed were not what counts.
rm "$tmp/pool/qbd-pool.owner" "$tmp/pool/qbd-pool.lock"
for _ in 1 2; do
    expect_error "^qbd-server: error: pool: $tmp/pool: in use by another process$" \
                 qbd-server --control "$tmp/control2" \
                 --listen "unix://$tmp/server2.sock" --pool demo="file:$tmp/pool"
done

qbd info demo/disk
test -S "$tmp/server.sock"
stop_server
