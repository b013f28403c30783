#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# With a request under way on as many connections to the control socket as are
# served at a time, the next one waits for one to end; when none does, it is
# told so, and a server that is stopped then ends.  Before, when there are few
# places, one whose request is on its way does not make room for the next.
source "${0%/*}/functions.sh"

start_server --pool mem=ram:
coproc python3 -u -c '
import select, socket, sys, time

def connect (text=""):
    s = socket.socket (socket.AF_UNIX)
    s.settimeout (float (sys.argv[2]))
    s.connect (sys.argv[1])
    s.sendall (text.replace ("\n", "\r\n").encode ())
    return s

end = time.monotonic () + float (sys.argv[2])
def in_time (what):
    while not what ():
        assert time.monotonic () < end

STATUS = "GET /v1/status HTTP/1.1\nHost: qbd\n\n"
def ask_status ():
    return connect (STATUS)

def is_served (s):
    return s.recv (100).startswith (b"HTTP/1.1 200")

busy = []
def begin_request ():
    s = connect ("""POST /v1/volumes HTTP/1.1
Host: qbd
Content-Length: 2
Expect: 100-continue

""")
    if s.recv (100).startswith (b"HTTP/1.1 100"):
        busy.append (s)

def is_busy (nr):
    begin_request ()
    return len (busy) >= nr

def is_let_alone ():
    start = time.monotonic ()
    young = connect ()
    served = is_served (ask_status ()) and is_served (ask_status ())
    try:
        young.sendall (STATUS.replace ("\n", "\r\n").encode ())
        served = served and is_served (young)
    except OSError:
        served = False
    assert served or time.monotonic () - start > 0.9
    return served

def waits_for_room ():
    start = time.monotonic ()
    one = ask_status ()
    answered = select.select ([one] + busy, [], [], 1)[0]
    busy.pop ().close ()
    served = is_served (one)
    one.close ()
    in_time (lambda: is_busy (256))
    is_slow = time.monotonic () - start > 3
    assert is_slow or served and not answered
    return not is_slow

in_time (lambda: is_busy (250))
in_time (is_let_alone)
in_time (lambda: is_busy (256))
in_time (waits_for_room)
refused = ask_status ()
assert refused.recv (100).startswith (b"HTTP/1.1 503")
print ("full")
sys.stdin.readline ()
' "$QBD_CONTROL" "$patience"
client_pid=$COPROC_PID
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = full
wait_for_line "$server_log" 'control: 256 requests are under way'
stop_server
echo >&"${COPROC[1]}"
wait "$client_pid"
