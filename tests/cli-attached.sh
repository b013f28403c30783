#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A volume that a host is attached to can grow, and neither shrinks nor goes.
source "${0%/*}/functions.sh"
requires jq --version
requires nbdkit --version
requires nbdsh --version

mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool"
qbd create demo/disk 64M
start_nbdkit qbd demo/disk
# nbdkit attaches for its first client; this one stays until it is told.
coproc nbdsh -u "$uri" -c '
import sys
h.pwrite (b"x" * 512, 0)
print ("there", flush=True)
sys.stdin.readline ()
assert h.pread (512, 0) == b"x" * 512
h.shutdown ()' 2>"$tmp/nbdsh.log"
nbdsh=$COPROC_PID
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = there

qbd info demo/disk --json | jq -e '.attached >= 1 and (.hosts | length) ==
    .attached and (.hosts[0].nqn | startswith ("nqn.")) and
    .hosts[0].io_queues >= 1'
qbd info demo/disk | grep -E '^host +nqn\.'
expect_error '^qbd: rm: demo/disk: attached by nqn\.' qbd rm demo/disk
expect_error '^qbd: resize: demo/disk: attached by nqn\.' \
             qbd resize demo/disk 32M --shrink
qbd resize demo/disk 128M

echo >&"${COPROC[1]}"
wait "$nbdsh"
stop_nbdkit

qbd info demo/disk --json | jq -e '.attached == 0 and .hosts == []'
qbd resize demo/disk 32M --shrink
qbd rm demo/disk
