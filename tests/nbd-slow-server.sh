#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A server that takes longer to shake hands than the first try to connect again
# waits: later ones wait for longer, and get there.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version
requires python3 --version

start_volume 1M
start_path proxy late "$tmp/slow"

start_nbdkit qbd volume=demo/disk server="unix://$tmp/proxy" \
             reconnect_delay=1
nbdsh -u "$uri" -c 'h.pwrite (b"a" * 4096, 0)'
kill_server
touch "$tmp/slow"
start_server --pool "demo=$pool_url"
nbdsh -u "$uri" -c '
assert h.pread (4096, 0) == b"a" * 4096
h.pwrite (b"b" * 4096, 0)'
stop_nbdkit
