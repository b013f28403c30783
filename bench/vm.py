# SPDX-License-Identifier: BSD-3-Clause
"""The cases in a virtual machine, where Linux is the NVMe host: instructions
that a request costs the whole machine.  Emulated time means nothing.

tests/vm boots a machine for each transport; vm/tcp.sh or vm/rdma.sh does the
work in it, and QEMU's plugin vm/instructions.c counts.
"""

import os
import subprocess

from cases import transport_of
from processes import Failed, run
from session import Progress

HERE = os.path.dirname(os.path.realpath(__file__))
LIMIT_S = 900           # for a machine
MAKE = ["bench/vm/instructions.so", "bench/vm/mark"]


def boot(transport, directory, log):
    """Returns its pieces and their marks."""
    build = os.environ["QBD_BUILDDIR"]
    run(["make", "-s", "-C", build, *MAKE])
    marks = os.path.join(directory, f"marks-{transport}")
    with open(log, "w+") as output:
        status = subprocess.run(
            ["bash", os.path.join(HERE, "vm", f"{transport}.sh")],
            cwd=build,
            env=os.environ | {"BENCH_MARKS": marks,
                              "QBD_VM_LIMIT_S": str(LIMIT_S)},
            stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT).returncode
        output.seek(0)
        text = output.read()
    if status != 0:
        raise Failed(f"vm: status {status} (log: {log})")
    pieces = [line.split()[1:] for line in text.splitlines()
              if line.startswith("piece ")]
    with open(marks) as f:
        counts = [tuple(map(int, line.split())) for line in f]
    if len(counts) != 2 * len(pieces):
        raise Failed(f"vm: {len(pieces)} pieces and "
                     f"{len(counts)} marks (log: {log})")
    return pieces, counts


def per_request(pieces, counts):
    """(case, path): user and kernel instructions of a request."""
    found = {}
    for i, (case, path, requests) in enumerate(pieces):
        cost = [after - before for before, after
                in zip(counts[2 * i], counts[2 * i + 1])]
        found.setdefault((case, path), []).append((int(requests), cost))
    for key, (few, many) in found.items():
        requests = many[0] - few[0]
        found[key] = [(more - less) / requests
                      for less, more in zip(few[1], many[1])]
    return found


def measure(plan, number, directory, logs):
    """number: of the round.  The results that the plan asks for."""
    if not plan:
        return []
    asked = {(case.name, path) for case, serving in plan for path in serving}
    os.makedirs(logs, exist_ok=True)
    found = {}
    transports = sorted({transport_of(case) for case, _ in plan})
    progress = Progress(len(transports))
    for transport in transports:
        progress.show(f"virtual machine: {transport}: some minutes")
        log = os.path.join(logs, f"vm-{transport}.log")
        found |= per_request(*boot(transport, directory, log))
        progress.step()
    progress.clear()
    return [{"path": path, "case": case, "round": number,
             "instructions": user + kernel, "user_instructions": user,
             "kernel_instructions": kernel}
            for (case, path), (user, kernel) in found.items()
            if (case, path) in asked]
