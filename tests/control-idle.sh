#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Connections to the control socket on which nothing comes, more than are
# served at a time, make room for the next one.
source "${0%/*}/functions.sh"

start_server --pool mem=ram:
coproc python3 -c '
import socket, sys
idle = []
for _ in range (300):
    s = socket.socket (socket.AF_UNIX)
    s.connect (sys.argv[1])
    idle.append (s)
print ("idle", flush=True)
sys.stdin.readline ()' "$QBD_CONTROL"
idle_pid=$COPROC_PID
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = idle
for _ in 1 2 3; do
    qbd status
done
echo >&"${COPROC[1]}"
wait "$idle_pid"
