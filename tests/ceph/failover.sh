#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two gateways as two paths, under fio verify, of which one is better than the
# other (ANA): it is killed, frozen for twelve seconds and told to stop, and comes
# back.  The other goes on, nothing is lost, and nothing of a gateway that was
# given up is written any more.  At the end the whole device is read once more: no
# sector is torn, no block older than what was written last, and Ceph's own tools
# read the same bytes.
source "${0%/*}/functions.sh"
source "${0%/*}/ledger.sh"
requires sh -c 'fio --enghelp | grep -w nbd'
requires curl --version
requires nbdsh --version
requires nbdcopy --version
requires not_sanitized          # keep-alive is short
start_cluster
start_gateway
qbd create demo/disk 80M
start_second --listen "unix://$tmp/worse.sock?ana=non-optimized"
second_server=unix://$tmp/worse.sock
until_so qbd --control "$second_control" info demo/disk
start_nbdkit qbd volume=demo/disk server="$second_server" \
             server="$QBD_SERVER" keep_alive_tmo=2 nr_io_queues=2

# Each sector says by itself whether it is whole.
whole=(fio --name=verify --ioengine=nbd --uri="$uri" --size=64M --bs=1M
       --verify=crc32c --verify_interval=512 --verify_fatal=1
       --verify_state_save=0)
"${whole[@]}" --rw=write --do_verify=0
"${whole[@]}" --rw=randwrite --bsrange=512-64k --io_size=100G --iodepth=16 \
    --fsync=64 --verify_backlog=64 --serialize_overlap=1 \
    >"$tmp/fio.log" 2>&1 &
fio=$!
cleanup_fn kill $fio
start_ledger $((64 << 20)) 4096

# The gateway has finished so many writes; it counts from its start.
writes ()
{
    curl -s --unix-socket "$1" http://qbd/metrics |
        sed -n 's/^qbd_operations_total{.*"write"} //p'
}
# More than were in flight there, when it has only begun to change.
has_more () { test "$(writes "$1")" -gt $(($2 + 100)); }
goes_on_at ()
{
    local before
    before=$(writes "$1")
    until_so has_more "$1" "${before:-0}"
    ledger_goes_on
    kill -0 $fio || fail "fio has ended: $(cat "$tmp/fio.log")"
}

goes_on_at "$QBD_CONTROL"
: "kill -9"
kill_server
goes_on_at "$second_control"
start_gateway
goes_on_at "$QBD_CONTROL"

: "SIGSTOP, while it has the lock and requests"
kill -STOP "$server_pid"
stopped=$SECONDS
goes_on_at "$second_control"
sleep $((SECONDS - stopped < 12 ? 12 - (SECONDS - stopped) : 0))
kill -CONT "$server_pid"
wait_for_line "$server_log" 'this server did not answer, and another fenced it'
goes_on_at "$second_control"
stop_server || :                # what librbd never ends is left behind
start_gateway
goes_on_at "$QBD_CONTROL"

: "SIGTERM: nobody has to be fenced"
fenced () { grep -c 'is silent' "$second_log" || :; }
before=$(fenced)
stop_server
goes_on_at "$second_control"
test "$(fenced)" = "$before"

kill -INT $fio
wait $fio || :
grep 'verify: .* err= 0' "$tmp/fio.log"
! grep -E 'verify: bad|error=' "$tmp/fio.log" || fail "$(cat "$tmp/fio.log")"

: "no sector is torn, no block is old"
end_ledger
"${whole[@]}" --rw=read
nbdcopy "$uri" "$tmp/here"
rbd export --no-progress rbd/disk "$tmp/there"
cmp "$tmp/here" "$tmp/there"
