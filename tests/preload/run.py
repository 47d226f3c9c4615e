#!/usr/bin/env python3
"""
Proves that libleakshim.so does no harm: every victim must print the same, end the same and fail the
same with and without it. Then looks into the summaries of those victims that know the truth.

Needs Python 3.11 and nothing else; gdb, when installed, shows where a run hangs. Cases that need
root, another allocator or a tool that is missing are skipped, and the reason is told.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import resource
import shutil
import sys
import tempfile
import threading
import time
import traceback

import balance
import cases
import contents
import descriptors
import harness
import loops
import mappings
import threads


class Bench:
    """Where everything is, and the world each run starts in."""

    def __init__(self, victims, shim, scratch):
        self.victims, self.shim, self.scratch = victims, shim, scratch
        self.counter, self.lock, self.baselines = 0, threading.Lock(), {}

    def victim(self, name):
        return str(self.victims / f"victim_{name}")

    def need_linked(self):
        if not os.path.exists(self.victim("linked")):
            raise contents.Skip("built without the library")

    def directory(self):
        """A new empty working directory, with a place for temporary files beside it."""
        with self.lock:
            self.counter += 1
            parent = self.scratch / str(self.counter)
        (parent / "work").mkdir(parents=True)
        (parent / "tmp").mkdir()
        return parent / "work"

    def companion(self, name):
        if name in ("early", "wrapper"):
            return str(self.victims / f"victim_preload_{name}.so")
        return harness.system_library({"jemalloc": harness.JEMALLOC,
                                       "tcmalloc": harness.TCMALLOC}[name])

    def environment(self, cwd, options=None, preload=None):
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/",
                       "LANG": "C.UTF-8", "TMPDIR": str(pathlib.Path(cwd).parent / "tmp")}
        preload = str(self.shim) if preload is None else preload
        if preload:
            environment["LD_PRELOAD"] = preload
        if options:
            environment["LEAKSHIM_OPTIONS"] = options
        return environment

    def run_case(self, case, set_name, shim):
        """One run of a case, with the shim or without it; its outcome and working directory."""
        options, variables = cases.SETS[set_name]
        options = ",".join(part for part in (options, case.options) if part)
        libraries = [str(self.shim)] if shim else []
        if case.companion:
            path = self.companion(case.companion)
            libraries = [path] + libraries if case.companion_first else libraries + [path]
        cwd = self.directory()
        environment = self.environment(cwd, options if shim else None, ":".join(libraries))
        environment.update({**variables, **case.variables})
        command = [self.victim(case.victim), *case.arguments]
        if case.wrap is not None:
            environment["PRELOAD"] = environment.pop("LD_PRELOAD", "")
            command = ["unshare", "-m", "sh", "-c", case.wrap, "sh", *command]
        return harness.run(command, cwd, environment, case.limit), cwd

    def baseline(self, case):
        """What the victim does without the shim; once for each case, whatever the option set."""
        key = (case.victim, case.arguments, case.companion, case.wrap)
        with self.lock:
            future = self.baselines.get(key)
            if future is None:
                future = self.baselines[key] = concurrent.futures.Future()
                mine = True
            else:
                mine = False
        if mine:
            try:
                outcome, cwd = self.run_case(case, "sampled", shim=False)
                shutil.rmtree(cwd.parent, ignore_errors=True)
                future.set_result(outcome)
            except OSError as error:
                future.set_exception(error)
        return future.result()


# Of the default interval; a run on a busy machine may last longer.
FIRST_INTERVAL_S = 5


def complaints_about_output(case, set_name, cwd, seconds):
    """What is wrong with what the shim wrote, or with that it wrote anything."""
    mode = cases.SETS[set_name][0] or ""
    runs = harness.run_directories(cwd.parent)
    found = [text for directory in runs for text in harness.complaints_about(directory)]
    if "mode=exact" in mode:
        if case.leaves_run and not runs:
            found.append("exact mode left no run")
    elif runs or (cwd / "leakshim-out").exists():
        if "mode=off" in mode:
            found.append("mode=off left something behind")
        elif "interval=100ms" not in mode and seconds < FIRST_INTERVAL_S:
            found.append("a process that ends before its first interval left something behind")
    return found


def judge_harm(bench, case, set_name, keep, expect_output=True):
    """("ok" | "not ok" | "skip", why)"""
    reason = cases.missing_right(case)
    if reason is None and case.companion and bench.companion(case.companion) is None:
        reason = f"{case.companion} is not installed"
    if reason is not None:
        return "skip", reason
    without = bench.baseline(case)
    if case.wrap is not None and any(word in without.stderr for word in (b"mount:", b"unshare:")):
        return "skip", "mounting is not permitted: " + harness.shorten(without.stderr).strip()
    if without.stacks is not None or without.code != case.ends:
        return "not ok", (f"the victim is wrong even without the shim: {without.end()}\n"
                          f"{harness.shorten(without.stdout + without.stderr)}")
    with_shim, cwd = bench.run_case(case, set_name, shim=True)
    found = harness.differences(without, with_shim)
    allowed = case.may_say or set_name == "bad options"
    if with_shim.said and not allowed:
        found.append("the shim said: " + " | ".join(with_shim.said))
    if expect_output and case.says_lines not in (None, len(with_shim.said)):
        found.append(f"the shim said {len(with_shim.said)} lines, not {case.says_lines}: " +
                     " | ".join(with_shim.said))
    if expect_output:
        found += complaints_about_output(case, set_name, cwd, with_shim.seconds)
    strays = harness.take_strays(with_shim.pid)
    if strays:
        found.append(f"wrote to /tmp, which neither dir nor TMPDIR names: {strays}")
    if not (found and keep):
        shutil.rmtree(cwd.parent, ignore_errors=True)
    else:
        found.append(f"kept in {cwd.parent}")
    return ("not ok" if found else "ok"), "\n".join(found)


def judge_contents(bench, check, keep):
    cwd = bench.directory()
    failed = True
    try:
        check(bench, cwd)
        failed = False
        return "ok", ""
    except contents.Skip as reason:
        failed = False
        return "skip", str(reason)
    except contents.Failure as failure:
        return "not ok", str(failure) + (f"\nkept in {cwd.parent}" if keep else "")
    finally:
        if not (failed and keep):
            shutil.rmtree(cwd.parent, ignore_errors=True)


class Tally:
    """Prints a line for each result, and counts."""

    def __init__(self):
        self.counts = {"ok": 0, "not ok": 0, "skip": 0}

    def add(self, name, result, why, seconds):
        self.counts[result] += 1
        tail = f" # skipped: {why}" if result == "skip" else ""
        print(f"{'ok' if result == 'skip' else result} - {name} ({seconds:.1f} s){tail}")
        if result == "not ok":
            print("\n".join("    " + line for line in why.splitlines()))
        sys.stdout.flush()

    def end(self):
        print(f"{self.counts['ok']} passed, {self.counts['not ok']} failed, "
              f"{self.counts['skip']} skipped")
        return 1 if self.counts["not ok"] or not self.counts["ok"] else 0


def run_jobs(jobs, workers):
    """Jobs are (name, function without arguments); results are told in the order they come."""
    tally = Tally()

    def timed(function):
        start = time.monotonic()
        try:
            result, why = function()
        except Exception:  # a test that breaks has failed; the others go on
            result, why = "not ok", traceback.format_exc()
        return result, why, time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(timed, function): name for name, function in jobs}
        for future in concurrent.futures.as_completed(futures):
            tally.add(futures[future], *future.result())
    return tally.end()


def all_jobs(bench, arguments):
    jobs = []
    for case in cases.HARM:
        for set_name in case.sets:
            if arguments.set and set_name not in arguments.set:
                continue
            jobs.append((f"{case.name()}: {set_name}",
                         lambda c=case, s=set_name: judge_harm(bench, c, s, arguments.keep)))
    if not arguments.set:
        for name, check in {**contents.CONTENTS, **descriptors.CONTENTS,
                            **loops.CONTENTS, **mappings.CONTENTS, **threads.CONTENTS,
                            **balance.CONTENTS}.items():
            jobs.append((name, lambda c=check: judge_contents(bench, c, arguments.keep)))
    return [job for job in jobs if re.search(arguments.only, job[0])]


# stand-in: (case, whether it must be found harmful)
STANDINS = (
    ("quiet", cases.Case("errno"), False),
    ("quiet", cases.Case("fork"), False),
    ("quiet", cases.Case("dies", ("abort",), -6), False),
    ("quiet", cases.Case("descriptors", ("closed", "012"), 13), False),
    ("breaks_errno", cases.Case("errno"), True),
    ("prints", cases.Case("dies", ("exit",), 7), True),
    ("changes_exit", cases.Case("sizes"), True),
    ("takes_descriptor", cases.Case("descriptors", ("closed", "012"), 13), True),
    ("takes_descriptor", cases.Case("environment"), True),
    ("hangs_in_child", cases.Case("fork", limit=2.0), True),
    ("quiet", cases.Case("dies", ("exit",), 8), True),  # a victim that ends in another way
)


def runner_jobs(victims, scratch):
    """The runner must find the harm that each broken stand-in does, and none in the quiet one."""
    def judge(standin, case, harmful, number):
        bench = Bench(victims, victims / f"standin_{standin}.so", scratch / str(number))
        result, why = judge_harm(bench, case, "sampled", False, expect_output=False)
        if (result == "not ok") == harmful:
            return "ok", ""
        return "not ok", why or "the harm was not found"

    return [(f"{standin} with {case.name()} is {'harm' if harmful else 'no harm'}",
             lambda s=standin, c=case, h=harmful, n=number: judge(s, c, h, n))
            for number, (standin, case, harmful) in enumerate(STANDINS)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, help="build directory of the project")
    parser.add_argument("--shim", type=pathlib.Path, help="the library (BUILD/libleakshim.so)")
    parser.add_argument("--victims", type=pathlib.Path, help="BUILD/tests/preload")
    parser.add_argument("--only", default="", help="run the tests whose name matches this regex")
    parser.add_argument("--set", action="append", help="only this option set (may be repeated)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep the files of failed tests")
    parser.add_argument("--check-runner", action="store_true",
                        help="test the runner itself, with stand-ins for the shim")
    arguments = parser.parse_args()
    if arguments.build is None and arguments.victims is None:
        parser.error("one of --build and --victims is needed")
    victims = (arguments.victims or arguments.build / "tests/preload").resolve()
    shim = (arguments.shim or (arguments.build or victims) / "libleakshim.so").resolve()
    if not (victims / "victim_plain").exists():
        parser.error(f"no victims in {victims}")
    if not arguments.check_runner and not shim.exists():
        parser.error(f"no library at {shim}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # victims die on purpose
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="leakshim-preload-"))
    try:
        if arguments.check_runner:
            return run_jobs(runner_jobs(victims, scratch), arguments.jobs)
        return run_jobs(all_jobs(Bench(victims, shim, scratch), arguments), arguments.jobs)
    finally:
        if not arguments.keep:
            shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
