#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Something else listens: a clear error for a banner, an HTTP answer, an
# early close, and silence; never a hang.
source "${0%/*}/functions.sh"
requires python3 --version
cat >"$tmp/peer.py" <<'END'
import socket, sys
kind, path = sys.argv[1:]
s = socket.socket (socket.AF_UNIX)
s.bind (path)
s.listen ()
print ("ready", flush=True)
c, _ = s.accept ()
if kind == "banner":
    c.sendall (b"220 mail.example.org ESMTP\r\n" * 40)
elif kind == "http":
    c.recv (65536)
    c.sendall (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
elif kind == "reset":
    sys.exit (0)
while c.recv (65536):
    pass
END
for kind in banner http reset silent; do
    exec 8< <(exec python3 "$tmp/peer.py" $kind "$tmp/$kind")
    peer=$!
    read -r _ <&8
    expect_error "$tmp/$kind" \
        nbdkit -fU "$tmp/s" qbd volume=demo/disk server="unix://$tmp/$kind" \
        connect_tmo=2
    wait $peer
done
