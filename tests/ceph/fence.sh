#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An image with the exclusive lock has one writer at a time: the lock goes to the
# gateway that writes, from one that lives and from one that does not answer.
# That one is fenced: when it wakes up nothing of it is written any more, and who
# asks it learns why.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires curl --version
start_cluster
start_gateway
first_pid=$server_pid first_log=$server_log first_control=$QBD_CONTROL
qbd create demo/disk 8M
qbd create demo/idle 8M
rbd info rbd/disk | grep exclusive-lock
start_nbdkit qbd demo/disk
first_uri=$uri first_nbdkit=$nbdkit_pid

start_second
until_so qbd --control "$second_control" info demo/disk
start_nbdkit qbd demo/disk server="$second_server"

owner () { rbd lock ls rbd/disk --format json | jq -r '.[].locker'; }
nbdsh -u "$first_uri" -c 'h.pwrite (b"1" * 65536, 0)'
first_owner=$(owner)
nbdsh -u "$uri" -c 'h.pwrite (b"2" * 65536, 0)'
test "$(owner)" != "$first_owner"
nbdsh -u "$first_uri" -c 'h.pwrite (b"3" * 65536, 0)'
test "$(owner)" = "$first_owner"

at_first () { QBD_CONTROL=$first_control "$@"; }
has_state ()
{
    at_first qbd info --json "demo/$1" | jq -e --arg state "$2" '.state == $state'
}
# says STATE UP FENCED: the first gateway, of itself.
says ()
{
    local metrics
    has_state disk "$1"
    has_state idle "$1"
    at_first qbd pools --json | jq -e --arg state "$1" \
        '.pools[0] | .state == $state and .gateway == 0 and .gateways_fenced == 0'
    metrics=$(curl -s --unix-socket "$first_control" http://qbd/metrics)
    grep -x "qbd_volume_up{pool=\"demo\",volume=\"disk\"} $2" <<<"$metrics"
    grep -x "qbd_volume_up{pool=\"demo\",volume=\"idle\"} $2" <<<"$metrics"
    grep -x "qbd_pool_fenced{pool=\"demo\",engine=\"rbd\"} $3" <<<"$metrics"
}
says ready 1 0

kill -STOP $first_pid
nbdsh -u "$uri" -c 'assert h.pread (65536, 0) == b"3" * 65536' \
      -c 'h.pwrite (b"4" * 65536, 0)'
test "$(owner)" != "$first_owner"
kill -CONT $first_pid
wait_for_line "$first_log" 'this server did not answer, and another fenced it'
says fenced 0 1
at_first qbd ls | grep -E '^demo/disk .* fenced$'
at_first qbd status | grep -E '^pool +demo .*: fenced by another gateway$'
expect_error 'EIO|ESHUTDOWN|Input/output' \
             env PATH="/usr/bin:$PATH" nbdsh -u "$first_uri" \
             -c 'h.pwrite (b"5" * 65536, 0)'
nbdsh -u "$uri" -c 'assert h.pread (65536, 0) == b"4" * 65536'
test "$(grep -c error: "$first_log")" -lt 10
_end $first_nbdkit TERM
_end $first_pid TERM || :       # what librbd never ends is left behind

start_gateway
start_nbdkit qbd demo/disk
nbdsh -u "$uri" -c 'assert h.pread (65536, 0) == b"4" * 65536' \
      -c 'h.pwrite (b"6" * 65536, 0)'
