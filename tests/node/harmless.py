"""The host must not notice: the same output and exit status with and without the library, and the
ways a process can end."""

import json
import os
import shutil

from harness import PROGRAMS, Failed, read_summaries, require

SHOW = """
const show = {
    argv: process.argv.length, execArgv: process.execArgv, environment: Object.keys(process.env),
    memory: Object.keys(process.memoryUsage()), listeners: process.eventNames(),
    features: process.features, active: process.getActiveResourcesInfo(),
    globals: Object.getOwnPropertyNames(globalThis).sort(),
};
console.log(JSON.stringify(show));
console.error('written to stderr');
"""

# Cheap readings, so that the one after the application's profiler stops comes soon.
PROFILED = {"js_sample": "256K"}
PERMISSION_FLAG = {20: "--experimental-permission"}


def program(name):
    return os.path.join(PROGRAMS, name)


def same_with_and_without(place, command, wanted_status=0, settings=None, **how):
    options = place.options(**{"interval": "100ms", "sample": "4K", "js_sample": "16K",
                               **(settings or {})})
    without = place.run(command, options, library=False, **how)
    require(without.returncode == wanted_status,
            f"even without the library: {without.returncode}, {without.stderr[-300:]}")
    with_it = place.run(command, options, **how)
    for name in ("returncode", "stdout", "stderr"):
        a, b = getattr(without, name), getattr(with_it, name)
        require(a == b, f"{name}: {a!r:.300} without, {b!r:.300} with the library")
    return with_it


def states_are_active(place):
    summaries = read_summaries(place.runs)
    for summary in summaries:
        require(summary["health"]["state"] == "active",
                f"{summary['health']['state']}: {summary['health']['notes']}")
    return summaries


def evaluated(place, node, _major):
    same_with_and_without(place, [node, "-e", SHOW, "one", "two"])


def from_standard_input(place, node, _major):
    same_with_and_without(place, [node, "-"], input=SHOW.encode())


def module_entry(place, node, _major):
    same_with_and_without(place, [node, program("entry.mjs")])


def permission_model(place, node, major):
    if major < 20:
        return "skip: Node 20 is the first to have it"
    flag = PERMISSION_FLAG.get(major, "--permission")
    # The warning names the process id.
    same_with_and_without(place, [node, flag, "--no-warnings", "--allow-fs-read=*",
                                  program("permission.js")])
    return None


def many_features(place, node, _major):
    same_with_and_without(place, [node, program("features.js")])


def several_processes(place, node, _major):
    same_with_and_without(place, [node, program("children.js")])
    pids = [summary["process"]["pid"] for summary in states_are_active(place)]
    require(len(pids) == len(set(pids)), f"two runs have one pid: {pids}")
    # The parent, two cluster workers and one forked child live beyond an interval; the rest does not.
    require(len(pids) >= 4, f"{len(pids)} runs, expected the parent's and three children's")


def package_manager(place, node, _major):
    npm = shutil.which("npm")
    if npm is None:
        return "skip: no npm here"
    path = os.path.dirname(node) + os.pathsep + os.environ["PATH"]
    done = same_with_and_without(place, [npm, "--version"], extra={"PATH": path})
    return done.stdout.decode().strip()


def exit_in_the_middle(place, node, _major):
    same_with_and_without(place, [node, "-e", "let left = 3; setInterval(() => {"
                                              "console.log('tick');"
                                              "if (--left === 0) process.exit(7); }, 100)"], 7)
    summaries = states_are_active(place)
    require(len(summaries) == 1 and summaries[0]["final"], "no final summary")


def uncaught_exception(place, node, _major):
    same_with_and_without(place, [node, "-e", "setTimeout(() => { throw new Error('bad') }, 350)"], 1)
    summaries = states_are_active(place)
    require(len(summaries) == 1 and summaries[0]["final"], "no final summary")


def unhandled_rejection(place, node, _major):
    same_with_and_without(place, [node, "-e", "setTimeout(() => Promise.reject(new Error('bad')), 9)"],
                          1)


def ended_by_signal(place, node, _major):
    for name, number in (("SIGTERM", 15), ("SIGKILL", 9), ("SIGABRT", 6), ("SIGSEGV", 11)):
        same_with_and_without(place, [node, "-e", "setTimeout(() => process.kill(process.pid, "
                                                  f"'{name}'), 350)"], -number)
    summaries = read_summaries(place.runs)
    require(len(summaries) == 4, f"{len(summaries)} runs left of 4")


def signals_under_load(place, node, _major):
    """Signals that interrupt the loop's wait leave EINTR in errno while samples are taken."""
    same_with_and_without(place, [node, program("signals.js")], settings={"sample": "1K"}, timeout=30)


def heap_profiler_option(place, node, _major):
    same_with_and_without(place, [node, "--heap-prof", "--heap-prof-dir=profiles",
                                  program("profiled.js"), "plain"])
    names = os.listdir(os.path.join(place.path, "profiles"))
    require(len(names) == 2, f"heap profiles written: {names}")
    for name in names:
        with open(os.path.join(place.path, "profiles", name), encoding="utf-8") as file:
            require("head" in json.load(file), f"{name} is not a profile")
    require_note(place)


def inspector_before_us(place, node, _major):
    same_with_and_without(place, [node, program("profiled.js"), "before"], settings=PROFILED)
    require_note(place)


def inspector_after_us(place, node, _major):
    same_with_and_without(place, [node, program("profiled.js"), "after"], settings=PROFILED)
    require_note(place)


def heap_snapshot(place, node, _major):
    same_with_and_without(place, [node, program("profiled.js"), "snapshot"])
    states_are_active(place)


def require_note(place):
    summaries = read_summaries(place.runs)
    require(len(summaries) == 1, f"{len(summaries)} runs")
    health = summaries[0]["health"]
    if not [n for n in health["notes"] if "profiler" in n.lower() or "JavaScript" in n]:
        raise Failed(f"no note that JavaScript tracking stepped aside: {health['state']}, "
                     f"{health['notes']}")


CHECKS = [
    ("-e prints the same", evaluated),
    ("a script on standard input prints the same", from_standard_input),
    ("an ES module prints the same", module_entry),
    ("the permission model works the same", permission_model),
    ("zlib, crypto, files, workers and streams give the same", many_features),
    ("children and cluster workers print the same and have runs of their own", several_processes),
    ("npm --version prints the same", package_manager),
    ("process.exit in the middle keeps its status and the final summary", exit_in_the_middle),
    ("an uncaught exception keeps its status and the final summary", uncaught_exception),
    ("an unhandled rejection prints the same", unhandled_rejection),
    ("a fatal signal is the exit status and a summary remains", ended_by_signal),
    ("signals during allocation change nothing", signals_under_load),
    ("--heap-prof writes its profile", heap_profiler_option),
    ("an inspector that samples before us gets its profile", inspector_before_us),
    ("an inspector that samples after us gets its profile", inspector_after_us),
    ("a heap snapshot is taken the same", heap_snapshot),
]
