"""Sockets and files: a leak of connections is named with its peer, a pool is not, and what servers
have open is what the kernel lists."""

import os
import shutil
import socket
import subprocess
import time

from harness import PATIENCE, PROGRAMS, Failed, read_summaries, require, require_nothing_rises, rising

SECONDS = 8
TRACK = "socket+file"


def listed(pid):
    """Open descriptors by kind, as the kernel lists them."""
    counts = {"socket": 0, "file": 0}
    directory = f"/proc/{pid}/fd"
    for name in os.listdir(directory):
        try:
            target = os.readlink(os.path.join(directory, name))
        except OSError:
            continue
        counts["socket" if target.startswith("socket:") else "file"] += 1
    return counts


def told(summary):
    return {kind: sum(site["live_count"] for site in summary["sites"] if site["resource"] == kind)
            for kind in ("socket", "file")}


def require_what_the_kernel_lists(place, pid):
    """Once the process is quiet. What no hook has seen is there from its second listing on."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        summaries = [s for s in read_summaries(place.runs) if s["process"]["pid"] == pid]
        if summaries and told(summaries[-1]) == listed(pid):
            return told(summaries[-1])
        time.sleep(0.3)
    raise Failed(f"the kernel lists {listed(pid)}, the summary says "
                 f"{[told(summary) for summary in summaries]}")


def run_program(place, node, kind):
    """The process, when it is done; its port and how many it keeps."""
    child = place.start([node, os.path.join(PROGRAMS, "sockets.js"), kind, str(SECONDS)],
                        place.options(interval="500ms", track=TRACK, top=1000),
                        stdout=subprocess.PIPE)
    words = child.stdout.readline().decode().split()
    require(words[:1] == ["done"], f"it said {words}")
    return child, int(words[1]), int(words[2])


def peers(summary, address):
    return [peer for site in summary["sites"] for peer in site.get("peers", ())
            if peer["address"] == address]


def leak_is_named(place, node):
    watch = place.watch()
    child, port, kept = run_program(place, node, "leak")
    counts = require_what_the_kernel_lists(place, child.pid)
    time.sleep(2)  # the last ones are an interval old then, and the kernel has been asked
    watch.look()
    sites = [site for summary in watch.summaries() for site in rising(summary, "socket")]
    require(sites, "no socket site ever rises")
    address = f"127.0.0.1:{port}"
    require(all(any(peer["address"] == address for peer in site["peers"]) for site in sites),
            f"a rising site does not name {address}")
    messages = {s["verdict"]["message"] for s in watch.summaries() if s["verdict"]["state"] == "leaking"}
    require(messages and all("sockets/min" in message for message in messages),
            f"the messages are {messages}")
    last = watch.last()
    # Several stacks may lead to one call, and each is a site.
    refused = peers(last, "127.0.0.1:1")
    require(all(peer["opened"] == peer["failed"] == peer["errors"].get("ECONNREFUSED") and
                peer["live"] == 0 for peer in refused) and
            sum(peer["opened"] for peer in refused) >= kept - 1, f"{kept} times refused: {refused}")
    both = peers(last, address)
    require(sum(peer["live"] for peer in both) == 2 * kept, f"{kept} are kept: {both}")
    require(sum(peer["unused"] for peer in both) == 2 * kept, f"{kept} are never used: {both}")
    require(any(peer["connect_p50_s"] is not None for peer in both) and
            all(peer["failed"] == 0 for peer in both), f"{both}")
    place.end(child)
    return f"{counts}"


def pool_does_not_rise(place, node):
    child, port, _ = run_program(place, node, "pool")
    counts = require_what_the_kernel_lists(place, child.pid)
    both = peers(read_summaries(place.runs)[-1], f"127.0.0.1:{port}")
    require(sum(peer["live"] for peer in both) == 80 and not any(peer["unused"] for peer in both),
            f"the pool: {both}")
    place.end(child)
    return f"{counts}, {require_nothing_rises(place.runs)} summaries"


def redis_server(place):
    if shutil.which("redis-server") is None or shutil.which("redis-benchmark") is None:
        return "skip: redis-server is not installed"
    socket_path = os.path.join(place.path, "redis.sock")
    server = place.start(["redis-server", "--port", "0", "--unixsocket", socket_path, "--save", "",
                          "--dir", place.path], place.options(interval="500ms", track=TRACK, top=1000),
                         stdout=subprocess.DEVNULL)
    return loaded_server(place, [server.pid], ["redis-benchmark", "-s", socket_path, "-c", "50", "-n",
                                               "200000", "-q", "-t", "get,set"])


NGINX = """
daemon off; worker_processes 1; pid {path}/nginx.pid; error_log {path}/error.log; {user}
events {{ worker_connections 256; }}
http {{ access_log {path}/access.log; client_body_temp_path {path}/a; proxy_temp_path {path}/b;
  fastcgi_temp_path {path}/c; uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;
  server {{ listen 127.0.0.1:{port}; root {path}; }} }}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def nginx_server(place):
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None or shutil.which("wrk") is None:
        return "skip: nginx or wrk is not installed"
    port = free_port()
    configuration = os.path.join(place.path, "nginx.conf")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write(NGINX.format(path=place.path, port=port,
                                user="user root;" if os.geteuid() == 0 else ""))
    with open(os.path.join(place.path, "page.html"), "w", encoding="utf-8") as file:
        file.write("x" * 1000)
    server = place.start([nginx, "-c", configuration],
                         place.options(interval="500ms", track=TRACK, top=1000))
    deadline = time.monotonic() + PATIENCE
    while not children_of(server.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        return loaded_server(place, [server.pid, *children_of(server.pid)],
                             ["wrk", "-t1", "-c40", "-d5s", f"http://127.0.0.1:{port}/page.html"])
    finally:
        place.end(server)  # a master that is killed leaves its worker behind


def loaded_server(place, pids, load):
    time.sleep(1)
    done = subprocess.run(load, capture_output=True, check=False, timeout=4 * PATIENCE)
    require(done.returncode == 0, f"{load[0]}: {done.stdout[-300:]} {done.stderr[-300:]}")
    counts = [require_what_the_kernel_lists(place, pid) for pid in pids]
    lines = require_nothing_rises(place.runs)
    acquired = max(site["acquired_count"] for summary in read_summaries(place.runs)
                   for site in summary["sites"] if site["resource"] == "socket")
    require(acquired >= 40, f"at most {acquired} sockets were seen at one site")
    return f"{counts}, {lines} summaries"


CHECKS = [
    ("a leak of connections is named with its peer", leak_is_named),
    ("a pool of connections does not rise", pool_does_not_rise),
]
SERVERS = [
    ("redis-server under load: descriptors as the kernel lists them", redis_server),
    ("nginx under load: descriptors as the kernel lists them", nginx_server),
]
