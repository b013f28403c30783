# SPDX-License-Identifier: BSD-3-Clause
"""What qbd is to reach beside its peers, and whether it does."""

import dataclasses

UNIX_PAIR = ("qbd-unix", "qbd")


@dataclasses.dataclass(frozen=True)
class Target:
    measure: str
    case: str
    path: str
    reference: str      # a path; None: the figure against the mean
    must: float
    aim: float = None
    figure: str = "iops"
    at_most: bool = False       # else at least

    def paths(self):
        return [path for path in (self.reference, self.path) if path]

    def measured(self, results):
        if self.reference is None:
            return results.ratio_within(self.path, self.case, self.figure,
                                        "mean_us")
        return results.ratio(self.path, self.reference, self.case,
                             self.figure)

    def reached(self, value, bound):
        if bound is None:
            return False
        return value <= bound if self.at_most else value >= bound


class UnixTarget(Target):
    """Of all cases the worst."""

    def measured(self, results):
        found = [results.ratio(*UNIX_PAIR, case, self.figure)
                 for case in results.cases() if not case.startswith("vm-")]
        worst = max if self.at_most else min
        return worst(filter(None, found), default=None,
                     key=lambda ratio: ratio.value)


def latency(measure, case, path, must, aim):
    return Target(measure, case, path, "limit", must, aim, "mean_us", True)


def instructions(transport, operation, depth):
    return Target(f"VM, {transport.upper()}, {operation}, depth {depth}: "
                  "instructions, to nvmet",
                  f"vm-{transport}-{operation}-{depth}", "vm-qbd-server",
                  "vm-nvmet-file", 1.0, 0.5, "instructions", True)


TARGETS = [
    latency("4 KiB read, depth 1: mean latency, to the limit's",
            "read-1", "qbd", 1.75, None),
    latency("the same with poll_us",
            "read-1", "qbd-poll", 1.25, 1.0),
    Target("4 KiB read, depth 16: IOPS, to the limit",
           "read-16", "qbd", "limit", 0.55, 0.65),
    Target("the same, to the same shape",
           "read-16", "qbd", "same-shape", 1.7, 2.0),
    Target("4 KiB write, depth 16: IOPS, to the limit",
           "write-16", "qbd", "limit", 0.45, 0.52),
    Target("the same, to the same shape",
           "write-16", "qbd", "same-shape", 1.7, 2.0),
    Target("4 KiB read, depth 64: IOPS, to the limit",
           "read-64", "qbd", "limit", 0.55, 0.62),
    Target("four jobs of depth 16: IOPS, to the same shape",
           "read-16x4", "qbd", "same-shape", 1.1, 1.3),
    Target("1 MiB sequential read, depth 8: to local",
           "seq-read-1m", "qbd", "local", 0.80, 0.90),
    Target("1 MiB sequential write, depth 8: to local",
           "seq-write-1m", "qbd", "local", 0.75, 0.85),
    Target("CPU per request, depth 16: to the same shape",
           "read-16", "qbd", "same-shape", 0.50, 0.40, "cpu_us", True),
    Target("p99 / mean, depth 16",
           "read-16", "qbd", None, 3, 2.2, "p99_us", True),
    Target("qbd bench, depth 32, one core: to fio io_uring",
           "file-read-32", "qbd-bench", "fio-file", 0.35, 0.5),
    *(instructions(transport, operation, depth)
      for transport in ("tcp", "rdma") for depth in (1, 16)
      for operation in ("read", "write")),
    UnixTarget("Unix socket, worst case: IOPS, to TCP",
               "read-16", *UNIX_PAIR, 1.0),
    UnixTarget("Unix socket, worst case: CPU per request, to TCP",
               "read-16", *UNIX_PAIR, 1.0, None, "cpu_us", True),
]


def plan():
    """What all of them take: cases and their paths."""
    wanted = {}
    for target in TARGETS:
        paths = wanted.setdefault(target.case, [])
        paths += [path for path in target.paths() if path not in paths]
    for paths in wanted.values():
        if "qbd" in paths and "qbd-unix" not in paths:
            paths.append("qbd-unix")
    return wanted


def rows(results):
    """Of the targets that were measured, as texts: measure, must, aim,
    measured, met."""
    for target in TARGETS:
        measured = target.measured(results)
        if measured is None:
            continue
        sign = "<=" if target.at_most else ">="
        met = "no"
        if target.reached(measured.value, target.must):
            met = "aim" if target.reached(measured.value,
                                          target.aim) else "yes"
        yield [target.measure, f"{sign} {target.must:.2f}",
               "" if target.aim is None else f"{sign} {target.aim:.2f}",
               str(measured), met]


HEADINGS = ["target", "must", "aim", "measured", "met"]


def as_json(results):
    return [dict(zip(HEADINGS, row)) for row in rows(results)]
