"""The ways a Node program comes to run: each prints and ends as without the library, and where it leaks,
the function is named."""

import json
import os
import shutil
import stat

from harness import PROGRAMS, PATIENCE, read_summaries, require, rising
from versions import fetch_package, run

LEAK = os.path.join(PROGRAMS, "leak.js")
LEAK_SECONDS = 9
FIRST_WITH_SINGLE_EXECUTABLES = 20
# https://nodejs.org/api/single-executable-applications.html
POSTJECT = "postject@1.0.0-alpha.6"
FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2"
PERMISSION_FLAG = {20: "--experimental-permission"}


def program_text():
    with open(LEAK, "rb") as file:
        return file.read()


def names_of(watch, function):
    """The runs in which some summary has that function rising."""
    return {directory for (directory, _), summary in watch.seen.copy().items()
            if any(site["function"] == function for site in rising(summary, "js"))}


def launch(place, command, function="remember", runs=1, extra=None, **how):
    """Runs it with the library for long enough to be judged, and without for its output alone; the
    leak is in so many processes."""
    extra = extra or {}
    without = place.run(command, "", extra, library=False, **how)
    watch = place.watch()
    done = place.run(command, place.options(interval="500ms", js_sample="64K"),
                     {**extra, "LEAK_SECONDS": str(LEAK_SECONDS)}, **how)
    watch.end()
    for name in ("returncode", "stdout", "stderr"):
        require(getattr(done, name) == getattr(without, name),
                f"{name}: {getattr(without, name)!r:.300} without, {getattr(done, name)!r:.300} with")
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    named = names_of(watch, function)
    others = {site["function"] for summary in watch.summaries() for site in rising(summary)} - {function}
    require(len(named) == runs, f"{function} is named in {len(named)} of {runs} runs")
    require(not others, f"also said to rise: {others}")
    for summary in read_summaries(place.runs):
        require(summary["health"]["state"] == "active",
                f"{summary['health']['state']}: {summary['health']['notes']}")
    return done.stdout.decode().strip()


def evaluated(place, node, _major):
    return launch(place, [node, "-e", program_text().decode()])


def from_standard_input(place, node, _major):
    return launch(place, [node, "-"], input=program_text())


def module_entry(place, node, _major):
    return launch(place, [node, os.path.join(PROGRAMS, "leak.mjs")])


def permission_model(place, node, major):
    if major < 20:
        return "skip: Node 20 is the first to have it"
    flag = PERMISSION_FLAG.get(major, "--permission")
    return launch(place, [node, flag, "--no-warnings", "--allow-fs-read=*", LEAK])


def cluster_and_fork(place, node, _major):
    return launch(place, [node, LEAK, "family"], runs=2)


def other_context(place, node, _major):
    return launch(place, [node, LEAK, "vm"], function="rememberInside")


def test_runner(place, node, major):
    if major < 20:
        return "skip: Node 20 is the first with reporters"
    path = os.path.join(place.path, "leaks.test.js")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"process.argv[2] = 'test'; require({json.dumps(LEAK)});")
    return launch(place, [node, "--test", "--test-reporter=dot", path])


def single_executable(place, node, major):
    if major < FIRST_WITH_SINGLE_EXECUTABLES:
        return f"skip: Node {FIRST_WITH_SINGLE_EXECUTABLES} is the first to make them"
    package, problem = fetch_package("postject", POSTJECT)
    require(package, problem)
    blob = os.path.join(place.path, "leak.blob")
    settings = os.path.join(place.path, "sea.json")
    with open(settings, "w", encoding="utf-8") as file:
        json.dump({"main": LEAK, "output": blob, "disableExperimentalSEAWarning": True}, file)
    program = os.path.join(place.path, "leaky")
    shutil.copy(node, program)
    os.chmod(program, os.stat(program).st_mode | stat.S_IWUSR)
    problem = (run([node, "--experimental-sea-config", settings], cwd=place.path)
               or run([node, os.path.join(package, "dist", "cli.js"), program, "NODE_SEA_BLOB", blob,
                       "--sentinel-fuse", FUSE]))
    require(not problem, problem)
    detail = launch(place, [program])
    for summary in read_summaries(place.runs):
        require(summary["process"]["program"] == "leaky", f"program {summary['process']['program']}")
    os.unlink(program)
    return detail


def npx_of_a_local_program(place, node, _major):
    npx = shutil.which("npx")
    if npx is None:
        return "skip: no npx here"
    programs = os.path.join(place.path, "node_modules", ".bin")
    os.makedirs(programs)
    with open(os.path.join(place.path, "package.json"), "w", encoding="utf-8") as file:
        json.dump({"name": "local", "version": "1.0.0", "private": True}, file)
    path = os.path.join(programs, "leaky")
    with open(path, "wb") as file:
        file.write(b"#!/usr/bin/env node\n" + program_text())
    os.chmod(path, 0o755)
    search = os.path.dirname(node) + os.pathsep + os.environ["PATH"]
    return launch(place, [npx, "--no-install", "leaky"],
                  extra={"PATH": search, "npm_config_update_notifier": "false"}, timeout=PATIENCE)


CHECKS = [
    ("-e: the leak is named", evaluated),
    ("standard input: the leak is named", from_standard_input),
    ("an ES module: the leak is named", module_entry),
    ("--permission: the leak is named", permission_model),
    ("a cluster worker and a forked child: the leak is named in both", cluster_and_fork),
    ("a function of a vm context is named", other_context),
    ("--test: the leak is named", test_runner),
    ("a single executable application: the leak is named", single_executable),
    ("npx of a local program: the leak is named", npx_of_a_local_program),
]
