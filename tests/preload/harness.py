"""Runs one victim once, and compares two runs. Knows nothing of which victims there are."""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import time

JEMALLOC = "libjemalloc.so.2"
TCMALLOC = "libtcmalloc_minimal.so.4"
LIBRARY_DIRECTORIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64",
                       "/usr/lib")


def system_library(name):
    for directory in LIBRARY_DIRECTORIES:
        path = pathlib.Path(directory, name)
        if path.exists():
            return str(path)
    return None


@dataclasses.dataclass
class Outcome:
    """What a run did, as far as its host could tell."""
    stdout: bytes
    stderr: bytes        # without the shim's own lines
    said: list           # the shim's own lines
    code: int            # negative: the signal that ended it
    pid: int
    seconds: float
    stacks: str = None   # set when the time limit passed

    def end(self):
        if self.stacks is not None:
            return "did not end in time"
        if self.code < 0:
            return f"ended by {signal.Signals(-self.code).name}"
        return f"exit code {self.code}"


def stacks_of(group):
    """The stacks of every process of a process group, for the report on a run that hangs."""
    if shutil.which("gdb") is None:
        return "(no stacks: gdb is not installed)"
    text = ""
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) != group:
            continue
        command = ["gdb", "-nx", "-batch", "-p", entry.name, "-ex", "thread apply all bt 25"]
        try:
            gdb = subprocess.run(command, capture_output=True, timeout=20, check=False,
                                 env={**os.environ, "DEBUGINFOD_URLS": ""})
            text += f"process {entry.name}:\n{gdb.stdout.decode(errors='replace')}"
        except subprocess.TimeoutExpired:
            text += f"process {entry.name}: gdb did not end\n"
    return text


def split_stderr(text):
    """Parts the host's own lines from those of the shim."""
    own, said = [], []
    for line in text.splitlines(keepends=True):
        (said if line.startswith(b"leakshim:") else own).append(line)
    return b"".join(own), [line.decode(errors="replace").rstrip("\n") for line in said]


def run(command, cwd, environment, limit):
    """Runs a command in a session of its own and waits at most `limit` seconds for its end and for
    that of everything that holds its output."""
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True)
    stacks = None
    began = time.monotonic()
    try:
        stdout, stderr = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        stacks = stacks_of(process.pid)
        os.killpg(process.pid, signal.SIGKILL)
        try:
            stdout, stderr = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:  # a daemon of its own session still holds the pipes
            stdout, stderr = b"", b""
    own, said = split_stderr(stderr)
    seconds = time.monotonic() - began
    return Outcome(stdout, own, said, process.returncode, process.pid, seconds, stacks)


def shorten(text, most=600):
    text = text.decode(errors="replace")
    return text if len(text) <= most else text[:most] + "..."


def differences(without, with_shim):
    """Why two outcomes are not the same; an empty list when they are."""
    found = []
    if with_shim.stacks is not None:
        found.append("did not end in time; its stacks:\n" + with_shim.stacks)
    elif without.code != with_shim.code:
        found.append(f"{with_shim.end()}, without the shim {without.end()}")
    for name in ("stdout", "stderr"):
        before, after = getattr(without, name), getattr(with_shim, name)
        if before != after:
            found.append(f"{name} differs; without the shim:\n{shorten(before)}\n"
                         f"with it:\n{shorten(after)}")
    return found


def run_directories(parent):
    """Every run below `parent`, oldest first."""
    try:
        return sorted(path.parent for path in pathlib.Path(parent).glob("**/summary.json"))
    except OSError:
        return []


def take_strays(pid):
    """Runs of a process in /tmp, which nobody named; they are removed, their names returned."""
    strays = [path for path in pathlib.Path("/tmp").glob(f"victim_*.{pid}.*") if path.is_dir()]
    for path in strays:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in strays]


def read_summary(run_directory):
    return json.loads((pathlib.Path(run_directory) / "summary.json").read_text())


def complaints_about(run_directory):
    """What is wrong with one run's files, whatever the program was."""
    found = []
    name = run_directory.name
    if stat.S_IMODE(run_directory.stat().st_mode) != 0o700:
        found.append(f"{name} is not 0700")
    for path in run_directory.iterdir():
        if stat.S_IMODE(path.stat().st_mode) != 0o600:
            found.append(f"{name}/{path.name} is not 0600")
    try:
        summary = read_summary(run_directory)
    except ValueError as error:
        return found + [f"{name}/summary.json: {error}"]
    if summary.get("schema") != "leakshim-summary/1":
        found.append(f"{name}/summary.json has schema {summary.get('schema')}")
        return found
    process = summary["process"]
    parts = name.rsplit(".", 2)
    if len(parts) != 3 or parts[0] != process["program"] or parts[1] != str(process["pid"]):
        found.append(f"{name} does not name process {process['program']} {process['pid']}")
    for file in ("summary.txt", "history.jsonl", "metrics.prom"):
        if summary["final"] and not (run_directory / file).exists():
            found.append(f"{name} has no {file}")
    return found
