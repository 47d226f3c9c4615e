#!/usr/bin/env python3
"""Programs whose truth is known, under the library, and what it said of them:

    python3 tests/verdict/run.py --build build/dev [--node 22] [--only REGEX] [--long]

Every summary counts, not the last one alone: a leak has to be named by its own site and by no other,
and a control must at no time after its start be said to rise (truth.py). Prints a line a case, then
precision and recall by kind of resource; exit status 1 if one of them is under 0.95.

A verdict rests on chance, by design rarely. A case that goes wrong is run twice more, and what two of
three runs say counts; the table says so, and the figures of the first runs are printed as well."""

import argparse
import collections
import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "node"))

import software
import truth
from harness import Failed, Place, require
from versions import fetch_node

AT_LEAST = 0.95
# They sleep for most of the time; Node needs a good second of a processor to start.
AT_ONCE = {"native": 16, "node": 5, "software": 6}


class Outcome:
    """What the summaries of one run said: the right site after how many intervals, and which others."""

    def __init__(self):
        self.named_after = None
        self.alarms = {}       # (resource, function) -> the first entry that said so
        self.problem = None    # the program did not do what it should

    def is_right(self, case):
        return not self.problem and not self.alarms and (self.named_after is not None) == case.leaks


def read_history(directory):
    """What every summary said, in order, of the ten sites that a history lists."""
    entries = []
    for path in glob.glob(os.path.join(directory, "*", "history*.jsonl")):
        with open(path, encoding="utf-8") as file:
            entries += [json.loads(line) for line in file]
    return sorted(entries, key=lambda entry: entry["uptime_s"])


def entries_of(watch):
    """The same from the summaries themselves, which list more."""
    watch.end()
    return [{"uptime_s": summary["process"]["uptime_s"], "sites": summary["sites"]}
            for summary in watch.summaries()]


def judge(case, began, entries):
    """Times of the case are from when its program said that it had begun."""
    outcome = Outcome()
    if not entries:
        outcome.problem = "no history was written"
    for entry in entries:
        now = entry["uptime_s"] - began
        for site in entry["sites"]:
            if site["verdict"] != "rising":
                continue
            name = (site["resource"], site["function"])
            if case.leaks and name[0] == case.kind and name[1] in case.functions:
                if outcome.named_after is None and now > case.starts:
                    outcome.named_after = (now - case.starts) / case.interval_s
            elif not case.may_rise(*name) and now > case.quiet_after:
                outcome.alarms.setdefault(name, {**site, "at_s": now})
    return outcome


class Corpus:
    def __init__(self, arguments):
        self.build = os.path.abspath(arguments.build)
        self.library = os.path.abspath(arguments.library or os.path.join(self.build, "libleakshim.so"))
        self.keep = arguments.keep
        self.node = None

    def command(self, case):
        if case.family == "node":
            return [self.node, *case.arguments, os.path.join(HERE, "programs", case.program), case.case]
        if case.program.endswith(".py"):
            return [sys.executable, os.path.join(HERE, "programs", case.program), case.case]
        return [os.path.join(self.build, "tests", "verdict", f"verdict_{case.program}"), case.case]

    def run(self, case, mode):
        """One run of one case."""
        place = Place(self.library, f"verdict-{case.program}-{case.case}-{mode}")
        right = False
        try:
            options = place.options(mode=mode, interval=f"{int(case.interval_s * 1000)}ms",
                                    sample=case.sample, js_sample="32K", top=100)
            if case.is_software:
                began = software.run(place, case.case, options, case.seconds, self.node)
                outcome = judge(case, began, read_history(place.runs))
                right = outcome.is_right(case)
                return outcome
            with open(os.path.join(place.path, "stderr"), "wb") as errors:
                started = time.monotonic()
                child = place.start(self.command(case), options, stdout=subprocess.PIPE, stderr=errors)
                # Where so much rises that a history does not list it all.
                watch = place.watch() if case.also == truth.ANYTHING else None
                child.stdout.readline()
                began = time.monotonic() - started
                time.sleep(case.seconds)
                ended = child.poll() is not None
                place.end(child)
            outcome = judge(case, began, entries_of(watch) if watch else read_history(place.runs))
            if ended:
                outcome.problem = f"it ended by itself: {self.last_words(place)}"
            right = outcome.is_right(case)
            return outcome
        except Failed as failure:
            outcome = Outcome()
            outcome.problem = str(failure)
            return outcome
        finally:
            place.close(keep=self.keep and not right)

    @staticmethod
    def last_words(place):
        with open(os.path.join(place.path, "stderr"), "rb") as file:
            return file.read()[-300:].decode(errors="replace")


class Result:
    """A case in a mode, with one run or three."""

    def __init__(self, case, mode):
        self.case, self.mode, self.runs = case, mode, []

    def named(self, runs=None):
        return 2 * sum(run.named_after is not None for run in runs or self.runs) > \
            len(runs or self.runs)

    def alarms(self, runs=None):
        runs = runs or self.runs
        counts = collections.Counter(name for run in runs for name in run.alarms)
        return [name for name, count in counts.items() if 2 * count > len(runs)]

    def line(self):
        first = self.runs[0]
        if self.case.leaks:
            said = f"named after {first.named_after:.0f}" if first.named_after is not None else "MISSED"
        elif first.problem:
            said = "BROKEN"
        else:
            said = "quiet" if not first.alarms else "ALARM"
        wrong = "; ".join(f"{resource} {function} rising at {site['at_s']:.1f} s, "
                          f"{site['growth_bytes_per_s'] / 1e3:.0f} kB/s"
                          for (resource, function), site in first.alarms.items())
        wrong = first.problem or wrong
        again = ""
        if len(self.runs) > 1:
            right = sum(run.is_right(self.case) for run in self.runs)
            again = f"[right in {right} of {len(self.runs)} runs]"
        if self.case.known_wrong:
            again += f" (known: {self.case.known_wrong})"
        expected = "leak" if self.case.leaks else "healthy"
        return (f"{self.case.program:<15}{self.case.case:<18}{self.mode:<9}{self.case.kind:<8}"
                f"{expected:<9}{said:<15} {wrong} {again}").rstrip()


def figures(results, only_first):
    """By kind of resource: leaks, those named, and sites that were named wrongly."""
    table = collections.defaultdict(lambda: {"leaks": 0, "named": 0, "wrong": 0, "controls": 0})
    for result in results:
        runs = result.runs[:1] if only_first else result.runs
        row = table[result.case.kind]
        row["leaks" if result.case.leaks else "controls"] += 1
        row["named"] += result.case.leaks and result.named(runs)
        for resource, _ in result.alarms(runs):
            table[resource]["wrong"] += 1
    return table


def print_figures(results):
    """Prints both tables; whether every figure that counts is high enough."""
    enough = True
    known = [result for result in results if result.case.known_wrong]
    results = [result for result in results if not result.case.known_wrong]
    wrong = sum(not result.runs[0].is_right(result.case) for result in known)
    print(f"\n{len(known)} cases are known to go wrong and did in {wrong}; without them")
    for only_first in (True, False):
        print("the first run of each case:" if only_first else "\ntwo of three where one was wrong:")
        print(f"{'kind':<8}{'leaks':>7}{'named':>7}{'controls':>10}{'wrong':>7}{'recall':>9}{'precision':>11}")
        for kind, row in sorted(figures(results, only_first).items()):
            recall = row["named"] / row["leaks"] if row["leaks"] else 1
            said = row["named"] + row["wrong"]
            precision = row["named"] / said if said else 1
            print(f"{kind:<8}{row['leaks']:>7}{row['named']:>7}{row['controls']:>10}{row['wrong']:>7}"
                  f"{recall:>9.2f}{precision:>11.2f}")
            if not only_first:
                enough = enough and min(recall, precision) >= AT_LEAST
    return enough


def print_times(results):
    times = sorted(result.runs[0].named_after for result in results
                   if result.runs[0].named_after is not None)
    if times:
        print(f"\nintervals to the leak's name: half of them within {times[len(times) // 2]:.0f}, "
              f"nine of ten within {times[len(times) * 9 // 10]:.0f}, all within {times[-1]:.0f}")


def run_all(corpus, chosen):
    results = [Result(case, mode) for case, mode in chosen]
    lock = threading.Lock()

    def run(result):
        result.runs.append(corpus.run(result.case, result.mode))
        if result.runs[0].is_right(result.case):
            with lock:
                print(result.line(), flush=True)

    def again(result):
        result.runs.append(corpus.run(result.case, result.mode))

    side_by_side(run, results)
    wrong = [result for result in results if not result.runs[0].is_right(result.case)]
    side_by_side(again, [result for result in wrong if not result.case.known_wrong] * 2)
    for result in wrong:
        print(result.line(), flush=True)
    return results


def side_by_side(work, results):
    """Of each family as many at once as the machine can do with."""
    pools = {family: concurrent.futures.ThreadPoolExecutor(count)
             for family, count in AT_ONCE.items()}
    done = [pools[result.case.family].submit(work, result) for result in results]
    for future in done:
        future.result()
    for pool in pools.values():
        pool.shutdown()


def choose(arguments):
    for case in truth.CASES:
        for mode in case.modes:
            name = f"{case.program} {case.case} {mode}"
            if re.search(arguments.only, name) and (arguments.long or case.short or arguments.only):
                yield (case.for_long() if arguments.long else case), mode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--build", required=True, help="build directory of the project")
    parser.add_argument("--library", help="libleakshim.so (the build's)")
    parser.add_argument("--node", default="22", help="the Node that the .js programs run on")
    parser.add_argument("--only", default="", help="cases whose line matches this regex")
    parser.add_argument("--long", action="store_true", help="all cases")
    parser.add_argument("--keep", action="store_true", help="keep the files of runs that are wrong")
    arguments = parser.parse_args()
    chosen = list(choose(arguments))
    try:
        corpus = Corpus(arguments)
        if any(case.family != "native" for case, _ in chosen):
            corpus.node, problem = fetch_node(arguments.node)
            require(corpus.node, problem)
        results = run_all(corpus, chosen)
    except Failed as failure:
        print(f"not ok - {failure}")
        return 1
    print_times(results)
    enough = print_figures(results)
    broken = [result for result in results if any(run.problem for run in result.runs)]
    enough = enough and not broken
    print(f"{'ok' if enough else 'not ok'} - {len(results)} cases, every figure at least {AT_LEAST}"
          f"{', none broken' if not broken else f', {len(broken)} BROKEN'}")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
