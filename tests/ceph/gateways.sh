#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two gateways of one pool: a volume is the same behind both, each numbers its
# own controllers, and what is done at one is seen at the other.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires ss --version
start_cluster
start_gateway
first=$QBD_CONTROL first_server=$QBD_SERVER
qbd create demo/disk 8M
start_nbdkit qbd demo/disk
first_uri=$uri first_nbdkit=$nbdkit_pid

# The first one's lease runs out, as if it were busy for long: it keeps its
# number.
lose_lease ()
{
    until test -e "$tmp/started"; do
        timeout "$patience" rados -p rbd rmxattr qbd_gateway.0 lock.qbd || :
    done
}
lose_lease &
loser=$!
start_second
touch "$tmp/started"
wait $loser
until_so qbd --control "$second_control" info demo/disk
second=$second_control
start_nbdkit qbd demo/disk server="$second_server"

identity () { qbd info --json demo/disk | jq -c '[.nqn, .uuid, .serial, .size_bytes]'; }
controllers () { qbd info --json demo/disk | jq '.hosts[].cntlid'; }
at () { QBD_CONTROL=$1 "${@:2}"; }
test "$(at $first identity)" = "$(at $second identity)"
at $first controllers
at $second controllers
test "$(at $first controllers)" -lt 4094
test "$(at $second controllers)" -gt 4093
must_fail grep -E 'ended without notice|fenced' "$server_log" "$second_log"

: written at one, read at the other
nbdsh -u "$first_uri" -c 'h.pwrite (b"1" * 65536, 0)'
nbdsh -u "$uri" -c 'assert h.pread (65536, 0) == b"1" * 65536' \
      -c 'h.pwrite (b"2" * 65536, 0)'
nbdsh -u "$first_uri" -c 'assert h.pread (65536, 0) == b"2" * 65536'
stop_nbdkit
_end "$first_nbdkit" TERM

: sizes, new volumes and lists of hosts, which end who is not on them
at $first qbd resize demo/disk 16M
at $first qbd create demo/new 8M
wait_for_line "$second_log" 'demo/disk: is now 16777216 bytes'
until_so at $second qbd info demo/new
start_nbdkit qbd "server=$second_server" demo/new
at $first qbd host add demo/new nqn.2014-08.org.example:other
wait_for_line "$second_log" 'demo/new: .* has left: it is not allowed any more'
at $second qbd info --json demo/new | jq -e '.allowed_hosts | length == 1'

: removed at one while the other serves it, but not while a host is there
until_so at $second qbd info demo/new
start_nbdkit qbd "server=$second_server" demo/disk
expect_error 'rm: demo/disk: attached at another gateway' \
             env QBD_CONTROL=$first qbd rm demo/disk --force

: nor is it shrunk, or set read-only
expect_error 'resize: demo/disk: attached at another gateway' \
             env QBD_CONTROL=$first qbd resize --shrink demo/disk 8M
expect_error 'set: demo/disk: attached at another gateway' \
             env QBD_CONTROL=$first qbd set demo/disk read_only=on
nbdsh -u "$uri" -c 'h.pwrite (b"3" * 65536, 0)' \
      -c 'h.pwrite (b"3" * 65536, 15 << 20)' \
      -c 'assert h.pread (65536, 15 << 20) == b"3" * 65536'
stop_nbdkit
at $first qbd resize --shrink demo/disk 8M
at $first qbd set demo/disk read_only=on
is_changed ()
{
    at $second qbd info --json demo/disk |
        jq -e '.size_bytes == 8388608 and .read_only'
}
until_so is_changed

: a list of hosts has what was added at either, before one heard of the other
kill -STOP "$second_pid"
at $first qbd host add demo/new nqn.2014-08.org.example:first &
adder=$!
has_first () { rbd image-meta get rbd/new qbd.hosts | grep example:first; }
until_so has_first
at $second qbd host add demo/new nqn.2014-08.org.example:second &
second_adder=$!
is_asked () { ss -Hlx src "$second" | awk '$3 > 0 { n = 1 } END { exit !n }'; }
until_so is_asked
kill -CONT "$second_pid"
wait $adder
wait $second_adder
has_all () { at $1 qbd info --json demo/new | jq -e '.allowed_hosts | length == 3'; }
until_so has_all $first
until_so has_all $second

: nor does it cut off what another has added, before it heard of that
at $first qbd host add demo/new nqn.2014-08.org.example:third   # has the lock
kill -STOP "$second_pid"
at $first qbd resize demo/new 32M &
grower=$!
is_larger () { rbd info rbd/new | grep 'size 32 MiB'; }
until_so is_larger
expect_error 'resize: demo/new: (another server changed its size|.*cuts off data)' \
             env QBD_CONTROL=$second qbd resize demo/new 16M &
second_grower=$!
until_so is_asked
kill -CONT "$second_pid"
wait $grower
wait $second_grower
is_larger
size_is () { test "$(at "$1" qbd info --json "$2" | jq .size_bytes)" = "$3"; }
until_so size_is $second demo/new 33554432

at $first qbd rm demo/new
is_gone () { ! at $second qbd info demo/new; }
until_so is_gone

: one that shrinks in several steps
rbd create rbd/small --size 8M --object-size 4K
until_so at $first qbd info demo/small
until_so at $second qbd info demo/small
start_nbdkit qbd "server=$first_server" demo/small
nbdsh -u "$uri" -c 'h.pwrite (b"4" * 65536, (3 << 20) - 32768)' \
      -c 'h.pwrite (b"4" * 65536, (8 << 20) - 65536)'
stop_nbdkit
at $first qbd resize --shrink demo/small 3M
rbd info rbd/small | grep 'size 3 MiB'
until_so size_is $second demo/small 3145728
start_nbdkit qbd "server=$second_server" demo/small
nbdsh -u "$uri" -c 'assert h.pread (32768, (3 << 20) - 32768) == b"4" * 32768'

: a gateway whose number somebody else has, for want of its object, ends itself
stop_nbdkit
gateway () { at "$1" qbd pools --json | jq '.pools[0].gateway'; }
# Where the OSD is busy it may do the frozen one's last renewal after the removal,
# and so make the object anew: then that one has the number, and it is once more.
third_is_1 ()
{
    local log=$tmp/third$((++_count)).log pid
    timeout "$patience" rados -p rbd rm qbd_gateway.1
    qbd-server --control "$tmp/third" --listen "unix://$tmp/third.sock" \
               --pool "demo=rbd:rbd?id=gateway" >"$log" 2>&1 </dev/null &
    pid=$!
    _pids+=("$pid qbd-server")
    wait_for_line "$log" ': ready$'
    test "$(gateway "$tmp/third")" = 1 || { _end $pid TERM && return 1; }
}
kill -STOP "$second_pid"
until_so third_is_1
kill -CONT "$second_pid"
wait_for_line "$second_log" 'another server .* is gateway 1: this one has itself'
wait_for_line "$second_log" 'this server did not answer, and another fenced it'
_end "$second_pid" TERM || :    # what librbd never ends is left behind
test "$(gateway "$first")" = 0

: one whose object was removed, and that nobody replaces, can be asked again
timeout "$patience" rados -p rbd rm qbd_gateway.0
has_address () { timeout "$patience" rados -p rbd getxattr qbd_gateway.0 qbd.address; }
is_watched () { timeout "$patience" rados -p rbd listwatchers qbd_gateway.0 | grep watcher; }
until_so has_address
until_so is_watched
must_fail grep 'itself fenced' "$server_log"

: a gateway that was killed is fenced by who takes its number
kill_server
timeout "$patience" rados -p rbd rmxattr qbd_gateway.0 lock.qbd
QBD_SERVER=$first_server
start_gateway
grep 'gateway 0 .* ended without notice' "$server_log"
test "$(gateway "$QBD_CONTROL")" = 0
