#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Volumes survive SIGTERM and kill -9; after kill -9 a new server starts at
# once, over the sockets that the old one left.
source "${0%/*}/functions.sh"
requires jq --version

mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool"
qbd create demo/disk 64M
qbd create demo/other 8M --block-size 4096
qbd create demo/third 1M
qbd rm demo/third
qbd resize demo/disk 128M
qbd ls --json >"$tmp/before"
qbd status --json | jq -r '.pools[0].domain' >"$tmp/domain"

stop_server
test ! -e "$tmp/control"
test ! -e "$tmp/server.sock"

start_server --pool demo="file:$tmp/pool"
qbd ls --json | cmp - "$tmp/before"
kill_server
test -S "$tmp/control"
test -S "$tmp/server.sock"

start_server --pool demo="file:$tmp/pool"
qbd ls --json | cmp - "$tmp/before"
qbd status --json | jq -r '.pools[0].domain' | cmp - "$tmp/domain"
qbd rm demo/disk
kill_server
start_server --pool demo="file:$tmp/pool"
qbd ls --json | jq -e '[.volumes[].name] == ["demo/other"]'
stop_server
