#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A socket in the pool's own directory: the pool's lock is no reason to wait,
# and what a killed server left is replaced.
source "${0%/*}/functions.sh"

mkdir "$tmp/pool"
export QBD_SERVER="unix://$tmp/pool/data.sock"
for round in 1 2; do
    start_server --pool "demo=file:$tmp/pool" --listen "$QBD_SERVER"
    # It would be said after two seconds.
    grep 'the lock on .* cannot be had' "$server_log" &&
        fail "the server waited for its own lock"
    test $round = 2 || qbd create demo/disk 1M
    start_nbdkit qbd demo/disk
    nbdsh -u "$uri" -c 'h.pread (512, 0)'
    stop_nbdkit
    if test $round = 1; then kill_server; fi
done
test -S "$tmp/pool/data.sock"
stop_server
test ! -e "$tmp/pool/data.sock"
