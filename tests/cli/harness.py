"""What the tests of the program share: real runs, and a count of what held."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = None
SECONDS = 8


class Checks:
    """Prints a line for each check and counts."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def true(self, name, condition, evidence=None):
        if condition:
            self.passed += 1
            print(f"ok {name}")
            return
        self.failed += 1
        print(f"not ok {name}")
        if isinstance(evidence, subprocess.CompletedProcess):
            evidence = (f"exit code {evidence.returncode}\n{evidence.stdout}\n{evidence.stderr}")
        if evidence is not None:
            print("\n".join(f"#   {line}" for line in str(evidence).splitlines()[:60]))

    def equal(self, name, found, expected, evidence=None):
        self.true(name, found == expected, evidence or f"{found!r}, expected {expected!r}")

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0


def leakshim(*arguments, stdout=subprocess.PIPE):
    """Runs the built program, without what a CI service or a terminal would set."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "LD_PRELOAD",
                                   "LEAKSHIM_OPTIONS")}
    return subprocess.run([PROGRAM, *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, env=environment, check=False,
                          timeout=60)


def make_runs(build, scratch):
    """Runs of the C service under its own load, leaking and fixed, both at once."""
    global PROGRAM
    PROGRAM = build / "leakshim"
    service = scratch / "service"
    sources = ROOT / "examples/c-service"
    subprocess.run(["cc", "-O2", "-g", "-pthread", "-o", service, sources / "service.c",
                    sources / "session.c"], check=True, timeout=120)
    running = []
    for name, arguments in (("leaking", ()), ("fixed", ("--fixed",))):
        # Exact: the verdict must not depend on the luck of samples.
        running.append(subprocess.Popen(
            [PROGRAM, "run", "--quiet", "--mode=exact", "--interval=500ms", f"--dir={scratch}/runs/{name}",
             "--", service, *arguments, "--load=300", f"--seconds={SECONDS}"],
            stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL))
    for process in running:
        if process.wait(timeout=SECONDS + 60) != 0:
            sys.exit("the service did not run")
    return scratch / "runs"
