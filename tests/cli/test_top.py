#!/usr/bin/env python3
"""`leakshim top` in tmux, on a service that leaks and on one that does not.

    python3 tests/cli/test_top.py BUILD_DIRECTORY
"""
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import harness
from harness import Checks, ROOT, leakshim

SECONDS = 30


class Screen:
    """A terminal in tmux with a shell in it."""

    def __init__(self, scratch, columns=120, rows=30, locale="C.UTF-8", **variables):
        self.scratch = scratch
        socket = tempfile.mkdtemp(dir=scratch)  # a server takes its time to go
        self.server = ["tmux", "-S", f"{socket}/tmux", "-f", "/dev/null"]
        settings = {"LC_ALL": locale, "PS1": "prompt> ", "HISTFILE": "", **variables}
        words = [f"{name}={shlex.quote(value)}" for name, value in settings.items()]
        self.tmux("new-session", "-d", "-x", columns, "-y", rows, "-s", "t",
                  f"env -u NO_COLOR {' '.join(words)} bash --norc --noprofile -i")
        self.wait(r"^prompt>")

    def tmux(self, *arguments, check=True):
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        environment.pop("TMUX", None)
        return subprocess.run([*self.server, *map(str, arguments)], capture_output=True, text=True,
                              check=check, env=environment, timeout=60).stdout

    def text(self, *options):
        return self.tmux("capture-pane", "-p", "-t", "t", *options)

    def wait(self, pattern, *options, seconds=SECONDS):
        """What is on the screen once the pattern is; None when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            text = self.text(*options)
            if re.search(pattern, text, flags=re.M):
                return text
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)

    def keys(self, *keys):
        self.tmux("send-keys", "-t", "t", *keys)

    def type(self, line):
        self.tmux("send-keys", "-t", "t", "-l", line + "\n")

    def run(self, command, pattern):
        self.type(f"clear; {command}")
        return self.wait(pattern)

    def format(self, what):
        return self.tmux("display-message", "-p", "-t", "t", what).strip()

    def close(self):
        self.tmux("kill-server", check=False)


class Services:
    """A service that leaks and its repaired build, each for as long as they are wanted."""

    def __init__(self, scratch):
        self.runs = scratch / "runs"
        sources = ROOT / "examples/c-service"
        subprocess.run(["cc", "-O2", "-g", "-pthread", "-o", scratch / "service",
                        sources / "service.c", sources / "session.c"], check=True, timeout=120)
        shutil.copy(scratch / "service", scratch / "repaired")
        self.running = []
        for program, arguments in (("service", ()), ("repaired", ("--fixed",))):
            self.running.append(subprocess.Popen(
                [harness.PROGRAM, "run", "--exec", "--mode=exact", "--interval=300ms",
                 f"--dir={self.runs}", "--", scratch / program, *arguments, "--load=60",
                 "--seconds=300"], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL))

    def wait_for_runs(self):
        while len(list(self.runs.glob("*/summary.json"))) < 2:
            if any(process.poll() is not None for process in self.running):
                sys.exit("the services did not run")
            time.sleep(0.05)

    def close(self):
        for process in self.running:
            process.kill()
            process.wait()


def check_views(checks, screen, services):
    leaking = services.running[0].pid
    command = f"{harness.PROGRAM} top {services.runs}"
    screen.type(f"stty -g >{screen.scratch}/before")
    screen.type("clear")
    seen = screen.run(command, r"^heap +\+[\d.]+ [kM]B/min .* rising +session_open +\S*session\.c:\d+$")
    checks.true("the leaking one of two is shown, its site with file and line", seen and
                f"service {leaking}, up " in seen.splitlines()[0] and
                seen.splitlines()[1].startswith("leaking: +"), seen or screen.text())
    checks.true("with its memory", re.search(r"^resident \d.*/min", seen, flags=re.M) and
                "no memory limit" in seen, seen)
    age = re.search(r", up ([\d.]+) s", seen).group(1)
    checks.true("it goes on", screen.wait(rf", up (?!{re.escape(age)} s)[\d.]+ "))

    screen.keys("Enter")
    seen = screen.wait(r"^  main +\S*service\.c:\d+$")
    checks.true("enter shows the stack", seen and re.search(
        r"^> session_open +\S*session\.c:\d+$", seen, flags=re.M) and " sure)" in seen,
                seen or screen.text())
    checks.true("and a curve that rises", re.search(r"^[▁▂▃▄]\S*█ +live, ", seen, flags=re.M), seen)
    screen.keys("Escape")
    checks.true("esc goes back", screen.wait(r"sort: growth"))
    for key, order in (("s", "live"), ("s", "count"), ("s", "growth"), ("c", "count"),
                       ("l", "live"), ("g", "growth")):
        screen.keys(key)
        seen = screen.wait(rf"sort: {order} ")
        checks.true(f"{key} sorts by {order}", seen and f"▾{order}" in seen, seen)
    kinds = set()
    for _ in range(8):
        screen.keys("f")
        time.sleep(0.1)
        seen = screen.wait(r"kind: \w+ ")
        kind = re.search(r"kind: (\w+) ", seen).group(1)
        rows = re.findall(r"^(heap|map|thread|socket|file|custom) ", seen, flags=re.M)
        kinds.add(kind)
        if kind != "all" and set(rows) != {kind}:
            checks.true(f"f shows sites of kind {kind} alone", False, seen)
    checks.true("f goes through the kinds there are", {"heap", "file", "all"} <= kinds and
                "js" not in kinds, kinds)
    while "kind: all" not in screen.text():
        screen.keys("f")
        time.sleep(0.1)
    screen.keys("?")
    checks.true("? lists the keys", screen.wait("choose the process"))
    screen.keys("Escape")


def check_processes(checks, screen, services):
    leaking, repaired = (process.pid for process in services.running)
    screen.keys("p")
    seen = screen.wait(r"^process +state")
    checks.true("p lists the processes, the leaking one first", seen and re.search(
        rf"^service {leaking} +running +\d.*leaking: .*\nrepaired {repaired} +running", seen,
        flags=re.M), seen or screen.text())
    screen.keys("Down", "Enter")
    checks.true("and shows the one that is chosen", screen.wait(rf"repaired {repaired}, up "))
    seen = screen.wait(r"^clean: ")
    checks.true("which is clean", seen, screen.text())
    screen.keys("p")
    screen.wait(r"^process +state")
    screen.keys("Up", "Enter")
    checks.true("and back", screen.wait(rf"service {leaking}, up "))


def check_sizes(checks, screen, services):
    leaking = services.running[0].pid
    screen.wait("^heap +\\S+ .*session_open")
    for columns, rows in ((40, 10), (200, 50), (63, 17), (80, 24)):
        screen.tmux("resize-window", "-t", "t", "-x", columns, "-y", rows)
        seen = screen.wait(rf"^(leakshim  )?service {leaking}, up [\d.]+ .{{0,{columns}}}\n(.*\n){{{rows - 2}}}q quit")
        lines = (seen or screen.text()).splitlines()
        checks.true(f"at {columns} columns and {rows} rows all is there", seen and
                    len(lines) == rows and any(re.search("^heap.* session_open|^heap.* sess", line)
                                               for line in lines) and
                    lines[1].startswith("leaking: "), seen or screen.text())
        screen.keys("Enter")
        checks.true("its stack too", screen.wait(r"^> session"), screen.text())
        screen.keys("Escape")
        screen.wait("sort: ")
    for columns, rows in ((12, 4), (1, 1), (3, 30)):
        screen.tmux("resize-window", "-t", "t", "-x", columns, "-y", rows)
        time.sleep(0.3)
    screen.tmux("resize-window", "-t", "t", "-x", 120, "-y", 30)
    checks.true("sizes that are of no use do no harm",
                screen.wait(rf"^leakshim  service {leaking}, up .*\n(.*\n){{28}}q quit"))
    screen.keys("C-l")
    colored = screen.wait("session_open", "-e")
    checks.true("what rises is red", "\x1b[31m" in colored or "\x1b[1m\x1b[31m" in colored)


def terminal_is_restored(screen):
    screen.type(f"stty -g >{screen.scratch}/after")
    screen.type("echo restored")
    screen.wait("^restored$")
    return ((screen.scratch / "after").read_text() == (screen.scratch / "before").read_text()
            and screen.format("#{alternate_on} #{cursor_flag} #{keypad_cursor_flag}") == "0 1 0")


def check_endings(checks, screen, services):
    leaking = services.running[0].pid
    command = f"{harness.PROGRAM} top {services.runs}; echo code $?"
    screen.keys("q")
    screen.wait("^prompt>")
    screen.type("echo code $?")
    checks.true("q quits with 0", screen.wait("^code 0$"))
    checks.true("and gives the terminal back as it was", terminal_is_restored(screen))
    for key, code in (("C-c", 130), ("C-\\", 131)):
        screen.run(f"{harness.PROGRAM} top {services.runs}", "q quit")
        screen.keys(key)
        screen.wait("^prompt>")
        screen.type("echo code $?")
        checks.true(f"{key} ends it as it ends others", screen.wait(f"^code {code}$"))
        checks.true("with the terminal as it was", terminal_is_restored(screen))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        screen.run(f"{harness.PROGRAM} top {services.runs} & echo $! >{screen.scratch}/pid; fg "
                   ">/dev/null; echo code $?", "q quit")
        os.kill(int((screen.scratch / "pid").read_text()), number)
        checks.true(f"{number.name} ends it", screen.wait(f"^code {128 + number}$"))
        checks.true("with the terminal as it was", terminal_is_restored(screen))
    screen.run(command, "q quit")
    screen.keys("C-z")
    checks.true("ctrl-Z gives the terminal back", screen.wait("Stopped") and
                screen.format("#{alternate_on}") == "0")
    screen.type("clear; fg")
    checks.true("fg goes on", screen.wait(rf"service {leaking}, up "))
    screen.keys("q")
    screen.wait("^prompt>$")
    checks.true("to its end", terminal_is_restored(screen))


def check_names(checks, screen, services):
    """A process by its pid, and runs that end, vanish or are damaged."""
    leaking, repaired = services.running
    seen = screen.run(f"{harness.PROGRAM} top {repaired.pid}", rf"repaired {repaired.pid}, up ")
    checks.true("a process is found by its pid", seen, screen.text())
    repaired.kill()
    repaired.wait()
    checks.true("a process that is killed has no news",
                screen.wait(rf"repaired {repaired.pid}, up .* no news for \d+ s$"))
    screen.keys("q")
    screen.wait("^prompt>")

    empty = screen.scratch / "empty"
    empty.mkdir()
    checks.true("a directory without runs is waited for",
                screen.run(f"{harness.PROGRAM} top {empty}", "no run yet"))
    run = next(services.runs.glob("service.*"))
    summary = json.loads((run / "summary.json").read_text())
    evil = "evil\x1b[2J\u202e\u4e2d\u6587" + "x" * 3000
    summary["sites"][0]["function"] = summary["sites"][0]["stack"][0]["function"] = evil
    summary["process"]["program"] = "\x1b]0;title\x07other"
    summary["final"] = True
    (empty / "other.1.x").mkdir()
    written = empty / "other.1.x/summary.json"
    written.write_text(json.dumps(summary))
    seen = screen.wait(r"evil\ufffd\[2J\ufffd中文x+…")
    checks.true("one that comes is shown, and its names do no harm", seen and
                "\ufffd]0;title\ufffdother" in seen, seen or screen.text())
    checks.true("as a run that has ended", re.search("ended .*(ago|now)$", seen.splitlines()[0]))
    written.write_text("{")
    checks.true("a summary that cannot be read is told, the one before stays",
                screen.wait("its newest summary cannot be read") and "evil" in screen.text())
    shutil.rmtree(empty)
    time.sleep(0.6)
    checks.true("a run that is removed stays on the screen", "evil" in screen.text())
    screen.keys("q")
    screen.wait("^prompt>")

    screen.run(f"{harness.PROGRAM} top {leaking.pid}", "q quit")
    shell = screen.format("#{pane_pid}")
    pid = int(pathlib.Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])
    screen.close()
    deadline = time.monotonic() + SECONDS
    while pathlib.Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    checks.true("a terminal that goes takes it along", not pathlib.Path(f"/proc/{pid}/exe").exists())


def check_other_terminals(checks, scratch, services):
    leaking = services.running[0].pid
    for variables, name in (({"TERM": "vt100"}, "a terminal without colours"),
                            ({"locale": "C"}, "a terminal without UTF-8"),
                            ({"NO_COLOR": "1"}, "NO_COLOR")):
        screen = Screen(scratch, **variables)
        seen = screen.run(f"{harness.PROGRAM} top {services.runs}", r"^heap.* session_open")
        checks.true(f"{name} will do", seen and f"service {leaking}" in seen, screen.text())
        if "locale" in variables:
            screen.keys("Enter")
            seen = screen.wait("^> session_open")
            checks.true("with nothing but ASCII", seen and seen.isascii(), seen)
        else:
            checks.true("without a colour", "\x1b[31m" not in screen.text("-e"))
        screen.keys("q")
        screen.close()


def check_refusals(checks, services):
    def refuses(name, words, *arguments, **environment):
        script = f"{harness.PROGRAM} top {' '.join(map(str, arguments))}"
        result = subprocess.run(["script", "-qec", script, "/dev/null"], capture_output=True,
                                text=True, check=False, stdin=subprocess.DEVNULL, timeout=60,
                                env={**os.environ, "TERM": "xterm", **environment})
        checks.true(f"{name} is told, with 2", result.returncode == 2 and words in result.stdout,
                    result)

    refuses("TERM=dumb", "'dumb' cannot be drawn on", services.runs, TERM="dumb")
    refuses("an unknown TERM", "'no-such' is not known", services.runs, TERM="no-such")
    refuses("a directory that is not there", "cannot be read", services.runs / "nothing")
    refuses("a file", "is no directory", __file__)
    refuses("a process that is not there", "there is no process 4194999", 4194999)
    refuses("a process that is not tracked", "has no run in", os.getpid())
    refuses("two directories", "one directory or process", services.runs, services.runs)
    result = leakshim("top", services.runs)
    checks.true("without a terminal it says so, with 2", result.returncode == 2 and
                "needs a terminal" in result.stderr, result)


def main():
    harness.PROGRAM = pathlib.Path(sys.argv[1]).resolve() / "leakshim"
    checks = Checks()
    scratch = pathlib.Path(tempfile.mkdtemp()).resolve()
    services = Services(scratch)
    screen = None
    try:
        services.wait_for_runs()
        screen = Screen(scratch)
        for part in (check_views, check_processes, check_sizes, check_endings):
            part(checks, screen, services)
        check_refusals(checks, services)
        check_names(checks, screen, services)
        check_other_terminals(checks, scratch, services)
    finally:
        if screen is not None:
            screen.close()
        services.close()
        shutil.rmtree(scratch)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
