#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The monitors do not answer, while the OSDs do.  A host goes over from a gateway
# that was stopped in good order: that takes no monitor.  Where there was a fence
# that the gateways have not heard of it writes when they are back, and reads at
# once.  And a gateway that waits for them can be stopped.
source "${0%/*}/functions.sh"
source "$srcdir/tests/paths.sh"
requires nbdsh --version
start_cluster
start_gateway
qbd create demo/disk 8M
start_second
until_so qbd --control "$second_control" info demo/disk
start_path a
start_nbdkit qbd volume=demo/disk server="unix://$tmp/a" \
             server="$second_server" io_tmo=600 keep_alive_tmo=60 \
             control="$tmp/client"
# One connection all the time: whoever opens a volume anew has lost nobody.
coproc patience=$((patience * 4)) nbdsh -u "$uri" -c 'import sys' -c '
for line in sys.stdin:
    exec (line)
    print ("done", flush=True)'
tell ()
{
    local answer
    echo "$1" >&"${COPROC[1]}"
    read -r -t "$patience" answer <&"${COPROC[0]}" || fail "no answer: $1"
    test "$answer" = done
}
put () { tell "h.pwrite (b'$1' * 4096, 0)"; }
has () { tell "assert h.pread (4096, 0) == b'$1' * 4096"; }
# The first gateway is stopped while a write is on its way there.
writes () { qbd --control "$tmp/client" inflight | grep -w write; }
lose_first ()
{
    kill -STOP "${_path_pid[a]}"
    tell "write = h.aio_pwrite (b'$1' * 4096, 0)"
    until_so writes
    stop_server
    cut_path a
}
written () { tell 'while not h.aio_command_completed (write): h.poll (-1)'; }

put 0
cluster pause mon.a
lose_first 1
written
has 1
cluster resume mon.a

# Somebody was fenced, and neither has heard of it.
start_gateway
start_path a
wait_for_line "$nbdkit_log" "unix://$tmp/a: connected again"
put 2
kill -STOP "$server_pid" "$second_pid"
timeout "$patience" rados -p rbd setxattr qbd_pool qbd.fence another
cluster pause mon.a
kill -CONT "$server_pid" "$second_pid"
for log in "$server_log" "$second_log"; do
    wait_for_line "$log" 'was fenced, .* waits for the monitors'
done
lose_first 3
for i in {1..20}; do
    has 2
    tell 'assert not h.aio_command_completed (write)'
done
cluster resume mon.a
written
has 3
must_fail grep 'is silent' "$second_log"
must_fail timeout "$patience" rados -p rbd getxattr qbd_gateway.0 qbd.address
end_coproc
