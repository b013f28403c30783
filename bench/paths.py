# SPDX-License-Identifier: BSD-3-Clause
"""The ways to a block device that bench/run compares.

Each path is a class: start() sets up its processes and returns when an NBD
client can connect to self.socket; PATHS at the end names them.  All front
ends are nbdkit with the same options, so that what differs is behind it.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import threading

PATIENCE = 60           # seconds for a process to be ready, or to end


class Failed(Exception):
    """A path cannot be set up or measured."""


class Process:
    """A child that ends with us; its standard error is kept for messages."""

    def __init__(self, argv, log, env=None):
        self.argv = argv
        self.log = log
        self.env = env
        self.popen = None

    def name(self):
        return os.path.basename(self.argv[0])

    def spawn(self, **options):
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, env=self.env,
                **{"stdout": log, "stderr": log, **options})

    def died(self):
        said = ""
        with contextlib.suppress(OSError), open(self.log, "rb") as log:
            said = log.read().decode(errors="replace").strip()
        return Failed(said or f"{self.name()}: ended without a word")

    def stop(self):
        if self.popen is None or self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


class Nbdkit(Process):
    """Ready when it has written its pid, into a FIFO."""

    def start(self, directory):
        fifo = os.path.join(directory, "pid")
        os.mkfifo(fifo)
        pid = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.argv[1:1] = ["--exit-with-parent", "-P", fifo]
        self.spawn()
        pidfd = os.pidfd_open(self.popen.pid)
        try:
            poll = select.poll()
            poll.register(pid, select.POLLIN)
            poll.register(pidfd, select.POLLIN)
            ready = [fd for fd, _ in poll.poll(PATIENCE * 1000)]
        finally:
            os.close(pid)
            os.close(pidfd)
            os.unlink(fifo)
        if not ready or (pid not in ready) or self.popen.poll() is not None:
            self.stop()
            raise self.died()


class QbdServer(Process):
    """Ready when it says so."""

    def start(self):
        self.argv[:0] = ["setpriv", "--pdeathsig", "TERM"]
        self.spawn(stderr=subprocess.PIPE)
        self.ready = threading.Event()
        threading.Thread(target=self.copy_log, daemon=True).start()
        if not self.ready.wait(PATIENCE) or self.popen.poll() is not None:
            self.stop()
            raise self.died()

    def name(self):
        return "qbd-server"

    def copy_log(self):
        with open(self.log, "ab", buffering=0) as log:
            for line in self.popen.stderr:
                log.write(line)
                if line.endswith(b": ready\n"):
                    self.ready.set()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(1)
        self.ready.set()


class Path:
    """One way.  directory is private and in memory."""

    name = None
    title = None

    def __init__(self, directory, size):
        self.directory = directory
        self.size = size                # bytes
        self.socket = os.path.join(directory, "nbd")
        self.processes = []
        os.mkdir(directory)

    def uri(self):
        return f"nbd+unix:///?socket={self.socket}"

    def log(self):
        return os.path.join(self.directory, f"log{len(self.processes)}")

    def nbdkit(self, *argv):
        """The front end, or one behind it."""
        process = Nbdkit(["nbdkit", *argv], self.log())
        self.processes.append(process)
        process.start(self.directory)

    def image(self):
        image = os.path.join(self.directory, "image")
        with open(image, "wb") as f:
            f.truncate(self.size)
        return image

    def start(self):
        raise NotImplementedError

    def stop(self):
        for process in reversed(self.processes):
            process.stop()

    def cpu_seconds(self):
        """User and system time of the path's processes so far."""
        ticks = 0
        for process in self.processes:
            with open(f"/proc/{process.popen.pid}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


class Limit(Path):
    name = "limit"
    title = "nbdkit memory"

    def start(self):
        self.nbdkit("-U", self.socket, "memory", str(self.size))


class Local(Path):
    name = "local"
    title = "nbdkit file"

    def start(self):
        self.nbdkit("-U", self.socket, "file", self.image())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class SameShape(Path):
    name = "same-shape"
    title = "nbdkit nbd -> TCP -> nbdkit file"

    def start(self):
        image = self.image()
        for attempt in range(5):        # somebody may be faster to the port
            port = str(free_port())
            try:
                self.nbdkit("-i", "127.0.0.1", "-p", port, "file", image)
                break
            except Failed:
                self.processes.pop()
                if attempt == 4:
                    raise
        self.nbdkit("-U", self.socket, "nbd", "hostname=127.0.0.1",
                    f"port={port}")


class Qbd(Path):
    name = "qbd"
    title = "nbdkit qbd -> NVMe/TCP -> qbd-server file"

    def listen(self):
        return "tcp://127.0.0.1:0"

    def pool(self):
        pool = os.path.join(self.directory, "pool")
        os.mkdir(pool)
        return f"file:{pool}"

    def qbd(self, *argv):
        result = subprocess.run(["qbd", "--control", self.control, *argv],
                                capture_output=True, text=True)
        if result.returncode != 0:
            raise Failed(result.stderr.strip())
        return result.stdout

    def start(self):
        self.control = os.path.join(self.directory, "control")
        server = QbdServer(["qbd-server", "--control", self.control,
                            "--listen", self.listen(),
                            "--pool", f"bench={self.pool()}"], self.log())
        self.processes.append(server)
        server.start()
        self.qbd("create", f"bench/{self.name}", str(self.size))
        listeners = json.loads(self.qbd("status", "--json"))["listeners"]
        self.nbdkit("-U", self.socket, "qbd", f"volume=bench/{self.name}",
                    f"server={listeners[0]['address']}")


class QbdUnix(Qbd):
    name = "qbd-unix"
    title = "nbdkit qbd -> Unix socket -> qbd-server file"

    def listen(self):
        return f"unix://{self.directory}/server"


# --- over one Ceph cluster, in memory, whose ceph.conf is in CEPH_CONF ------


class Cluster:
    """With one OSD."""

    def __init__(self, directory):
        self.directory = os.path.join(directory, "ceph")

    def run(self, verb):
        here = os.path.dirname(os.path.realpath(__file__))
        tool = os.path.join(here, "..", "tests", "ceph", "cluster.py")
        result = subprocess.run([tool, verb, self.directory],
                                capture_output=True, text=True)
        if result.returncode != 0:
            raise Failed((result.stdout + result.stderr).strip())

    def start(self):
        self.run("start")
        os.environ["CEPH_CONF"] = os.path.join(self.directory, "ceph.conf")

    def stop(self):
        self.run("stop")


class QemuNbd(Process):
    """Ready when it has forked."""

    def start(self, pid_file):
        result = subprocess.run([*self.argv, "--fork", f"--pid-file={pid_file}"],
                                stdin=subprocess.DEVNULL, capture_output=True,
                                text=True)
        if result.returncode != 0:
            raise Failed(result.stderr.strip())
        with open(pid_file) as f:
            self.popen = Forked(int(f.read()))


class Forked:
    """As much of a Popen as is needed, of a process that is no child."""

    def __init__(self, pid):
        self.pid = pid
        self.fd = os.pidfd_open(pid)

    def wait(self, timeout=None):
        if not select.select([self.fd], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("qemu-nbd", timeout)

    def poll(self):
        return 0 if select.select([self.fd], [], [], 0)[0] else None

    def send_signal(self, number):
        signal.pidfd_send_signal(self.fd, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class CephQemuNbd(Path):
    name = "ceph-qemu"
    title = "qemu-nbd rbd:, without its cache"

    def start(self):
        subprocess.run(["rbd", "create", f"rbd/{self.name}", "--size",
                        f"{self.size >> 20}M"], check=True)
        process = QemuNbd(["qemu-nbd", "-k", self.socket, "-f", "raw", "-t",
                           "-e", "64", "--cache=none", "--discard=unmap",
                           f"rbd:rbd/{self.name}"], self.log())
        self.processes.append(process)
        process.start(os.path.join(self.directory, "pid"))


class CephQbd(Qbd):
    name = "ceph-qbd"
    title = "nbdkit qbd -> NVMe/TCP -> qbd-server rbd"

    def pool(self):
        return "rbd:rbd"


class CephQbdUnix(CephQbd):
    name = "ceph-qbd-unix"
    title = "nbdkit qbd -> Unix socket -> qbd-server rbd"

    def listen(self):
        return f"unix://{self.directory}/server"


CEPH = ["ceph-qemu", "ceph-qbd"]

# In the order of the table.  Ratios are to the first and, for the others,
# to same-shape.
PATHS = {path.name: path for path in (Limit, Local, SameShape, Qbd, QbdUnix,
                                            CephQemuNbd, CephQbd,
                                            CephQbdUnix)}
DEFAULT = ["limit", "same-shape", "qbd"]


def missing_programs(names):
    need = ["fio", "nbdkit"]
    if any(issubclass(PATHS[name], Qbd) for name in names):
        need += ["qbd-server", "qbd", "setpriv"]
    if any(name.startswith("ceph-") for name in names):
        need += ["ceph-mon", "ceph-osd", "rbd", "qemu-nbd"]
    return [program for program in need if not shutil.which(program)]
