"""What the summaries must say of threads."""

import harness
from contents import expect, functions_of, rising, summary_of


def run(bench, cwd, how, options):
    environment = bench.environment(cwd, f"track=thread,top=1000,{options}")
    outcome = harness.run([bench.victim("threads_kept"), how], cwd, environment, 60)
    expect(outcome.code == 0 and outcome.stdout == b"done\n",
           f"{outcome.end()}\n{harness.shorten(outcome.stdout)}")
    return summary_of(cwd, outcome.pid)


def sites_of(summary, function):
    return [site for site in summary["sites"]
            if site["resource"] == "thread" and function in functions_of(site)]


# Of five each: made, live, and what has become of the live ones.
STATES = {
    "make_joined": (5, 0, {}),
    "make_tried": (5, 0, {}),
    "make_timed": (5, 5, {"running": 5, "detached": 5}),
    "make_unjoined": (5, 5, {"finished": 5}),
    "make_detached": (10, 0, {}),
    "make_cancelled": (5, 5, {"finished": 5, "cancelled": 5}),
    "make_waiting": (5, 5, {"running": 5}),
    "make_standard": (15, 5, {"finished": 5}),
    "make_refused": (5, 0, {}),
}
KINDS = ("running", "finished", "detached", "cancelled")


def states(bench, cwd):
    summary = run(bench, cwd, "states", "mode=exact,interval=200ms")
    wrong = []
    for function, (made, live, kinds) in STATES.items():
        sites = sites_of(summary, function)
        told = (sum(site["acquired_count"] for site in sites),
                sum(site["live_count"] for site in sites),
                {kind: value for kind in KINDS
                 if (value := sum(site["threads"][kind] for site in sites)) != 0})
        if told != (made, live, kinds):
            wrong.append(f"{function}: {told}, not {(made, live, kinds)}")
    expect(not wrong, "\n".join(wrong))
    (waiting,) = sites_of(summary, "make_waiting")
    expect(waiting["threads"]["names"] == [{"name": "waits", "count": 5}],
           f"names are {waiting['threads']['names']}")
    expect(waiting["threads"]["stack_bytes"] >= 5 << 16,
           f"stacks of {waiting['threads']['stack_bytes']} bytes")


def race(bench, cwd):
    summary = run(bench, cwd, "race", "mode=exact,interval=100ms")
    made = sum(site["acquired_count"] for site in sites_of(summary, "run_race") +
               sites_of(summary, "race"))
    live = [(site["function"], site["live_count"]) for site in summary["sites"]
            if site["resource"] == "thread" and site["live_count"] != 0]
    expect(made == 4 * 300 + 4, f"{made} threads were made")
    expect(not live, f"{live} are said to be live")


def growing_pool(bench, cwd):
    summary = run(bench, cwd, "grows", "interval=500ms")
    expect([site for site in rising(summary) if "pool_grow" in functions_of(site)],
           "the pool does not rise: " +
           str([(site["function"], site["verdict"]) for site in summary["sites"]]))


def filled_pool(bench, cwd):
    summary = run(bench, cwd, "fills", "interval=500ms")
    expect(not rising(summary),
           f"{[site['function'] for site in rising(summary)]} are said to rise")
    expect(sum(site["live_count"] for site in sites_of(summary, "pool_grow")) == 24,
           "the pool has not 24 threads")


CONTENTS = {
    "what becomes of threads is told of each": states,
    "threads made, joined and detached at once are all accounted": race,
    "a pool of threads that grows for ever rises": growing_pool,
    "a pool of threads that filled does not": filled_pool,
}
