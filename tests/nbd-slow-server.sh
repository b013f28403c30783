#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A server that takes longer to shake hands than the first try to connect again
# waits: later ones wait for longer, and get there.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires python3 --version

start_volume 1M
cat >"$tmp/proxy.py" <<'END'
# On connections that begin while the file argv[3] exists, the server's answers
# come late: the first of them after 2.5 s.
import os, socket, sys, threading, time
def pump (a, b, late_s):
    try:
        while data := a.recv (65536):
            time.sleep (late_s)
            late_s = 0
            b.sendall (data)
    except OSError:
        pass
    for s in a, b:
        try:
            s.shutdown (socket.SHUT_RDWR)
        except OSError:
            pass
listener = socket.socket (socket.AF_UNIX)
listener.bind (sys.argv[1])
listener.listen (64)
print ("listening", flush=True)
while True:
    client, _ = listener.accept ()
    server = socket.socket (socket.AF_UNIX)
    try:
        server.connect (sys.argv[2])
    except OSError:
        client.close ()
        continue
    late_s = 2.5 if os.path.exists (sys.argv[3]) else 0
    for args in (client, server, 0), (server, client, late_s):
        threading.Thread (target=pump, args=args, daemon=True).start ()
END
python3 "$tmp/proxy.py" "$tmp/proxy.sock" "${QBD_SERVER#unix://}" \
        "$tmp/slow" >"$tmp/proxy.log" 2>&1 &
cleanup_fn kill $!
wait_for_line "$tmp/proxy.log" '^listening'

start_nbdkit qbd volume=demo/disk server="unix://$tmp/proxy.sock" \
             reconnect_delay=1
nbdsh -u "$uri" -c 'h.pwrite (b"a" * 4096, 0)'
kill_server
touch "$tmp/slow"
start_server --pool "demo=$pool_url"
nbdsh -u "$uri" -c '
assert h.pread (4096, 0) == b"a" * 4096
h.pwrite (b"b" * 4096, 0)'
stop_nbdkit
