# SPDX-License-Identifier: BSD-3-Clause
"""A strict reader of Prometheus' text format 0.0.4.

Reads /metrics from standard input and fails on anything that the format does
not allow: a sample without HELP and TYPE before it, a group in two pieces, a
series given twice, a histogram whose buckets do not add up.  Prints one
series a line, with its labels sorted: NAME{a="b",...} VALUE.
"""
import math
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SAMPLE = re.compile(r"(%s)(?:\{(.*)\})? (\S+)$" % NAME)
VALUE = re.compile(r"[+-]?(?:Inf|[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)$")
TYPES = {"counter", "gauge", "histogram"}


def fail(number, line, why):
    sys.exit("metrics: line %d: %s: %s" % (number, why, line))


def parse_labels(number, line, text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match or match.group(1) in labels:
            fail(number, line, "labels")
        labels[match.group(1)] = match.group(2)
        at = match.end()
        if match.group(3) == "," and at == len(text):
            fail(number, line, "comma")
    return labels


def family_of(name, kind, current):
    if kind == "histogram":
        for suffix in ("_bucket", "_sum", "_count"):
            if name == current + suffix:
                return current
        return None
    return name


def check_histogram(name, series):
    groups = {}
    for (sample, labels), value in series.items():
        if not sample.startswith(name + "_"):
            continue
        rest = tuple(item for item in labels if item[0] != "le")
        group = groups.setdefault(rest, {"buckets": []})
        if sample == name + "_bucket":
            group["buckets"].append((float(dict(labels)["le"]), value))
        else:
            group[sample[len(name) + 1:]] = value
    for rest, group in groups.items():
        buckets = group["buckets"]
        assert buckets == sorted(buckets), (name, rest, "order")
        counts = [value for _, value in buckets]
        assert counts == sorted(counts), (name, rest, "not cumulative")
        assert buckets[-1][0] == math.inf, (name, rest, "+Inf")
        assert buckets[-1][1] == group["count"], (name, rest, "count")
        assert group["sum"] >= 0, (name, rest, "sum")
        finite = [bound for bound, count in buckets if count < group["count"]]
        if finite:
            assert group["sum"] > 0, (name, rest, "sum of nothing")


def main():
    text = sys.stdin.read()
    assert text.endswith("\n"), "metrics: the last line does not end"
    kinds, helped, series = {}, set(), {}
    current = None
    for number, line in enumerate(text.split("\n")[:-1], 1):
        match = re.match(r"# (HELP|TYPE) (%s) (.+)$" % NAME, line)
        if match and match.group(1) == "HELP":
            if match.group(2) in helped:
                fail(number, line, "second HELP")
            helped.add(match.group(2))
            continue
        if match:
            current = match.group(2)
            if current in kinds or match.group(3) not in TYPES \
                    or current not in helped:
                fail(number, line, "TYPE")
            kinds[current] = match.group(3)
            continue
        match = SAMPLE.match(line)
        if not match or not VALUE.match(match.group(3)):
            fail(number, line, "no sample")
        name = match.group(1)
        if current is None or \
                family_of(name, kinds[current], current) != current:
            fail(number, line, "outside of its group")
        labels = parse_labels(number, line, match.group(2) or "")
        key = (name, tuple(sorted(labels.items())))
        if key in series:
            fail(number, line, "given twice")
        series[key] = float(match.group(3))
        if kinds[current] != "gauge" and series[key] < 0:
            fail(number, line, "negative")
        if kinds[current] == "counter" and not name.endswith("_total"):
            fail(number, line, "a counter's name")
    for name, kind in kinds.items():
        if kind == "histogram":
            check_histogram(name, series)
    for (name, labels), value in series.items():
        shown = ",".join('%s="%s"' % label for label in labels)
        print("%s{%s} %.15g" % (name, shown, value))


main()
