#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The cluster does not answer for ten seconds, and a host goes over from one
# gateway to another meanwhile: neither gateway is fenced for that, and what was
# written last is there.  The image has no exclusive lock.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires not_sanitized          # io_tmo is short
start_cluster
rbd create rbd/disk --size 8M --image-feature layering
start_gateway
start_second
until_so qbd info demo/disk
until_so qbd --control "$second_control" info demo/disk
start_nbdkit qbd volume=demo/disk server="$QBD_SERVER" \
             server="$second_server" io_tmo=2 keep_alive_tmo=60
put () { nbdsh -u "$uri" -c "h.pwrite (b'$1' * 4096, 0)"; }
has () { nbdsh -u "$uri" -c "assert h.pread (4096, 0) == b'$1' * 4096"; }

put 0
cluster pause osd.0
put 1 &
client=$!
wait_for_line "$nbdkit_log" 'no answer to a command in 2 s'
sleep 8                         # for longer than a gateway is waited for
cluster resume osd.0
wait $client
put 2
has 2
must_fail grep -E 'is silent|fenced' "$server_log" "$second_log"
