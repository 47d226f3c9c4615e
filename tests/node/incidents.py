"""Incidents 2 and 7 end to end: examples/caches and examples/blocked-loop, with their fixes."""

import os
import statistics

from harness import EXAMPLES, first_lines, function_line, require, require_nothing_rises, rising

REQUESTS_A_SECOND = 100
# Past the ten seconds that the logger's timers take to be as many as they will ever be.
CACHES_SECONDS = 24
INTERVALS = 6
BLOCKED_SECONDS = 10
BLOCKED_A_SECOND = 4


def serve(place, node, example, settings, rate, seconds):
    """The server under its load. The summaries, the first one under load, and what the load said."""
    directory = os.path.join(EXAMPLES, example)
    command = [node, f"--max-old-space-size={settings.get('heap', 512)}",
               os.path.join(directory, "server.js")]
    server, port = place.serve(command, place.options(**settings.get("options", {})),
                               settings.get("extra"))
    watch = place.watch()
    last = watch.last()
    first = last["sequence"] if last else 0
    done = place.load([node, os.path.join(directory, "load.js"), str(port), str(rate), str(seconds)],
                      seconds)
    require(done["failed"] == 0 and done["answered"] > 0, f"the load: {done}")
    watch.look()
    lines = first_lines(place.runs, 40)
    status = place.end(server)
    require(status == 0, f"the server's exit status is {status}")
    watch.end()
    return watch, first, done, lines


def named_after(watch, first, chosen):
    for summary in watch.summaries():
        if any(chosen(site) for site in rising(summary)):
            return summary["sequence"] - first
    return None


def is_function(name, resource="js"):
    return lambda site: site["resource"] == resource and site["function"] == name


def leaking_caches(place, node):
    watch, first, done, lines = serve(place, node, "caches", {"options": {"interval": "2s"}},
                                      REQUESTS_A_SECOND, CACHES_SECONDS)
    wanted = {"the cache": is_function("loadReport"), "the global": is_function("identify"),
              # Native memory, named by the JavaScript function that made it.
              "the Buffers": is_function("renderPage", "heap")}
    after = {what: named_after(watch, first, chosen) for what, chosen in wanted.items()}
    require(None not in after.values() and min(after.values()) <= INTERVALS,
            f"the first is not named within {INTERVALS} intervals, or one is not at all: {after}")
    summary = [s for s in watch.summaries() if not s["final"]][-1]
    require(summary["verdict"]["state"] == "leaking", f"in the end {summary['verdict']['state']}")
    for function, file in (("loadReport", "reports.js"), ("identify", "identify.js"),
                           ("renderPage", "reports.js")):
        line = function_line(os.path.join(EXAMPLES, "caches", file), f"async function {function}")
        locations = {site["location"] for each in watch.summaries() for site in rising(each)
                     if site["function"] == function}
        require(all(location.endswith(f"{file}:{line}") for location in locations),
                f"{function} is at {locations}, truth line {line}")
    require_plateau(summary)
    require(any("loadReport" in line for line in lines), f"summary.txt does not name it: {lines}")
    return f"named after {after}, {done['answered']} requests"


def require_plateau(summary):
    """Ten seconds of requests hang on the logger's timers, and no more: seen, and not rising."""
    sites = [site for site in summary["sites"]
             if site["resource"] == "js" and site["function"] == "logLater"]
    require(sites, "the logger is no site")
    require(all(site["verdict"] != "rising" for site in sites),
            f"the logger is said to rise: {sites[0]['growth_bytes_per_s']:.0f} B/s")


def fixed_caches(place, node):
    serve(place, node, "caches", {"options": {"interval": "2s"}, "extra": {"FIXED": "1"}},
          REQUESTS_A_SECOND, CACHES_SECONDS)
    return f"{require_nothing_rises(place.runs)} summaries"


def main_loop(watch):
    """What the main thread's loop usually was: the first summary is of the start, the last of the end."""
    loops = [summary["event_loops"][0] for summary in watch.summaries()
             if summary["event_loops"] and
             summary["event_loops"][0]["thread_id"] == summary["process"]["pid"]]
    require(loops, "no summary has the main thread's loop")
    return {figure: statistics.median(loop[figure] for loop in loops)
            for figure in ("delay_p99_s", "utilization")}


def blocked_loop(place, node):
    """The same work twice. What the loop takes of it is compared, so that a slow machine is no matter."""
    loops = {}
    for fixed in ("0", "1"):
        place.runs = os.path.join(place.path, f"runs-{fixed}")
        watch, _, done, lines = serve(place, node, "blocked-loop", {"heap": 128, "extra": {"FIXED": fixed}},
                                      BLOCKED_A_SECOND, BLOCKED_SECONDS)
        require_nothing_rises(place.runs)
        states = [summary["verdict"]["state"] for summary in watch.summaries()]
        # V8 has to collect before anything can be said of what was parsed; the repaired one's worker
        # may have no need to while the test lasts.
        require("clean" in states or fixed == "1", f"the verdict is {states}")
        loops[fixed] = main_loop(watch)
        require(any(line.startswith("Event loops") for line in lines), f"summary.txt has none: {lines}")
    blocked, repaired = loops["0"], loops["1"]
    # A password takes as long as it takes, far more than a delay anybody would set a limit at.
    require(blocked["delay_p99_s"] >= 0.05, f"p99 is {blocked['delay_p99_s']}")
    # The loop does a part of the repaired work still, in small pieces.
    for figure, factor in (("delay_p99_s", 2), ("utilization", 1.2)):
        require(blocked[figure] >= factor * repaired[figure],
                f"{figure}: {blocked[figure]} blocked, {repaired[figure]} repaired")
    return (f"p99 {blocked['delay_p99_s'] * 1e3:.0f} ms, repaired {repaired['delay_p99_s'] * 1e3:.0f} ms;"
            f" busy {blocked['utilization']:.2f}, repaired {repaired['utilization']:.2f}")


CHECKS = [
    ("caches: a leak is named in 6 intervals, then all three", leaking_caches),
    ("caches, fixed: nothing rises", fixed_caches),
    ("a blocked loop is told beside a clean verdict, and its fix", blocked_loop),
]
