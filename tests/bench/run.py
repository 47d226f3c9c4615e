#!/usr/bin/env python3
"""Measures what leakshim costs, beside other tools, on programs of known shape and on real ones.

Each run with a tool is paired with a run of the program alone right before it; a figure is the
median of the pairs' ratios, with the quartiles behind it (least and greatest of fewer than four
pairs). Single-threaded programs are judged by their CPU time, the tool's own threads included,
programs with threads by wall time, servers by requests a second, latency and CPU time a request.
Before a workload is measured each tool has to prove on it that it works.
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

import catalogue
import comparison
import growth
import programs
import servers
import smoke
import table
import tools as tool_list
from measure import Broken

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMPILE = ["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Wconversion",
           "-Wno-sign-conversion", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror",
           "-pthread"]

WORKLOADS = catalogue.OWN + programs.PROGRAMS + servers.SERVERS


def build_workloads(directory):
    """Compiles the launcher and every workload as a distribution would: -O2, no frame pointers."""
    os.makedirs(directory, exist_ok=True)
    sources = {"launch": (os.path.join(HERE, "launch.c"), [])}
    folder = os.path.join(HERE, "workloads")
    for file in sorted(os.listdir(folder)):
        name, extension = os.path.splitext(file)
        if extension == ".c":
            sources[name] = (os.path.join(folder, file), ["-fomit-frame-pointer"])
    sources["pairs_fp"] = (os.path.join(folder, "pairs.c"), ["-fno-omit-frame-pointer"])
    for name, (source, flags) in sources.items():
        output = os.path.join(directory, name)
        subprocess.run([*COMPILE, *flags, source, "-o", f"{output}.new", "-lm"], check=True)
        os.replace(f"{output}.new", output)


def about_machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release()}"


def choose(everything, names, what, name_of):
    """The members asked for, in their own order."""
    if not names:
        return everything
    wanted = [name for name in names.split(",") if name]
    known = [name_of(member) for member in everything]
    for name in wanted:
        if name not in known:
            raise Broken(f"no {what} is called {name}; there are: {', '.join(known)}")
    return [member for member in everything if name_of(member) in wanted]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--quick", action="store_true", help="shorter runs and fewer pairs: about three minutes")
    add("--only", metavar="NAME,...", help="workloads (--list shows them); with --growth parts of "
        "the curves' names")
    add("--tools", metavar="NAME,...", help=f"of {','.join(tool_list.NAMES)}")
    add("--repeat", type=int, metavar="N", help="exactly so many pairs of each tool; without it "
        "5 (quick 2), more of short runs and fewer of long ones")
    add("--growth", action="store_true", help="instead of the table: cost against threads, stack "
        "depth, live blocks and sites")
    add("--smoke", action="store_true", help="run every workload for a blink under each tool and "
        "say whether that works; no figures")
    add("--library", metavar="PATH", help="libleakshim.so to measure, instead of building preset "
        "release")
    add("--json", metavar="FILE", help="write every single figure there")
    add("--markdown", action="store_true", help="print the tables in Markdown")
    add("--into", metavar="FILE", help="put the tables into that Markdown file, between its lines "
        "<!-- table --> or <!-- growth --> and <!-- end -->")
    add("--from", dest="source", metavar="FILE", help="print the tables of such a file again, "
        "without measuring")
    add("--list", action="store_true", help="name the workloads and tools")
    return parser.parse_args()


def tables_of(rows, tools):
    tables = growth.curve_tables(rows, tools)
    compared = [row for row in rows if row.point is None]
    if compared:
        tables += table.ratio_tables(compared, tools, (catalogue.LOOPS, catalogue.PROGRAMS))
        tables.append(table.peak_table(compared, tools))
    tables.append(table.losses(rows))
    return tables


def show(stored, arguments):
    """Prints the tables of a measurement, or puts them where the documentation has its place."""
    rows = [comparison.Row(**row) for row in stored["rows"]]
    tables = tables_of(rows, stored["tools"])
    command = "sh tests/bench/run.sh " + " ".join(stored["command"])
    if arguments.into:
        mark = "growth" if any(row.point is not None for row in rows) else "table"
        text = f"{stored['machine']}; `{command.strip()}`\n\n{table.as_markdown(tables)}"
        with open(arguments.into, encoding="utf-8") as file:
            before, found, rest = file.read().partition(f"<!-- {mark} -->\n")
        _, ended, after = rest.partition("<!-- end -->")
        if not found or not ended:
            raise Broken(f"{arguments.into} has no place for it")
        with open(arguments.into, "w", encoding="utf-8") as file:
            file.write(f"{before}{found}\n{text}{ended}{after}")
        return
    print(stored["machine"] + "\n")
    print(table.as_markdown(tables) if arguments.markdown else table.as_text(tables), end="")


def settings_from(arguments, launcher):
    """How long and how often, as asked for."""
    common = {"launcher": launcher, "scale": 0.25 if arguments.quick else 1.0}
    if arguments.repeat:
        return comparison.Settings(**common, repeat=arguments.repeat, fewest=arguments.repeat,
                                   server_repeat=arguments.repeat, least_s=0, most_s=float("inf"))
    if arguments.quick:
        return comparison.Settings(**common, repeat=2, fewest=1, server_repeat=1, least_s=0.1,
                                   most_s=1)
    return comparison.Settings(**common, repeat=5, fewest=2, server_repeat=4, least_s=1, most_s=4)


def command_without_paths():
    """The arguments that decide what is measured: not where the library is and the figures go."""
    words, skip = [], False
    for word in sys.argv[1:]:
        if not skip and word.split("=")[0] not in ("--library", "--json", "--into", "--markdown"):
            words.append(word)
        skip = word in ("--library", "--json", "--into")
    return words


class Progress:
    """Says on stderr what is done, and how long it took."""

    def __init__(self):
        self.began = time.monotonic()

    def __call__(self, name):
        now = time.monotonic()
        print(f"{name}: {now - self.began:.0f} s", file=sys.stderr)
        self.began = now


def measure_all(workloads, scene, tools, settings):
    rows = []
    progress = Progress()
    for workload in workloads:
        compare = (servers if isinstance(workload, servers.Server) else comparison).compare
        rows += compare(workload, scene, tools, settings)
        progress(workload.name)
    return rows


def show_list():
    for workload in WORKLOADS:
        print(f"{workload.name:12} {', '.join(workload.clocks):34} {workload.about}")
    print()
    for tool in tool_list.all_tools("libleakshim.so"):
        print(f"{tool.name:12} {tool.about}")


def measured(arguments):
    """Builds, runs and shows what is asked for; the exit code."""
    library = arguments.library or os.path.join(ROOT, "build", "release", "libleakshim.so")
    tools = choose(tool_list.all_tools(comparison.library_path(library)), arguments.tools, "tool",
                   lambda tool: tool.name)
    workloads = [] if arguments.growth else choose(WORKLOADS, arguments.only, "workload",
                                                   lambda workload: workload.name)
    built = os.path.join(ROOT, "build", "bench")
    build_workloads(built)
    launcher = os.path.join(built, "launch")
    settings = settings_from(arguments, launcher)
    with tempfile.TemporaryDirectory(prefix="leakshim-bench.") as scratch:
        scene = catalogue.Scene(built, scratch)
        if arguments.smoke:
            return 1 if smoke.run(workloads, scene, tools, launcher) else 0
        if arguments.growth:
            rows = growth.measure_curves(scene, tools, settings, arguments.only, Progress())
        else:
            rows = measure_all(workloads, scene, tools, settings)
    stored = {"machine": about_machine(), "command": command_without_paths(),
              "tools": [tool.name for tool in tools],
              "rows": [dataclasses.asdict(row) for row in rows]}
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(stored, file, indent=1)
    show(stored, arguments)
    return 1 if any(row.failures for row in rows) else 0


def main():
    arguments = parse_arguments()
    if arguments.list:
        show_list()
        return 0
    if arguments.source:
        with open(arguments.source, encoding="utf-8") as file:
            show(json.load(file), arguments)
        return 0
    return measured(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as error:
        sys.exit(str(error))
