# SPDX-License-Identifier: BSD-3-Clause
"""The programs that a path is made of: each starts, says when it is ready,
ends with bench/run, and has counted its processor time and memory.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading

PATIENCE = 60           # seconds for a process to be ready, or to end


class Failed(Exception):
    """A path cannot be set up or measured."""


def run(argv, env=None):
    """A program that does its work and ends; returns what it said."""
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, env=env,
                            capture_output=True, text=True)
    if result.returncode != 0:
        said = (result.stderr + result.stdout).strip()
        raise Failed(f"{os.path.basename(argv[0])}: {said}")
    return result.stdout


class Process:
    """A child that ends with us; its standard error is kept for messages."""

    end_signal = signal.SIGTERM

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
        self.popen.send_signal(self.end_signal)
        try:
            self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def wait_readable(self, fd):
        """Until fd has something to read, or we are dead."""
        pidfd = os.pidfd_open(self.popen.pid)
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.register(pidfd, select.POLLIN)
            ready = [ready for ready, _ in poll.poll(PATIENCE * 1000)]
        finally:
            os.close(pidfd)
        if fd not in ready or self.popen.poll() is not None:
            self.stop()
            raise self.died()

    def cpu_seconds(self):
        """User and system time so far, also of threads that have ended."""
        with open(f"/proc/{self.popen.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_kib(self):
        """Without shared memory: that is the data in tmpfs, which all
        paths have."""
        kib = 0
        with open(f"/proc/{self.popen.pid}/status") as f:
            for line in f:
                name, _, value = line.partition(":")
                if name in ("RssAnon", "RssFile"):
                    kib += int(value.split()[0])
        return kib


class Nbdkit(Process):
    """Ready when it has written its pid, into a FIFO."""

    def start(self, directory):
        fifo = os.path.join(directory, "pid")
        os.mkfifo(fifo)
        pid = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.argv[1:1] = ["--exit-with-parent", "-P", fifo]
        self.spawn()
        try:
            self.wait_readable(pid)
        finally:
            os.close(pid)
            os.unlink(fifo)


class EndsWithUs(Process):
    """A program that cannot do that by itself."""

    def spawn(self, **options):
        self.argv[:0] = ["setpriv", "--pdeathsig",
                         self.end_signal.name.removeprefix("SIG")]
        super().spawn(**options)

    def name(self):
        return os.path.basename(self.argv[3])


class QbdServer(EndsWithUs):
    """Ready when it says so."""

    def start(self):
        self.spawn(stderr=subprocess.PIPE)
        self.ready = threading.Event()
        threading.Thread(target=self.copy_log, daemon=True).start()
        if not self.ready.wait(PATIENCE) or self.popen.poll() is not None:
            self.stop()
            raise self.died()

    def copy_log(self):
        with open(self.log, "ab", buffering=0) as log:
            for line in self.popen.stderr:
                log.write(line)
                if line.endswith(b": ready\n"):
                    self.ready.set()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(1)
        self.ready.set()


class Tgtd(EndsWithUs):
    """Ready when it tells the service manager, who is us."""

    end_signal = signal.SIGKILL         # it takes no notice of SIGTERM

    def start(self, directory):
        name = os.path.join(directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(name)
            self.env["NOTIFY_SOCKET"] = name
            try:
                self.spawn()
                self.wait_readable(notify.fileno())
            finally:
                os.unlink(name)


class QemuNbd(Process):
    """Ready when it has forked."""

    def start(self, pid_file):
        run([*self.argv, "--fork", f"--pid-file={pid_file}"])
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
