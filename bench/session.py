# SPDX-License-Identifier: BSD-3-Clause
"""Runs a plan: which cases, and on which paths each.

In each round each case runs on all of its paths in turn, so that a slow
minute of the machine hits all of them.  A path is set up once, and idle
while others are measured.
"""

import os
import shutil
import sys
import time

import paths
from processes import Failed


class Progress:
    """One line on a terminal; nothing elsewhere."""

    def __init__(self, steps):
        self.steps = steps
        self.done = 0
        self.start = time.monotonic()
        self.tty = sys.stderr.isatty()

    def show(self, what):
        if not self.tty:
            return
        left = ""
        if self.done:
            spent = time.monotonic() - self.start
            todo = self.steps - self.done
            left = f", {spent / self.done * todo:.0f} s left"
        line = f"[{self.done + 1}/{self.steps}] {what}{left}"
        columns = shutil.get_terminal_size().columns
        sys.stderr.write(f"\r\033[K{line[:columns - 1]}")
        sys.stderr.flush()

    def step(self):
        self.done += 1

    def clear(self):
        if self.tty:
            sys.stderr.write("\r\033[K")


def size_of(case, size):
    """Of each volume, in bytes: several share what one has."""
    return size // (paths.many_of(case) or 1)


def set_ups(plan):
    """The (path, how many volumes, first case) that a plan takes."""
    found = {}
    for case, names in plan:
        for name in names:
            found.setdefault((name, paths.many_of(case)), case)
    return found


class Session:
    def __init__(self, plan, size, directory, logs):
        self.plan = plan
        self.size = size
        self.directory = directory      # private, in memory
        self.logs = logs                # where those of a failure are kept
        self.running = {}               # by name and number of volumes

    def keep_logs(self, path):
        """What its processes wrote; returns where that is now."""
        kept = os.path.join(self.logs, time.strftime("failed-%Y%m%d-%H%M%S"),
                            path.name)
        os.makedirs(kept)
        for entry in os.scandir(path.directory):
            if entry.is_file() and entry.name.startswith(("log", "fio")):
                shutil.copy(entry.path, kept)
        return kept

    def attempt(self, path, what, action):
        """Whatever goes wrong, the message names the path."""
        try:
            return action()
        except (Failed, OSError) as e:
            raise Failed(f"{path.name}: {what}: {e} "
                         f"(logs: {self.keep_logs(path)})") from e

    def progress(self, nr_rounds):
        return Progress(len(set_ups(self.plan)) + nr_rounds
                        * sum(len(names) for _, names in self.plan))

    def set_up(self, stack, progress):
        for (name, many), case in set_ups(self.plan).items():
            progress.show(f"set up {name}")
            directory = os.path.join(self.directory, f"{name}-{many}")
            path = paths.PATHS[name](directory, size_of(case, self.size),
                                     many)
            self.running[name, many] = path
            stack.callback(path.stop)
            self.attempt(path, "start", path.start)
            self.attempt(path, "fill", path.fill)
            progress.step()

    def measure(self, path, case, seconds):
        before = path.cpu_seconds()
        figures = path.load(case, seconds)
        cpu = path.cpu_seconds() - before
        # Where the path's own program makes the load, it is none of these.
        if case.kind != "file":
            figures["cpu_us"] = cpu / figures["requests"] * 1e6
            figures["resident_kib"] = path.resident_kib()
        return figures

    def one_round(self, number, seconds, progress, what):
        for case, names in self.plan:
            # Whoever is first after a pause should not always be the same.
            first = number % len(names)
            for name in names[first:] + names[:first]:
                path = self.running[name, paths.many_of(case)]
                progress.show(f"{what}: {case.name}: {name}")
                figures = self.attempt(
                    path, case.name,
                    lambda: self.measure(path, case, seconds))
                progress.step()
                yield {"path": name, "case": case.name, "round": number,
                       **figures}

    def run(self, rounds, seconds, stack):
        """rounds: their numbers.  Yields the results."""
        if any(name.startswith("ceph-") for _, names in self.plan
               for name in names):
            cluster = paths.Cluster(self.directory)
            stack.callback(cluster.stop)
            cluster.start()
        progress = self.progress(len(rounds))
        stack.callback(progress.clear)
        self.set_up(stack, progress)
        for done, number in enumerate(rounds):
            yield from self.one_round(number, seconds, progress,
                                      f"round {done + 1} of {len(rounds)}")
