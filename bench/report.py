# SPDX-License-Identifier: BSD-3-Clause
"""What bench/run writes: a table for people, and JSON for plots and for a
later run that adds to it.
"""

import json
import os
import platform
import subprocess

import cases
import targets
from paths import PATHS

FIGURES = [
    # heading, figure, factor, format
    ("IOPS", "iops", 1, "{:.0f}"),
    ("MiB/s", "bytes_per_second", 2 ** -20, "{:.0f}"),
    ("mean us", "mean_us", 1, "{:.1f}"),
    ("p99 us", "p99_us", 1, "{:.1f}"),
    ("p99.9 us", "p999_us", 1, "{:.1f}"),
    ("CPU us", "cpu_us", 1, "{:.1f}"),
    ("RSS MiB", "resident_kib", 2 ** -10, "{:.1f}"),
]
IN_VM = [
    ("instructions", "instructions", 1, "{:.0f}"),
    ("user", "user_instructions", 1, "{:.0f}"),
    ("kernel", "kernel_instructions", 1, "{:.0f}"),
]
REFERENCES = ["limit", "local", "same-shape", "ceph-qemu", "fio-file",
              "vm-nvmet-file", "vm-nvmet-ram"]


def aligned(rows):
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.rjust(width) if i else cell.ljust(width)
                      for i, (cell, width) in enumerate(zip(row, widths)))
            .rstrip() for row in rows]


def case_table(results, name):
    case = cases.parse(name)
    figures = IN_VM if case.kind.startswith("vm") else FIGURES
    measured = results.paths(name)
    paths = [path for path in PATHS if path in measured]
    references = [path for path in REFERENCES if path in measured]
    lines = [["path", *(heading for heading, *_ in figures),
              *(f"/{path}" for path in references)]]
    for path in paths:
        cells = [form.format(results.median(path, name, figure) * factor)
                 if results.has(path, name, figure) else "-"
                 for _, figure, factor, form in figures]
        compared = ["-" if path == reference
                    else str(results.ratio(path, reference, name,
                                           figures[0][1]))
                    for reference in references]
        lines.append([path, *cells, *compared])
    return [f"{name}: {case.title}", *aligned(lines), ""]


LEGEND = """\
Figures are medians of the rounds.  CPU is user and system time per request
of the path's processes, without fio; RSS is their resident memory without
what is in tmpfs.  Ratios are of IOPS, or of instructions: the median of each
round's, and half of the range of their middle half.
"""


def table(results):
    lines = []
    for name in results.cases():
        lines += case_table(results, name)
    measured = {path for name in results.cases()
                for path in results.paths(name)}
    lines += [f"{name}: {path.title}" for name, path in PATHS.items()
              if name in measured]
    return "\n".join([*lines, LEGEND])


def targets_table(results):
    rows = list(targets.rows(results))
    return "\n".join([*aligned([targets.HEADINGS, *rows]), ""]) if rows else ""


def first_line(*argv):
    try:
        out = subprocess.run(argv, capture_output=True, text=True).stdout
    except OSError:
        return None
    return out.splitlines()[0] if out else None


def environment():
    return {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "fio": first_line("fio", "--version"),
        "nbdkit": first_line("nbdkit", "--version"),
        "qemu-nbd": first_line("qemu-nbd", "--version"),
        "qbd": first_line("qbd", "--version"),
    }


def save(stem, results, run):
    """stem: of the file names.  run: how it was measured.  Returns the
    names."""
    os.makedirs(os.path.dirname(os.path.abspath(stem)), exist_ok=True)
    data = {**run, "targets": targets.as_json(results),
            "results": results.list}
    text = "\n".join(filter(None, [table(results), targets_table(results)]))
    names = []
    for suffix, content in ((".txt", text),
                            (".json", json.dumps(data, indent=1) + "\n")):
        names.append(stem + suffix)
        with open(stem + suffix, "w") as f:
            f.write(content)
    return names
