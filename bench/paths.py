# SPDX-License-Identifier: BSD-3-Clause
"""The ways to a block device that bench/run compares.

Each path is a class: start() sets up its processes and returns when a client
can connect; load() runs one case.  PATHS at the end names them.  All front
ends are nbdkit with the same options, so that what differs is behind it;
only iSCSI has qemu-nbd, as nbdkit has no such plugin.
"""

import json
import os
import shutil
import socket

import cases
import load
from processes import Failed, Nbdkit, QbdServer, QemuNbd, Tgtd, run


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Path:
    """One way.  directory is private and in memory; with volumes there are
    that many, of size bytes each, instead of one."""

    name = None
    title = None
    kinds = ("nbd",)                    # of cases
    programs = ("fio", "nbdkit")

    def __init__(self, directory, size, volumes=0):
        self.directory = directory
        self.size = size                # bytes
        self.names = [f"v{n + 1}" for n in range(volumes)]
        self.many = volumes > 0
        self.socket = os.path.join(directory, "nbd")
        self.processes = []
        os.mkdir(directory)

    # What there is to start.

    def log(self):
        return os.path.join(self.directory, f"log{len(self.processes)}")

    def nbdkit(self, *argv):
        """The front end, or one behind it."""
        process = Nbdkit(["nbdkit", *argv], self.log())
        self.processes.append(process)
        process.start(self.directory)

    def front(self, *argv):
        self.nbdkit("-U", self.socket, *argv)

    def qemu_nbd(self, *argv):
        number = len(self.processes)
        process = QemuNbd(["qemu-nbd", "-f", "raw", "-t", "-e", "64", *argv],
                          self.log())
        self.processes.append(process)
        process.start(os.path.join(self.directory, f"pid{number}"))

    def on_free_port(self, start):
        """start (port); somebody may be faster to the port."""
        for attempt in range(5):
            port = str(free_port())
            try:
                start(port)
                return port
            except Failed:
                self.processes.pop()
                if attempt == 4:
                    raise

    def image(self, name="image"):
        image = os.path.join(self.directory, name)
        with open(image, "wb") as f:
            f.truncate(self.size)
        return image

    def images(self):
        """What nbdkit's file plugin is to serve."""
        if not self.many:
            return self.image()
        directory = os.path.join(self.directory, "images")
        os.mkdir(directory)
        for name in self.names:
            self.image(os.path.join("images", name))
        return f"dir={directory}"

    def start(self):
        raise NotImplementedError

    def stop(self):
        for process in reversed(self.processes):
            process.stop()

    # What it does under load.

    def export(self, name):
        """The export name of a volume."""
        return name

    def clients(self, number):
        """fio's options for that many clients, each on its own volume where
        there are several."""
        exports = [self.export(name) for name in self.names] or [""]
        return [[f"--uri=nbd+unix:///{exports[n % len(exports)]}"
                 f"?socket={self.socket}"] for n in range(number)]

    def fio_options(self):
        return ["--ioengine=nbd", f"--size={self.size}"]

    def fill(self):
        load.fill(self.directory, self.fio_options(),
                  self.clients(len(self.names) or 1))

    def load(self, case, seconds):
        return load.fio(self.directory, [*self.fio_options(),
                                         *load.timed(case, seconds)],
                        self.clients(case.jobs))

    def cpu_seconds(self):
        return sum(process.cpu_seconds() for process in self.processes)

    def resident_kib(self):
        return sum(process.resident_kib() for process in self.processes)


# --- the peers --------------------------------------------------------------


class Limit(Path):
    name = "limit"
    title = "nbdkit memory"

    def start(self):
        self.front("memory", str(self.size))


class Floor(Path):
    name = "floor"
    title = "nbdkit memory, by another thread"

    def start(self):
        self.front(os.path.join(os.environ["QBD_BUILDDIR"], ".libs",
                                "bench-floor.so"), str(self.size))


class Local(Path):
    name = "local"
    title = "nbdkit file"
    kinds = ("nbd", "volumes")

    def start(self):
        self.front("file", self.images())


class SameShape(Path):
    name = "same-shape"
    title = "nbdkit nbd -> TCP -> nbdkit file"
    kinds = ("nbd", "volumes")

    def serve(self, port):
        self.nbdkit("-i", "127.0.0.1", "-p", port, "file", self.served)

    def start(self):
        self.served = self.images()
        port = self.on_free_port(self.serve)
        names = ["dynamic-export=true"] if self.many else []
        self.front("nbd", "hostname=127.0.0.1", f"port={port}", *names)


class SameShapeQemu(SameShape):
    name = "same-shape-qemu"
    title = "nbdkit nbd -> TCP -> qemu-nbd"
    kinds = ("nbd",)
    programs = ("fio", "nbdkit", "qemu-nbd")

    def serve(self, port):
        self.qemu_nbd("-b", "127.0.0.1", "-p", port, self.served)


class Iscsi(Path):
    name = "iscsi"
    title = "qemu-nbd iscsi:// -> TCP -> tgtd"
    programs = ("fio", "qemu-nbd", "tgtd", "tgtadm", "setpriv")

    def serve(self, port):
        process = Tgtd(["tgtd", "-f", "--iscsi", f"portal=127.0.0.1:{port}"],
                       self.log(), dict(self.env))
        self.processes.append(process)
        process.start(self.directory)

    def start(self):
        target = "iqn.2001-04.org.example:bench"
        self.env = os.environ | {
            "TGT_IPC_SOCKET": os.path.join(self.directory, "tgt")}
        port = self.on_free_port(self.serve)
        for argv in (["target", "--op=new", "-T", target],
                     ["logicalunit", "--op=new", "--lun=1", "-b",
                      self.image()],
                     ["target", "--op=bind", "-I", "ALL"]):
            run(["tgtadm", "--lld=iscsi", "--tid=1", "--mode",
                 *argv], self.env)
        self.qemu_nbd("-k", self.socket, "--cache=none",
                      f"iscsi://127.0.0.1:{port}/{target}/1")


# --- qbd --------------------------------------------------------------------


class Qbd(Path):
    name = "qbd"
    title = "nbdkit qbd -> NVMe/TCP -> qbd-server file"
    kinds = ("nbd", "volumes")
    programs = ("fio", "nbdkit", "qbd-server", "qbd", "setpriv")
    server_options = ()
    plugin_options = ()

    def listen(self):
        return "tcp://127.0.0.1:0"

    def pool(self):
        pool = os.path.join(self.directory, "pool")
        os.mkdir(pool)
        return f"file:{pool}"

    def export(self, name):
        return f"bench/{name}"

    def qbd(self, command, *argv):
        return run(["qbd", "--control", self.control, command, *argv])

    def start_server(self):
        self.control = os.path.join(self.directory, "control")
        server = QbdServer(["qbd-server", "--control", self.control,
                            "--listen", self.listen(),
                            "--pool", f"bench={self.pool()}",
                            *self.server_options], self.log())
        self.processes.append(server)
        server.start()
        for name in self.names or [self.name]:
            self.qbd("create", self.export(name), str(self.size))
        listeners = json.loads(self.qbd("status", "--json"))["listeners"]
        self.server = f"server={listeners[0]['address']}"

    def start(self):
        self.start_server()
        volume = [] if self.many else [f"volume={self.export(self.name)}"]
        self.front("qbd", self.server, *volume, *self.plugin_options)


class QbdPoll(Qbd):
    name = "qbd-poll"
    title = "the same, poll_us=200 on both sides"
    server_options = ("--poll-us", "200")
    plugin_options = ("poll_us=200",)


class QbdUnix(Qbd):
    name = "qbd-unix"
    title = "nbdkit qbd -> Unix socket -> qbd-server file"

    def listen(self):
        return f"unix://{self.directory}/server"


# --- without NBD ------------------------------------------------------------


class FioFile(Qbd):
    """The file of a volume: whoever reads it meets the same as its server."""

    name = "fio-file"
    title = "fio io_uring on a volume's file"
    kinds = ("file",)
    programs = ("fio", "qbd-server", "qbd", "setpriv")
    server_options = ("--reactors", "1")

    def start(self):
        self.start_server()
        volumes = os.path.join(self.directory, "pool", "volumes")
        [name] = os.listdir(volumes)
        self.file = os.path.join(volumes, name)

    def clients(self, number):
        return [[f"--filename={self.file}"]] * number

    def fio_options(self):
        return ["--ioengine=io_uring", f"--size={self.size}"]


class QbdBench(FioFile):
    name = "qbd-bench"
    title = "qbd bench -> NVMe/TCP -> qbd-server file, one core"

    def load(self, case, seconds):
        # qbd asks the control API where the volume is.
        return load.qbd_bench(self.qbd, self.export(self.name), case, seconds)


# --- over one Ceph cluster, in memory, whose ceph.conf is in CEPH_CONF ------


class Cluster:
    """With one OSD."""

    def __init__(self, directory):
        self.directory = os.path.join(directory, "ceph")

    def run(self, verb):
        here = os.path.dirname(os.path.realpath(__file__))
        run([os.path.join(here, "..", "tests", "ceph", "cluster.py"), verb,
             self.directory])

    def start(self):
        self.run("start")
        os.environ["CEPH_CONF"] = os.path.join(self.directory, "ceph.conf")

    def stop(self):
        self.run("stop")


CLUSTER_PROGRAMS = ("ceph-mon", "ceph-osd", "rbd")


class CephQemuNbd(Path):
    name = "ceph-qemu"
    title = "qemu-nbd rbd:, without its cache, as qbd-server"
    programs = ("fio", "qemu-nbd", *CLUSTER_PROGRAMS)
    cache = "none"

    def start(self):
        run(["rbd", "create", f"rbd/{self.name}", "--size",
             f"{self.size >> 20}M"])
        self.qemu_nbd("-k", self.socket, f"--cache={self.cache}",
                      "--discard=unmap", f"rbd:rbd/{self.name}")


class CephQemuNbdCache(CephQemuNbd):
    """Writes are done when librbd's cache has them: lost with the process."""
    name = "ceph-qemu-cache"
    title = "qemu-nbd rbd:, with its cache (writeback, its default)"
    cache = "writeback"


class CephQbd(Qbd):
    name = "ceph-qbd"
    title = "nbdkit qbd -> NVMe/TCP -> qbd-server rbd"
    kinds = ("nbd",)
    programs = (*Qbd.programs, *CLUSTER_PROGRAMS)

    def pool(self):
        return "rbd:rbd"


class CephQbdPoll(CephQbd):
    name = "ceph-qbd-poll"
    title = "the same, poll_us=200 on both sides"
    server_options = QbdPoll.server_options
    plugin_options = QbdPoll.plugin_options


class CephQbdUnix(CephQbd):
    name = "ceph-qbd-unix"
    title = "nbdkit qbd -> Unix socket -> qbd-server rbd"
    listen = QbdUnix.listen


# --- in a virtual machine: vm.py runs these ---------------------------------


class VmPath(Path):
    kinds = ("vm",)
    programs = ("qemu-system-x86_64", "busybox", "make", "gcc")


class VmNvmetFile(VmPath):
    name = "vm-nvmet-file"
    title = "Linux NVMe host -> Linux target, file"


class VmNvmetRam(VmPath):
    name = "vm-nvmet-ram"
    title = "Linux NVMe host -> Linux target, RAM disk"


class VmQbdServer(VmPath):
    name = "vm-qbd-server"
    title = "Linux NVMe host -> qbd-server file"


class VmNbdkit(VmPath):
    name = "vm-nbdkit"
    title = "nbdkit qbd -> qbd-server file, fio's part included"
    kinds = ("vm-nbd",)


# In the order of the table.
PATHS = {path.name: path for path in (
    Limit, Floor, Local, SameShape, SameShapeQemu, Iscsi, Qbd, QbdPoll,
    QbdUnix, FioFile, QbdBench, CephQemuNbd, CephQemuNbdCache, CephQbd,
    CephQbdPoll, CephQbdUnix,
    VmNvmetFile, VmNvmetRam, VmQbdServer, VmNbdkit)}
CEPH = [name for name in PATHS if name.startswith("ceph-")]
DEFAULT = [name for name in PATHS if not name.startswith("ceph-")]
QUICK = ["limit", "same-shape", "qbd"]


def many_of(case):
    """How many volumes a path has for this case; 0: only one."""
    return cases.MANY if case.kind == "volumes" else 0


def missing_programs(paths):
    need = {program for path in paths for program in path.programs}
    return sorted(program for program in need if not shutil.which(program))
