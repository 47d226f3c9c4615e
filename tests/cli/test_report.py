#!/usr/bin/env python3
"""`leakshim report` and `leakshim diff` on real runs, and what other people's tools make of it.

    python3 tests/cli/test_report.py BUILD_DIRECTORY
"""
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from harness import Checks, ROOT, leakshim, make_runs

GOLDEN = ROOT / "tests/unit/golden"


def check_one(checks, runs):
    run = next((runs / "leaking").glob("service.*"))
    result = leakshim("report", "--no-symbolize", run)
    checks.equal("the report of one run is its summary.txt", result.stdout,
                 (run / "summary.txt").read_text(), result)
    checks.equal("and ends with 0", result.returncode, 0)
    colored = leakshim("report", "--no-symbolize", "--color=always", run)
    checks.true("colours are added on request", "\x1b[1;31mleaking" in colored.stdout, colored)
    checks.equal("and nothing else", re.sub(r"\x1b\[[0-9;]*m", "", colored.stdout), result.stdout)


def restarts(scratch):
    """Five runs of one service made from a golden summary: killed at its limit four times."""
    summary = json.loads((GOLDEN / "leaking.summary.json").read_text())
    start = datetime.datetime(2026, 11, 21, 8, 0, 0)
    for index in range(5):
        process = summary["process"]
        began = start + datetime.timedelta(minutes=16 * index)
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        last = now if index == 4 else began + datetime.timedelta(minutes=15)
        process.update(pid=100 + index, uptime_s=900 + index,
                       started_at=began.isoformat(timespec="milliseconds") + "Z")
        summary["written_at"] = last.isoformat(timespec="milliseconds") + "Z"
        summary["memory"]["rss_bytes"] = 530000000
        if index == 2:
            summary["memory"]["rss_bytes"] = 100000000
        run = scratch / "restarts" / f"node.{100 + index}.20261121T080000Z"
        run.mkdir(parents=True)
        (run / "summary.json").write_text(json.dumps(summary))
    return scratch / "restarts"


def check_story(checks, scratch):
    result = leakshim("report", restarts(scratch))
    for what in ("5 runs, 4 restarts; up 15 min to 15 min 4 s, 1 running, 1 killed, "
                 "3 killed at its limit",
                 "in 5 of 5 runs  js +21.4 MB/min in getData, /srv/users/src/cache.js:12"):
        checks.true(f"the story says '{what[:40]}...'", what in result.stdout, result)
    checks.equal("a line for each run", len(re.findall(r"^  2026.* node 10\d ", result.stdout,
                                                       flags=re.M)), 5, result)
    (scratch / "restarts/node.102.20261121T080000Z/summary.json").write_text("{")
    result = leakshim("report", scratch / "restarts")
    checks.true("what can be read is shown, and the exit code says that it is not all",
                result.returncode == 2 and "4 runs" in result.stdout, result)


def sessions(scratch, growth_count_per_s):
    """A run in which sessions rise that the program has named itself, and that have no size."""
    summary = json.loads((GOLDEN / "leaking.summary.json").read_text())
    site = summary["sites"][0]
    site.update(resource="custom", kind="session", live_bytes=0, peak_live_bytes=0, error_bytes=0, acquired_bytes=0,
                acquired_count=9000, growth_bytes_per_s=0, growth_count_per_s=growth_count_per_s)
    run = scratch / f"sessions_{growth_count_per_s}" / "node.100.20261121T080000Z"
    run.mkdir(parents=True)
    (run / "summary.json").write_text(json.dumps(summary))
    return run


def check_counted(checks, scratch):
    """What has no size is compared by number, and the program's own may have none."""
    few, many = sessions(scratch, 2), sessions(scratch, 6)
    result = leakshim("diff", few, many)
    checks.true("more sessions a second are faster", result.returncode == 1 and
                re.search(r"^  faster .*\+120/min.*\+360/min", result.stdout, flags=re.M), result)
    result = leakshim("check", few)
    checks.true("and told by number", "custom +120/min" in result.stdout + result.stderr, result)
    result = leakshim("check", "--max-growth=1G/min", few)
    checks.equal("no growth in bytes tolerates them", result.returncode, 1, result)


def check_diff(checks, runs):
    fixed, leaking = runs / "fixed", runs / "leaking"
    result = leakshim("diff", fixed, leaking)
    checks.true("a leak that is new is found", result.returncode == 1 and
                re.search(r"^  new .*session_open", result.stdout, flags=re.M), result)
    result = leakshim("diff", leaking, fixed)
    checks.true("a leak that is repaired is gone", result.returncode == 0 and
                re.search(r"^  gone .*session_open", result.stdout, flags=re.M), result)
    result = leakshim("diff", leaking, leaking)
    checks.true("a run is the same as itself", result.returncode == 0 and
                "0 new, 0 faster, 0 slower, 0 gone" in result.stdout, result)
    for arguments in ((), (fixed,), (fixed, leaking, fixed), (fixed, "nowhere"),
                      ("--margin=x", fixed, leaking)):
        result = leakshim("diff", *arguments)
        checks.true(f"diff with {len(arguments)} arguments it cannot use ends with 2",
                    result.returncode == 2 and result.stderr.startswith("leakshim: "), result)


def check_folded(checks, runs):
    result = leakshim("report", "--format=folded", runs / "leaking")
    lines = result.stdout.splitlines()
    checks.true("folded: every line is a stack and a number",
                lines and all(re.fullmatch(r"[^;]+(;[^;]+)+ \d+", line) for line in lines), result)
    summary = json.loads(next((runs / "leaking").glob("service.*/summary.json")).read_text())
    live = sum(site["live_bytes"] for site in summary["sites"])
    found = sum(int(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("service;"))
    checks.equal("folded: the sum is what is live", found, live)
    result = leakshim("report", "--format=folded", "--value=growth", runs / "leaking")
    largest = max(result.stdout.splitlines(), key=lambda line: int(line.rsplit(" ", 1)[1]))
    checks.true("folded: what grows most is the leak, below main",
                re.search(r";main \(service\.c:\d+\);.*session_open \(session\.c:\d+\) \d+$", largest), result)


def check_pprof(checks, runs, scratch):
    profile = scratch / "profile.pb.gz"
    golden = GOLDEN / "leaking.summary.json"
    result = leakshim("report", "--format=pprof", f"--output={profile}", golden, runs / "leaking")
    checks.equal("pprof: written", result.returncode, 0, result)
    environment = {**os.environ, "PPROF_BINARY_PATH": "/nowhere", "PPROF_TMPDIR": str(scratch)}

    def pprof(*arguments):
        return subprocess.run(["go", "tool", "pprof", "-symbolize=none", *arguments, profile],
                              capture_output=True, text=True, env=environment, check=False,
                              timeout=60)

    result = pprof("-unit=B", "-nodefraction=0", "-top")
    checks.true("pprof: go tool pprof reads it, live bytes first",
                result.returncode == 0 and "Type: inuse_space" in result.stdout, result)
    checks.true("pprof: a JavaScript function has its live bytes",
                re.search(r"^\s*47815066B .* getData$", result.stdout, flags=re.M), result)
    result = pprof("-unit=B", "-sample_index=growth_per_minute", "-top")
    checks.true("pprof: growth is a value of its own",
                re.search(r"^\s*21400002B .* getData$", result.stdout, flags=re.M), result)
    result = pprof("-raw")
    mapped = re.findall(r"^\d+: 0x[0-9a-f]+/0x[0-9a-f]+/0x0 (\S+) ([0-9a-f]{40})", result.stdout,
                        flags=re.M)
    summary = json.loads(next((runs / "leaking").glob("service.*/summary.json")).read_text())
    build_ids = {(frame["module"], frame["build_id"]) for site in summary["sites"]
                 for frame in site["stack"] if frame["build_id"]}
    checks.true("pprof: mappings have their build ids", build_ids and build_ids <= set(mapped),
                result)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    checks = Checks()
    if shutil.which("go") is None:
        sys.exit("go is missing: apt-get install golang-go")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        runs = make_runs(build, scratch)
        check_one(checks, runs)
        check_story(checks, scratch)
        check_diff(checks, runs)
        check_counted(checks, scratch)
        check_folded(checks, runs)
        check_pprof(checks, runs, scratch)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
