#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
#
# The two halves of crash-points.sh, which says what they are for.
#
#   crash-points.py load EVENTS NBD-SOCKET
#       changes the pool of a server that runs, and its volumes as an NBD
#       client; EVENTS is written: what was asked for and what was
#       acknowledged, in this order.  Behind each flush, each write with FUA and
#       each change that was acknowledged, the log has a mark.
#   crash-points.py check EVENTS LOG IMAGE TYPE POINTS
#       replays the log over IMAGE, which is changed, up to each of its points,
#       and compares what a server finds there.  When there are more than
#       POINTS of them, it is those with a mark and a sample of the others.
#
# Blocks hold the number of their write; zeroes are number 0.
import http.client
import json
import os
import random
import socket
import struct
import subprocess
import sys

BLOCK = 4096
BATCH = 16                      # points that one server opens
HOST = "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-4333-8444-%012x"


def block_of (number):
    return struct.pack ("<Q", number) * (BLOCK // 8)


# --- the load ---------------------------------------------------------------

class Load:
    def __init__ (self, path):
        self.path = path
        self.number = 0
        self.marks = 0
        self.events = []
        self.handles = {}
        self.process = None

    def mark (self):
        self.marks += 1
        subprocess.run (["dmsetup", "message", "logged", "0", "mark",
                         str (self.marks)], check=True)
        self.events.append (["mark", self.marks])

    def attach (self, name):
        import nbd
        h = nbd.NBD ()
        h.set_export_name ("demo/" + name)
        h.connect_unix (self.path)
        self.handles[name] = h

    def write (self, name, first, blocks, fua=False):
        import nbd
        self.number += 1
        self.events.append (["write", name, first, blocks, self.number])
        self.handles[name].pwrite (block_of (self.number) * blocks,
                                   first * BLOCK,
                                   nbd.CMD_FLAG_FUA if fua else 0)
        if fua:
            self.events.append (["stable", name, first, blocks])
            self.mark ()

    def zero (self, name, first, blocks):
        self.events.append (["write", name, first, blocks, 0])
        self.handles[name].zero (blocks * BLOCK, first * BLOCK)

    def flush (self, name):
        self.handles[name].flush ()
        self.events.append (["flush", name])
        self.mark ()

    def begin (self, change, *command):
        """change: [NAME, SIZE (None: removed), HOSTS]"""
        self.events.append (["begin", *change])
        self.process = subprocess.Popen (["qbd", *command])

    def look (self, wait=False):
        """Is the change over?"""
        if not self.process or (not wait and self.process.poll () is None):
            return
        if self.process.wait () != 0:
            raise SystemExit ("this failed: %s" % (self.process.args,))
        self.process = None
        self.events.append (["end"])
        self.mark ()

    def data (self):
        for name, h in self.handles.items ():
            blocks = h.get_size () // BLOCK
            for _ in range (3):
                self.write (name, random.randrange (blocks - 8),
                            random.randint (1, 8))
                self.look ()
            self.zero (name, random.randrange (blocks - 8), 2)
            self.flush (name)
            self.look ()
            self.write (name, random.randrange (64), 2, True)
            self.write (name, random.randrange (64), 4)
            self.look ()

    def run (self, change, *command):
        self.begin (change, *command)
        self.data ()
        self.look (wait=True)


def load (events, path):
    random.seed (5)
    load = Load (path)
    load.run (["a", 4 << 20, None], "create", "demo/a", "4M")
    load.attach ("a")
    load.run (["b", 2 << 20, None], "create", "demo/b", "2M")
    load.attach ("b")
    load.run (["c", 1 << 20, None], "create", "demo/c", "1M")
    load.run (["c", 3 << 20, None], "resize", "demo/c", "3M")
    load.run (["c", 3 << 20, [HOST % 1]], "host", "add", "demo/c", HOST % 1)
    load.run (["b", 8 << 20, None], "resize", "demo/b", "8M")
    load.run (["c", None, None], "rm", "demo/c")
    load.run (["c", 1 << 20, None], "create", "demo/c", "1M")
    load.run (["d", 1 << 20, None], "create", "demo/d", "1M")
    with open (events, "w") as f:
        json.dump (load.events, f)


# --- the model --------------------------------------------------------------

class Model:
    """What must be there, by the acknowledgements before a mark."""

    def __init__ (self, events):
        self.volumes = {}
        self.changing = None    # asked for and not acknowledged
        self.events = events
        self.at = 0
        self.mark = 0

    def apply (self, kind, *rest):
        if kind == "begin":
            self.changing = rest
        elif kind == "end":
            name, size, hosts = self.changing
            if size is None:
                del self.volumes[name]
            else:
                volume = self.volumes.setdefault (
                    name, {"sure": {}, "perhaps": {}})
                volume["size"], volume["hosts"] = size, hosts
            self.changing = None
        elif kind == "mark":
            self.mark = rest[0]
        else:
            self.apply_data (kind, self.volumes[rest[0]], *rest[1:])

    def apply_data (self, kind, volume, first=0, blocks=0, number=0):
        sure, perhaps = volume["sure"], volume["perhaps"]
        if kind == "write":
            for i in range (first, first + blocks):
                perhaps.setdefault (i, []).append (number)
        else:                   # stable is of a range, flush of all
            for i in (list (perhaps) if kind == "flush" else
                      range (first, first + blocks)):
                sure[i] = perhaps.pop (i)[-1]

    def advance (self, mark):
        while self.mark < mark:
            self.apply (*self.events[self.at])
            self.at += 1

    def meanwhile (self):
        """The events up to the next mark: each may have had its effect."""
        for event in self.events[self.at:]:
            if event[0] == "mark":
                return
            yield event

    def states (self, name):
        """[SIZE, HOSTS] that the volume may have; None: it is not there."""
        volume = self.volumes.get (name)
        states = [volume and [volume["size"], volume["hosts"]]]
        changes = [self.changing] if self.changing else []
        changes += [e[1:] for e in self.meanwhile () if e[0] == "begin"]
        for which, size, hosts in changes:
            if which == name:
                states.append (None if size is None else [size, hosts])
        return states

    def blocks (self, name):
        """By block: the numbers that it may hold; all others hold 0."""
        volume = self.volumes.get (name, {"sure": {}, "perhaps": {}})
        allowed = {i: {number} for i, number in volume["sure"].items ()}
        for i, numbers in volume["perhaps"].items ():
            allowed.setdefault (i, {0}).update (numbers)
        for kind, *rest in self.meanwhile ():
            if kind == "write" and rest[0] == name:
                _, first, blocks, number = rest
                for i in range (first, first + blocks):
                    allowed.setdefault (i, {0}).add (number)
        return allowed


# --- the log ----------------------------------------------------------------

class Log:
    """dm-log-writes' log, and an image that follows it.

    Its form is Documentation/admin-guide/device-mapper/log-writes.rst and
    drivers/md/dm-log-writes.c of Linux: a superblock, then entries of a
    sector each, every one with its data behind it.  A write is logged when
    it is over; one that is not stable by itself only with the flush that
    makes it so.  What was discarded is whatever it is: here it stays."""

    MAGIC = 0x6a736677736872
    FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8

    def __init__ (self, path, image):
        self.log = open (path, "rb")
        self.image = open (image, "r+b", buffering=0)
        magic, version, self.entries, self.sector = \
            struct.unpack ("<QQQI", self.log.read (28))
        assert (magic, version) == (self.MAGIC, 1)
        self.rewind ()

    def rewind (self):
        self.nr = 0             # entries read
        self.log.seek (self.sector)

    def next (self, write):
        """(what it is if that is a point, bytes of data)"""
        head = self.log.read (self.sector)
        sector, sectors, flags, length = struct.unpack_from ("<QQQQ", head)
        data = b""
        self.nr += 1
        if flags & self.MARK:
            return "mark " + head[32:32 + length].decode ().strip ("\0"), 0
        if not flags & self.DISCARD:
            data = self.log.read (sectors * self.sector)
            if write and data:
                self.image.seek (sector * self.sector)
                assert self.image.write (data) == len (data)
        return ("fua" if flags & self.FUA else
                "flush" if flags & self.FLUSH else None), len (data)

    def points (self):
        """[(ENTRIES, WHAT), ...]: between two of them something was written"""
        points, written = [], 1
        while self.nr < self.entries:
            what, length = self.next (False)
            written += length
            if what and written == 0:
                what = points.pop ()[1] + ", " + what
            if what:
                points.append ((self.nr, what))
                written = 0
        self.rewind ()
        return points

    def replay (self, entries):
        while self.nr < entries:
            self.next (True)

    def copy (self, path):
        """Holes stay holes."""
        with open (path, "wb", buffering=0) as to:
            size, hole = self.image.seek (0, os.SEEK_END), 0
            to.truncate (size)
            while hole < size:
                try:
                    data = os.lseek (self.image.fileno (), hole, os.SEEK_DATA)
                except OSError:
                    return
                hole = os.lseek (self.image.fileno (), data, os.SEEK_HOLE)
                os.lseek (self.image.fileno (), data, os.SEEK_SET)
                to.seek (data)
                while data < hole:
                    data += os.sendfile (to.fileno (), self.image.fileno (),
                                         data, hole - data)


# --- the check --------------------------------------------------------------

class Control (http.client.HTTPConnection):
    def __init__ (self, path):
        super ().__init__ ("qbd")
        self.path = path

    def connect (self):
        self.sock = socket.socket (socket.AF_UNIX)
        self.sock.connect (self.path)

    def ask (self, method, url, body=None):
        self.request (method, url, json.dumps (body) if body else None)
        response = self.getresponse ()
        answer = json.load (response)
        assert response.status == 200, (url, answer)
        return answer


def check_data (path, allowed):
    """Also that all else is zero."""
    with open (path, "rb") as f:
        data = bytearray (f.read ())
    for i, numbers in allowed.items ():
        at = slice (i * BLOCK, (i + 1) * BLOCK)
        number = struct.unpack_from ("<Q", data, i * BLOCK)[0]
        assert number in numbers and data[at] == block_of (number), \
            "%s: block %d holds %d, and not one of %s" % (
                path, i, number, sorted (numbers))
        data[at] = bytes (BLOCK)
    assert data == bytes (len (data)), \
        "%s: a block that was never written is not zero" % path


class Point:
    """A file system as a crash would leave it, and what must be there."""

    def __init__ (self, log, fstype, number, entries, what, model):
        self.title = "%s after %d entries (%s)" % (fstype, entries, what)
        self.states = {name: model.states (name) for name in "abcd"}
        self.blocks = {name: model.blocks (name) for name in "abcd"}
        self.pool = "p%d" % number
        self.image = os.path.abspath ("image%d" % number)
        self.mount = os.path.abspath ("mnt%d" % number)
        log.replay (entries)
        log.copy (self.image)
        os.makedirs (self.mount, exist_ok=True)
        options = {"ext4": "loop", "xfs": "loop,nouuid"}[fstype]
        subprocess.run (["mount", "-t", fstype, "-o", options, self.image,
                         self.mount], check=True)
        os.makedirs (self.mount + "/pool", exist_ok=True)

    def check (self, control):
        found = {v["name"].split ("/")[1]: v for v in control.ask (
            "GET", "/v1/volumes?pool=" + self.pool)["volumes"]}
        assert set (found) <= set (self.states), found
        for name, states in self.states.items ():
            volume = found.get (name)
            assert not volume or volume["state"] == "ready", volume
            have = volume and [volume["size_bytes"], volume["allowed_hosts"]]
            assert have in states, "volume %s is %s, and not one of %s" % (
                name, have, states)
            if volume:
                check_data ("%s/pool/volumes/%s.raw" % (self.mount, name),
                            self.blocks[name])
        findings = control.ask ("POST", "/v1/check",
                                {"pool": self.pool})["findings"]
        assert findings == [], findings

    def end (self):
        subprocess.run (["umount", self.mount], check=True)
        os.remove (self.image)


class Server:
    """All of the points are pools of it."""

    def __init__ (self, points):
        pools = ["--pool=%s=file:%s/pool" % (p.pool, p.mount) for p in points]
        self.process = subprocess.Popen (
            ["qbd-server", "--control", "check.ctl", "--listen",
             "unix://" + os.getcwd () + "/check.sock"] + pools,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        said = []
        for line in self.process.stdout:
            said.append (line)
            if line.endswith (": ready\n"):
                self.control = Control ("check.ctl")
                return
        self.process.wait ()
        raise SystemExit ("no server: " + "".join (said))

    def stop (self):
        self.process.terminate ()
        said = self.process.communicate ()[0]
        assert self.process.returncode == 0, said


def check_batch (points):
    try:
        server = Server (points)
        try:
            for point in points:
                point.check (server.control)
        except AssertionError as e:
            raise SystemExit ("%s: %s" % (point.title, e))
        finally:
            server.stop ()
    finally:
        for point in points:
            point.end ()


def choose (points, nr_max):
    marked = [p for p in points if "mark" in p[1]]
    others = [p for p in points if "mark" not in p[1]]
    nr = min (max (nr_max - len (marked), 0), len (others))
    return sorted (marked + [others[i * len (others) // nr]
                             for i in range (nr)])


def check (events, log, image, fstype, nr_max):
    with open (events) as f:
        model = Model (json.load (f))
    log = Log (log, image)
    all_points = log.points ()
    points = choose (all_points, int (nr_max))
    batch = []
    for entries, what in points:
        for mark in what.split (", "):
            if mark.removeprefix ("mark ").isdigit ():
                model.advance (int (mark[5:]))
        batch.append (Point (log, fstype, len (batch), entries, what, model))
        if len (batch) == BATCH or entries == points[-1][0]:
            check_batch (batch)
            batch = []
    assert ["mark", model.mark] == \
        [e for e in model.events if e[0] == "mark"][-1]
    print ("%s: %d of %d points were good, %d of them marked" % (
        fstype, len (points), len (all_points), model.mark))


if sys.argv[1] == "load":
    load (*sys.argv[2:])
else:
    check (*sys.argv[2:])
