#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A small Ceph cluster on this machine, for tests.

  cluster.py start DIR [OSDS [ADDRESS]]
                                one monitor, OSDS (1) OSDs, Ceph pool "rbd"; on
                                loopback, or at this address
  cluster.py stop DIR           end all of it, and remove DIR
  cluster.py kill DIR DAEMON    SIGKILL "osd.0" or "mon.a", and await its end
  cluster.py restart DIR DAEMON
  cluster.py pause DIR DAEMON   SIGSTOP
  cluster.py resume DIR DAEMON  SIGCONT
  cluster.py settle DIR         until every OSD is up and all data replicated
  cluster.py manage DIR         start a manager, "mgr.x"
  cluster.py ask DIR COMMAND [NAME=VALUE]...
                                have the monitor do it
  cluster.py report DIR         print what helps to understand a failure

Everything it has is in DIR, which start makes: ceph.conf is what clients need.
Beside client.admin there is client.gateway, with what qbd-server needs.
Without a manager the cluster does not know its space, and keeps no quota.  With
two or more OSDs, two have each object.
"""

import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid

import rados

WATCH_S = int(os.environ.get("QBD_TEST_WATCH_S", "3"))
PATIENCE = int(os.environ.get("QBD_TEST_PATIENCE", "60"))
REPORT_LINES = 30
OSD_BYTES = int(os.environ.get("QBD_TEST_OSD_MIB", "10240")) << 20

# An OSD may serve a PG for so many times its heartbeat's grace before it hears
# of the other replicas again.  Where there are none, one that was late (it was
# paused, or its machine is busy) would keep all requests for ever: Ceph 16 looks
# again only when another replica has answered.
LEASE_RATIO = 0.8
LEASE_RATIO_ALONE = 1000

CONF = """\
[global]
fsid = {fsid}
mon host = {monitor}
keyring = {dir}/keyring
run dir = {dir}
crash dir = {dir}
pid file = {dir}/$name.pid
log file = {dir}/$name.log
admin socket = {dir}/$name.asok
# A dead OSD is noticed within seconds.
osd heartbeat interval = 1
osd heartbeat grace = 4
osd pool default read lease ratio = {lease_ratio}

[client]
pid file =
log file =
admin socket =
objecter tick interval = 0.5
objecter timeout = 1

[mon]
mon data = {dir}/mon
mon cluster log file = {dir}/cluster.log
mon data avail crit = 1
mon allow pool size one = true
mon allow pool delete = true
mon osd min down reporters = 1
paxos propose interval = 0.02
paxos min wait = 0.01
osd pool default size = {replicas}
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon tick interval = 1

[mgr]
mgr data = {dir}/mgr
# It loads none.
mgr module path = {dir}/modules
mgr stats period = 1

[osd]
public addr = {address}
cluster addr = {address}
osd data = {dir}/osd$id
osd objectstore = bluestore
osd crush initial weight = 1
# Watches of a client that was killed end soon.
osd client watch timeout = {watch_s}
osd recovery sleep = 0
bluestore block size = {block_bytes}
bluestore cache autotune = false
bluestore cache size = 134217728
"""


def run(*argv):
    """Its output, if it succeeds."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: status {done.returncode}: {done.stdout}")
    return done.stdout.strip()


def run_all(*commands):
    """At the same time; each is a list of commands, one after the other."""
    children = []
    for command in commands:
        pid = os.fork()
        if pid == 0:
            try:
                for argv in command:
                    run(*argv)
            except SystemExit as e:
                print(e, file=sys.stderr)
                os._exit(1)
            os._exit(0)
        children.append(pid)
    if any([os.waitpid(pid, 0)[1] for pid in children]):
        sys.exit("the cluster did not start")


def free_port(address):
    with socket.socket() as s:
        s.bind((address, 0))
        return s.getsockname()[1]


class Cluster:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory).absolute()
        os.environ["CEPH_CONF"] = str(self.dir / "ceph.conf")

    # --- its files -------------------------------------------------------

    def write_keyring(self, osds):
        everything = {"mon": "allow *", "osd": "allow *"}
        entities = {"mon.": {"mon": "allow *"}, "client.admin": everything,
                    "mgr.x": {"mon": "allow profile mgr", "osd": "allow *"},
                    "client.gateway": {"mon": "profile rbd",
                                       "osd": "profile rbd pool=rbd"}}
        entities.update((f"osd.{i}", everything) for i in range(osds))
        with open(self.dir / "keyring", "w") as f:
            for entity, caps in entities.items():
                key = run("ceph-authtool", "--gen-print-key")
                print(f"[{entity}]\n\tkey = {key}", file=f)
                for service, what in caps.items():
                    print(f'\tcaps {service} = "{what}"', file=f)

    def write_files(self, osds, address):
        fsid = str(uuid.uuid4())
        monitor = f"[v2:{address}:{free_port(address)}]"
        (self.dir / "ceph.conf").write_text(CONF.format(
            fsid=fsid, monitor=monitor, dir=self.dir, address=address,
            replicas=2 if osds > 1 else 1, block_bytes=OSD_BYTES,
            watch_s=WATCH_S,
            lease_ratio=LEASE_RATIO if osds > 1 else LEASE_RATIO_ALONE))
        self.write_keyring(osds)
        run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", monitor,
            "--set-min-mon-release", "16", str(self.dir / "monmap"))

    # --- its processes ---------------------------------------------------

    def process(self, daemon):
        """A descriptor for the process, or None when there is none."""
        try:
            pid = int((self.dir / f"{daemon}.pid").read_text())
            fd = os.pidfd_open(pid)
            # Not a process that got the number of a daemon that is dead.
            words = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except (OSError, ValueError):
            return None
        conf = f"CEPH_CONF={self.dir}/ceph.conf".encode()
        if conf not in words.split(b"\0"):
            os.close(fd)
            return None
        return fd

    def signal(self, daemon, number):
        fd = self.process(daemon)
        if fd is None:
            sys.exit(f"{daemon} does not run")
        signal.pidfd_send_signal(fd, number)
        return fd

    def kill(self, daemon):
        fd = self.signal(daemon, signal.SIGKILL)
        if not select.select([fd], [], [], PATIENCE)[0]:
            sys.exit(f"{daemon} does not end")
        os.close(fd)
        (self.dir / f"{daemon}.pid").unlink()

    def restart(self, daemon):
        kind, name = daemon.split(".")
        run(f"ceph-{kind}", "-i", name)

    # --- what it says of itself ------------------------------------------

    def connect(self):
        self.rados = rados.Rados(conffile=str(self.dir / "ceph.conf"))
        self.rados.connect(timeout=PATIENCE)

    def ask(self, prefix, **arguments):
        request = json.dumps({"prefix": prefix, "format": "json",
                              **arguments})
        status, output, error = self.rados.mon_command(request, b"",
                                                       timeout=PATIENCE)
        if status != 0:
            sys.exit(f"{prefix}: {error}")
        return json.loads(output) if output else None

    def is_clean(self, pg):
        request = json.dumps({"prefix": "query", "pgid": pg,
                              "format": "json"})
        try:
            status, output, _ = self.rados.pg_command(pg, request, b"",
                                                      timeout=5)
        except rados.Error:
            return False
        return status == 0 and json.loads(output)["state"] == "active+clean"

    def is_settled(self):
        # Only the OSDs know: a monitor would hear of PGs from a manager.
        dump = self.ask("osd dump")
        return (all(osd["up"] for osd in dump["osds"]) and
                all(self.is_clean(f"{pool['pool']}.{i:x}")
                    for pool in dump["pools"]
                    for i in range(pool["pg_num"])))

    def wait_until(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                sys.exit(f"{what}: not within {PATIENCE} s")
            time.sleep(0.05)    # nothing tells

    def settle(self):
        self.connect()
        self.wait_until("settle", self.is_settled)

    def manage(self):
        (self.dir / "mgr").mkdir()
        (self.dir / "modules").mkdir()
        self.restart("mgr.x")
        self.connect()
        self.wait_until("manager", lambda:
                        self.ask("df")["stats"]["total_bytes"] > 0)

    # --- when a test has failed ------------------------------------------

    def print_requests(self, daemon):
        socket = str(self.dir / f"{daemon}.asok")
        answer = json.loads(run("timeout", "10", "ceph", "--admin-daemon",
                                socket, "ops"))
        print(f"--- {daemon}: {answer['num_ops']} requests in flight:")
        for op in answer["ops"][:REPORT_LINES]:
            print(f"{op['age']:.1f} s: {op['type_data']['flag_point']}: "
                  f"{op['description']}")

    def report(self):
        """Each part for itself: any daemon may be dead, or stopped."""
        for log in sorted(self.dir.glob("*.log")):
            print(f"--- {log.name}:")
            print(*log.read_text().splitlines()[-REPORT_LINES:], sep="\n")
        for file in sorted(self.dir.glob("osd.*.pid")):
            try:
                self.print_requests(file.stem)
            except (SystemExit, ValueError, KeyError) as e:
                print(f"--- {file.stem}: {e}")

    # --- from start to end -----------------------------------------------

    def start(self, osds="1", address="127.0.0.1"):
        osds = int(osds)
        self.dir.mkdir(mode=0o700)
        self.write_files(osds, address)
        names = [str(i) for i in range(osds)]
        ids = {}
        for name in names:
            (self.dir / f"osd{name}").mkdir()
            ids[name] = str(uuid.uuid4())
        run_all([["ceph-mon", "--mkfs", "-i", "a",
                  "--monmap", str(self.dir / "monmap"),
                  "--keyring", str(self.dir / "keyring")],
                 ["ceph-mon", "-i", "a"]],
                *([["ceph-osd", "--mkfs", "-i", name, "--osd-uuid",
                    ids[name]]] for name in names))
        self.connect()
        for name in names:
            self.ask("osd new", uuid=ids[name], id=int(name))
        run_all(*([["ceph-osd", "-i", name]] for name in names))
        self.wait_until("OSDs", lambda:
                        self.ask("osd stat")["num_up_osds"] == osds)
        self.ask("osd pool create", pool="rbd")
        self.ask("osd pool application enable", pool="rbd", app="rbd")

    def stop(self):
        for file in self.dir.glob("*.pid"):
            if (fd := self.process(file.stem)) is not None:
                os.close(fd)
                self.kill(file.stem)
        shutil.rmtree(self.dir, ignore_errors=True)


def typed(text):
    """As the monitor wants it: a number or a flag, else the text."""
    try:
        return text == "" or float(text)
    except ValueError:
        return text


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    verb, directory, *rest = sys.argv[1:]
    cluster = Cluster(directory)
    if verb == "start":
        try:
            cluster.start(*rest)
        except BaseException:
            cluster.stop()
            raise
    elif verb in ("stop", "settle", "manage", "report"):
        getattr(cluster, verb)()
    elif verb in ("kill", "restart"):
        getattr(cluster, verb)(*rest)
    elif verb == "ask":
        cluster.connect()
        arguments = dict(word.split("=", 1) for word in rest[1:])
        cluster.ask(rest[0], **{name: typed(value) for name, value
                                in arguments.items()})
    elif verb in ("pause", "resume"):
        cluster.signal(*rest, signal.SIGSTOP if verb == "pause"
                       else signal.SIGCONT)
    else:
        sys.exit(__doc__.strip())


main()
