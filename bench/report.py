# SPDX-License-Identifier: BSD-3-Clause
"""What bench/run writes: a table for people and JSON for plots.

A result is one fio run: a dictionary with path, workload, round, and the
figures.  Ratios are of two paths in one round, and then the median over the
rounds: what slows the machine for a while slows both.
"""

import json
import os
import platform
import statistics
import subprocess


def median(results, path, workload, figure):
    return statistics.median(r[figure] for r in results
                             if r["path"] == path
                             and r["workload"] == workload)


def ratio(results, path, reference, workload, figure="iops"):
    """None when the reference was not measured, or is the path itself."""
    by_round = {(r["path"], r["round"]): r[figure] for r in results
                if r["workload"] == workload}
    pairs = [value / by_round[reference, number]
             for (name, number), value in by_round.items()
             if name == path and (reference, number) in by_round]
    if path == reference or not pairs:
        return None
    return statistics.median(pairs)


def summarise(results, paths, workloads):
    rows = []
    for workload in workloads:
        for path in paths:
            row = {"workload": workload, "path": path}
            for figure in ("iops", "mean_us", "p99_us", "cpu_us"):
                row[figure] = median(results, path, workload, figure)
            row["iops_to_limit"] = ratio(results, path, "limit", workload)
            row["iops_to_same_shape"] = ratio(results, path, "same-shape",
                                              workload)
            row["iops_to_qemu"] = ratio(results, path, "ceph-qemu", workload)
            row["latency_to_limit"] = ratio(results, path, "limit", workload,
                                            "mean_us")
            rows.append(row)
    return rows


COLUMNS = [
    # heading, member, format
    ("path", "path", "{}"),
    ("IOPS", "iops", "{:.0f}"),
    ("mean us", "mean_us", "{:.1f}"),
    ("p99 us", "p99_us", "{:.1f}"),
    ("CPU us", "cpu_us", "{:.1f}"),
    ("/limit", "iops_to_limit", "{:.2f}x"),
    ("/same shape", "iops_to_same_shape", "{:.2f}x"),
    ("/qemu-nbd", "iops_to_qemu", "{:.2f}x"),
    ("mean/limit", "latency_to_limit", "{:.2f}x"),
]


def table(rows, titles):
    """titles: of the paths that are in rows."""
    lines = []
    workload = None
    # Of the ratios, those whose reference was measured.
    columns = [column for column in COLUMNS
               if any(row[column[1]] is not None for row in rows)]
    cells = [[heading for heading, _, _ in columns]]
    cells += [["-" if row[member] is None else form.format(row[member])
               for _, member, form in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells)]

    def put(line):
        first, *rest = (cell.ljust(width) if i == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(line, widths)))
        lines.append("  ".join([first, *rest]))

    for row, line in zip(rows, cells[1:]):
        if row["workload"] != workload:
            workload = row["workload"]
            lines += ["", workload]
            put(cells[0])
        put(line)
    lines.append("")
    lines += [f"{name}: {title}" for name, title in titles.items()]
    lines.append("IOPS, mean and p99 are medians of the rounds; CPU is user "
                 "and system time per request")
    lines.append("of the path's processes without fio; ratios are medians "
                 "of each round's.")
    return "\n".join(lines).lstrip("\n") + "\n"


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
        "qbd": first_line("qbd", "--version"),
    }


def save(directory, stem, text, data):
    """Returns the names of the files."""
    os.makedirs(directory, exist_ok=True)
    names = []
    for suffix, content in ((".txt", text),
                            (".json", json.dumps(data, indent=2) + "\n")):
        name = os.path.join(directory, stem + suffix)
        with open(name, "w") as f:
            f.write(content)
        names.append(name)
    return names
