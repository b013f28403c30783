#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# A path to a server: path.py SOCKET SERVER-SOCKET.  It says "listening", and
# for each line of standard input how many bytes it has carried so far,
# both ways.  Killed, it is a path that is cut.

import os
import socket
import sys
import threading

carried = 0
lock = threading.Lock ()

def copy (source, sink):
    global carried
    try:
        while data := source.recv (1 << 18):
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

def report ():
    for _ in sys.stdin:
        with lock:
            print ("carried", carried, flush=True)

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
    for pair in (here, there), (there, here):
        threading.Thread (target=copy, args=pair, daemon=True).start ()
