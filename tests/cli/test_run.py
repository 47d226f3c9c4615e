#!/usr/bin/env python3
"""`leakshim run` between a command and whoever started it: signals, terminal, end, last words.

    python3 tests/cli/test_run.py BUILD_DIRECTORY
"""
import ctypes
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

import harness
from harness import Checks

# Prints each signal it gets, "number value sender's kind", and ends with 5 at SIGUSR2.
LISTENER = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    sigset_t all;
    siginfo_t info;
    struct winsize size;

    sigfillset(&all);
    sigdelset(&all, SIGTSTP);
    sigdelset(&all, SIGSEGV);
    if (count > 1)
        sigdelset(&all, atoi(arguments[1]));
    sigprocmask(SIG_BLOCK, &all, NULL);
    printf("ready %d\n", (int)getpid());
    fflush(stdout);
    for (;;) {
        int number = sigwaitinfo(&all, &info);

        if (number == SIGUSR2)
            return 5;
        if (number == SIGUSR1)
            kill(0, SIGTERM);
        else if (number == SIGWINCH && ioctl(0, TIOCGWINSZ, &size) == 0)
            printf("size %d\n", size.ws_col);
        else if (number > 0)
            printf("got %d %d\n", number, info.si_code == SI_QUEUE ? info.si_value.sival_int : 0);
        fflush(stdout);
    }
}
"""
OWN_MALLOC = r"""
#include <stddef.h>
static char room[65536];
static size_t used;
void *malloc(size_t size) { used += (size + 15) & ~(size_t)15; return room + used - size; }
void free(void *block) { (void)block; }
int main(void) { return 7; }
"""


def end(process):
    """Waits; its code and what it wrote."""
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def state_of(pid):
    """The letter of proc(5); None when there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


class Bench:
    def __init__(self, checks, build, scratch):
        self.checks = checks
        self.build = build
        self.scratch = scratch
        self.program = build / "leakshim"
        self.count = 0
        for name, source, flags in (("listener", LISTENER, ()), ("own", OWN_MALLOC, ()),
                                    ("still", "int main(void) { return 7; }", ("-static",))):
            (scratch / f"{name}.c").write_text(source)
            subprocess.run(["cc", "-fno-builtin", "-o", scratch / name, scratch / f"{name}.c",
                            *flags], check=True, timeout=120)
        self.listener = scratch / "listener"
        # Standing programs that are neither written about nor slow.
        self.environment = {**os.environ, "LEAKSHIM_OPTIONS": "interval=100ms"}
        for name in ("LD_PRELOAD", "LEAKSHIM_LAUNCH", "SYSTEMD_EXEC_PID", "LISTEN_PID"):
            self.environment.pop(name, None)

    def runs(self):
        self.count += 1
        return self.scratch / f"runs{self.count}"

    def start(self, *arguments, **settings):
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                    "stderr": subprocess.PIPE, "text": True, "env": self.environment, **settings}
        return subprocess.Popen([self.program, "run", *map(str, arguments)], **settings)

    def listen(self, *options, arguments=(), **settings):
        """A listener that is ready, and its own pid."""
        process = self.start("--quiet", f"--dir={self.runs()}", *options, "--", self.listener,
                             *arguments, **settings)
        return process, int(process.stdout.readline().split()[1])


def check_last_words(bench):
    checks = bench.checks
    runs = bench.runs()
    code, output, errors = end(bench.start(f"--dir={runs}", "--", "sh", "-c",
                                           "echo out; echo err >&2; sleep 0.5; exit 3"))
    lines = errors.splitlines()
    checks.true("the command's output and exit code are passed through",
                (code, output, lines[0]) == (3, "out\n", "err"), (code, output, errors))
    checks.true("at the end the run is told, with its verdict",
                re.fullmatch(rf"leakshim: {runs}/sh\.\d+\.\w+: learning.*", lines[1])
                and (runs / lines[1].split(": ")[1].split("/")[-1] / "summary.json").exists(),
                errors)
    checks.true("then the runs of its children", len(lines) == 3 and "/sleep." in lines[2], errors)

    runs = bench.runs()
    other = bench.start("--quiet", f"--dir={runs}", "--", "sleep", "1")
    code, _, errors = end(bench.start(f"--dir={runs}", "--", "sh", "-c",
                                      "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.6 & done; wait"))
    lines = errors.splitlines()
    checks.true("many runs are not all listed", len(lines) == 9 and "/sh." in lines[0] and
                lines[8] == "leakshim: and 3 more runs of the command; "
                            f"'leakshim report {runs}' shows all", errors)
    checks.equal("those of another command in the same directory do not count, and --quiet is",
                 end(other), (0, "", ""))
    checks.true("it was there", len(list(runs.glob("sleep.*"))) == 11)

    code, _, errors = end(bench.start("--interval=1s", f"--dir={bench.runs()}", "--", "true"))
    checks.equal("a command too short for a run is told as such", errors,
                 "leakshim: no run was written: nothing that is tracked lived for an interval (1 s)\n")
    checks.equal("mode=off says nothing", end(bench.start("--mode=off", "--", "true"))[2], "")
    code, _, errors = end(bench.start("--", bench.scratch / "still"))
    checks.true("nor does a static program more than that it is untracked",
                code == 7 and len(errors.splitlines()) == 1 and "runs untracked" in errors, errors)
    code, _, errors = end(bench.start("--mode=exact", f"--dir={bench.runs()}", "--",
                                      bench.scratch / "own"))
    checks.true("a malloc of the program's own is told before and after",
                code == 7 and "runs with its heap untracked: it has a malloc of its own" in errors
                and "not all is tracked: malloc is not ours here" in errors, (code, errors))
    blocked = bench.scratch / "file"
    blocked.write_text("")
    code, _, errors = end(bench.start(f"--dir={blocked}", "--", "sleep", "0.5",
                                      env={**bench.environment, "TMPDIR": str(bench.runs())}))
    checks.true("a run in the fallback directory is found",
                f"leakshim: {bench.scratch}/runs{bench.count}/sleep." in errors, errors)


def check_signals(bench):
    checks = bench.checks
    process, _ = bench.listen()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM, signal.SIGABRT,
                   signal.SIGRTMIN):
        process.send_signal(number)
        checks.equal(f"{number.name} is passed on", process.stdout.readline(), f"got {number} 0\n")
    ctypes.CDLL(None).sigqueue(process.pid, signal.SIGRTMIN + 1, ctypes.c_void_p(77))
    checks.equal("a queued signal keeps its value", process.stdout.readline(),
                 f"got {signal.SIGRTMIN + 1} 77\n")
    process.send_signal(signal.SIGUSR2)
    checks.equal("and nothing came twice", end(process), (5, "", ""))

    process, command = bench.listen(start_new_session=True)
    os.kill(command, signal.SIGUSR1)
    checks.equal("a command that signals its group gets it", process.stdout.readline(),
                 f"got {signal.SIGTERM} 0\n")
    os.kill(command, signal.SIGUSR2)
    checks.equal("once", end(process), (5, "", ""))

    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        process, command = bench.listen(arguments=(int(number),))
        os.kill(command, number)
        checks.equal(f"a death by {number.name} is reproduced", end(process)[0], -number)
    process, command = bench.listen(arguments=(int(signal.SIGTERM),))
    process.terminate()
    checks.equal("and one that was passed on", end(process)[0], -signal.SIGTERM)

    process, command = bench.listen()
    process.kill()
    process.stdout.read()  # ends as the command does
    deadline = time.monotonic() + 30
    while state_of(command) not in ("Z", None) and time.monotonic() < deadline:
        time.sleep(0.01)
    checks.true("killed, it takes the command with it",
                end(process)[0] == -signal.SIGKILL and state_of(command) in ("Z", None))

    process, command = bench.listen()
    os.kill(command, signal.SIGSTOP)
    while state_of(command) != "T":
        time.sleep(0.01)
    os.kill(command, signal.SIGCONT)
    os.kill(command, signal.SIGUSR2)
    checks.equal("a command stopped and continued by its own pid ends as ever", end(process)[0], 5)


def inherited(bench, before):
    process = bench.start("--quiet", "--", "grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status",
                          preexec_fn=before)
    return end(process)[1]


def check_inheritance(bench):
    checks = bench.checks

    def odd():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

    plain = subprocess.run(["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"],
                           preexec_fn=odd, capture_output=True, text=True, check=True)
    checks.equal("ignored and blocked signals are the command's as they were",
                 inherited(bench, odd), plain.stdout)
    checks.equal("a code comes through where children are ignored", end(
        bench.start("--quiet", "--", "sh", "-c", "exit 9", preexec_fn=odd))[0], 9)

    fifo = bench.scratch / "fifo"
    os.mkfifo(fifo)
    process = bench.start("--quiet", "--", "sh", "-c", f"echo last; exec >&-; read line <{fifo}")
    checks.equal("a pipe the command has closed is closed", process.stdout.read(), "last\n")
    fifo.write_text("go\n")
    checks.equal("while it goes on", process.wait(timeout=60), 0)
    process.stderr.close()

    found = end(bench.start("--exec", "--", "sh", "-c", "echo $$; sleep 0.3; kill -9 $$"))
    checks.true("--exec becomes the command and says nothing", found[0] == -signal.SIGKILL and
                found[2] == "", found)
    script = f"export SYSTEMD_EXEC_PID=$$; echo $$; exec {bench.program} run -- sh -c 'echo $$'"
    output = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True,
                            env=bench.environment, timeout=60).stdout.split()
    checks.equal("so does the main process of a service", output[0], output[1])


class Terminal:
    """bash with job control on a terminal of its own."""

    def __init__(self, bench, *command):
        self.text = ""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            # A shell passes on what it found ignored, and what runs the tests may have been started so.
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            environment = {**bench.environment, "PS1": "prompt> ", "TERM": "dumb", "HISTFILE": ""}
            os.execvpe(command[0], command, environment)

    def send(self, text):
        os.write(self.descriptor, text.encode())

    def expect(self, pattern, seconds=30):
        """The text up to the end of the pattern; None when it does not come."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text)
            if found:
                seen, self.text = self.text[:found.end()], self.text[found.end():]
                return seen
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.descriptor], [], [], left)[0]:
                return None
            try:
                piece = os.read(self.descriptor, 65536)
            except OSError:
                piece = b""
            if not piece:
                return None
            self.text += piece.decode(errors="replace").replace("\r", "")

    def resize(self, columns):
        termios.tcsetwinsize(self.descriptor, (24, columns))

    def close(self):
        os.close(self.descriptor)
        os.waitpid(self.pid, 0)


def check_terminal(bench):
    checks = bench.checks
    shell = Terminal(bench, "bash", "--norc", "--noprofile", "-i")
    runs = bench.runs()
    run = f"{bench.program} run --dir={runs}"
    shell.expect("prompt> ")
    shell.send(f"stty -g >{bench.scratch}/before\n")
    shell.expect("prompt> ")

    shell.send(f"{run} -- {bench.listener}\n")
    command = int(shell.expect(r"ready \d+\n").split()[-1])
    shell.send("\x03")
    checks.true("ctrl-C reaches the command", shell.expect(rf"got {int(signal.SIGINT)} 0\n"))
    shell.resize(93)
    checks.true("and so does a new size", shell.expect("size 93\n"))
    shell.send("\x1a")
    checks.true("ctrl-Z gives the terminal back", shell.expect("Stopped.*\nprompt> "))
    shell.send("fg\n")
    shell.expect(rf"got {int(signal.SIGCONT)} 0\n")
    shell.send("\x1c")
    seen = shell.expect(rf"got {int(signal.SIGQUIT)} 0\n")
    checks.true("fg goes on, and nothing came twice", seen is not None and "got" not in
                seen.replace(f"got {int(signal.SIGQUIT)} 0", "", 1), seen)
    shell.send("\x1a")
    shell.expect("Stopped.*\nprompt> ")
    shell.send("kill -CONT %1; kill -USR2 %1; wait %1; echo code $?\n")
    checks.true("a stopped command continues in the background",
                shell.expect(r"code 5\n") is not None)

    shell.send(f"{run} -- {bench.listener} 2\n")
    command = int(shell.expect(r"ready \d+\n").split()[-1])
    while not list(runs.glob(f"listener.{command}.*/summary.json")):
        time.sleep(0.05)
    shell.send("\x03")
    shell.send("echo code $?\n")
    seen = shell.expect(r"code \d+\n")
    checks.true("a command that dies of ctrl-C ends as ever, with its last words",
                seen and "code 130" in seen and f"/listener." in seen, seen)
    shell.expect("prompt> ")

    shell.send(f"{run} -- cat &\n")
    seen = None
    tries = 0
    while seen is None and tries < 300:  # bash tells of it with its next prompt
        shell.send("\n")
        seen = shell.expect(r"Stopped[^\n]*cat", 0.1)
        tries += 1
    checks.true("a command that reads in the background stops as a job", seen)
    shell.send("fg\n")
    shell.expect("cat\n")
    shell.send("echoed\n")
    checks.true("and reads in the foreground", shell.expect("echoed\nechoed\n"))
    shell.send("\x04")
    shell.expect("prompt> ")

    shell.send(f"{run} -- bash --norc --noprofile -i\n")
    shell.expect("prompt> ")
    shell.send("sleep 100\n")
    time.sleep(0.3)
    shell.send("\x1a")
    checks.true("a shell under it has job control of its own",
                shell.expect("Stopped.*\nprompt> "))
    shell.send("kill %1; exit 4\n")
    shell.expect("exit")
    shell.expect("prompt> ")
    shell.send(f"echo code $?; stty -g >{bench.scratch}/after\n")
    shell.expect(r"code \d+\n")
    shell.expect("prompt> ")
    checks.equal("the terminal's settings are as they were",
                 (bench.scratch / "after").read_text(), (bench.scratch / "before").read_text())
    shell.send("exit\n")
    shell.close()

    leader = Terminal(bench, str(bench.program), "run", "--quiet", f"--dir={bench.runs()}", "--",
                      str(bench.listener), "1")
    command = int(leader.expect(r"ready \d+\n").split()[-1])
    os.close(leader.descriptor)
    os.waitpid(leader.pid, 0)
    checks.true("a terminal that hangs up ends the command of a session's leader",
                state_of(command) in ("Z", None))


def check_process_one(bench):
    checks = bench.checks
    one = ["unshare", "--pid", "--fork", "--mount-proc"]
    if os.getuid() != 0 or subprocess.run([*one, "true"], capture_output=True,
                                          check=False).returncode != 0:
        print("# skipped: process 1 of a namespace, which needs root")
        return
    script = "(sleep 0.2 & exit); sleep 0.6; cat /proc/[0-9]*/stat | grep -c ' Z '; kill -TERM $$"
    process = subprocess.run([*one, bench.program, "run", "--quiet", f"--dir={bench.runs()}", "--",
                              "sh", "-c", script], capture_output=True, text=True, check=False,
                             env=bench.environment, timeout=60)
    checks.true("as process 1 it leaves no zombies, and tells a death by signal",
                (process.stdout, process.returncode) == ("0\n", 128 + signal.SIGTERM), process)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    harness.PROGRAM = build / "leakshim"
    scratch = pathlib.Path(tempfile.mkdtemp())
    bench = Bench(Checks(), build, scratch)
    try:
        check_last_words(bench)
        check_signals(bench)
        check_inheritance(bench)
        check_terminal(bench)
        check_process_one(bench)
    finally:
        shutil.rmtree(scratch)
    return bench.checks.finish()


if __name__ == "__main__":
    sys.exit(main())
