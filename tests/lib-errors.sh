#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Attaching fails in good order, and says why: no server, something else in
# its place, a server that dies, a volume that is not there.
source "${0%/*}/functions.sh"
requires python3 --version

open_=(tests/lib-client open volume=demo/disk)

expect_error 'connect: unix:///nonexistent: .*No such file .*\(ENOENT\)' \
             "${open_[@]}" server=unix:///nonexistent
expect_error 'connect: tcp://127.0.0.1:1: Connection refused .ECONNREFUSED' \
             "${open_[@]}" server=tcp://127.0.0.1:1
expect_error 'connect: tcp://no.invalid:4420: .*\(EHOSTUNREACH\)' \
             "${open_[@]}" server=tcp://no.invalid
expect_error 'server: http:.*: unknown scheme' "${open_[@]}" server=http://localhost
expect_error 'volum: unknown parameter; did you mean volume\?' \
             "${open_[@]}" volum=x

# Something else: says a few words, waits for the client to end or ends by
# itself.
cat >"$tmp/impostor.py" <<'EOP'
import socket, sys
listener = socket.socket (socket.AF_UNIX)
listener.bind (sys.argv[1])
listener.listen ()
print ("listening", flush=True)
s, _ = listener.accept ()
s.sendall (sys.argv[2].encode ().decode ("unicode_escape").encode ("latin1"))
while sys.argv[3] == "wait" and s.recv (4096):
    pass
if sys.argv[3] == "read":
    s.recv (128)
EOP

impostor ()
{
    local pattern=$1
    rm -f "$tmp/impostor"
    coproc python3 "$tmp/impostor.py" "$tmp/impostor" "$2" "$3"
    local pid=$COPROC_PID
    read -r -t "$patience" _ <&"${COPROC[0]}"
    expect_error "^connect: unix://$tmp/impostor: $pattern" \
                 "${open_[@]}" server="unix://$tmp/impostor" connect_tmo="${4-10}"
    wait "$pid" || :
}

impostor 'not an NVMe/TCP server \(EPROTO\)$' 'SSH-2.0-OpenSSH_9.2p1\r\n' wait
impostor 'not an NVMe/TCP server \(EPROTO\)$' 'HTTP/1.1 400 Bad Request\r\n' \
         wait
impostor 'not an NVMe/TCP server \(EPROTO\)$' \
         'NBDMAGICIHAVEOPT\x00\x03' wait
# speaks the protocol's name and then something else
impostor 'ICResp: maxh2cdata: .*\(EPROTO\)$' \
         "\\x01\\x00\\x80\\x00\\x80$(printf '\\x00%.0s' {1..123})" wait
impostor 'the server closed the connection before it answered the handshake' \
         '' read
impostor 'no answer to the handshake .* in time .ETIMEDOUT' \
         '' wait 1

start_server --pool demo=ram:
expect_error "open: demo/disk: no such volume on unix://.* \(ENOENT\)" "${open_[@]}"
qbd create demo/dusk 1M
expect_error 'open: demo/disk: .*; did you mean demo/dusk\? \(ENOENT\)' "${open_[@]}"
