#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd inflight names the request that hangs in the server's storage.
source "${0%/*}/functions.sh"
requires jq --version
requires nbdsh --version
# In ASan's build this library is not the first: it is none of ASan's.
export ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0"
# System calls of threads, which a library can hold up.
export QBD_NO_IO_URING=1 QBD_TEST_STALL=$tmp
mkdir "$tmp/pool"
# In a sandbox it could not reach what stalls it.
LD_PRELOAD=$QBD_BUILDDIR/tests/.libs/stall-sync.so \
    start_server --sandbox off --pool "demo=$pool_url"
qbd create demo/disk 16M
qbd create demo/other 1M

qbd inflight --json | jq -e '.requests == [] and .more == 0 and
                             .silent_reactors == []'
qbd inflight | grep -q '^AGE  STAGE  SINCE  OP  OFFSET  LENGTH  VOLUME  PATH$'
expect_error '^qbd: inflight: demo/none: no such volume is served$' \
             qbd inflight demo/none

start_nbdkit qbd volume=demo/disk
mkfifo "$tmp/stalled" "$tmp/go-on"
nbdsh -u "$uri" -c 'h.pwrite (b"x" * 4096, 8192)' -c 'h.flush ()' &
nbdsh_pid=$!
timeout "$patience" cat "$tmp/stalled"          # until it stands still
age=$(qbd inflight --json | jq '.requests[0].age_ms')
qbd inflight demo/disk --json >"$tmp/list"
jq -e '.requests | length == 1' "$tmp/list"
jq -e '.requests[0] | .op == "flush" and .stage == "engine" and
       .volume == "demo/disk" and .qid == 1 and (.fenced | not) and
       (.host | startswith ("nqn.")) and .age_ms >= .stage_ms' "$tmp/list"
jq -e ".requests[0].age_ms >= $age" "$tmp/list"
test "$(jq -r '.requests[0].path' "$tmp/list")" = \
     "$(qbd info demo/disk --json | jq -r '.hosts[0].address')"
qbd inflight | grep -E '^ *[0-9.]+  engine +[0-9.]+  flush +0 +0  demo/disk'
qbd inflight demo/other --json | jq -e '.requests == []'

# Its host is gone, and what it asked for still hangs.
kill_nbdkit
wait "$nbdsh_pid" || :
wait_for_line "$server_log" 'controller .* has left'
qbd inflight --json | jq -e '.requests[0] | .stage == "engine" and .fenced'

rm "$tmp/stalled"
: >"$tmp/go-on"
rm "$tmp/go-on"
start_nbdkit qbd volume=demo/disk
nbdinfo --size "$uri"           # it has waited for the old request's end
qbd inflight --json | jq -e '.requests == []'
stop_nbdkit
