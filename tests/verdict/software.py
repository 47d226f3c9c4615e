"""Real software under a steady light load: healthy by its fame, so that no site of it may ever be said to
rise. Each is filled first with as much as it will ever hold; what is loaded goes on to change it.

A server is started under the library, its load comes from threads of the runner's own."""

import glob
import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import ROOT, require
from versions import run as run_command

HERE = os.path.dirname(os.path.abspath(__file__))
UNPACKED = os.path.join(ROOT, "build", "software")
PATIENCE = 20


class Load(threading.Thread):
    """Calls `step(random numbers)` so many times a second, by the clock."""

    def __init__(self, rate, step, seed):
        super().__init__(daemon=True)
        self.rate, self.step, self.seed = rate, step, seed
        self.stopping = threading.Event()
        self.done, self.problem = 0, None

    def run(self):
        chance = random.Random(self.seed)
        start = time.monotonic()
        try:
            while not self.stopping.wait(0.02):
                while self.done < (time.monotonic() - start) * self.rate and \
                        not self.stopping.is_set():
                    self.step(chance)
                    self.done += 1
        except Exception as error:
            self.problem = repr(error)

    def end(self):
        self.stopping.set()
        self.join(PATIENCE)
        require(self.problem is None, f"the load failed: {self.problem}")
        require(self.done > 0, "the load did nothing")


def free_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return holder.getsockname()[1]


def connect(port):
    """A connection to a server that may just be starting."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except OSError:
            require(time.monotonic() < until, f"nobody listens at port {port}")
            time.sleep(0.1)


def find(name):
    """The program of a server. Debian's packages would start it as a daemon, so where it is not installed
    the package is unpacked beside the build instead."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    folder = os.path.join(UNPACKED, name)
    if found is None and not os.path.exists(folder):
        making = f"{folder}.new"
        shutil.rmtree(making, ignore_errors=True)
        os.makedirs(making)
        problem = run_command(["apt-get", "download", name], cwd=making)
        for package in glob.glob(os.path.join(making, "*.deb")):
            problem = problem or run_command(["dpkg", "-x", package, making])
        require(problem is None, problem)
        os.rename(making, folder)
    return found or shutil.which(name, path=f"{folder}/usr/sbin:{folder}/usr/bin")


class Lines:
    """Asks a server that speaks in lines."""

    def __init__(self, port):
        self.socket = connect(port)
        self.reader = self.socket.makefile("rb")

    def ask(self, request):
        self.socket.sendall(request)
        return self.reader.readline()


def redis(place, options):
    """5,000 keys, lists that are trimmed, and keys that expire after two seconds."""
    port = free_port()
    # redis-tools has the server's program under another name; which it is to be, it takes from its own.
    program = os.path.join(place.path, "redis-server")
    os.symlink(find("redis-check-rdb"), program)
    server = place.start([program, "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                          "--appendonly", "no", "--dir", place.path], options,
                         stdout=subprocess.DEVNULL)
    client = Lines(port)

    def call(*words):
        parts = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words))
        answer = client.ask(b"*%d\r\n" % len(words) + parts)
        require(not answer.startswith(b"-"), f"redis: {answer}")
        if answer.startswith(b"$") and answer != b"$-1\r\n":
            client.reader.read(int(answer[1:]) + 2)

    def step(chance):
        key = chance.randrange(5000)
        call("SET", f"key:{key}", "v" * (100 + key % 500))
        call("GET", f"key:{chance.randrange(5000)}")
        call("LPUSH", f"list:{key % 20}", "w" * 60)
        call("LTRIM", f"list:{key % 20}", "0", "99")
        call("SET", f"brief:{key}", "x" * 100, "PX", "2000")

    for key in range(5000):
        call("SET", f"key:{key}", "v" * (100 + key % 500))
    return server, step, 80


def memcached(place, options):
    """8 MB, filled with more than fits."""
    port = free_port()
    command = [find("memcached"), "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "8", "-t", "2"]
    server = place.start(command + (["-u", "root"] if os.geteuid() == 0 else []), options)
    client = Lines(port)

    def store(key, size):
        answer = client.ask(b"set key%d 0 0 %d\r\n%s\r\n" % (key, size, b"v" * size))
        require(answer == b"STORED\r\n", f"memcached: {answer}")

    def step(chance):
        store(chance.randrange(20000), 200 + chance.randrange(800))
        line = client.ask(b"get key%d\r\n" % chance.randrange(20000))
        while line != b"END\r\n":
            line = client.reader.readline()

    for key in range(20000):
        store(key, 200 + key % 800)
    return server, step, 150


class Pages:
    """Asks a web server for pages, over a connection that is kept, or a new one now and then."""

    def __init__(self, port, paths, fresh):
        self.port, self.paths, self.fresh = port, paths, fresh
        self.kept = None

    def step(self, chance):
        if self.kept is None or chance.random() < self.fresh:
            if self.kept is not None:
                self.kept.close()
            self.kept = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.kept.request("GET", chance.choice(self.paths))
        answer = self.kept.getresponse()
        body = answer.read()
        require(answer.status == 200 and body, f"status {answer.status}")
        if answer.will_close:
            self.kept.close()


def write_pages(place):
    folder = os.path.join(place.path, "pages")
    os.mkdir(folder)
    for page in range(20):
        with open(os.path.join(folder, f"{page}.html"), "w", encoding="ascii") as file:
            file.write("page\n" * (100 + page * 100))
    os.chmod(place.path, 0o755)
    return folder, [f"/{page}.html" for page in range(20)]


NGINX = """daemon off; worker_processes 1; pid {path}/nginx.pid; error_log {path}/error.log; {user}
events {{ worker_connections 256; }}
http {{
    access_log {path}/access.log; gzip on; open_file_cache max=10;
    client_body_temp_path {path}/t1; proxy_temp_path {path}/t2; fastcgi_temp_path {path}/t3;
    uwsgi_temp_path {path}/t4; scgi_temp_path {path}/t5; keepalive_requests 50;
    server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


def nginx(place, options):
    """Small pages, with compression and a log."""
    port = free_port()
    folder, paths = write_pages(place)
    configuration = os.path.join(place.path, "nginx.conf")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write(NGINX.format(path=place.path, port=port, folder=folder,
                                user="user root;" if os.geteuid() == 0 else ""))
    server = place.start([find("nginx"), "-c", configuration, "-e", os.path.join(place.path, "error.log")],
                         options)
    connect(port).close()
    return server, Pages(port, paths, 0.1).step, 80


def sqlite(place, options):
    """The shell, with a table in memory of 3,000 rows, an index, and a text search now and then."""
    # The shell reads on until its input ends, which it does as the test ends.
    shell = place.start([find("sqlite3"), "-batch", ":memory:"], options, stdin=subprocess.PIPE,
                        stdout=subprocess.DEVNULL)

    def say(sql):
        shell.stdin.write(sql.encode() + b"\n")
        shell.stdin.flush()

    def step(chance):
        row = chance.randrange(3000)
        say(f"INSERT OR REPLACE INTO rows VALUES ({row}, {chance.random()}, hex(randomblob({100 + row % 200})));")
        if chance.random() < 0.05:
            say("SELECT count(*), avg(value) FROM rows WHERE text LIKE '%ABC%' GROUP BY number % 10;")
        if chance.random() < 0.02:
            first = chance.randrange(2900)
            say(f"BEGIN; DELETE FROM rows WHERE number BETWEEN {first} AND {first + 50}; ROLLBACK;")

    say("CREATE TABLE rows (number INTEGER PRIMARY KEY, value REAL, text TEXT);"
        "CREATE INDEX by_value ON rows (value);")
    for row in range(3000):
        say(f"INSERT INTO rows VALUES ({row}, {row / 3000}, hex(randomblob({100 + row % 200})));")
    return shell, step, 80


def python_server(place, options):
    """A new connection and a thread for each page."""
    port = free_port()
    folder, paths = write_pages(place)
    server = place.start([sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d",
                          folder], options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    connect(port).close()
    return server, Pages(port, paths, 1.0).step, 30


def node_server(place, options, node):
    """HTTP with a cache of 2,000 reports, of 3,000 that are asked for."""
    server, port = place.serve([node, "--max-old-space-size=256",
                                os.path.join(HERE, "programs", "lru_server.js")], options)
    pages = Pages(port, [f"/reports/{number}" for number in range(3000)], 0.02)
    for path in pages.paths:
        Pages.step(pages, random.Random(path))
    return server, pages.step, 60


SOFTWARE = {"redis": redis, "memcached": memcached, "nginx": nginx, "sqlite3": sqlite,
            "python": python_server, "node": node_server}


def run(place, name, options, seconds, node):
    """One of them under its load for so long; how long after its start the load began."""
    started = time.monotonic()
    if name == "node":
        server, step, rate = node_server(place, options, node)
    else:
        server, step, rate = SOFTWARE[name](place, options)
    began = time.monotonic() - started
    load = Load(rate, step, name)
    load.start()
    time.sleep(seconds)
    ended = server.poll() is not None
    load.end()
    require(not ended, f"{name} ended by itself")
    if server.stdin is not None:
        server.stdin.close()
    # nginx's own way to end; a killed master would leave its worker.
    place.end(server, signal.SIGQUIT if name == "nginx" else signal.SIGTERM)
    return began
