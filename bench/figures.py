# SPDX-License-Identifier: BSD-3-Clause
"""The plots of a run: each is a function from results to a figure, or to None
where the run has nothing for it.  A path has one colour in all of them.
"""

import matplotlib
matplotlib.use("Agg")
from matplotlib import pyplot                                   # noqa: E402

import cases                                                    # noqa: E402
from paths import PATHS                                         # noqa: E402

COLOURS = dict(zip(PATHS, pyplot.get_cmap("tab20").colors))
PERCENTILES = [("mean", "mean_us"), ("p50", "p50_us"), ("p99", "p99_us"),
               ("p99.9", "p999_us")]


def select(results, wanted):
    """The cases of results that wanted (case) likes."""
    found = [cases.parse(name) for name in results.cases()]
    return [case for case in found if case and wanted(case)]


def lines(results, axes, chosen, x, figure, factor=1):
    """One line per path over x (case), with the rounds' quartiles."""
    for path in PATHS:
        points = sorted((x(case), case.name) for case in chosen
                        if path in results.paths(case.name))
        if not points:
            continue
        middle = [results.quartiles(path, name, figure) for _, name in points]
        below = [(q[1] - q[0]) * factor for q in middle]
        above = [(q[2] - q[1]) * factor for q in middle]
        axes.errorbar([at for at, _ in points],
                      [q[1] * factor for q in middle], yerr=[below, above],
                      label=path, color=COLOURS[path], marker="o",
                      markersize=4, capsize=2)


def decorate(axes, title, x_label, y_label, ticks=None):
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if ticks:
        axes.set_xscale("log", base=2)
        axes.set_xticks([at for at, _ in ticks],
                        labels=[label for _, label in ticks])
        axes.minorticks_off()


def figure_of(columns):
    """A row of plots with one legend."""
    figure, axes = pyplot.subplots(1, columns, figsize=(6 * columns, 4.5),
                                   squeeze=False, layout="constrained")
    return figure, axes[0]


def finish(figure, axes):
    known = {}
    for plot in axes:
        handles, labels = plot.get_legend_handles_labels()
        known.update(zip(labels, handles))
    axes[-1].legend(known.values(), known.keys(), loc="center left",
                    bbox_to_anchor=(1.02, 0.5))
    return figure


def by_depth(results, operation):
    chosen = select(results, lambda case: case.kind == "nbd"
                    and not case.sequential and case.jobs == 1
                    and case.operation == operation)
    if len(chosen) < 2:
        return None
    figure, axes = figure_of(2)
    ticks = [(case.depth, str(case.depth)) for case in chosen]
    for plot, member, label in ((axes[0], "iops", "IOPS"),
                                (axes[1], "mean_us", "mean latency, us")):
        lines(results, plot, chosen, lambda case: case.depth, member)
        decorate(plot, f"4 KiB random {operation}", "depth", label, ticks)
    return finish(figure, axes)


def bars(results, axes, case, members):
    """Groups by member, a bar for each path."""
    measured = [path for path in PATHS if path in results.paths(case.name)]
    width = 0.8 / len(measured)
    for i, path in enumerate(measured):
        axes.bar([at + i * width for at in range(len(members))],
                 [results.median(path, case.name, figure)
                  for _, figure in members],
                 width, label=path, color=COLOURS[path])
    axes.set_xticks([at + 0.4 - width / 2 for at in range(len(members))],
                    labels=[label for label, _ in members])


def at_depth_16(results):
    return select(results, lambda case: case.name in ("read-16", "write-16",
                                                      "mix-16"))


def percentiles(results):
    chosen = at_depth_16(results)
    if not chosen:
        return None
    figure, axes = figure_of(len(chosen))
    for plot, case in zip(axes, chosen):
        bars(results, plot, case, PERCENTILES)
        decorate(plot, case.title, "", "latency, us")
        plot.set_yscale("log")
        plot.set_ylim(bottom=10)
    return finish(figure, axes)


def cpu(results):
    chosen = at_depth_16(results)
    if not chosen:
        return None
    figure, axes = figure_of(len(chosen))
    for plot, case in zip(axes, chosen):
        bars(results, plot, case, [("", "cpu_us")])
        decorate(plot, case.title, "user and system, without fio",
                 "CPU per request, us")
    return finish(figure, axes)


def by_block_size(results):
    chosen = select(results, lambda case: case.sequential)
    operations = [operation for operation in ("read", "write")
                  if sum(case.operation == operation for case in chosen) > 1]
    if not operations:
        return None
    figure, axes = figure_of(len(operations))
    for plot, operation in zip(axes, operations):
        some = [case for case in chosen if case.operation == operation]
        lines(results, plot, some, lambda case: case.block_size,
              "bytes_per_second", 2 ** -20)
        decorate(plot, f"sequential {operation}, depth "
                 f"{cases.SEQUENTIAL_DEPTH}", "block size", "MiB/s",
                 [(case.block_size, cases.size_title(case.block_size))
                  for case in some])
    return finish(figure, axes)


def scaling(results):
    """Connections to one volume, and volumes."""
    several = {case.depth for case in select(
        results, lambda case: case.kind == "nbd" and case.jobs > 1)}
    depth = 16 if 16 in several else min(several, default=0)
    groups = [
        ("connections", select(
            results, lambda case: case.kind == "nbd" and not case.sequential
            and case.operation == "read" and case.depth == depth)),
        ("volumes", select(results, lambda case: case.kind == "volumes")),
    ]
    groups = [group for group in groups if len(group[1]) > 1]
    if not groups:
        return None
    figure, axes = figure_of(len(groups))
    for plot, (what, chosen) in zip(axes, groups):
        lines(results, plot, chosen, lambda case: case.jobs, "iops")
        decorate(plot, f"4 KiB random read, depth {chosen[0].depth} each",
                 what, "IOPS",
                 [(case.jobs, str(case.jobs)) for case in chosen])
    return finish(figure, axes)


PLOTS = {
    "read": lambda results: by_depth(results, "read"),
    "write": lambda results: by_depth(results, "write"),
    "percentiles": percentiles,
    "cpu": cpu,
    "block-size": by_block_size,
    "scaling": scaling,
}


def draw(results, stem):
    """Returns the names of the files."""
    names = []
    for name, plot in PLOTS.items():
        figure = plot(results)
        if figure is None:
            continue
        for suffix in ("svg", "png"):
            names.append(f"{stem}-{name}.{suffix}")
            figure.savefig(names[-1], dpi=100)
        pyplot.close(figure)
    return names
