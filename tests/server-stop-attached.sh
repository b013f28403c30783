#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM ends the server within 5 seconds with status 0 while hosts write.
source "${0%/*}/functions.sh"
requires jq --version
requires nbdkit --version
requires nbdsh --version

start_server --pool mem=ram:
qbd create mem/disk 64M
start_nbdkit qbd mem/disk

# It writes until it is failed: once nbdkit stops, at the latest.
coproc nbdsh -u "$uri" -c '
buf = bytearray (1 << 20)
h.pwrite (buf, 0)
print ("writing", flush=True)
while True:
    for i in range (64):
        h.pwrite (buf, i << 20)' 2>"$tmp/nbdsh.log"
nbdsh=$COPROC_PID
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = writing
qbd info mem/disk --json | jq -e '.attached == 1'

kill "$server_pid"
timeout 5 tail -s 0.05 --pid="$server_pid" -f /dev/null ||
    fail "still there after 5 s"
stop_server                     # its status was 0
stop_nbdkit
must_fail wait "$nbdsh"
