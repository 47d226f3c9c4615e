"""What the end-to-end tests share: starting programs under the library, loading them, and reading
the summaries they write. Every process started here is ended here, by its pid."""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EXAMPLES = os.path.join(ROOT, "examples")
PROGRAMS = os.path.join(HERE, "programs")
PATIENCE = 60


class Failed(Exception):
    """A check found something other than it should have."""


def require(condition, message):
    if not condition:
        raise Failed(message)


def environment(library, options, extra=None):
    """The caller's environment without the settings that would change what is tested."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("NODE_", "LEAKSHIM_", "LD_", "npm_"))}
    # Both variables are always there, so that a program that prints its environment prints the same.
    env["LD_PRELOAD"] = library or ""
    env["LEAKSHIM_OPTIONS"] = options
    env.update(extra or {})
    return env


class Watch(threading.Thread):
    """Collects every summary.json a directory of runs shows, since each replaces the one before."""

    def __init__(self, directory):
        super().__init__(daemon=True)
        self.directory = directory
        self.seen = {}
        self.stopping = threading.Event()
        self.unreadable = []

    def look(self):
        for path in glob.glob(os.path.join(self.directory, "*", "summary.json")):
            try:
                with open(path, encoding="utf-8") as file:
                    summary = json.load(file)
            except FileNotFoundError:
                continue
            except ValueError as error:
                self.unreadable.append(f"{path}: {error}")
                continue
            self.seen[(os.path.dirname(path), summary["sequence"])] = summary

    def run(self):
        while not self.stopping.wait(0.1):
            self.look()

    def end(self):
        self.stopping.set()
        self.join()
        self.look()
        require(not self.unreadable, f"unreadable summary: {self.unreadable[:1]}")

    def summaries(self):
        return [self.seen[key] for key in sorted(self.seen.copy(), key=lambda key: key[1])]

    def last(self):
        summaries = self.summaries()
        return summaries[-1] if summaries else None


class Place:
    """A scratch directory of one check, and the programs it starts. Kept when the check fails."""

    def __init__(self, library, name, allocator="host"):
        self.library = library
        self.path = tempfile.mkdtemp(prefix=re.sub(r"\W+", "-", name) + ".")
        self.runs = os.path.join(self.path, "runs")
        self.allocator = allocator
        self.children = []
        self.watches = []

    def options(self, **settings):
        settings = {"interval": "1s", "dir": self.runs, "allocator": self.allocator, **settings}
        return ",".join(f"{key}={value}" for key, value in settings.items())

    def start(self, command, options, extra=None, **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        child = subprocess.Popen(command, env=environment(self.library, options, extra),
                                 cwd=self.path, **how)
        self.children.append(child)
        return child

    def run(self, command, options, extra=None, library=True, **how):
        """Runs to the end; the result has bytes in stdout and stderr."""
        how.setdefault("timeout", PATIENCE)
        how.setdefault("cwd", self.path)
        if "input" not in how:
            how["stdin"] = subprocess.DEVNULL
        try:
            return subprocess.run(command, capture_output=True, check=False,
                                  env=environment(self.library if library else None, options, extra),
                                  **how)
        except subprocess.TimeoutExpired:
            raise Failed(f"it did not end within {how['timeout']} s") from None

    def serve(self, command, options, extra=None):
        """Starts a server and returns it with the port it says it listens on."""
        with open(os.path.join(self.path, "server.err"), "wb") as errors:
            server = self.start(command, options, extra, stdout=subprocess.PIPE, stderr=errors)
        line = server.stdout.readline().decode()
        require(line.startswith("listening on "), f"the server said {line!r}")
        return server, int(line.split()[-1])

    def load(self, command, seconds):
        """A load generator, without the library; load.js prints what it did as JSON."""
        done = subprocess.run(command, capture_output=True, check=False, timeout=seconds + PATIENCE,
                              env=environment(None, ""), stdin=subprocess.DEVNULL)
        require(done.returncode == 0, f"load: exit code {done.returncode}: {done.stderr[-300:]}")
        return json.loads(done.stdout)

    def watch(self):
        watch = Watch(self.runs)
        self.watches.append(watch)
        watch.start()
        return watch

    def end(self, child, how=signal.SIGTERM):
        if child.poll() is None:
            child.send_signal(how)
        return child.wait(timeout=PATIENCE)

    def close(self, keep):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
            if child.stdout is not None:
                child.stdout.close()
        for watch in self.watches:
            watch.stopping.set()
            watch.join()
            if keep:
                with open(os.path.join(self.path, "summaries.json"), "w", encoding="utf-8") as file:
                    json.dump(watch.summaries(), file)
        if not keep:
            shutil.rmtree(self.path, ignore_errors=True)

    def run_directories(self):
        return sorted(glob.glob(os.path.join(self.runs, "*")))


def read_summaries(directory):
    """Every run's last summary in a directory of runs."""
    summaries = []
    for path in sorted(glob.glob(os.path.join(directory, "*", "summary.json"))):
        with open(path, encoding="utf-8") as file:
            summaries.append(json.load(file))
    return summaries


def first_lines(directory, count):
    """The first lines of the only run's summary.txt."""
    paths = glob.glob(os.path.join(directory, "*", "summary.txt"))
    require(len(paths) == 1, f"{len(paths)} runs, expected one")
    with open(paths[0], encoding="utf-8") as file:
        return file.read().splitlines()[:count]


def rising(summary, resource=None):
    return [site for site in summary["sites"]
            if site["verdict"] == "rising" and resource in (None, site["resource"])]


def require_nothing_rises(directory):
    """No line of the history of any run ever says that something rises."""
    lines = 0
    for path in glob.glob(os.path.join(directory, "*", "history*.jsonl")):
        with open(path, encoding="utf-8") as file:
            for line in file:
                entry = json.loads(line)
                lines += 1
                names = [f"{site['resource']} {site['function']} {site['growth_bytes_per_s']:.0f} B/s"
                         for site in entry["sites"] if site["verdict"] == "rising"]
                require(not names, f"summary {entry['sequence']}: rising: {', '.join(names)}")
                require(entry["verdict"] in ("clean", "learning"),
                        f"summary {entry['sequence']}: {entry['verdict']}")
    require(lines > 0, "no history was written")
    return lines


def function_line(path, pattern):
    """The line of a source file where a function starts."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if re.search(pattern, line):
                return number
    raise Failed(f"{pattern} is not in {path}")
