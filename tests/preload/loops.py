"""What the summaries say of event loops, against a program that times its own."""

import json

import harness
from contents import expect

# How far a figure may be off: a share of the truth, and a part that does not depend on it. A thread
# that loses its processor between the program's clock and the library's makes a long turn for one.
TOLERANCES = {"delay_p50_s": (0.04, 0.0005), "delay_p95_s": (0.04, 0.0005),
              "delay_p99_s": (0.04, 0.002), "delay_max_s": (0.1, 0.005), "utilization": (0, 0.02)}
RUN_MS = 4000


def loops_are_timed(bench, cwd):
    """Percentiles, the longest turn and utilisation are the program's own; a loop that sleeps is idle,
    and one that never comes back is busy."""
    # The one summary, at the end, is of the whole run.
    outcome = harness.run([bench.victim("epoll_loop"), str(RUN_MS)], cwd,
                          bench.environment(cwd, "mode=exact,interval=60s"), 30)
    expect(outcome.code == 0, f"{outcome.end()}\n{harness.shorten(outcome.stdout)}")
    truth = json.loads(outcome.stdout)
    (directory,) = harness.run_directories(cwd)
    summary = harness.read_summary(directory)
    loops = summary["event_loops"]
    expect(len(loops) == 3, f"there are three loops, the summary has {loops}")
    main = loops[0]
    expect(main["thread_id"] == summary["process"]["pid"], f"the first is not the main thread's: {main}")
    for figure, (share, grain) in TOLERANCES.items():
        expect(abs(main[figure] - truth[figure]) <= share * truth[figure] + grain,
               f"{figure} is {main[figure]}, in truth {truth[figure]}: {main}, {truth}")
    named = {loop["thread"]: loop for loop in loops}
    expect(set(named) >= {"sleeper", "blocker"}, f"the threads' names are {sorted(named)}")
    sleeper, blocker = named["sleeper"], named["blocker"]
    expect(sleeper["utilization"] < 0.01 and sleeper["delay_p99_s"] == 0, f"the sleeper: {sleeper}")
    expect(blocker["utilization"] > 0.9 and RUN_MS / 1e3 * 0.9 < blocker["delay_max_s"] < 30,
           f"the blocker: {blocker}")
    text = (directory / "summary.txt").read_text()
    expect("Event loops\n" in text and "blocker" in text and "sleeper" not in text,
           "summary.txt does not list the loops that work")
    # A process that has ended is late with nothing: its last metrics.prom has no loops.
    metrics = (directory / "metrics.prom").read_text()
    expect("\nleakshim_final{" in metrics and "nodejs_eventloop" not in metrics,
           f"the last metrics.prom is {metrics[:600]}")


CONTENTS = {
    "event loops are timed as the program times itself": loops_are_timed,
}
