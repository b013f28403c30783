# SPDX-License-Identifier: BSD-3-Clause
"""The loads, and what they measured, as one dictionary of figures whatever
the program: iops, bytes_per_second, requests, mean_us, p50_us, p99_us,
p999_us.
"""

import json
import math
import os

from processes import Failed, run

PERCENTILES = {"p50_us": "50", "p99_us": "99", "p999_us": "99.9"}


def fio(directory, options, jobs):
    """jobs: the options of each; returns their common figures."""
    output = os.path.join(directory, "fio.json")
    # --output: standard output may have other lines before the JSON.
    argv = ["fio", "--output-format=json", f"--output={output}",
            "--group_reporting", "--unified_rw_reporting=mixed",
            "--lat_percentiles=1", "--percentile_list=50:99:99.9",
            "--norandommap", "--randrepeat=0", *options]
    for number, job in enumerate(jobs):
        argv += [f"--name=job{number}", *job]
    run(argv)
    with open(output) as f:
        side = json.load(f)["jobs"][0]["mixed"]
    if side["total_ios"] == 0:
        raise Failed("fio: no request was completed")
    latency = side["lat_ns"]
    return {
        "iops": side["iops"],
        "bytes_per_second": side["bw_bytes"],
        "requests": side["total_ios"],
        "mean_us": latency["mean"] / 1000,
        **{name: latency["percentile"][f"{float(percent):.6f}"] / 1000
           for name, percent in PERCENTILES.items()},
    }


def timed(case, seconds):
    return [*case.fio_options(), "--time_based", f"--runtime={seconds * 1000:.0f}ms"]


def fill(directory, options, jobs):
    """With data that is nowhere the same."""
    fio(directory, [*options, "--rw=write", "--bs=1M", "--iodepth=8",
                    "--refill_buffers"], jobs)


def qbd_bench(qbd, volume, case, seconds):
    """qbd: runs the command and returns its output."""
    options = ["--depth", str(case.depth), "--seconds",
               str(math.ceil(seconds)),
               "--io-type", case.operation]
    if case.operation == "write":
        options.append("--overwrite")
    side = json.loads(qbd("bench", volume, "--json",
                          *options))[case.operation]
    latency = side["latency_us"]
    return {
        "iops": side["iops"],
        "bytes_per_second": side["bytes_per_second"],
        "requests": side["operations"],
        "mean_us": latency["mean"],
        **{name: latency["percentiles"][percent]
           for name, percent in PERCENTILES.items()},
    }
