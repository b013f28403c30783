#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Opens of a server that says nothing, and of one that accepts nothing, are
# nobody else's matter, and can be interrupted.
source "${0%/*}/functions.sh"
requires python3 --version
start_server --pool demo=ram:
qbd create demo/disk 1M

# The kernel accepts up to a backlog: connected, and silent.  With a backlog
# that is full a connect does not even return.
for backlog in 64 0; do
    rm -f "$tmp/silent"
    coproc python3 -u -c '
import socket, sys
listener = socket.socket (socket.AF_UNIX)
listener.bind (sys.argv[1])
listener.listen (int (sys.argv[2]))
print ("listening")
sys.stdin.read ()
' "$tmp/silent" "$backlog"
    read -r -t "$patience" _ <&"${COPROC[0]}"
    timeout "$patience" tests/lib-client silent "unix://$tmp/silent" \
            volume=demo/disk
    end_coproc
done
