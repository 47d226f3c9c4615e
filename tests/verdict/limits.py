#!/usr/bin/env python3
"""Programs that leak until a limit stops them, and when the library said that would be:

    python3 tests/verdict/limits.py --build build/dev [--node 22] [--only REGEX] [--long]

A control group's limit, RLIMIT_AS and V8's limit on its heap are really reached: the kernel kills the
program, malloc returns NULL, or V8 gives up. The time that was left then is known, and each summary's
seconds_to_limit is held against it. Half-way to the limit the forecast must be within 20 %, and in
every summary from then on the rising sites must explain their part of the growth. The forecasts at
25, 50 and 75 % are printed, and whether the time that was left lay in their interval. They leak by the
clock, not by the processor, so that a busy machine changes no truth. --long runs the cases four times as slowly, and more of them."""

import argparse
import concurrent.futures
import dataclasses
import datetime
import os
import re
import resource
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "node"))

import groups
from harness import Failed, Place, require
from versions import fetch_node

MEGABYTE = 1e6
ERROR_AT_MOST = 0.2
SHARE_AT_LEAST = 0.8
SHARE_AT_LEAST_V8 = 0.5        # V8 takes room for garbage with each object that is kept
PARTS = (0.25, 0.5, 0.75)
PATIENCE = 180
AT_ONCE = 4


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    limit: str                 # cgroup, rlimit or v8
    program: str
    step: str
    limit_bytes: int
    rate: float                # bytes a second
    sample: str = "64K"
    share: float = SHARE_AT_LEAST  # of the resident growth that is explained; 0: it is not resident
    short: bool = True         # part of the run that CI makes


CASES = [
    Case("records, RLIMIT_AS", "rlimit", "limits.c", "records", 256 << 20, 8 * MEGABYTE),
    Case("untouched buffers, RLIMIT_AS", "rlimit", "limits.c", "buffers", 256 << 20, 8 * MEGABYTE,
         sample="512K", share=0),
    Case("records, control group", "cgroup", "limits.c", "records", 192 << 20, 6 * MEGABYTE),
    Case("Buffers of Node, control group", "cgroup", "limits.js", "bodies", 256 << 20, 6 * MEGABYTE),
    Case("rows, V8's limit", "v8", "limits.js", "rows", 96 << 20, 3 * MEGABYTE,
         share=SHARE_AT_LEAST_V8),
    Case("rows and garbage, V8's limit", "v8", "limits.js", "busy", 96 << 20, 3 * MEGABYTE,
         share=SHARE_AT_LEAST_V8),
    Case("records of a thread, RLIMIT_AS", "rlimit", "limits.c", "thread", 1 << 30, 32 * MEGABYTE,
         short=False),
    Case("rows, control group", "cgroup", "limits.js", "rows", 192 << 20, 3 * MEGABYTE,
         short=False),
]


def prepare(case, group):
    """In the child, before it becomes the program."""
    if case.limit == "rlimit":
        return lambda: resource.setrlimit(resource.RLIMIT_AS, (case.limit_bytes, case.limit_bytes))
    if case.limit == "cgroup":
        return group.enter
    return None


def command_of(case, build, node, rate):
    if case.program.endswith(".c"):
        return [os.path.join(build, "tests", "verdict", "verdict_limits"), case.step, str(rate)]
    arguments = [f"--max-old-space-size={case.limit_bytes >> 20}"] if case.limit == "v8" else []
    return [node, *arguments, os.path.join(HERE, "programs", case.program), case.step, str(rate)]


def require_end(case, child, said, errors):
    """It was the limit that stopped it."""
    status = child.returncode
    if case.limit == "rlimit":
        require(status == 0 and said == b"limit\n", f"exit status {status}, it said {said!r}")
    elif case.limit == "cgroup":
        require(status == -signal.SIGKILL, f"exit status {status}, expected a kill: {errors[-300:]}")
    else:
        require(b"heap out of memory" in errors, f"exit status {status}: {errors[-300:]}")


def run(case, place, group, build, node, slower):
    """The summaries, and when the leak began and was stopped, in seconds since 1970."""
    options = place.options(interval=f"{int(500 * slower)}ms", sample=case.sample, js_sample="32K")
    with open(os.path.join(place.path, "stderr"), "w+b") as errors:
        child = place.start(command_of(case, build, node, case.rate / slower), options,
                            stdout=-1, stderr=errors, preexec_fn=prepare(case, group))
        watch = place.watch()
        too_long = threading.Timer(PATIENCE * slower, child.terminate)
        too_long.start()
        require(child.stdout.readline() == b"begun\n", "it did not begin")
        began = time.time()
        said = child.stdout.read()
        ended = time.time()
        child.wait()
        too_long.cancel()
        errors.seek(0)
        require_end(case, child, said, errors.read())
    watch.end()
    summaries = watch.summaries()
    require(len(summaries) > 8, f"only {len(summaries)} summaries")
    return summaries, began, ended


@dataclasses.dataclass(frozen=True)
class Forecast:
    part: float
    left: float                # seconds, in truth
    summary: dict

    @property
    def said(self):
        return self.summary["memory"]["seconds_to_limit"]

    @property
    def error(self):
        return None if self.said is None else (self.said - self.left) / self.left

    @property
    def interval(self):
        memory = self.summary["memory"]
        return memory["seconds_to_limit_low"], memory["seconds_to_limit_high"]

    @property
    def is_inside(self):
        low, high = self.interval
        return low is not None and low <= self.left and (high is None or self.left <= high)

    def text(self):
        if self.error is None:
            return f"{self.part:4.0%}: left {self.left:5.1f} s, said nothing"
        low, high = self.interval
        return (f"{self.part:4.0%}: left {self.left:5.1f} s, said {self.said:5.1f} ({low:.1f} to "
                f"{'any' if high is None else f'{high:.1f}'}), {self.error:+4.0%} "
                f"{'inside' if self.is_inside else 'OUTSIDE'}")


def written_at(summary):
    return datetime.datetime.fromisoformat(summary["written_at"].replace("Z", "+00:00")).timestamp()


def forecast(summaries, began, ended, part):
    """Of the summary nearest to that part of the way."""
    wanted = began + part * (ended - began)
    nearest = min((s for s in summaries if not s["final"]), key=lambda s: abs(written_at(s) - wanted))
    return Forecast(part, ended - written_at(nearest), nearest)


def least_share(summaries, began, ended):
    """Of the growth that is explained, in any summary from half-way on."""
    return min(s["verdict"]["explained_growth_share"] for s in summaries
               if not s["final"] and written_at(s) >= (began + ended) / 2)


def check(case, forecasts, share):
    """What is wrong with them, or None."""
    half_way = next(f for f in forecasts if f.part == 0.5)
    source = half_way.summary["process"]["limit_source"]
    if half_way.error is None or abs(half_way.error) > ERROR_AT_MOST:
        return f"the forecast half-way is not within {ERROR_AT_MOST:.0%}"
    if source != case.limit:
        return f"the limit is taken to be of {source}"
    if share < case.share:
        return f"{share:.0%} of the growth is explained"
    return None


def run_and_tell(case, arguments, node):
    """Whether it is right, the forecasts, and lines to print. What is not right is kept."""
    slower = 4 if arguments.long else 1
    place = Place(arguments.library, f"limits-{case.limit}-{case.step}")
    group = groups.Group(case.limit_bytes) if case.limit == "cgroup" else None
    wrong = "not run"
    try:
        summaries, began, ended = run(case, place, group, arguments.build, node, slower)
        forecasts = [forecast(summaries, began, ended, part) for part in PARTS]
        share = least_share(summaries, began, ended)
        wrong = check(case, forecasts, share)
    except Failed as failure:
        return False, [], [f"not ok - {case.name}: {failure}; kept in {place.path}"]
    finally:
        place.close(keep=wrong is not None)
        if group:
            group.remove()
    lines = [f"{'not ok' if wrong else 'ok'} - {case.name}: reached after {ended - began:.0f} s, "
             f"{share:.0%} of the growth explained"
             f"{f': {wrong}; kept in {place.path}' if wrong else ''}"]
    return not wrong, forecasts, lines + [f"       {one.text()}" for one in forecasts]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", required=True, help="build directory of the project")
    parser.add_argument("--library", help="libleakshim.so (the build's)")
    parser.add_argument("--node", default="22", help="the Node that the .js programs run on")
    parser.add_argument("--only", default="", help="cases whose name matches this regex")
    parser.add_argument("--long", action="store_true", help="all cases, and each for longer")
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    arguments.library = os.path.abspath(arguments.library or
                                        os.path.join(arguments.build, "libleakshim.so"))
    cases = [case for case in CASES if re.search(arguments.only, case.name)
             and (case.short or arguments.long or arguments.only)]
    why_no_groups = groups.problem()
    if why_no_groups:
        for case in [case for case in cases if case.limit == "cgroup"]:
            print(f"skipped - {case.name}: {why_no_groups}")
            cases.remove(case)
    node, why_no_node = fetch_node(arguments.node)
    if node is None:
        print(f"not ok - {why_no_node}")
        return 1
    forecasts, right = [], 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for is_right, told, lines in pool.map(lambda case: run_and_tell(case, arguments, node), cases):
            print("\n".join(lines), flush=True)
            right += is_right
            forecasts += told
    inside = sum(one.is_inside for one in forecasts)
    print(f"{inside} of {len(forecasts)} times left were in the interval; {right} of {len(cases)} right")
    return 0 if right == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
