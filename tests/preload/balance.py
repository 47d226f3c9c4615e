"""The memory balance of real servers: what is left unexplained, and whether what the hooks saw mapped
is what the kernel has."""

import json
import shutil
import socket
import subprocess
import sys
import time

import harness
from contents import Skip, expect, summary_of

UNEXPLAINED_MOST = 0.1
PARTS = ("v8_heap_bytes", "live_heap_bytes", "allocator_slack_bytes", "mapping_bytes",
         "stack_bytes", "file_bytes", "own_bytes", "unexplained_bytes")

PYTHON_SERVER = """
import http.server, threading, urllib.request, time
class Handler(http.server.BaseHTTPRequestHandler):
    kept = []
    def do_GET(self):
        self.kept.append([str(i) for i in range(100)])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 100)
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for i in range(300):
    urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/").read()
time.sleep(1.2)
"""

GIVING_BACK = """
import mmap, time
kept = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, 64 << 20, 4096):
    kept[at] = 1
time.sleep(1)
kept.madvise(mmap.MADV_DONTNEED)
time.sleep(1)
for at in range(0, 32 << 20, 4096):
    kept[at] = 1
time.sleep(1)
"""


def check(summary):
    memory = summary["memory"]
    left = memory["unexplained_bytes"] / memory["rss_bytes"]
    parts = {part: memory[part] for part in PARTS}
    expect(abs(left) < UNEXPLAINED_MOST, f"{left:.1%} of the resident memory is left over: {parts}")
    expect(abs(sum(value or 0 for value in parts.values()) - memory["rss_bytes"]) < 16,
           f"the parts do not add up to {memory['rss_bytes']}: {parts}")
    for part in ("file_bytes", "own_bytes", "stack_bytes"):
        expect(memory[part] > 0, f"{part} is {memory[part]}")
    mapped = memory["mapped"]
    expect(mapped["differing_bytes"] <= 0.01 * mapped["committed_bytes"],
           f"the kernel does not have {mapped['differing_bytes']} of {mapped}")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def redis(bench, cwd):
    if shutil.which("redis-server") is None or shutil.which("redis-benchmark") is None:
        raise Skip("redis is not installed")
    port = str(free_port())
    server = subprocess.Popen(["redis-server", "--port", port, "--save", "", "--bind", "127.0.0.1"],
                              cwd=cwd, env=bench.environment(cwd, "interval=300ms"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 10
        while subprocess.run(["redis-cli", "-p", port, "ping"], capture_output=True,
                             check=False).stdout != b"PONG\n":
            expect(time.monotonic() < deadline, "redis does not answer")
            time.sleep(0.1)
        subprocess.run(["redis-benchmark", "-p", port, "-n", "30000", "-d", "300", "-r", "100000",
                        "-t", "set,lpush", "-q"], capture_output=True, check=True, timeout=30)
        time.sleep(1)
        summary = summary_of(cwd, server.pid)
    finally:
        server.terminate()
        server.wait(10)
    expect(summary["memory"]["mapped"]["committed_bytes"] > 1 << 20, "jemalloc's maps are not seen")
    check(summary)


def python(bench, cwd):
    outcome = harness.run([sys.executable, "-c", PYTHON_SERVER], cwd,
                          bench.environment(cwd, "interval=300ms"), 60)
    expect(outcome.code == 0, f"{outcome.end()}\n{harness.shorten(outcome.stderr)}")
    summary = summary_of(cwd, outcome.pid)
    expect(summary["memory"]["mapping_bytes"] > 1 << 20, "Python's arenas are not mappings")
    check(summary)


def fresh_summaries(bench, cwd, command, options):
    """Runs it to its end; the summaries whose parts were read for them, some of them twice."""
    program = subprocess.Popen(command, cwd=cwd, env=bench.environment(cwd, options),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               start_new_session=True)
    deadline = time.monotonic() + 60
    found = []
    try:
        while program.poll() is None:
            expect(time.monotonic() < deadline, "it does not end")
            time.sleep(0.03)
            for directory in harness.run_directories(cwd):
                if (directory / "summary.json").exists():
                    found.append(json.loads((directory / "summary.json").read_text()))
    finally:
        program.kill()
        program.wait(10)
    expect(program.returncode == 0, f"exit status {program.returncode}")
    summary_of(cwd, program.pid)  # its files are as they should be
    fresh = [summary for summary in found if summary["memory"]["parts_age_s"] == 0]
    expect(fresh, f"the parts of none of {len(found)} summaries were read for it")
    return fresh


def giving_back(bench, cwd):
    """Committed stays what it was; what is resident goes and comes without a call that could be seen."""
    seen = []
    for summary in fresh_summaries(bench, cwd, [sys.executable, "-c", GIVING_BACK], "interval=100ms"):
        sites = [site["live_bytes"] for site in summary["sites"] if site["resource"] == "map"]
        if max(sites, default=0) >= 64 << 20:
            seen.append((max(sites) >> 20, summary["memory"]["mapping_bytes"] >> 20))
    expect(seen and {committed for committed, _ in seen} == {64}, f"committed is not 64 MiB: {seen}")
    resident = [each for _, each in seen]
    expect(max(resident) >= 64 and min(resident) < 16 and 32 <= resident[-1] < 48,
           f"resident should be 64 MiB, nothing, and half of it: {resident}")


def fragmenting(bench, cwd):
    """Sampled: in exact mode glibc serves no block, so there is nothing for it to fragment."""
    summary = fresh_summaries(bench, cwd, [bench.victim("fragments"), "6"], "interval=400ms")[-1]
    (directory,) = harness.run_directories(cwd)
    states = [json.loads(line)["verdict"]
              for line in (directory / "history.jsonl").read_text().splitlines()]
    expect("fragmenting" in states and "leaking" not in states, f"verdicts were {states}")
    memory = summary["memory"]
    expect(memory["allocator_slack_bytes"] > 0.7 * memory["rss_bytes"],
           f"the allocator holds {memory['allocator_slack_bytes']} of {memory['rss_bytes']}")
    check(summary)


CONTENTS = {
    "redis: the balance explains the resident memory": redis,
    "a Python server: the balance explains the resident memory": python,
    "pages given back leave the balance, and not what is committed": giving_back,
    "a program that fragments glibc's arenas is told so": fragmenting,
}
