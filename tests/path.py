#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# A path to a server: path.py SOCKET SERVER-SOCKET [limit BYTES | late FILE |
# foreign yes].  It says "listening", and for each line of standard input how many
# bytes it has carried so far, both ways.  Killed, it is a path that is cut.
#
#   limit BYTES    a connection ends on which a client sends more than that
#   late FILE      on connections that begin while FILE exists, the server's
#                  answers come late: the first of them after 2.5 s
#   foreign yes    the server seems not to know Cross-Controller Reset

import os
import socket
import sys
import threading
import time

carried = 0
lock = threading.Lock ()

def copy (source, sink, left=1 << 62, late_s=0):
    global carried
    try:
        while data := source.recv (1 << 18):
            left -= len (data)
            if left < 0:
                break
            time.sleep (late_s)
            late_s = 0
            sink.sendall (data)
            with lock:
                carried += len (data)
    except OSError:
        pass
    for s in source, sink:
        try:
            s.shutdown (socket.SHUT_RDWR)
        except OSError:
            pass

def receive (source, size):
    data = b""
    while len (data) < size:
        chunk = source.recv (size - len (data))
        if not chunk:
            raise OSError
        data += chunk
    return data

# The first data from there are Identify Controller's page: CCRL is 0 in it.
def copy_foreign (source, sink):
    kind = None
    try:
        while kind != 7:                # C2HData
            header = receive (source, 8)
            size = int.from_bytes (header[4:8], "little")
            pdu = bytearray (header + receive (source, size - 8))
            kind, at = pdu[0], pdu[3]
            if kind == 7 and pdu[at + 768:at + 772] == b"nqn.":
                pdu[at + 1807] = 0
            sink.sendall (pdu)
    except OSError:
        pass
    copy (source, sink)

def report ():
    for _ in sys.stdin:
        with lock:
            print ("carried", carried, flush=True)

fault, value = (sys.argv + [None, None])[3:5]
client_bytes = int (value) if fault == "limit" else 1 << 62
try:
    os.unlink (sys.argv[1])
except FileNotFoundError:
    pass
listener = socket.socket (socket.AF_UNIX)
listener.bind (sys.argv[1])
listener.listen (16)
threading.Thread (target=report, daemon=True).start ()
print ("listening", flush=True)
while True:
    here = listener.accept ()[0]
    there = socket.socket (socket.AF_UNIX)
    try:
        there.connect (sys.argv[2])
    except OSError:
        here.close ()
        continue
    late_s = 2.5 if fault == "late" and os.path.exists (value) else 0
    for args in (here, there, client_bytes), (there, here, 1 << 62, late_s):
        target = copy
        if fault == "foreign" and args[0] is there:
            target, args = copy_foreign, args[:2]
        threading.Thread (target=target, args=args, daemon=True).start ()
