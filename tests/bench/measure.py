"""Running one program and saying what it used: CPU time, wall time, peak memory."""

import dataclasses
import os
import subprocess
import tempfile
import time

LONGEST_RUN_S = 600
# A process that is over sooner may end before its mappings are looked at.
LOOK_EVERY_S = 0.01


class Broken(Exception):
    """A run did not do what it should have; there is no figure to be had from it."""


@dataclasses.dataclass
class Job:
    """A command to run. Its output, if any, has to be the same in every run."""
    command: list
    variables: dict = dataclasses.field(default_factory=dict)
    stdin: str = os.devnull
    same_output: bool = True


@dataclasses.dataclass
class Usage:
    wall_s: float
    cpu_s: float
    peak_kib: int
    output: str
    mapped: bool    # the tool's library was seen among the process's mappings

    def figures(self):
        """What a workload of ours prints, as numbers by name; the checksum stays text."""
        words = self.output.split()
        return {name: value if name == "checksum" else int(value)
                for name, value in zip(words[::2], words[1::2])}


def per_operation(figure):
    """Nanoseconds of an operation, by what a workload of ours prints."""
    return lambda usage: usage.figures()[figure] / usage.figures()["operations"]


# What a run can be judged by: user and system time of all its threads, the tool's own included; the
# time it took; and both for one operation, without the start and the end of the program.
CLOCKS = {
    "cpu s": lambda usage: usage.cpu_s,
    "wall s": lambda usage: usage.wall_s,
    "cpu ns": per_operation("cpu_nanoseconds"),
    "wall ns": per_operation("nanoseconds"),
}


def base_environment(home):
    """What every measured process gets, so that nothing of the caller's session changes it."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "TMPDIR": home,
            "LANG": "C.UTF-8"}


def is_mapped(pid, library):
    """Whether the process has a library of that file name mapped; None once it is gone."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            maps = file.read()
    except OSError:
        return None
    return f"/{library}" in maps if maps else None


def watch_for(child, result, library):
    """Looks until the library is mapped or the process is over."""
    while child.poll() is None:
        with open(result, encoding="utf-8") as file:
            first = file.readline()
        if first.endswith("\n") and is_mapped(int(first), library):
            return True
        time.sleep(LOOK_EVERY_S)
    return False


def run(launcher, job, environment, library=None):
    """Runs a job to its end under the environment given; Broken unless it exits with 0."""
    with tempfile.TemporaryDirectory(prefix="run.", dir=environment["TMPDIR"]) as place:
        result = os.path.join(place, "result")
        open(result, "w", encoding="utf-8").close()
        output, errors = os.path.join(place, "output"), os.path.join(place, "errors")
        variables = [f"{name}={value}" for name, value in {**environment, **job.variables}.items()]
        with open(output, "wb") as out, open(errors, "wb") as err, open(job.stdin, "rb") as given:
            child = subprocess.Popen([launcher, result, *variables, "--", *job.command],
                                     stdin=given, stdout=out, stderr=err, cwd=place,
                                     env=base_environment(place))
            try:
                mapped = watch_for(child, result, library) if library else True
                child.wait(timeout=LONGEST_RUN_S)
            except BaseException as error:
                stop(child, result)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise Broken(f"{job.command[0]} ran for over {LONGEST_RUN_S} s") from None
                raise
        lines = read(result).splitlines()
        if child.returncode != 0 or len(lines) != 2:
            raise Broken(f"{job.command[0]} could not be started")
        wall_ns, cpu_us, peak_kib, status = (int(word) for word in lines[1].split())
        if status != 0:
            ended = f"signal {status & 127}" if status & 127 else f"exit code {status >> 8}"
            said = read(errors)[-300:].strip()
            raise Broken(f"{os.path.basename(job.command[0])}: {ended}: {said}")
        return Usage(wall_ns / 1e9, cpu_us / 1e6, peak_kib, read(output), mapped)


def stop(child, result):
    """Ends the launcher and the program it started."""
    child.kill()
    child.wait()
    first = read(result).split("\n", 1)[0]
    if first.isdigit():
        try:
            os.kill(int(first), 9)
        except ProcessLookupError:
            pass


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
