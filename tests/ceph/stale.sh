#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A host does not reach one gateway any more, which itself reaches the cluster as
# before: a write is stuck on its way there, and done over the other instead.  When
# it arrives after all the block has been written again: it has no effect, and
# neither gateway had to be fenced for that.  The same with an image without the
# exclusive lock, that was renamed while a host was attached; and with a write that
# is stuck within a gateway: that one is fenced, for several volumes at once.
source "${0%/*}/functions.sh"
source "$srcdir/tests/paths.sh"
requires nbdsh --version
requires not_sanitized          # io_tmo is short
start_cluster
rbd create rbd/other --size 8M --image-feature layering
start_gateway
qbd create demo/disk 8M
start_second
for volume in disk other; do
    until_so qbd info demo/$volume
    until_so qbd --control "$second_control" info demo/$volume
done
start_nbdkit qbd volume=demo/other server="$QBD_SERVER" \
             server="$second_server" io_tmo=1 keep_alive_tmo=60
other_uri=$uri other_nbdkit=$nbdkit_pid
start_path a
start_nbdkit qbd volume=demo/disk server="unix://$tmp/a" \
             server="$second_server" io_tmo=1 keep_alive_tmo=60
put () { nbdsh -u "$uri" -c "h.pwrite (b'$1' * 4096, 0)"; }
put_other () { nbdsh -u "$other_uri" -c "h.pwrite (b'$1' * 4096, 0)"; }
has () { nbdsh -u "$uri" -c "assert h.pread (4096, 0) == b'$1' * 4096"; }

put 0
kill -STOP "${_path_pid[a]}"
put 1
wait_for_line "$server_log" 'has left: its host reset it, at another gateway'
put 2
kill -CONT "${_path_pid[a]}"
wait_for_line "$nbdkit_log" "unix://$tmp/a: connected again"
has 2
nbdsh -u "nbd+unix:///?socket=$socket" -c 'h.flush ()'
has 2
must_fail grep -E 'silent|fenced' "$server_log" "$second_log"

# Renamed under its host, it is served by both names, and a controller of each
# has this number.
first_uri=$uri first_nbdkit=$nbdkit_pid first_log=$nbdkit_log
rbd rename rbd/other rbd/renamed
until_so qbd info demo/renamed
until_so qbd --control "$second_control" info demo/renamed
start_path b
start_nbdkit qbd volume=demo/renamed server="unix://$tmp/b" \
             server="$second_server" io_tmo=1 keep_alive_tmo=60
cntlids () { qbd info --json "demo/$1" | jq .hosts[].cntlid; }
put 0
test "$(cntlids renamed)" = "$(cntlids other)"
kill -STOP "${_path_pid[b]}"
put 1
wait_for_line "$server_log" \
    'renamed: controller .* has left: its host reset it, at another gateway'
put 2
kill -CONT "${_path_pid[b]}"
wait_for_line "$nbdkit_log" "unix://$tmp/b: connected again"
has 2
nbdsh -u "nbd+unix:///?socket=$socket" -c 'h.flush ()'
has 2
stop_nbdkit
uri=$first_uri nbdkit_pid=$first_nbdkit nbdkit_log=$first_log

put 3
put_other 3
kill -STOP "$server_pid"
put_other 4 &
other_put=$!
put 4
wait $other_put
grep 'is silent: the cluster is told to refuse it' "$second_log"
put 5
qbd --control "$second_control" pools --json |
    jq -e '.pools[0] | .state == "ready" and .gateways_fenced == 1'
kill -CONT "$server_pid"
wait_for_line "$server_log" 'this server did not answer, and another fenced it'
has 5
put 6
_end $other_nbdkit TERM
stop_nbdkit
stop_server || :                # what librbd never ends is left behind
