#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# With a request under way on as many connections to the control socket as are
# served at a time, the next one is not refused: it waits for one to end.
source "${0%/*}/functions.sh"

start_server --pool mem=ram:
python3 - "$QBD_CONTROL" <<'EOF'
import socket, sys

def connect (text):
    s = socket.socket (socket.AF_UNIX)
    s.connect (sys.argv[1])
    s.sendall (text.replace ("\n", "\r\n").encode ())
    return s

busy = [connect ("""POST /v1/volumes HTTP/1.1
Host: qbd
Content-Length: 2
Expect: 100-continue

""") for _ in range (256)]
for s in busy:
    assert s.recv (100).startswith (b"HTTP/1.1 100")
next = connect ("GET /v1/status HTTP/1.1\nHost: qbd\n\n")
busy.pop ().close ()
assert next.recv (100).startswith (b"HTTP/1.1 200")
EOF
stop_server
