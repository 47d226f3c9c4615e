"""Event loops: what the summary says against what Node's perf_hooks say of the same loop."""

import json
import os

from harness import PROGRAMS, Failed, read_summaries, require

SECONDS = 5
TIMER_S = 0.010  # of monitorEventLoopDelay, and of the library
# Node's timers have a grain of 1 ms, and round both when they are set and when they are due.
GRAIN_S = 0.002
FIGURES = ("delay_p50_s", "delay_p95_s", "delay_p99_s")
# Node's timer is also late when a busy machine wakes the thread late, which no hook sees. Where the
# thread was ready and waited for a processor for a larger share of the time, nothing can be compared.
STARVED_MOST = 0.01
TRIES = 4


def near(value, truth, grain):
    return abs(value - truth) <= 0.1 * abs(truth) + grain


def measure(place, node, kind):
    """What Node says, and the loops of the summary of the same seconds."""
    known = {summary["process"]["pid"] for summary in read_summaries(place.runs)}
    done = place.run([node, os.path.join(PROGRAMS, "loop_delay.js"), kind, str(SECONDS)],
                     place.options(interval=f"{SECONDS}s"))
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    (summary,) = [summary for summary in read_summaries(place.runs)
                  if summary["process"]["pid"] not in known
                  and summary["process"]["program"] == "node"]
    loops = summary["event_loops"]
    require(loops and loops[0]["thread_id"] == summary["process"]["pid"],
            f"the first loop is not the main thread's: {loops}")
    return json.loads(done.stdout), loops


def disagreement(node, ours):
    for figure in FIGURES:
        if not near(ours[figure], node[figure], GRAIN_S):
            return f"{figure} is {ours[figure]}, Node says {node[figure]:.6f}"
    # The longest turn is at least as long as what the timer saw of it, and at most a period longer.
    lowest, highest = node["delay_max_s"], node["delay_max_s"] + TIMER_S
    if not 0.9 * lowest - GRAIN_S <= ours["delay_max_s"] <= 1.1 * highest + GRAIN_S:
        return f"delay_max_s is {ours['delay_max_s']}, Node says {lowest:.6f} to {highest:.6f}"
    if not near(ours["utilization"], node["utilization"], 0.01):
        return f"utilization is {ours['utilization']}, Node says {node['utilization']:.4f}"
    return None


def agrees(place, node, kind):
    reasons = []
    starved = True
    for _ in range(TRIES):
        truth, loops = measure(place, node, kind)
        reason = disagreement(truth, loops[0])
        if reason is None:
            return (f"p99 {loops[0]['delay_p99_s'] * 1e3:.1f} ms, Node {truth['delay_p99_s'] * 1e3:.1f} ms;"
                    f" busy {loops[0]['utilization']:.3f}, Node {truth['utilization']:.3f};"
                    f" try {len(reasons) + 1}"), loops
        reasons.append(f"{reason} (starved {truth['starved']:.3f})")
        starved = starved and truth["starved"] > STARVED_MOST
    if starved:
        return f"skip: the machine is too busy: {reasons[-1]}", []
    raise Failed("; ".join(reasons))


def with_a_worker(place, node):
    detail, loops = agrees(place, node, "server")
    # It opens a connection for each request: idle most of the time, but not all of it.
    if detail.startswith("skip: "):
        return detail
    workers = [loop for loop in loops[1:] if 0.001 < loop["utilization"] < 0.5]
    require(workers, f"the worker's loop is not there: {loops}")
    return detail


CHECKS = [
    ("a calm loop's delays are those of perf_hooks", lambda place, node: agrees(place, node, "calm")[0]),
    ("a busy loop's delays are those of perf_hooks", lambda place, node: agrees(place, node, "heavy")[0]),
    ("a loop without pause: delays are those of perf_hooks",
     lambda place, node: agrees(place, node, "saturated")[0]),
    ("a blocking server's delays are those of perf_hooks", with_a_worker),
    ("spawnSync blocks the loop, as perf_hooks say",
     lambda place, node: agrees(place, node, "nested")[0]),
]
