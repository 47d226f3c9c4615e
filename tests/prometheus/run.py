#!/usr/bin/env python3
"""metrics.prom, the alert rules and the set-up of examples/prometheus with Debian's Prometheus.

    python3 tests/prometheus/run.py --library build/dev/libleakshim.so [--node 24]

Services that leak, that cannot reach a peer and that block their loop run beside their repaired selves,
all in one directory of runs. A node_exporter reads it and a Prometheus evaluates the shipped rules, of
which only the durations are divided. Each alert has to fire for the service it is meant for, and none
for a repaired one; then the services end in different ways. Prints one line a check and a count."""

import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "node"))
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

from harness import Checks
from tools import (Monitoring, PATIENCE, ROOT, SHIPPED, clean_environment, get, promtool, shorten,
                   unpack)
from versions import fetch_node, fetch_package

EXAMPLES = ROOT / "examples"
# Alerts come after 20 to 40 seconds on an idle machine.
ALERT_SECONDS = 100
LOAD_SECONDS = 200


class Services:
    """What is watched: each in a run of its own, all runs in one directory."""

    def __init__(self, library, directory):
        self.library = library
        self.directory = directory
        self.runs = directory / "runs"
        self.running = {}
        self.loads = []

    def options(self, extra):
        return f"interval=1s,keep=64,dir={self.runs}{extra}"

    def start(self, name, command, options="", says="listening on", **environment):
        env = clean_environment(self.library, LEAKSHIM_OPTIONS=self.options(options), **environment)
        with open(self.directory / f"{name}.err", "wb") as errors:
            process = subprocess.Popen(list(map(str, command)), env=env, cwd=self.directory,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        self.running[name] = process
        line = process.stdout.readline().decode()
        if not line.startswith(says):
            raise RuntimeError(f"{name} said {line!r}")
        return int(line.split()[-1]) if says == "listening on" else None

    def load(self, node, example, port, rate):
        command = [node, EXAMPLES / example / "load.js", port, rate, LOAD_SECONDS]
        self.loads.append(subprocess.Popen(list(map(str, command)), env=clean_environment(),
                                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL))

    def pid(self, name):
        return str(self.running[name].pid)

    def end(self, name, how=signal.SIGTERM):
        process = self.running[name]
        if process.poll() is None:
            process.send_signal(how)
        return process.wait(timeout=PATIENCE)

    def metrics(self, name):
        """The files of the process: more than one when it executed another program."""
        return sorted(self.runs.glob(f"*.{self.pid(name)}.*/metrics.prom"))

    def close(self):
        for process in [*self.loads, *self.running.values()]:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def check_shipped(checks, tools, scratch):
    """The files of examples/prometheus by themselves."""
    for arguments in (("check", "rules", SHIPPED / "leakshim.rules.yml"),
                      ("check", "config", SHIPPED / "prometheus.yml"),
                      ("test", "rules", SHIPPED / "leakshim.rules.test.yml")):
        done = promtool(tools, *arguments)
        checks.equal(f"promtool {' '.join(arguments[:2])} passes", done.returncode, 0,
                     (done.stdout + done.stderr).decode())
    rules = (SHIPPED / "leakshim.rules.yml").read_text()
    short = shorten(rules)
    digits = re.compile(r"\d+[ms]?\b")
    checks.equal("the shortened rules differ in durations alone", digits.sub("#", short),
                 digits.sub("#", rules))
    for golden in sorted((ROOT / "tests/unit/golden").glob("*.metrics.prom")):
        done = promtool(tools, "check", "metrics", standard_input=golden.read_bytes())
        checks.true(f"promtool check metrics passes {golden.name}",
                    done.returncode == 0 and not done.stdout + done.stderr,
                    (done.stdout + done.stderr).decode())
    broken = scratch / "broken.rules.yml"
    broken.write_text(rules.replace("< 1800", "< 180"))
    test = scratch / "broken.test.yml"
    test.write_text((SHIPPED / "leakshim.rules.test.yml").read_text().replace("leakshim.rules.yml",
                                                                             broken.name))
    checks.true("the rules' test can fail", promtool(tools, "test", "rules", test).returncode != 0)


# Families whose names, types and HELP prom-client has too.
PROM_CLIENTS = ("process_resident_memory_bytes", "process_start_time_seconds",
                "nodejs_eventloop_lag_p50_seconds", "nodejs_eventloop_lag_p99_seconds",
                "nodejs_eventloop_lag_max_seconds", "nodejs_heap_size_used_bytes",
                "nodejs_heap_size_total_bytes", "nodejs_external_memory_bytes")


def check_known_names(checks, node):
    """docs/prometheus.md says which names are prom-client's: asked of it."""
    package, problem = fetch_package("prom-client", "prom-client@15.1.3")
    checks.equal("npm has prom-client", problem, None)
    if problem:
        return
    script = ("const client = require(process.argv[1]); client.collectDefaultMetrics();"
              "client.register.metrics().then((text) => { console.log(text); process.exit(); });")
    done = subprocess.run([node, "-e", script, package], capture_output=True, text=True, check=False,
                          env=clean_environment(), timeout=PATIENCE)
    ours = (ROOT / "tests/unit/golden/leaking.metrics.prom").read_text()
    for name in PROM_CLIENTS:
        lines = re.findall(rf"^# (?:HELP|TYPE) {name} .*\n", ours, flags=re.M)
        checks.true(f"prom-client has {name}", len(lines) == 2 and all(
            line in done.stdout for line in lines), f"{lines}\n{done}")


def build_service(scratch):
    service = scratch / "service"
    sources = EXAMPLES / "c-service"
    subprocess.run(["cc", "-O2", "-g", "-pthread", "-o", service, sources / "service.c",
                    sources / "session.c"], check=True, timeout=120)
    return service


def start_services(services, node, scratch, refused):
    """The loads leave room on two processors."""
    heap = "--max-old-space-size=512"
    for name, fixed in (("listeners", 0), ("listeners, fixed", 1)):
        port = services.start(name, [node, heap, EXAMPLES / "listeners/server.js"], FIXED=fixed)
        services.load(node, "listeners", port, 100)
    for name, fixed in (("peer", 0), ("peer, fixed", 1)):
        port = services.start(name, [node, heap, EXAMPLES / "blocked-peer/server.js"], FIXED=fixed,
                              COLLECTOR=refused)
        services.load(node, "blocked-peer", port, 20)
    # A list too short for all of its sites and peers: what fails comes first.
    services.start("many peers", [node, ROOT / "tests/prometheus/programs/peers.js"], ",top=6",
                   REFUSED=refused)
    port = services.start("loop", [node, heap, EXAMPLES / "blocked-loop/server.js"])
    services.load(node, "blocked-loop", port, 3)
    service = build_service(scratch)
    for name, arguments in (("service", []), ("service, fixed", ["--fixed"])):
        services.start(name, [service, *arguments, "--load=400", f"--seconds={LOAD_SECONDS}"],
                       ",mode=exact")
    odd = scratch / 'no"de\\ {x}'
    odd.symlink_to(node)
    services.start("hostile", [odd, ROOT / "tests/prometheus/programs/hostile.js"], ",js_sample=32K",
                   says="listening on")
    # The same program, pid and directory of runs, and two runs.
    services.start("twice", ["bash", "-c", "echo once; sleep 2; exec bash -c 'sleep 500; :'"],
                   ",only=bash", says="once")


# Which alert has to come for which service, and what its labels have to say.
WANTED = [
    ("LeakshimSiteRising", "listeners", {"function": "getData", "resource": "js"}),
    ("LeakshimLimitNear", "listeners", {"severity": "critical"}),
    ("LeakshimPeerFailing", "peer", {}),
    ("LeakshimPeerFailing", "many peers", {}),
    ("LeakshimEventLoopDelay", "loop", {}),
    ("LeakshimSiteRising", "service", {"function": "session_open", "resource": "heap"}),
    ("LeakshimMemoryGrowth", "service", {}),
]
REPAIRED = ("listeners, fixed", "peer, fixed", "service, fixed")


def fires(alerts, name, pid, labels):
    return any(alert == name and found["pid"] == pid and
               all(found.get(key) == value for key, value in labels.items())
               for alert, found in alerts)


def wait_until(seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def told(alerts):
    return "\n".join(sorted(f"{name} {labels.get('program')} {labels.get('pid')} "
                            f"{labels.get('function', '')}" for name, labels in alerts))


def check_alerts(checks, services, monitoring):
    """Waits for all of them together; each says when it came first."""
    began = time.monotonic()
    left = list(WANTED)
    while left and time.monotonic() < began + ALERT_SECONDS:
        time.sleep(0.5)
        alerts = monitoring.firing()
        for wanted in list(left):
            if fires(alerts, wanted[0], services.pid(wanted[1]), wanted[2]):
                print(f"# {time.monotonic() - began:.0f} s: {wanted[0]} for the {wanted[1]}")
                left.remove(wanted)
    for wanted in WANTED:
        name = f", and names {wanted[2]['function']}" if "function" in wanted[2] else ""
        checks.true(f"{wanted[0]} fires for the {wanted[1]}{name}", wanted not in left,
                    told(monitoring.firing()))
    for name in ("peer", "many peers"):
        peers = {labels["peer"] for labels, _ in monitoring.query(
            f'max_over_time(ALERTS{{alertname="LeakshimPeerFailing",pid="{services.pid(name)}"}}[10m])')}
        checks.equal(f"the alert for the {name} has the address of the one that refuses", peers,
                     {f"127.0.0.1:{services.refused}"})


def check_files(checks, tools, services):
    """promtool's lint on what real runs write while they live."""
    for name in services.running:
        files = services.metrics(name)
        checks.equal(f"{name}: as many files as runs", len(files), 2 if name == "twice" else 1)
        for file in files:
            content = file.read_bytes()
            done = promtool(tools, "check", "metrics", standard_input=content)
            checks.true(f"promtool check metrics passes {file.parent.name}",
                        done.returncode == 0 and not done.stdout + done.stderr,
                        (done.stdout + done.stderr).decode())
    node = services.metrics("listeners")[0].read_text()
    for family in ("nodejs_eventloop_lag_p99_seconds", "nodejs_heap_size_used_bytes",
                   "leakshim_peer_opened_total", "leakshim_site_live_bytes",
                   "leakshim_memory_limit_bytes", "process_resident_memory_bytes"):
        checks.true(f"a Node server has {family}", f"\n{family}{{" in node)
    sites = re.findall(r"^leakshim_site_live_bytes\{", node, flags=re.M)
    checks.true("at most 50 sites", 0 < len(sites) <= 50, len(sites))


def check_names(checks, services, monitoring):
    """What went through node_exporter, Prometheus and its answers as JSON is what the names were."""
    pid = services.pid("hostile")
    samples = monitoring.query(f'leakshim_site_live_bytes{{pid="{pid}",resource="js"}}')
    functions = {labels["function"] for labels, _ in samples}
    for name in ('quote"', "back\\slash", "line\nfeed", 'labels{a="b",c="d"} 1', "# TYPE x counter",
                 "é🐛", "tab\ufffdbell\ufffd", "n" * 160 + "…"):
        checks.true(f"a function's name arrives: {name[:30]!r}", name in functions, functions)
    checks.equal("the program's name arrives", {labels["program"] for labels, _ in samples},
                 {'no"de\\ {x}'})
    threads = {labels["thread"] for labels, _ in
               monitoring.query(f'nodejs_eventloop_lag_p99_seconds{{pid="{pid}"}}')}
    checks.true("a thread's name arrives", 'a"b\\c\n{d}' in threads, threads)
    peers = {labels["peer"] for labels, _ in
             monitoring.query(f'leakshim_peer_failed_total{{pid="{pid}"}} > 0')}
    checks.true("a peer's name arrives", {'/nowhere/quote"', "/nowhere/line\nfeed"} <= peers, peers)


def check_scrapes(checks, services, monitoring):
    """Many processes in one directory, beside node_exporter's own process metrics."""
    status, text = get(monitoring.exporter, "/metrics")
    checks.equal("node_exporter answers", status, 200, text[:600])
    # Of two series with the same labels it drops one, and counts that here.
    checks.true("and finds no series twice and no two texts of one metric", re.search(
        r'^promhttp_metric_handler_errors_total\{cause="gathering"\} 0$', text, flags=re.M),
                monitoring.log())
    own = re.search(r"^process_resident_memory_bytes \d", text, flags=re.M)
    checks.true("and its own memory is there beside the others'", own is not None)
    runs = {labels["run"] for labels, _ in monitoring.query("leakshim_final")}
    checks.equal("every run is there", runs,
                 {path.parent.name for path in services.runs.glob("*/metrics.prom")})
    twice = [labels["run"] for labels, _ in
             monitoring.query(f'leakshim_final{{pid="{services.pid("twice")}"}}')]
    checks.equal("a program that executes itself is two of them", len(set(twice)), 2, twice)
    # A scrape may take longer than the second it is given here; none may find fault with a file.
    for expression, expected in (('max_over_time(up{job="leakshim"}[10s])', 1),
                                 ("max_over_time(node_textfile_scrape_error[10m])", 0)):
        samples = monitoring.query(expression)
        checks.equal(f"{expression} is {expected}", [value for _, value in samples], [expected],
                     f"{samples} {monitoring.log()}")


def check_documented(checks, monitoring):
    """The expressions in docs/prometheus.md find what they say."""
    text = (ROOT / "docs/prometheus.md").read_text()
    expressions = re.findall(r"^ {4,}((?:sum|rate)\b.*)$", text, flags=re.M)
    checks.equal("expressions in the documentation", len(expressions), 2)
    for expression in expressions:
        samples = monitoring.query(expression)
        checks.true(f"{expression} has an answer", samples)


def check_repaired(checks, services, monitoring):
    fired = monitoring.query('max_over_time(ALERTS{alertstate="firing"}[10m])')
    for name in REPAIRED:
        # On a machine with much else to do any loop is late.
        alerts = [labels for labels, _ in fired if labels["pid"] == services.pid(name) and
                  not labels["alertname"].startswith("LeakshimEventLoop")]
        checks.equal(f"no alert ever fires for the {name}", alerts, [])
    late = {name: monitoring.query("quantile_over_time(0.5, nodejs_eventloop_lag_p99_seconds"
                                   f'{{pid="{services.pid(name)}"}}[10m])')
            for name in ("loop", "listeners, fixed")}
    blocked, other = (max(value for _, value in samples) for samples in late.values())
    checks.true("another loop is less late by far", other < blocked / 2, late)
    for name in ("loop", "peer", "many peers"):
        alerts = {labels["alertname"] for labels, _ in fired if labels["pid"] == services.pid(name)}
        allowed = {"LeakshimEventLoopDelay", "LeakshimEventLoopBlocked"}
        if name != "loop":
            allowed |= {"LeakshimPeerFailing", "LeakshimSiteRising", "LeakshimMemoryGrowth",
                        "LeakshimLimitNear"}
        checks.true(f"nothing else fires for the {name}", alerts <= allowed, alerts)


def check_ends(checks, tools, services, monitoring):
    """One is killed, others end: what was alerted on is over, and only of the killed one it is told."""
    leaking = services.pid("listeners")
    services.end("listeners", signal.SIGKILL)
    ended = ("listeners, fixed", "loop", "hostile")
    for name in ended:
        checks.equal(f"the {name} ends", services.end(name), 0)
        content = services.metrics(name)[0].read_text()
        done = promtool(tools, "check", "metrics", standard_input=content.encode())
        checks.true(f"the {name} leaves a file that says so, without what it held",
                    done.returncode == 0 and re.search(r"^leakshim_final\{.*\} 1$", content, flags=re.M)
                    and not re.search(r"^(leakshim_(site|peer|verdict)_|nodejs_|\S*resident)", content,
                                      flags=re.M), content)

    def over():
        alerts = monitoring.firing()
        of_killed = {name for name, labels in alerts if labels["pid"] == leaking}
        of_ended = [name for name, labels in alerts
                    if labels["pid"] in {services.pid(name) for name in ended}]
        return of_killed <= {"LeakshimKilled", "LeakshimKilledAtLimit"} and \
            "LeakshimKilled" in of_killed and not of_ended

    checks.true("LeakshimKilled fires for the killed one, and all else of these processes is over",
                wait_until(PATIENCE, over), told(monitoring.firing()))
    killed = {labels["pid"] for labels, _ in monitoring.query('ALERTS{alertname="LeakshimKilled"}')}
    checks.equal("and for no other", killed, {leaking})
    left = {labels["pid"] for labels, _ in monitoring.query("process_resident_memory_bytes{run!=''}")}
    checks.true("who has ended holds no memory",
                not left & {services.pid(name) for name in ended}, left)


def check_collecting(checks, tools, services, scratch):
    """The script for a node_exporter that may not read the runs."""
    target = scratch / "textfiles"
    target.mkdir()
    other = target / "other.prom"
    other.write_text("other 1\n")

    def collect():
        return subprocess.run(["sh", SHIPPED / "collect.sh", target, services.runs],
                              capture_output=True, text=True, check=False, timeout=PATIENCE)

    def copied():
        return {path.name for path in target.iterdir()} - {other.name}

    link = services.runs / "link.1.x"
    link.mkdir()
    (link / "metrics.prom").symlink_to("/etc/hostname")
    done = collect()
    living = {f"leakshim-{file.parent.name}.prom" for name in services.running
              for file in services.metrics(name)
              if re.search(r"^leakshim_final\{.*\} 0$", file.read_text(), flags=re.M)}
    checks.true("collect.sh says nothing", done.returncode == 0 and not done.stdout + done.stderr, done)
    checks.equal("it copies what has not ended, and no link", copied(), living)
    checks.true("everybody may read the copies",
                all(path.stat().st_mode & 0o777 == 0o644 for path in target.glob("leakshim-*")))
    checks.equal("a copy is whole", promtool(tools, "check", "metrics", standard_input=b"".join(
        path.read_bytes() for path in list(target.glob("leakshim-*"))[:1])).returncode, 0)
    old = services.metrics("listeners")[0]
    os.utime(old, (time.time() - 4000, time.time() - 4000))
    shutil.rmtree(services.metrics("twice")[0].parent)
    services.end("service, fixed")
    collect()
    gone = {f"leakshim-{old.parent.name}.prom"}
    checks.true("a copy goes when its process is long dead", not gone & copied(), copied())
    checks.true("other files stay", other.exists())
    for arguments in ((), (target,), (scratch / "nowhere", services.runs)):
        done = subprocess.run(["sh", SHIPPED / "collect.sh", *arguments], capture_output=True,
                              text=True, check=False, timeout=PATIENCE)
        checks.true(f"collect.sh with {len(arguments)} arguments that will not do fails",
                    done.returncode != 0 and done.stderr, done)


def check_together(checks, tools, library, node, scratch):
    services = Services(library, scratch)
    monitoring = None
    holder = socket.socket()
    try:
        # Bound and not listened at: nobody else gets it, and it refuses.
        holder.bind(("127.0.0.1", 0))
        services.refused = holder.getsockname()[1]
        start_services(services, node, scratch, services.refused)
        wait_until(PATIENCE, lambda: all(services.metrics(name) for name in services.running))
        monitoring = Monitoring(tools, scratch, services.runs)
        check_alerts(checks, services, monitoring)
        check_files(checks, tools, services)
        check_names(checks, services, monitoring)
        check_scrapes(checks, services, monitoring)
        check_documented(checks, monitoring)
        check_repaired(checks, services, monitoring)
        check_ends(checks, tools, services, monitoring)
        check_collecting(checks, tools, services, scratch)
    finally:
        if monitoring is not None:
            monitoring.close()
        services.close()
        holder.close()


def main():
    parser = argparse.ArgumentParser(description="metrics.prom with Debian's Prometheus")
    parser.add_argument("--library", required=True, help="libleakshim.so")
    parser.add_argument("--node", default="24", help="major version")
    arguments = parser.parse_args()
    library = pathlib.Path(arguments.library).resolve(strict=True)
    node, problem = fetch_node(int(arguments.node))
    if node is None:
        print(f"not ok node {arguments.node}: {problem}\n0 passed, 1 failed")
        return 1
    tools = unpack()
    checks = Checks()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="leakshim-prometheus."))
    try:
        check_shipped(checks, tools, scratch)
        check_known_names(checks, node)
        check_together(checks, tools, library, node, scratch)
    finally:
        if checks.failed == 0 and sys.exc_info()[0] is None:
            shutil.rmtree(scratch)
        else:
            print(f"# kept: {scratch}")
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
