#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A reload that waits for a killed server's last writes keeps nobody: all that
# serves does, a second SIGHUP is not lost, and SIGTERM ends it in time.
source "${0%/*}/functions.sh"
requires jq --version
requires flock --version

mkdir "$tmp"/{a,b,c}
start_server --pool "b=file:$tmp/b"
stop_server
configure ()                    # POOL...
{
    local pool
    echo '[server]' >"$tmp/server.conf"
    for pool; do
        printf '%s\n' "[pool $pool]" "url = file:$tmp/$pool"
    done >>"$tmp/server.conf"
}
# What a ring that a killed server left holds until its writes are over.
hold_lock ()
{
    exec 8>"$tmp/b/qbd-pool.lock"
    flock -n 8
}

configure a
start_server -c "$tmp/server.conf" --sandbox-path "$tmp"
hold_lock
configure a b
kill -s HUP "$server_pid"
wait_for_line "$server_log" ': pool: .*/b: waiting for the writes of a killed process'
qbd create a/disk 1M
qbd status --json | jq -e '[.pools[].name] == ["a"]'
configure a b c
kill -s HUP "$server_pid"
exec 8>&-                       # they are over
wait_for_line "$server_log" ': pool: b: file:'
wait_for_line "$server_log" ': pool: c: file:'
qbd status --json | jq -e '[.pools[].name] == ["a", "b", "c"]'
stop_server

configure a
start_server -c "$tmp/server.conf" --sandbox-path "$tmp"
hold_lock
configure a b
kill -s HUP "$server_pid"
wait_for_line "$server_log" ': pool: .*/b: waiting for the writes of a killed process'
kill -s TERM "$server_pid"
status=0
_pids=()
wait "$server_pid" || status=$?
test $status -eq 1
grep ': error: stop: .*or a reload, do not end; leaving' "$server_log"
