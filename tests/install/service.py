#!/usr/bin/env python3
"""The C service on epoll that links the library, end to end: service.py PROGRAM LIBRARY

It tracks connections and jobs of its own, marks and measures on request, flushes on request and on a
signal, and in its test mode tells a leaking build from a repaired one by its exit code; linked, and linked
while the same library is preloaded too."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

LOAD = pathlib.Path(__file__).resolve().parents[2] / "examples/c-service/load.py"
PATIENCE = 60
TEST_REQUESTS = 600
NEVER = "1h"


class Failed(Exception):
    pass


def require(condition, message):
    if not condition:
        raise Failed(message)


class Service:
    def __init__(self, program, directory, options, *arguments, preload=None):
        environment = {key: value for key, value in os.environ.items()
                       if key not in ("LD_PRELOAD", "LEAKSHIM_OPTIONS")}
        environment["LEAKSHIM_OPTIONS"] = f"mode=exact,dir={directory},{options}"
        if preload:
            environment["LD_PRELOAD"] = preload
        self.directory = directory
        self.process = subprocess.Popen([program, *arguments], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[-1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def load(self, rate, seconds):
        done = subprocess.run([sys.executable, LOAD, str(self.port), str(rate), str(seconds)], check=True,
                              capture_output=True, text=True, timeout=seconds + PATIENCE)
        return json.loads(done.stdout)

    def ask(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)

    def summary(self):
        paths = list(pathlib.Path(self.directory).glob("*/summary.json"))
        require(len(paths) == 1, f"{len(paths)} runs, expected one")
        return json.loads(paths[0].read_text())

    def wait_for_sequence(self, sequence):
        deadline = time.monotonic() + PATIENCE
        while self.summary()["sequence"] < sequence:
            require(time.monotonic() < deadline, f"summary {sequence} was not written")
            time.sleep(0.05)


def exit_code_tells(program, directory, fixed, preload=None):
    arguments = [f"--test={TEST_REQUESTS}", *(["--fixed"] if fixed else [])]
    with Service(program, directory, f"interval={NEVER}", *arguments, preload=preload) as service:
        service.load(400, PATIENCE)
        status = service.process.wait(timeout=PATIENCE)
        growth = json.loads(service.process.stdout.read())
        require(len(list(pathlib.Path(directory).iterdir())) == 1, "it left more than one run, or none")
    kept = growth["custom"]
    require(growth["heap_blocks"] == kept and growth["sockets"] == 0 and growth["files"] == 0,
            f"more is left than jobs, or less: {growth}")
    # Nine tenths of the clients go away, and the mark comes after a tenth of the requests.
    wanted = range(0, 1) if fixed else range(int(0.7 * TEST_REQUESTS), int(0.85 * TEST_REQUESTS))
    require(kept in wanted and status == (0 if fixed else 1), f"exit code {status}: {growth}")


def leaking_fails(program, _, directory):
    exit_code_tells(program, directory, fixed=False)


def fixed_passes(program, _, directory):
    exit_code_tells(program, directory, fixed=True)


def leaking_fails_preloaded(program, library, directory):
    exit_code_tells(program, directory, fixed=False, preload=library)


def fixed_passes_preloaded(program, library, directory):
    exit_code_tells(program, directory, fixed=True, preload=library)


def flushes_on_demand(program, _, directory):
    with Service(program, directory, f"interval={NEVER}") as service:
        require(service.ask("/flush") == "done\n", "it did not flush")
        first = service.summary()["sequence"]
        service.process.send_signal(signal.SIGUSR1)
        service.wait_for_sequence(first + 1)
        require(service.end() == 0, "its exit status is not 0")


def named(summary, kind):
    return [site for site in summary["sites"] if site.get("kind") == kind]


def measures_and_names(program, _, directory):
    with Service(program, directory, "interval=500ms") as service:
        require(service.ask("/mark") == "done\n", "it did not mark")
        done = service.load(200, 9)
        growth = json.loads(service.ask("/growth"))
        require(done["failed"] == 0 and growth["custom"] == growth["heap_blocks"] == done["gone"],
                f"{growth}, {done}")
        service.ask("/flush")
        summary = service.summary()
        require(service.end() == 0, "its exit status is not 0")
    (jobs,) = named(summary, "jobs")
    (connections,) = named(summary, "connections")
    require(jobs["verdict"] == "rising" and jobs["live_count"] == done["gone"] and
            jobs["function"] == "jobs_add", f"{jobs['verdict']} {jobs['function']} {jobs['live_count']}")
    require(connections["verdict"] != "rising" and connections["acquired_count"] > done["sent"],
            f"{connections['verdict']}, {connections['acquired_count']}")
    require(summary["event_loops"], "the event loop is not timed")
    require(any(site["resource"] == "heap" and site["verdict"] == "rising" for site in summary["sites"]),
            "the jobs' blocks do not rise")


CHECKS = [
    ("a leaking service fails its own test", leaking_fails),
    ("the repaired one passes", fixed_passes),
    ("a leaking one fails with the library preloaded too", leaking_fails_preloaded),
    ("and the repaired one passes so", fixed_passes_preloaded),
    ("the service flushes on request and on a signal", flushes_on_demand),
    ("it measures its growth on request, and its names are in the summary", measures_and_names),
]


def main():
    program, library = sys.argv[1:]
    failed = 0
    for name, check in CHECKS:
        with tempfile.TemporaryDirectory() as directory:
            try:
                check(program, library, directory)
                print(f"ok {name}", flush=True)
            except (Failed, ValueError, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"not ok {name}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
