"""How the cost grows: with threads, stack depth, live blocks and call sites.

Each point is measured like a workload of the table, in pairs. A figure is what the tool adds to one
operation: the median of the differences to the run without it.
"""

import dataclasses
import glob
import json
import os
import statistics

import comparison
from catalogue import own
from measure import Broken
from tools import Leakshim

CPU_NS = ("cpu ns",)
BOTH_NS = ("cpu ns", "wall ns")
TOOLS = ("sampled", "exact", "heaptrack")
# The history of a site has 64 points: it is full in the second half of such a run.
COLLECTOR_INTERVAL_S = 0.1
COLLECTOR_RUN_S = 14


def curve(name, axis, clocks, program, scaled, points, **fixed):
    """(name, axis, [(point, workload)])"""
    return name, axis, [
        (point, own(f"{name} {point:,}", name, clocks, "", program, scaled_at(scaled, point),
                    **fixed, **{axis: point}))
        for point in points]


def scaled_at(scaled, point):
    return {name: value(point) if callable(value) else value for name, value in scaled.items()}


CURVES = [
    curve("pairs by threads", "threads", BOTH_NS, "pairs",
          {"pairs": lambda threads: 4_000_000 // threads}, (1, 2, 4, 8), depth=20),
    curve("random by threads", "threads", BOTH_NS, "random_threads",
          {"replacements": lambda threads: 400_000 // threads}, (1, 2, 4, 8), generations=10),
    curve("pairs by stack depth", "depth", CPU_NS, "pairs", {"pairs": 3_000_000}, (5, 20, 60)),
    curve("walk by stack depth", "depth", CPU_NS, "pairs", {"pairs": 1_500_000}, (5, 20, 60),
          walk=4),
    curve("live blocks", "blocks", CPU_NS, "live", {"replacements": 2_000_000},
          (10**4, 10**5, 10**6, 10**7)),
    curve("sites", "sites", CPU_NS, "stacks", {"replacements": 3_000_000},
          (10**2, 10**3, 10**4, 10**5)),
]


class Collector(Leakshim):
    """leakshim exact, telling what its collector uses for a summary once its histories are full."""

    def __init__(self, library):
        super().__init__("exact", library,
                         ["mode=exact", f"interval={COLLECTOR_INTERVAL_S * 1000:.0f}ms"], "")

    def inspect(self, place, wall_s):
        facts = super().inspect(place, wall_s)
        [path] = glob.glob(os.path.join(place, "runs", "*", "history.jsonl"))
        with open(path, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file]
        # The last one also ends the run.
        if len(entries) < 5:
            raise Broken(f"only {len(entries)} summaries in {wall_s:.1f} s")
        first, last = entries[len(entries) // 2], entries[-2]
        facts["cpu_per_summary_s"] = ((last["own_cpu_s"] - first["own_cpu_s"]) /
                                      (last["sequence"] - first["sequence"]))
        return facts


def measure_curves(scene, tools, settings, names, report):
    """Every point of the curves whose name holds one of the names, or of all; rows."""
    def wanted(curve_name):
        return not names or any(name in curve_name for name in names.split(","))

    chosen = [tool for tool in tools if tool.name in TOOLS]
    if settings.fewest < settings.repeat:
        # Differences in time for one operation are steadier than the ratios of whole runs.
        settings = dataclasses.replace(settings, repeat=min(settings.repeat, 3),
                                       least_s=settings.least_s / 4, most_s=settings.most_s / 2)
    rows = []
    for name, _, points in CURVES:
        for number, (point, workload) in enumerate(points if wanted(name) else []):
            # The tool proves itself on the first point of a curve.
            found = comparison.compare(workload, scene, chosen, settings, proof=number == 0)
            for row in found:
                row.point = point
            rows += found
            report(workload.name)
    exact = [tool for tool in tools if tool.name == "exact" and wanted("collector")]
    return rows + (measure_collector(scene, exact[0], settings, report) if exact else [])


def measure_collector(scene, exact, settings, report):
    """What a summary costs the collector, by sites; busy and long enough for full histories."""
    rows = []
    once = comparison.Settings(settings.launcher, 1.0, 1, 1, 1, 0, 0)
    for sites in (10**2, 10**3, 10**4, 10**5):
        short = own(f"collector {sites:,}", "collector", CPU_NS, "", "stacks",
                    {"replacements": 2_000_000}, sites=sites)
        usage, _ = comparison.run_once(short, scene, exact, once)
        workload = own(short.name, short.group, CPU_NS, "", "stacks",
                       {"replacements": 2_000_000 * COLLECTOR_RUN_S / usage.wall_s}, sites=sites)
        [row] = comparison.compare(workload, scene, [Collector(exact.path)], once, proof=False)
        row.point = sites
        rows.append(row)
        report(workload.name)
    return rows


def added(row, tool):
    differences = [value - partner for value, partner in
                   zip(row.values.get(tool, []), row.partners.get(tool, []))]
    if tool in row.failures:
        return "failed"
    return f"{statistics.median(differences):+.1f}" if differences else "-"


def fact(row, tool, name):
    found = [facts[name] for facts in row.facts.get(tool, []) if name in facts]
    return statistics.median(found) if found else None


def bytes_per_point(row, tool):
    """Resident memory that the tool adds, for one block or site."""
    if row.peak(tool) is None:
        return "-"
    return f"{(row.peak(tool) - row.peak('plain')) * 1024 / row.point:,.0f}"


def own_bytes_per_point(row):
    own_bytes = fact(row, "exact", "own_bytes")
    return "-" if own_bytes is None else f"{own_bytes / row.point:,.0f}"


def curve_tables(rows, tools):
    tools = [tool for tool in tools if tool in TOOLS]
    tables = []
    for name, axis, _ in CURVES:
        for clock in dict.fromkeys(row.measure for row in rows if row.group == name):
            members = [row for row in rows if row.group == name and row.measure == clock]
            lines = [[f"{row.point:,}", f"{row.plain():.1f}", *(added(row, tool) for tool in tools)]
                     for row in members]
            tables.append((f"{name}: {clock} of an operation, and what is added", [
                axis, "plain", *tools], lines))
    tables += memory_tables(rows, tools)
    return tables + collector_table(rows)


def memory_tables(rows, tools):
    tables = []
    for name, axis, _ in CURVES:
        if axis not in ("blocks", "sites"):
            continue
        lines = [[f"{row.point:,}", *(bytes_per_point(row, tool) for tool in tools),
                  own_bytes_per_point(row)] for row in rows if row.group == name]
        if lines:
            tables.append((f"{name}: bytes of memory added for each", [
                axis, *tools, "exact's own_bytes"], lines))
    return tables


def collector_table(rows):
    lines = []
    for row in rows:
        if row.group != "collector":
            continue
        cpu = fact(row, "exact", "cpu_per_summary_s")
        lines.append([f"{row.point:,}", "failed" if cpu is None else f"{cpu * 1000:.2f}",
                      *(f"{fact(row, 'exact', name) or 0:,.0f}"
                        for name in ("sites", "sites_overflowed"))])
    heading = ["sites", "CPU ms", "known", "stacks without room"]
    return [("collector: CPU for a summary, exact", heading, lines)] if lines else []
