"""Leaks that must be named, and their fixed versions, which must stay clean for as long."""

import os
import signal
import subprocess

from harness import (EXAMPLES, PROGRAMS, Failed, first_lines, function_line, read_summaries, require,
                     require_nothing_rises, rising)

MEGABYTE = 1e6
LISTENERS_A_SECOND = 200
UPLOADS_A_SECOND = 100
UPLOAD_BYTES = 64 * 1024
SESSIONS_A_SECOND = 400
SESSION_BYTES = 4 + 1024 + 16 * 1024
LEAKING_SECONDS = 16
# A worker's heap is small and its first major collections are far apart: no verdict before a few.
WORKER_SECONDS = 43
# Of the table of sites, the table of stacks and the names, generously.
SITE_BYTES = 4096
SECONDS_TO_KILL = 18


def example(name, file):
    return os.path.join(EXAMPLES, name, file)


def require_growth(site, truth):
    growth = site["growth_bytes_per_s"]
    require(truth / 2 <= growth <= truth * 2,
            f"{site['function']} grows {growth / MEGABYTE:.2f} MB/s, truth {truth / MEGABYTE:.2f} MB/s")


def require_named_in_time(watch, first, intervals, chosen):
    """Some summary within that many intervals of the first has the wanted site rising."""
    for summary in watch.summaries():
        if summary["sequence"] > first + intervals:
            break
        if summary["verdict"]["state"] == "leaking" and any(chosen(s) for s in rising(summary)):
            return summary["sequence"] - first
    states = [(s["sequence"], s["verdict"]["state"]) for s in watch.summaries()]
    raise Failed(f"not named within {intervals} intervals of summary {first}: {states}")


def listener_cost(place, node):
    """Bytes one listener keeps, as V8 counts them, without the library."""
    done = place.run([node, "--expose-gc", os.path.join(PROGRAMS, "listener_cost.js")], "",
                     library=False)
    require(done.returncode == 0, f"cost: {done.stderr[-300:]}")
    return int(done.stdout)


def serve_listeners(place, node, rate, seconds, interval, fixed):
    server, port = place.serve([node, "--max-old-space-size=512", example("listeners", "server.js")],
                               place.options(interval=interval), {"FIXED": "1"} if fixed else {})
    watch = place.watch()
    last = watch.last()
    first = last["sequence"] if last else 0
    done = place.load([node, example("listeners", "load.js"), str(port), str(rate), str(seconds)],
                      seconds)
    require(done["failed"] == 0, f"requests failed: {done}")
    watch.look()
    lines = first_lines(place.runs, 12)
    status = place.end(server)
    require(status == 0, f"the server's exit status is {status}")
    watch.end()
    return watch, first, done, lines


def leaking_listeners(place, node, rate=LISTENERS_A_SECOND, seconds=LEAKING_SECONDS, interval="2s"):
    source = example("listeners", "cache.js")
    place_named = f"cache.js:{function_line(source, r'async getData')}"
    watch, first, done, lines = serve_listeners(place, node, rate, seconds, interval, fixed=False)

    def named(site):
        return site["resource"] == "js" and site["function"] == "getData"

    named_after = require_named_in_time(watch, first, 6, named)
    # The last summary under load: one after it, or the final one, sees no growth any more.
    summary = [s for s in watch.summaries()
               if not s["final"] and s["verdict"]["state"] == "leaking"][-1]
    sites = [site for site in rising(summary) if named(site)]
    require(len(sites) == 1, f"{len(sites)} rising sites are getData")
    site = sites[0]
    require(site["location"].endswith(place_named), f"location {site['location']}")
    truth = listener_cost(place, node) * done["answered"] / done["seconds"]
    require_growth(site, truth)
    live = truth * done["seconds"]
    require(live / 2 <= site["live_bytes"] <= live * 2,
            f"{site['live_bytes'] / MEGABYTE:.1f} MB live, truth {live / MEGABYTE:.1f} MB")
    require(site["confidence"] >= 0.8, f"confidence {site['confidence']}")
    others = [s["function"] for s in rising(summary) if not named(s)]
    require(not others, f"also said to rise: {others}")
    process, memory = summary["process"], summary["memory"]
    require(process["limit_source"] == "v8", f"limit source {process['limit_source']}")
    require(512 <= process["limit_bytes"] / 2**20 <= 1.4 * 512,
            f"limit {process['limit_bytes']}")
    left = (process["limit_bytes"] - memory["v8_heap_bytes"]) / truth
    require(memory["seconds_to_limit"] is not None and
            left / 3 <= memory["seconds_to_limit"] <= left * 2,
            f"{memory['seconds_to_limit']} s to the limit, truth about {left:.0f} s")
    require(lines[0].startswith("leaking: +"), f"summary.txt starts {lines[0]!r}")
    require(any("getData" in line and place_named in line for line in lines),
            f"summary.txt does not name it: {lines}")
    require_schema(summary)
    return (f"named after {named_after} intervals, {site['growth_bytes_per_s'] / MEGABYTE:.2f} MB/s,"
            f" truth {truth / MEGABYTE:.2f} MB/s")


def require_schema(summary):
    require(summary["schema"] == "leakshim-summary/1", f"schema {summary['schema']}")
    for site in summary["sites"]:
        for field in ("acquired_count", "acquired_bytes", "released_count", "live_bytes", "live_count"):
            require(site[field] is None or site[field] >= 0,
                    f"{site['resource']} {site['function']}: {field} is {site[field]}")
        require(site["peak_live_bytes"] is None or site["peak_live_bytes"] >= site["live_bytes"],
                f"{site['resource']} {site['function']}: peak {site['peak_live_bytes']} below live "
                f"{site['live_bytes']}")


def leaking_listeners_by_default(place, node):
    """The incident's own rate with the default interval: named within 60 seconds."""
    return leaking_listeners(place, node, rate=1000 / 60, seconds=62, interval="10s")


def fixed_listeners(place, node, rate=LISTENERS_A_SECOND, seconds=LEAKING_SECONDS + 4, interval="2s"):
    serve_listeners(place, node, rate, seconds, interval, fixed=True)
    return f"{require_nothing_rises(place.runs)} summaries"


def fixed_listeners_by_default(place, node):
    return fixed_listeners(place, node, rate=1000 / 60, seconds=125, interval="10s")


def fixed_listeners_for_long(place, node):
    return fixed_listeners(place, node, seconds=180)


def serve_buffers(place, node, seconds, fixed):
    server, port = place.serve([node, example("buffers", "server.js")], place.options(),
                               {"FIXED": "1"} if fixed else {})
    watch = place.watch()
    last = watch.last()
    first = last["sequence"] if last else 0
    done = place.load([node, example("buffers", "load.js"), str(port), str(UPLOADS_A_SECOND),
                       str(seconds), str(UPLOAD_BYTES)], seconds)
    require(done["failed"] == 0, f"requests failed: {done}")
    status = place.end(server)
    require(status == 0, f"the server's exit status is {status}")
    watch.end()
    return watch, first, done


def leaking_buffers(place, node):
    watch, first, done = serve_buffers(place, node, LEAKING_SECONDS, fixed=False)
    named_after = require_named_in_time(watch, first, 6, lambda site: site["resource"] == "heap")
    summary = [s for s in watch.summaries() if not s["final"]][-1]
    sites = rising(summary)
    require(len(sites) >= 1 and sites[0]["resource"] == "heap",
            f"rising: {[(s['resource'], s['function']) for s in sites]}")
    require(sites[0]["function"] == "readBody" and sites[0]["location"].endswith("/body.js:11"),
            f"the site is called {sites[0]['function']} {sites[0]['location']}")
    truth = UPLOAD_BYTES * done["answered"] / done["seconds"]
    require_growth({"function": "all heap sites",
                    "growth_bytes_per_s": sum(s["growth_bytes_per_s"] for s in rising(summary, "heap"))},
                   truth)
    require(not rising(summary, "js"), f"js: {[s['function'] for s in rising(summary, 'js')]}")
    return f"named after {named_after} intervals, {len(sites)} sites, {sites[0]['function']}"


def fixed_buffers(place, node, seconds=LEAKING_SECONDS + 4):
    serve_buffers(place, node, seconds, fixed=True)
    return f"{require_nothing_rises(place.runs)} summaries"


def fixed_buffers_for_long(place, node):
    return fixed_buffers(place, node, seconds=180)


def run_service(place, settings, fixed):
    program = os.path.join(place.path, "service")
    sources = [example("c-service", "service.c"), example("c-service", "session.c")]
    built = subprocess.run(["cc", "-std=gnu11", "-O2", "-g", "-pthread", "-o", program, *sources],
                           capture_output=True, check=False)
    require(built.returncode == 0, f"cc: {built.stderr[-300:]}")
    child = place.start([program, f"--load={SESSIONS_A_SECOND}", f"--seconds={LEAKING_SECONDS}"] +
                        (["--fixed"] if fixed else []), place.options(**settings),
                        stdout=subprocess.PIPE)
    watch = place.watch()
    output = child.stdout.read().decode()
    require(child.wait() == 0, f"the service's exit status is {child.returncode}")
    watch.end()
    return watch, int(output.splitlines()[-1].split()[0])


def leaking_service(place, settings):
    watch, served = run_service(place, settings, fixed=False)

    def named(site):
        return site["resource"] == "heap" and site["function"] == "session_open"

    named_after = require_named_in_time(watch, 0, 7, named)
    summary = watch.last()
    require(summary["final"], "no final summary")
    site = rising(summary)[0]
    require(named(site), f"first rising site: {site['function']}")
    leaked = served - (served + 9) // 10
    truth = leaked * SESSION_BYTES
    # Two sessions may end between the load's last connection and the count. The last summary of a sampled
    # run has the figures of the last interval.
    exact = settings["mode"] == "exact"
    slack = 2 * SESSION_BYTES if exact else 4 * site["error_bytes"]
    unseen = 0 if exact else SESSIONS_A_SECOND * SESSION_BYTES
    require(-slack - unseen <= site["live_bytes"] - truth <= slack,
            f"{site['live_bytes']} bytes live, truth {truth}, slack {slack}")
    require_growth(site, truth / summary["process"]["uptime_s"])
    require_schema(summary)
    return f"named after {named_after} intervals, {site['live_bytes']} bytes live, truth {truth}"


def fixed_service(place, settings):
    run_service(place, settings, fixed=True)
    return f"{require_nothing_rises(place.runs)} summaries"


def leaking_inlined(place, node):
    """V8 compiles the leaking function into its caller in the middle of the run: from then on that is
    where the allocations are, and the verdict has to stand."""
    watch = place.watch()
    done = place.run([node, "--max-old-space-size=512", os.path.join(PROGRAMS, "inlined_leak.js")],
                     place.options(), timeout=90)
    require(done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-300:]}")
    watch.end()
    summaries = watch.summaries()
    said = [one["verdict"]["state"] for one in summaries]
    require("leaking" in said, f"never named: {said}")
    since = said[said.index("leaking"):]
    require(since.count("leaking") >= len(since) - 2, f"the verdict did not stand: {said}")
    names = {site["function"] for one in summaries for site in rising(one, "js")}
    require(names <= {"row", "put", "handler"}, f"rising: {names}")
    return f"from interval {said.index('leaking') + 1} on, as {', '.join(sorted(names))}"


def leaking_worker(place, node, extra=()):
    watch_source = os.path.join(PROGRAMS, "worker_leak.js")
    child = place.start([node, watch_source, str(WORKER_SECONDS), *extra],
                        place.options(interval="5s"),
                        stdout=subprocess.PIPE)
    watch = place.watch()
    output = child.stdout.read().decode()
    require(child.wait() == 0, f"exit status {child.returncode}")
    watch.end()
    require(output.strip() == "worker: exit 0", f"it printed {output!r}")
    named_after = require_named_in_time(
        watch, 0, 8,
        lambda site: site["resource"] == "js" and site["function"] == "remember")
    return f"named after {named_after} intervals"


def leaking_worker_without_environment(place, node):
    return leaking_worker(place, node, ["empty"])


def thousands_of_workers(place, node):
    return many_workers(place, node, 3000)


def many_workers(place, node, count=200):
    child = place.start([node, os.path.join(PROGRAMS, "many_workers.js"), str(count)],
                        place.options(interval="500ms", js_sample="64K"), stdout=subprocess.PIPE)
    watch = place.watch()
    output = child.stdout.read().decode()
    require(child.wait() == 0, f"exit status {child.returncode}")
    watch.end()
    require(output.strip() == f"{count} workers", f"it printed {output!r}")
    health = [s["health"] for s in watch.summaries()]
    own = [each["own_bytes"] for each in health]
    middle = len(health) // 3
    # Callsites seen for the first time cost what they cost; workers leave nothing besides.
    sites = health[-1]["sites"] - health[middle]["sites"]
    require(own[-1] <= own[middle] + 2 * 2**20 + sites * SITE_BYTES,
            f"{sites} new sites, own_bytes {own[middle::max(1, middle // 4)]}")
    states = {s["health"]["state"] for s in watch.summaries()}
    require(states == {"active"}, f"{states}: {watch.last()['health']['notes']}")
    isolates = [s["isolates"] for s in watch.summaries()]
    # One worker at a time, and one that ends while it is looked at.
    require(max(len(each) for each in isolates) <= 3, f"isolates {[len(each) for each in isolates]}")
    newest = max(isolate["number"] for each in isolates for isolate in each)
    require(newest > count / 2, f"{newest} isolates were seen of {count}")
    return f"own_bytes {own[middle]} -> {own[-1]}, {sites} new sites"


def require_remember(summary):
    if not [s for s in rising(summary, "js") if s["function"] == "remember"]:
        raise Failed(f"last summary: {summary['verdict']['message']}")


def out_of_memory(place, node):
    child = place.start([node, "--max-old-space-size=96", os.path.join(PROGRAMS, "fill_heap.js")],
                        place.options(interval="500ms"), stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE)
    errors = child.stderr.read()
    child.stderr.close()
    status = child.wait()
    require(status == -signal.SIGABRT, f"exit status {status}")
    require(b"heap out of memory" in errors, f"stderr {errors[-300:]}")
    summary = read_summaries(place.runs)[0]
    require_remember(summary)
    return summary["verdict"]["message"]


def killed(place, node):
    child = place.start([node, "--max-old-space-size=400", os.path.join(PROGRAMS, "fill_heap.js")],
                        place.options(), stdout=subprocess.DEVNULL)
    watch = place.watch()
    try:
        child.wait(timeout=SECONDS_TO_KILL)
        raise Failed(f"it ended by itself: {child.returncode}")
    except subprocess.TimeoutExpired:
        pass
    require(place.end(child, signal.SIGKILL) == -signal.SIGKILL, "not killed")
    watch.end()
    summary = read_summaries(place.runs)[0]
    require(not summary["final"], "a killed process cannot write a final summary")
    require_remember(summary)
    return summary["verdict"]["message"]
