#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM ends nbdkit while clients wait for a server that accepts and says
# nothing, by discovery and by NQN.
source "${0%/*}/functions.sh"
requires python3 --version

# One line for each connection.
python3 -u -c '
import socket, sys
listener = socket.socket (socket.AF_UNIX)
listener.bind (sys.argv[1])
listener.listen (64)
print ("listening")
kept = []
while True:
    kept.append (listener.accept ()[0])
    print ("connection")
' "$tmp/silent" >"$tmp/silent.log" &
silent=$!
cleanup_fn kill "$silent"
wait_for_line "$tmp/silent.log" listening

for volume in volume=demo/disk nqn=nqn.2014-08.org.example:x; do
    : >"$tmp/silent.log"
    start_nbdkit qbd "$volume" connect=lazy connect_tmo=60 \
                 server="unix://$tmp/silent"
    clients=()
    for i in {1..6}; do
        nbdinfo --size "$uri" >/dev/null 2>&1 &
        clients+=($!)
    done
    wait_for_line "$tmp/silent.log" connection
    patience=20 stop_nbdkit
    for client in "${clients[@]}"; do
        must_fail wait "$client"
    done
done
