#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM and SIGINT end the server within 5 seconds with status 0, whoever is
# connected: sockets that say nothing, and halves of requests.
source "${0%/*}/functions.sh"
requires python3 --version

cat >"$tmp/idle.py" <<'EOF'
# Connect to each socket that is named, send some bytes, wait for the end.
import socket, sys
socks = []
for arg in sys.argv[1:]:
    path, _, data = arg.partition ("=")
    s = socket.socket (socket.AF_UNIX)
    s.connect (path)
    s.sendall (data.encode ())
    socks.append (s)
print ("connected", flush=True)
for s in socks:
    try:
        while s.recv (4096):
            pass
    except ConnectionResetError:    # what it had not read yet
        pass
EOF

for signal in TERM INT; do
    start_server --pool mem=ram:
    coproc python3 "$tmp/idle.py" "$tmp/server.sock=" "$tmp/server.sock=abc" \
           "$tmp/control=" "$tmp/control=POST /v1/volumes HTTP/1.1"
    idle=$COPROC_PID
    read -r -t "$patience" answer <&"${COPROC[0]}"
    test "$answer" = connected

    start=${EPOCHREALTIME/./}
    kill -s "$signal" "$server_pid"
    timeout 5 tail -s 0.05 --pid="$server_pid" -f /dev/null ||
        fail "still there after 5 s"
    elapsed_us=$((${EPOCHREALTIME/./} - start))
    test $elapsed_us -lt 5000000
    stop_server                     # its status was 0
    wait "$idle"
    test ! -e "$tmp/control"
    test ! -e "$tmp/server.sock"
done
