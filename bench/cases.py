# SPDX-License-Identifier: BSD-3-Clause
"""What bench/run loads the paths with.

A case is told by its name, so that one can ask for any depth or size:
  read-DEPTH, write-DEPTH, mix-DEPTH    random 4 KiB (mix: 70 % are reads)
  read-DEPTHxJOBS, ...                  the same over that many connections
  seq-read-SIZE, seq-write-SIZE         sequential, depth 8; SIZE as in 64k
  volumes-N                             4 KiB random reads of N volumes at
                                        once, depth 16 each
  file-read-DEPTH, file-write-DEPTH     without NBD: qbd bench, and fio on
                                        the file itself
  vm-tcp-read-DEPTH, vm-tcp-write-...   in a virtual machine with Linux as
                                        NVMe host: instructions, once,
                                        whatever --rounds; DEPTH is 1 or 16
  vm-nbd-tcp                            the same for nbdkit and the plugin
  vm-rdma-..., vm-nbd-rdma              the same over RDMA (Soft-RoCE)
"""

import dataclasses
import re

KIB = 1 << 10
UNITS = {"k": KIB, "m": KIB * KIB}
FIO_RANDOM = {"read": "randread", "write": "randwrite", "mix": "randrw"}
SEQUENTIAL_DEPTH = 8
VOLUMES_DEPTH = 16
MANY = 8                # volumes there are for volumes-N

# Of a run that names no cases.
DEFAULT = [
    "read-1", "read-4", "read-16", "read-64",
    "write-1", "write-4", "write-16", "write-64",
    "mix-16",
    "read-16x2", "read-16x4", "read-16x8", "write-16x4",
    "seq-read-64k", "seq-read-1m", "seq-write-64k", "seq-write-1m",
    "volumes-1", "volumes-2", "volumes-4", "volumes-8",
    "file-read-32",
    "vm-tcp-read-1", "vm-tcp-write-1", "vm-tcp-read-16", "vm-tcp-write-16",
    "vm-nbd-tcp",
    "vm-rdma-read-1", "vm-rdma-write-1", "vm-rdma-read-16",
    "vm-rdma-write-16", "vm-nbd-rdma",
]
QUICK = ["read-1", "read-16", "write-16"]
CEPH = ["read-1", "read-16", "write-1", "write-16"]


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    kind: str           # who can do it: nbd, volumes, file, vm
    operation: str      # read, write, mix
    depth: int          # of each job
    jobs: int = 1
    block_size: int = 4 * KIB
    sequential: bool = False

    def fio_options(self):
        rw = (self.operation if self.sequential
              else FIO_RANDOM[self.operation])
        options = [f"--rw={rw}", f"--bs={self.block_size}",
                   f"--iodepth={self.depth}"]
        if self.operation == "mix":
            options.append("--rwmixread=70")
        return options


def size_title(size):
    if size % UNITS["m"] == 0:
        return f"{size // UNITS['m']} MiB"
    return f"{size // KIB} KiB"


def parse_random(name):
    match = re.fullmatch(r"(read|write|mix)-([1-9]\d*)(?:x([1-9]\d*))?", name)
    if not match:
        return None
    operation, depth, jobs = match.groups(default="1")
    title = f"4 KiB random {operation}, depth {depth}"
    if jobs != "1":
        title = f"{title}, {jobs} connections"
    return Case(name, title, "nbd", operation, int(depth), int(jobs))


def parse_sequential(name):
    match = re.fullmatch(r"seq-(read|write)-([1-9]\d*)([km])", name)
    if not match:
        return None
    operation, number, unit = match.groups()
    size = int(number) * UNITS[unit]
    return Case(name, f"{size_title(size)} sequential {operation}, depth "
                f"{SEQUENTIAL_DEPTH}", "nbd", operation, SEQUENTIAL_DEPTH,
                block_size=size, sequential=True)


def parse_volumes(name):
    match = re.fullmatch(r"volumes-([1-9]\d*)", name)
    if not match or int(match[1]) > MANY:
        return None
    return Case(name, f"4 KiB random read of {match[1]} volumes, depth "
                f"{VOLUMES_DEPTH} each", "volumes", "read", VOLUMES_DEPTH,
                int(match[1]))


def parse_file(name):
    match = re.fullmatch(r"file-(read|write)-([1-9]\d*)", name)
    if not match:
        return None
    return Case(name, f"4 KiB random {match[1]} without NBD, depth "
                f"{match[2]}", "file", match[1], int(match[2]))


def transport_of(case):
    """Of a case in a virtual machine."""
    return "rdma" if "-rdma" in case.name else "tcp"


def parse_vm(name):
    match = re.fullmatch(r"vm-(tcp|rdma)-(read|write)-(1|16)", name)
    if match:
        transport, operation, depth = match.groups()
        return Case(name, f"4 KiB random {operation} by Linux over "
                    f"NVMe/{transport.upper()}, depth {depth}, instructions",
                    "vm", operation, int(depth))
    match = re.fullmatch(r"vm-nbd-(tcp|rdma)", name)
    if match:
        return Case(name, "4 KiB random read, depth 16, NBD over "
                    f"NVMe/{match[1].upper()}, instructions", "vm-nbd",
                    "read", 16)
    return None


def parse(name):
    """None: there is no such case."""
    for parser in (parse_random, parse_sequential, parse_volumes, parse_file,
                   parse_vm):
        case = parser(name)
        if case:
            return case
    return None
