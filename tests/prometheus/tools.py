"""Prometheus's programs for the tests: where they are, a node_exporter and a server on loopback, and
what the server answers. Every process started here is ended here, by its pid."""

import json
import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "examples" / "prometheus"
PATIENCE = 60


def unpack():
    """The folder of the programs."""
    done = subprocess.run(["sh", ROOT / "tests/prometheus/unpack.sh", ROOT / "build/prometheus"],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return pathlib.Path(done.stdout.strip())


def promtool(tools, *arguments, standard_input=None):
    return subprocess.run([tools / "promtool", *map(str, arguments)], input=standard_input,
                          capture_output=True, check=False, timeout=PATIENCE)


def free_port():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return holder.getsockname()[1]


def get(port, path, **query):
    """Status and text."""
    url = f"http://127.0.0.1:{port}{path}"
    if query:
        url += "?" + urllib.parse.urlencode(query)
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


# By how much the test's intervals are shorter than those of production, and so the rules' durations.
SHORTER = 20
DURATIONS = (r"(?P<before>\bfor: )(?P<number>\d+)m\b", r"(?P<before>\[)(?P<number>\d+)m(?=\])",
             r"(?P<before>\boffset )(?P<number>\d+)m\b")
# The minute that leakshim:running allows for copying. On a busy machine a summary may be seconds late.
ALLOWANCE = "leakshim_interval_seconds + 60"
SHORT_ALLOWANCE = "leakshim_interval_seconds + 15"


def shorten(rules):
    """The rules with their durations divided, and not a letter else."""
    for duration in DURATIONS:
        rules, found = re.subn(
            duration, lambda match: f"{match['before']}{int(match['number']) * 60 // SHORTER}s", rules)
        assert found > 0, duration
    assert rules.count(ALLOWANCE) == 1
    return rules.replace(ALLOWANCE, SHORT_ALLOWANCE)


def configure(directory, exporter_port):
    """The shipped configuration and rules, for a target of the test's and shorter intervals."""
    text = (SHIPPED / "prometheus.yml").read_text()
    for shipped, wanted in (("localhost:9101", f"127.0.0.1:{exporter_port}"),
                            ("scrape_interval: 15s", "scrape_interval: 2s"),
                            ("evaluation_interval: 15s", "evaluation_interval: 1s")):
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, wanted)
    (directory / "prometheus.yml").write_text(text)
    rules = shorten((SHIPPED / "leakshim.rules.yml").read_text())
    (directory / "leakshim.rules.yml").write_text(rules)
    return directory / "prometheus.yml"


class Monitoring:
    """A node_exporter that reads the runs, and a Prometheus that scrapes it."""

    def __init__(self, tools, directory, runs):
        self.directory = directory
        self.processes = []
        self.exporter = free_port()
        self.start([tools / "prometheus-node-exporter", "--collector.disable-defaults",
                    "--collector.textfile", f"--collector.textfile.directory={runs}/*",
                    f"--web.listen-address=127.0.0.1:{self.exporter}"], "exporter.log")
        self.wait_for(self.exporter, "/metrics")
        self.server = free_port()
        config = configure(directory, self.exporter)
        self.start([tools / "prometheus", f"--config.file={config}",
                    f"--storage.tsdb.path={directory}/data", "--log.level=warn",
                    f"--web.listen-address=127.0.0.1:{self.server}"], "prometheus.log")
        self.wait_for(self.server, "/-/ready")

    def start(self, command, log):
        with open(self.directory / log, "wb") as file:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file,
                                                   stderr=file, cwd=self.directory))

    def wait_for(self, port, path):
        end = time.monotonic() + PATIENCE
        while get(port, path)[0] != 200:
            if time.monotonic() > end or self.processes[-1].poll() is not None:
                raise RuntimeError(f"{path} does not answer: {self.log()}")
            time.sleep(0.2)

    def log(self):
        return " ".join(path.read_text(errors="replace")[-400:]
                        for path in sorted(self.directory.glob("*.log")))

    def query(self, expression):
        """(labels, value) of each sample."""
        status, text = get(self.server, "/api/v1/query", query=expression)
        if status != 200:
            raise RuntimeError(f"{expression}: {status} {text}")
        return [(sample["metric"], float(sample["value"][1]))
                for sample in json.loads(text)["data"]["result"]]

    def firing(self):
        """(name, labels) of each alert that fires."""
        status, text = get(self.server, "/api/v1/alerts")
        if status != 200:
            raise RuntimeError(f"alerts: {status} {text}")
        return [(alert["labels"]["alertname"], alert["labels"])
                for alert in json.loads(text)["data"]["alerts"] if alert["state"] == "firing"]

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def clean_environment(library=None, **extra):
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("NODE_", "LEAKSHIM_", "LD_", "npm_"))}
    if library is not None:
        env["LD_PRELOAD"] = str(library)
    env.update({name: str(value) for name, value in extra.items()})
    return env
