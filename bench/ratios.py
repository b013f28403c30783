# SPDX-License-Identifier: BSD-3-Clause
"""Results, and what they say of one path beside another.

A result is one run of one case on one path: a dictionary with path, case,
round and the figures.  A ratio is of two paths in one round; its value is
the median over the rounds, since what slows the machine for a while slows
both; its spread is half of the range that holds the middle half of them.
"""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Ratio:
    value: float
    spread: float

    def __str__(self):
        if not self.spread:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} ±{self.spread / self.value:.0%}"


def quartiles(values):
    if len(values) < 2:
        return values * 3
    return statistics.quantiles(values, method="inclusive")


def of_values(values):
    """None where there are none."""
    if not values:
        return None
    low, middle, high = quartiles(values)
    return Ratio(middle, (high - low) / 2)


class Results:
    def __init__(self, results):
        self.list = results
        self.by_key = {(r["path"], r["case"], r["round"]): r
                       for r in results}

    def cases(self):
        return list(dict.fromkeys(r["case"] for r in self.list))

    def paths(self, case):
        return {r["path"] for r in self.list if r["case"] == case}

    def quartiles(self, path, case, figure):
        return quartiles([r[figure] for r in self.list
                          if (r["path"], r["case"]) == (path, case)])

    def median(self, path, case, figure):
        return self.quartiles(path, case, figure)[1]

    def has(self, path, case, figure):
        return all(figure in r for r in self.list
                   if (r["path"], r["case"]) == (path, case))

    def ratio(self, path, reference, case, figure="iops"):
        """None where they were not measured in one round."""
        return of_values([r[figure] / self.by_key[reference, case,
                                                  r["round"]][figure]
                          for r in self.list
                          if (r["path"], r["case"]) == (path, case)
                          and figure in r
                          and (reference, case, r["round"]) in self.by_key])

    def ratio_within(self, path, case, figure, other):
        """Of two figures of the same run."""
        return of_values([r[figure] / r[other] for r in self.list
                          if (r["path"], r["case"]) == (path, case)])
