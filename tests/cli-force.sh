#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# --force ends the hosts that are in the way, also one that fell silent.
source "${0%/*}/functions.sh"
requires jq --version
requires nbdsh --version

mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool"
qbd create demo/disk 1M
qbd create demo/other 1M

attach ()                       # VOLUME: attached by $nqn until it is fenced
{
    start_nbdkit qbd volume="$1"
    coproc nbdsh -u "$uri" -c '
import sys
h.pwrite (b"x" * 512, 0)
print ("there", flush=True)
sys.stdin.readline ()' 2>"$tmp/nbdsh.log"
    read -r -t "$patience" answer <&"${COPROC[0]}"
    test "$answer" = there
    nqn=$(qbd info "$1" --json | jq -r '.hosts[0].nqn')
}

# A list that would not hold an attached host is refused.
attach demo/other
expect_error "^qbd: host: demo/other: $nqn .* is attached.*--force" \
             qbd host add demo/other nqn.2014-08.org.nvmexpress:uuid:x
qbd info demo/other --json | jq -e '.allowed_hosts == null and .attached == 1'
qbd host add demo/other "$nqn"
expect_error "^qbd: host: demo/other: $nqn .* is attached.*--force" \
             qbd host rm demo/other "$nqn"
qbd host rm --force demo/other "$nqn"
wait_for_line "$server_log" 'has left: it is not allowed any more'
expect_error "^qbd: host: .*: is not on the list$" \
             qbd host rm demo/other "$nqn"
end_coproc
stop_nbdkit

# A silent host counts as attached until its keep-alive timer ends it.
attach demo/disk
kill -STOP "$nbdkit_pid"
cleanup_fn kill -CONT "$nbdkit_pid"
expect_error '^qbd: rm: demo/disk: attached by nqn\.' qbd rm demo/disk
qbd rm demo/disk --force
expect_error '^qbd: info: demo/disk: no such volume$' qbd info demo/disk
test ! -e "$tmp/pool/volumes/disk.raw"
wait_for_line "$server_log" 'has left: it was ended by force'
# Without hosts it is the same as without --force.
qbd rm --force demo/other
