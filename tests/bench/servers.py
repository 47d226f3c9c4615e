"""Servers under load: one with the tool and one without are started and loaded in turns.

Requests and latency are what clients on the same machine see; CPU time a request is the server's
own, and far steadier, since the clients share the processors with it.
"""

import csv
import dataclasses
import io
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

import measure
from catalogue import REAL
from comparison import Place, Row, fail
from measure import Broken
from programs import need
from tools import Tool

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 30
# One start of a server can be luckier than another, so both are started anew after so many turns.
TURNS_OF_A_START = 2
# What is told of a server, in the order of the rows.
RATE, DELAY, COST = "requests/s", "p99 ms", "cpu us/request"
# Redis-benchmark keeps 50 connections with this many requests under way in each.
PIPELINE = 8


@dataclasses.dataclass
class Load:
    requests: int
    seconds: float
    p99_ms: float = None


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    about: str
    command: object     # (scene, port) -> list
    load: object        # (port, scale) -> Load
    clocks: tuple
    group: str = REAL


class Running:
    """A server process under a tool."""

    def __init__(self, server, tool, scene, proof=False):
        self.tool, self.place = tool, Place(scene.scratch)
        self.path = self.place.path
        self.port = free_port()
        environment = {**measure.base_environment(self.path),
                       **tool.environment(self.path, proof=proof)}
        with open(os.path.join(self.path, "said"), "wb") as said:
            self.child = subprocess.Popen(server.command(scene, self.port), env=environment,
                                          cwd=self.path, stdin=subprocess.DEVNULL, stdout=said,
                                          stderr=said)
        self.started = time.monotonic()
        try:
            self.wait_for_port()
        except BaseException:
            self.kill()
            raise

    def wait_for_port(self):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                said = measure.read(os.path.join(self.path, "said"))
                raise Broken(f"the server ended at its start: {said[-300:].strip()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise Broken("the server does not listen")

    def cpu_s(self):
        # The clock of another process's CPU time: clock_getcpuclockid(3) makes its number so.
        return time.clock_gettime((~self.child.pid << 3) | 2)

    def peak_kib(self):
        with open(f"/proc/{self.child.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))

    def end(self):
        """Asks it to end; how long it had run."""
        self.child.send_signal(signal.SIGTERM)
        try:
            status = self.child.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Broken("the server did not end") from None
        if status != 0:
            raise Broken(f"the server ended with {status}")
        return time.monotonic() - self.started

    def kill(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.place.__exit__()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def client(command):
    """Output of a load generator, which runs without any tool."""
    with tempfile.TemporaryDirectory(prefix="client.") as home:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=home,
                              env=measure.base_environment(home), stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Broken(f"{os.path.basename(command[0])}: {done.stderr[-300:].strip()}")
    return done.stdout


def redis_command(scene, port):
    # redis-tools brings the server's program under the name of another; which it is to be, it takes
    # from the name it is called by.
    link = scene.program("redis-server")
    if not os.path.islink(link):
        os.symlink(need("redis-check-rdb"), link)
    return [link, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--daemonize", "no"]


def redis_benchmark(port, count, commands, *arguments):
    """So many requests of each command over 50 connections."""
    began = time.monotonic()
    text = client([need("redis-benchmark"), "-p", str(port), "-n", str(count), "-c", "50", "-r", "100000",
                   "-d", "200", "-t", ",".join(commands), "--csv", *arguments])
    wall_s = time.monotonic() - began
    rates = [float(line["rps"]) for line in csv.DictReader(io.StringIO(text))]
    if len(rates) != len(commands) or min(rates) <= 0:
        raise Broken(f"redis-benchmark said {text[:200]!r} after {wall_s:.1f} s")
    return Load(count * len(rates), sum(count / rate for rate in rates))


def redis_load(port, scale):
    return redis_benchmark(port, max(1000, int(80_000 * scale)), ("set", "get", "lpush", "lpop"),
                           "-P", str(PIPELINE))


def redis_calls_load(port, scale):
    return redis_benchmark(port, max(1000, int(50_000 * scale)), ("set", "get"))


def redis_connects_load(port, scale):
    # Each leaves a port of the client's waiting, of which there are 28,000.
    return redis_benchmark(port, max(500, int(6_000 * scale)), ("get",), "-k", "0")


def node_command(_, port):
    return [need("node"), os.path.join(HERE, "programs", "server.js"), str(port)]


def node_sockets_command(_, port):
    return [need("node"), os.path.join(HERE, "programs", "files_and_sockets.js"), str(port)]


def node_load(port, scale, *arguments):
    seconds = max(1, round(2 * scale))
    text = client([need("wrk"), "-t1", "-c32", f"-d{seconds}s", "--latency", *arguments,
                   f"http://127.0.0.1:{port}/"])
    done = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", text)
    if not done or not rate or not p99 or "Non-2xx" in text or "Socket errors" in text:
        raise Broken(f"wrk said {text!r}")
    count = int(done.group(1))
    unit = {"us": 1e-3, "ms": 1, "s": 1e3}[p99.group(2)]
    return Load(count, count / float(rate.group(1)), float(p99.group(1)) * unit)


def node_sockets_load(port, scale):
    return node_load(port, scale, "-H", "Connection: close")


SERVERS = [
    Server("redis", "redis-server under redis-benchmark: set, get, lpush, lpop of 200 bytes",
           redis_command, redis_load, (RATE, COST)),
    Server("redis-calls", "the same without a pipeline: an event loop's turn for a few requests, set and get",
           redis_command, redis_calls_load, (RATE, COST)),
    Server("redis-connects", "the same with a connection for each request: get",
           redis_command, redis_connects_load, (RATE, COST)),
    Server("node-http", "Node serves JSON of 6 KB to wrk, 32 connections",
           node_command, node_load, (RATE, DELAY, COST)),
    Server("node-sockets", "Node reads a file and asks another server for each request, on new connections",
           node_sockets_command, node_sockets_load, (RATE, DELAY, COST)),
]


def prove(server, scene, tool):
    """A short load of a server under the tool, which must then show that it works on it."""
    running = Running(server, tool, scene, proof=True)
    try:
        server.load(running.port, 0.02)
        if tool.library and not measure.is_mapped(running.child.pid, tool.library):
            raise Broken(f"{tool.library} was not mapped")
        time.sleep(max(0, tool.proof_s - (time.monotonic() - running.started)))
        running.end()
        tool.prove(running.path)
    finally:
        running.kill()


class Comparison:
    """The rows of one server, and the runs that fill them."""

    def __init__(self, server, scene, settings):
        self.server, self.scene, self.settings = server, scene, settings
        self.rows = [Row(server.name, server.group, clock) for clock in server.clocks]

    def loaded(self, running):
        cpu = running.cpu_s()
        load = self.server.load(running.port, self.settings.scale)
        return load, (running.cpu_s() - cpu) / load.requests * 1e6

    def turn(self, plain_server, tool_server):
        """A load of the plain server, and right after it one of the tool's."""
        plain, plain_cost = self.loaded(plain_server)
        load, cost = self.loaded(tool_server)
        figures = {RATE: (load.requests / load.seconds, plain.requests / plain.seconds),
                   DELAY: (load.p99_ms, plain.p99_ms),
                   COST: (cost, plain_cost)}
        for row in self.rows:
            row.add(tool_server.tool.name, *figures[row.measure])

    def one_start(self, tool, turns):
        """Starts a plain server and one with the tool, loads them for some turns, ends them."""
        running = []
        try:
            for kind in (Tool(), tool):
                running.append(Running(self.server, kind, self.scene))
                # Code is compiled and caches fill; measured is what comes after.
                self.server.load(running[-1].port, self.settings.scale / 2)
            for _ in range(turns):
                self.turn(*running)
            for one in running:
                self.finish(one)
        finally:
            for one in running:
                one.kill()

    def finish(self, one):
        tool = one.tool
        peak = one.peak_kib()
        if tool.library and not measure.is_mapped(one.child.pid, tool.library):
            raise Broken(f"{tool.library} was not mapped")
        facts = tool.inspect(one.path, one.end())
        self.rows[0].peaks_kib.setdefault(tool.name, []).append(peak)
        if facts:
            self.rows[0].facts.setdefault(tool.name, []).append(facts)


def compare(server, scene, tools, settings):
    comparison = Comparison(server, scene, settings)
    for tool in tools:
        try:
            prove(server, scene, tool)
        except Broken as error:
            fail(comparison.rows, tool, error)
    for turn in range(0, settings.server_repeat, TURNS_OF_A_START):
        for tool in tools:
            if tool.name in comparison.rows[0].failures:
                continue
            try:
                comparison.one_start(tool, min(TURNS_OF_A_START, settings.server_repeat - turn))
            except Broken as error:
                fail(comparison.rows, tool, error)
    return comparison.rows
