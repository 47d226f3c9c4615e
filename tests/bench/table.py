"""The tables: ratios with their spread, geometric means, peak memory, and what the tools admit."""

import math
import statistics

from comparison import over

# What a column is set against when it is not the program alone.
OVER = (("jeprof", "jeplain"), ("jemalloc", "jeplain"))


def spread(values):
    """Median and quartiles; of fewer than four values, the least and the greatest."""
    if not values:
        return None
    if len(values) < 4:
        return statistics.median(values), min(values), max(values)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def number(value):
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def ratio_cell(values, failed):
    if failed:
        return "failed"
    found = spread(values)
    if found is None:
        return "-"
    median, low, high = found
    if len(values) == 1:
        return number(median)
    return f"{number(median)} ({number(low)}-{number(high)})"


def plain_cell(row):
    value = row.plain()
    if value is None:
        return "-"
    return number(value) if value < 1000 else f"{value:,.0f}"


def columns_for(tools):
    """Columns as (heading, function of a row giving ratios, tools that must not have failed)."""
    columns = [(tool, lambda row, tool=tool: row.ratios(tool), (tool,)) for tool in tools]
    for tool, other in OVER:
        if tool in tools and other in tools:
            columns.append((f"{tool}/{other}",
                            lambda row, tool=tool, other=other: over(row, tool, other),
                            (tool, other)))
    return columns


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values))


def mean_line(rows, columns):
    """Geometric means of the rows' medians; only where every row has one."""
    cells = ["geometric mean", "", ""]
    for _, ratios_of, _ in columns:
        medians = [statistics.median(ratios_of(row)) for row in rows if ratios_of(row)]
        cells.append(number(geometric_mean(medians)) if len(medians) == len(rows) else "-")
    return cells


def ratio_tables(rows, tools, mean_groups):
    """(title, heading, lines) for each group; lines are lists of cells."""
    columns = columns_for(tools)
    tables = []
    for group in dict.fromkeys(row.group for row in rows):
        members = [row for row in rows if row.group == group]
        lines = []
        for row in members:
            cells = [row.workload, row.measure, plain_cell(row)]
            for _, ratios_of, needed in columns:
                cells.append(ratio_cell(ratios_of(row), any(t in row.failures for t in needed)))
            lines.append(cells)
        if group in mean_groups and len(members) > 1:
            lines.append(mean_line(members, columns))
        tables.append((f"With / without: {group}",
                       ["", "measured", "plain", *(heading for heading, _, _ in columns)], lines))
    return tables


def peak_table(rows, tools):
    lines = []
    seen = set()
    for row in rows:
        if row.workload in seen or not row.peaks_kib:
            continue
        seen.add(row.workload)
        lines.append([row.workload, *(f"{row.peak(tool) / 1024:.1f}" if row.peak(tool) else "-"
                                      for tool in ("plain", *tools))])
    return ("Peak resident memory, MiB", ["", "plain", *tools], lines)


def losses(rows):
    """What leakshim says it did not see: (workload, tool, what)."""
    names = {"lost_acquires": "blocks not tracked", "lost_releases": "releases not accounted",
             "sites_overflowed": "stacks that found the site table full"}
    lines = []
    for row in rows:
        for tool, runs in row.facts.items():
            for key, meaning in names.items():
                most = max((facts.get(key, 0) for facts in runs), default=0)
                if most:
                    lines.append([row.workload, tool, f"{most:,}", meaning])
    return ("Losses that leakshim reports of a run", ["", "tool", "most", "of"], lines)


def as_text(tables):
    parts = []
    for title, heading, lines in tables:
        if not lines:
            continue
        widths = [max(len(line[i]) for line in [heading, *lines]) for i in range(len(heading))]
        parts.append(title + "\n")
        for line in [heading, *lines]:
            cells = [line[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
            parts.append("  ".join(cells).rstrip() + "\n")
        parts.append("\n")
    return "".join(parts)


def as_markdown(tables):
    parts = []
    for title, heading, lines in tables:
        if not lines:
            continue
        parts.append(f"**{title}**\n\n")
        parts.append("| " + " | ".join(heading) + " |\n")
        parts.append("|---" + "|--:" * (len(heading) - 1) + "|\n")
        for line in lines:
            parts.append("| " + " | ".join(line) + " |\n")
        parts.append("\n")
    return "".join(parts)
