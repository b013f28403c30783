#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit says once that the server is lost, once that it is there again, and
# when it is given up, over several paths, too; and nothing of an end that was
# asked for.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires python3 --version

lines ()
{
    grep -Ec "^nbdkit: error: demo/disk: .*$1" "$nbdkit_log" || :
}

start_volume 16M
start_nbdkit qbd demo/disk reconnect_delay=1
nbdinfo --size "$uri"
kill_server
wait_for_line "$nbdkit_log" 'error: demo/disk: [a-z]+://.*: connection lost: '
# Requests that wait, and tries that fail, add nothing.
nbdsh -u "$uri" -c 'h.pwrite (b"x" * 4096, 0)
h.pread (4096, 0)' & client=$!
expect_error 'connection (closed|failed|lost)|refused|No such file' \
             qbd discover "$QBD_SERVER"
start_server --pool "demo=$pool_url"
wait_for_line "$nbdkit_log" 'connected again after [0-9]+\.[0-9] s$'
wait $client
test "$(lines 'connection lost')" = 1
test "$(lines 'connected again')" = 1
kill_server
start_server --pool "demo=$pool_url"
nbdsh -u "$uri" -c 'h.pwrite (b"x" * 4096, 0)'
stop_nbdkit
test "$(lines 'connection lost')" = 2
test "$(lines 'connected again')" = 2
test "$(lines '')" = 4

start_nbdkit qbd demo/disk ctrl_loss_tmo=1
nbdinfo --size "$uri"
kill_server
wait_for_line "$nbdkit_log" 'error: demo/disk: .*: no connection for 1 s: '
test "$(lines '')" = 2
stop_nbdkit

# Paths are of Unix sockets, whatever the server listens on else.
server_uri=unix://$tmp/server-of-paths
start_server --pool "demo=$pool_url" --listen "$server_uri"
start_path a
start_path b
start_nbdkit qbd demo/disk server="unix://$tmp/a" server="unix://$tmp/b" \
             ctrl_loss_tmo=1
nbdinfo --size "$uri"
kill_server
wait_for_line "$nbdkit_log" 'error: demo/disk: no path for 1 s: '
stop_nbdkit
test "$(lines 'connection lost')" = 2
test "$(lines 'no path for')" = 1
