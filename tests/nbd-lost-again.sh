#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A request that costs the connection each time it is sent: connecting again
# succeeds, and is no reason to wait for ever, nor to hurry.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires python3 --version

start_volume 1M
cat >"$tmp/proxy.py" <<'END'
# Ends a connection on which a client sends more than this many bytes.
import socket, sys, threading
def pump (a, b, limit):
    total = 0
    try:
        while data := a.recv (65536):
            total += len (data)
            if total > limit:
                break
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
    server.connect (sys.argv[2])
    threading.Thread (target=pump, args=(client, server, 40000),
                      daemon=True).start ()
    threading.Thread (target=pump, args=(server, client, 1 << 40),
                      daemon=True).start ()
END
python3 "$tmp/proxy.py" "$tmp/proxy.sock" "${QBD_SERVER#unix://}" \
        >"$tmp/proxy.log" 2>&1 &
proxy=$!
cleanup_fn kill $proxy
wait_for_line "$tmp/proxy.log" '^listening'

start_nbdkit qbd volume=demo/disk server="unix://$tmp/proxy.sock" \
             ctrl_loss_tmo=4
nbdsh -u "$uri" -c - <<'END'
h.pwrite (b"a" * 4096, 0)
try:
    h.pwrite (b"b" * 262144, 0)
    raise SystemExit ("written over a connection that takes no such write")
except nbd.Error as e:
    assert e.errno == "EIO", e
END
# Pauses grow: 0.1 s, 0.2 s, 0.4 s ...
made=$(grep -Ec 'controller [0-9]+ serves' "$server_log")
test "$made" -lt 20 || fail "$made connections were made"
