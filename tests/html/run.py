#!/usr/bin/env python3
"""`leakshim report --format=html` in headless Chromium: real runs, made-up ones, and hostile ones.

    python3 tests/html/run.py BUILD_DIRECTORY [--keep DIRECTORY]

Chromium is Debian's; playwright-core comes from npm by name and version, once for a build. --keep leaves pages
and screenshots there.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/cli"))

import harness  # noqa: E402
from harness import Checks, leakshim, make_runs  # noqa: E402

PLAYWRIGHT = "playwright-core@1.57.0"
GOLDEN = ROOT / "tests/unit/golden"
PATIENCE = 60

# A page without its data; what a run adds, with its curves; what no set of runs may pass.
PAGE_BYTES = 160 * 1024
RUN_BYTES = 512 * 1024
LARGEST_BYTES = 6 * 1024 * 1024


def playwright(build):
    place = build / "html"
    if not (place / "package").is_dir():
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", PLAYWRIGHT], cwd=place, check=True, timeout=180,
                       stdout=subprocess.DEVNULL)
        with tarfile.open(next(place.glob("playwright-core-*.tgz"))) as content:
            content.extractall(place)
    return place / "package"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_whole(run):
    """Whether both summaries are of the same moment: the text is written first."""
    return os.path.getmtime(run / "summary.txt") <= os.path.getmtime(run / "summary.json")


def names_the_leak(run):
    summary = json.loads((run / "summary.json").read_text())
    return any(site["function"] == "getData" and site["verdict"] == "rising" and len(site["series"]) > 2
               for site in summary["sites"])


def make_node_run(runs):
    """The listeners example under load until its leak is known; then the server is killed."""
    port = free_port()
    server = subprocess.Popen(
        [harness.PROGRAM, "run", "--interval=500ms", f"--dir={runs}", "--", "node",
         "--max-old-space-size=512", ROOT / "examples/listeners/server.js"],
        env={**os.environ, "PORT": str(port)}, stdout=subprocess.DEVNULL)
    load = subprocess.Popen(["node", ROOT / "examples/listeners/load.js", str(port), "200", "50"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            time.sleep(0.5)
            server.send_signal(signal.SIGSTOP)
            for path in runs.glob("node.*/summary.json"):
                if is_whole(path.parent) and names_the_leak(path.parent):
                    return path.parent
            server.send_signal(signal.SIGCONT)
        sys.exit("the leak of the listeners was not found")
    finally:
        load.kill()
        server.send_signal(signal.SIGKILL)
        load.wait()
        server.wait()


def stamp(moment):
    return moment.isoformat(timespec="milliseconds") + "Z"


def write_run(folder, name, summary, history=()):
    run = folder / name
    run.mkdir(parents=True)
    (run / "summary.json").write_text(json.dumps(summary))
    if history:
        (run / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history))
    return run


def make_restarts(scratch):
    """A service that reached its limit four times and runs for the fifth, with histories."""
    summary = json.loads((GOLDEN / "leaking.summary.json").read_text())
    start = datetime.datetime(2026, 11, 21, 8, 0, 0)
    for index in range(5):
        began = start + datetime.timedelta(minutes=16 * index)
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        last = now if index == 4 else began + datetime.timedelta(minutes=15)
        summary["process"].update(pid=100 + index, uptime_s=900 + index, started_at=stamp(began))
        summary["written_at"] = stamp(last)
        summary["memory"]["rss_bytes"] = 530000000 if index != 2 else 100000000
        history = [{"uptime_s": 10 * step, "rss_bytes": 1e8 + step * 4.8e6} for step in range(1, 90)]
        run = write_run(scratch / "restarts", f"node.{100 + index}.20261121T080000Z", summary, history)
        with open(run / "history.jsonl", "a", encoding="utf-8") as file:
            file.write('{"uptime_s": 901, "rss_by')  # a line cut short is passed over
    return scratch / "restarts"


HOSTILE = ("</script><img src=x onerror=window.taken=1><!--<script>window.taken=2</script>"
           "'\"><svg onload=window.taken=3>{{data}}\u202egnp.exe\u0007")


def make_hostile(scratch):
    """A golden summary in which every name is an attempt."""
    summary = json.loads((GOLDEN / "leaking.summary.json").read_text())

    def poison(value, key):
        if isinstance(value, dict):
            return {name: poison(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [poison(each, key) for each in value]
        if isinstance(value, str) and key in ("command", "program", "message", "function", "file",
                                              "module", "location", "path", "thread", "address"):
            return HOSTILE
        return value

    summary = poison(summary, "")
    summary["health"]["notes"] = [HOSTILE]
    summary["health"]["state"] = "degraded"
    summary["sites"][2]["peers"][1]["errors"] = {HOSTILE: 3, "__proto__": 4}
    summary["sites"][3]["function"] = "n" * 200000
    summary["sites"][4]["function"] = "__proto__"
    summary["sites"][5]["function"] = "constructor"
    summary["memory"]["unexplained_bytes"] = -5000000
    summary["memory"]["v8_heap_bytes"] = None
    summary["sites"][0]["series"] = [[0, 1e300, -5], [1e300, 0, 1e300], [5, -1e300, 2]]
    history = [{"uptime_s": time_s, "rss_bytes": value} for time_s, value in
               ((1e300, 1), (5, 1e300), (3, -7), (-1e300, 4), (4, 8))]
    return write_run(scratch, "hostile'\"<b>&amp;", summary, history)


def make_early(scratch):
    """A run that was looked at before it had any site."""
    summary = json.loads((GOLDEN / "clean.summary.json").read_text())
    summary.update(sites=[], modules=[], event_loops=[], isolates=[], sequence=1)
    summary["verdict"].update(state="learning", rising_sites=0, message="learning: too early to tell")
    return write_run(scratch, "early.1.20261121T080000Z", summary)


def make_large(scratch):
    """Forty runs of a hundred sites, and a last one of a thousand."""
    summary = json.loads((GOLDEN / "leaking.summary.json").read_text())
    site = summary["sites"][1]
    site["series"] = [[second, second * 1000, second] for second in range(64)]
    for index in range(41):
        summary["sites"] = [dict(site, id=f"{number:016x}", function=f"f{number}")
                            for number in range(1000 if index == 40 else 100)]
        summary["process"].update(pid=index + 1, command=f"service {index % 3}")
        write_run(scratch / "large", f"node.{index + 1}.20261121T080000Z", summary)
    return scratch / "large"


def make_page(checks, pages, name, *paths):
    """The page of a name; checks what can be told without a browser."""
    page = pages / f"{name}.html"
    result = leakshim("report", "--format=html", f"--output={page}", *paths)
    checks.true(f"{name}: the page is written", result.returncode == 0 and not result.stderr, result)
    text = page.read_text()
    checks.equal(f"{name}: every script's end is one of the page's", text.count("</script"), 10)
    return len(text.encode())


def make_pages(checks, build, scratch, pages):
    runs = make_runs(build, scratch)
    node = make_node_run(scratch / "node")
    service = next((runs / "leaking").glob("service.*"))
    (pages / "expected.json").write_text(json.dumps({
        "service": json.loads((service / "summary.json").read_text()),
        "node": json.loads((node / "summary.json").read_text()),
        "text": (node / "summary.txt").read_text(),
        "hostile": HOSTILE,
    }))
    size = make_page(checks, pages, "service", service)
    checks.true("the page of a run is bounded", size < PAGE_BYTES + RUN_BYTES, f"{size} bytes")
    make_page(checks, pages, "restarts", make_restarts(scratch))
    make_page(checks, pages, "hostile", make_hostile(scratch))
    size = make_page(checks, pages, "early", make_early(scratch))
    checks.true("a page without sites is small", size < PAGE_BYTES + 8192, f"{size} bytes")
    size = make_page(checks, pages, "large", make_large(scratch))
    checks.true("the page of very much is bounded", size < LARGEST_BYTES, f"{size} bytes")
    # Until then it might go on: three intervals and five seconds after its last summary.
    time.sleep(max(0, os.path.getmtime(node / "summary.json") + 8 - time.time()))
    make_page(checks, pages, "node", node)
    make_page(checks, pages, "real", runs, scratch / "node")


def check_errors(checks, scratch):
    (scratch / "restarts/node.102.20261121T080000Z/summary.json").write_text("{")
    page = scratch / "part.html"
    result = leakshim("report", "--format=html", f"--output={page}", scratch / "restarts")
    checks.true("what can be read is shown, and the exit code says that it is not all",
                result.returncode == 2 and "4 runs" in page.read_text(), result)
    if os.path.exists("/dev/full"):
        result = leakshim("report", "--format=html", "--output=/dev/full", scratch / "restarts")
        checks.equal("a page that cannot be written is an error", result.returncode, 2, result)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    build = options.build.resolve()
    browser = shutil.which("chromium")
    if browser is None:
        sys.exit("chromium is missing: apt-get install chromium")
    checks = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        pages = scratch / "pages"
        pages.mkdir()
        make_pages(checks, build, scratch, pages)
        result = subprocess.run(["node", ROOT / "tests/html/browse.js", playwright(build), browser,
                                 pages], check=False, timeout=300)
        checks.equal("the browser finds no fault", result.returncode, 0)
        check_errors(checks, scratch)
        if options.keep:
            shutil.copytree(pages, options.keep, dirs_exist_ok=True)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
