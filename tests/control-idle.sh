#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Connections to the control socket on which nothing comes, more than are
# served at a time, make room for the next one.
source "${0%/*}/functions.sh"

start_server --pool mem=ram:
python3 - "$QBD_CONTROL" "$patience" <<'EOF'
import socket, sys, time

def connect ():
    s = socket.socket (socket.AF_UNIX)
    s.settimeout (float (sys.argv[2]))
    s.connect (sys.argv[1])
    return s

def ask (s):
    s.sendall (b"GET /v1/status HTTP/1.1\r\nHost: qbd\r\n\r\n")
    return s.recv (100).startswith (b"HTTP/1.1 200")

# They end by themselves after ten seconds: did room come before?
def is_quick ():
    start = time.monotonic ()
    idle = [connect () for _ in range (300)]
    one = connect ()
    assert ask (one)
    return time.monotonic () - start < 9

end = time.monotonic () + float (sys.argv[2])
while not is_quick ():
    assert time.monotonic () < end, "room is made by none that is idle"
EOF
qbd status
