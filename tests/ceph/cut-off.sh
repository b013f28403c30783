#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A gateway is cut off from the cluster, and only from that: its hosts reach it
# as before.  They go on over the other gateway, which has it fenced.  When its
# way to the cluster is whole again nothing of it is written any more.  The same
# with the exclusive lock, and without.
source "${0%/*}/functions.sh"
source "$srcdir/tests/network.sh"
requires nbdsh --version
requires not_sanitized          # io_tmo is short
start_cluster 1 "$near"
rbd create rbd/plain --size 8M --image-feature layering
rbd create rbd/locked --size 8M
start_gateway
run_far qbd-server
put () { nbdsh -u "$uri" -c "h.pwrite (b'$1' * 4096, 0)"; }
has () { nbdsh -u "$uri" -c "assert h.pread (4096, 0) == b'$1' * 4096"; }
fenced ()
{
    grep -c 'is silent: the cluster is told to refuse it' "$server_log" || :
}
has_fenced_more () { test "$(fenced)" -gt "$1"; }

for image in plain locked; do
    start_second
    until_so qbd info demo/$image
    until_so qbd --control "$second_control" info demo/$image
    start_nbdkit qbd volume=demo/$image server="$second_server" \
                 server="$QBD_SERVER" io_tmo=1 keep_alive_tmo=60
    put 0
    has 0
    before=$(fenced)
    cut_link
    put 1
    until_so has_fenced_more "$before"
    has 1
    put 2
    mend_link
    wait_for_line "$second_log" \
        'this server did not answer, and another fenced it'
    has 2
    put 3
    has 3
    stop_nbdkit
    _end "$second_pid" TERM || :    # what librbd never ends is left behind
done
