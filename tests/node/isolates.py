"""Isolates and their heaps: the figures are V8's, and what only looks like a leak is none."""

import json
import os

from harness import PROGRAMS, read_summaries, require, require_nothing_rises

HEALTHY_SECONDS = 20
MEGABYTE = 2**20
# Between V8's figures in JavaScript and our reading, a program of 40 MB may make some garbage.
SLACK = {"used_heap_bytes": 8 * MEGABYTE, "total_heap_bytes": 16 * MEGABYTE,
         "heap_limit_bytes": 0, "external_bytes": 2 * MEGABYTE, "array_buffer_bytes": MEGABYTE}


def program(name):
    return os.path.join(PROGRAMS, name)


def require_figures(isolate, truth, name):
    require(isolate["state"] == "tracked", f"{name} is {isolate['state']}")
    for figure, slack in SLACK.items():
        require(abs(isolate[figure] - truth[figure]) <= slack,
                f"{name}: {figure} is {isolate[figure]}, V8 says {truth[figure]}")
    settled = isolate["used_heap_after_gc_bytes"]
    require(abs(settled - truth["used_heap_bytes"]) <= 0.05 * truth["used_heap_bytes"] + MEGABYTE / 2,
            f"{name}: {settled} after a collection, V8 says {truth['used_heap_bytes']}")
    require(isolate["major_gcs"] >= truth["major_gcs"],
            f"{name}: {isolate['major_gcs']} major collections, at least {truth['major_gcs']}")
    require(0 < isolate["since_major_gc_s"] < 30, f"{name}: {isolate['since_major_gc_s']} s ago")
    require(isolate["js_sample_bytes"] > 0, f"{name}: no sampling interval")


def figures_are_those_of_v8(place, node):
    watch = place.watch()
    done = place.run([node, "--expose-gc", program("heaps.js")], place.options(interval="500ms"))
    watch.end()
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    truth = json.loads(done.stdout)
    # One that is made as the process ends may have lost the worker already.
    listed = [summary for summary in watch.summaries() if len(summary["isolates"]) == 2]
    require(listed, "no summary has both isolates")
    summary = listed[-1]
    isolates = summary["isolates"]
    require(isolates[0]["thread_id"] == summary["process"]["pid"], "the main thread is not the first")
    require(isolates[1]["thread_id"] in [loop["thread_id"] for loop in summary["event_loops"]],
            f"thread {isolates[1]['thread_id']} has no event loop")
    require(isolates[0]["number"] != isolates[1]["number"], "two isolates have one number")
    require_figures(isolates[0], truth["main"], "the main thread")
    require_figures(isolates[1], truth["worker"], "the worker")
    return f"{isolates[0]['used_heap_after_gc_bytes'] / MEGABYTE:.1f} MiB after a collection"


def set_aside(place, node):
    # The library looks when the loop comes round, and lets a profiler of the program's own go first.
    code = "setInterval(() => {}, 50); setTimeout(() => process.exit(0), 1500)"
    done = place.run([node, "--heap-prof", "-e", code],
                     place.options(interval="300ms"))
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    (summary,) = read_summaries(place.runs)
    (isolate,) = summary["isolates"]
    require(isolate["state"] == "set aside", f"it is {isolate['state']}")
    require(isolate["js_sample_bytes"] is None, f"sampled every {isolate['js_sample_bytes']} bytes")


def healthy(place, node):
    watch = place.watch()
    done = place.run([node, program("healthy.js"), str(HEALTHY_SECONDS)], place.options())
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    watch.end()
    summaries = require_nothing_rises(place.runs)
    functions = {site["function"] for summary in watch.summaries() for site in summary["sites"]
                 if site["resource"] == "js"}
    for name in ("putInCache", "replaceTable", "openSession"):
        require(name in functions, f"{name} is no site: {sorted(functions, key=str)}")
    # One that is made as the process ends may have lost the workers already.
    listed = [summary["isolates"] for summary in watch.summaries() if len(summary["isolates"]) == 3]
    require(listed, "no summary has all three isolates")
    collections = [isolate["major_gcs"] for isolate in listed[-1]]
    return f"{summaries} summaries, major collections {collections}"


CHECKS = [
    ("isolates have the figures of v8.getHeapStatistics", figures_are_those_of_v8),
    ("an isolate that another profiler has is set aside", set_aside),
    ("a full cache, much memory in use and rare collections: nothing rises", healthy),
]
