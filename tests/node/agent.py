"""Incident 4 end to end: examples/agent, an agent that leaks in a healthy host, by each of its three ways
in. The module that grows has to be the agent's own; the repaired agent has to stay clean."""

import glob
import os
import subprocess

from harness import EXAMPLES, require, require_nothing_rises, rising

AGENT = os.path.join(EXAMPLES, "agent")
CALLS_A_SECOND = 300
# A span and the copy of its name, which is a tenth of it at most.
SPAN_BYTES = 1528
SECONDS = 11
NAMED_WITHIN = 8
OPTIONS = {"sample": "64K", "interval": "1s"}


def build(place, node=None):
    made = subprocess.run(["sh", os.path.join(AGENT, "build.sh"), place.path] + ([node] if node else []),
                          capture_output=True, check=False)
    require(made.returncode == 0 and not made.stderr, f"build.sh: {made.stderr[-300:]}")
    return lambda name: os.path.join(place.path, name)


def run_service(place, agent, preload=None, **options):
    """The C service to its end, with an agent preloaded beside the library, or loaded by itself."""
    service = [os.path.join(place.path, "service"), str(CALLS_A_SECOND), str(SECONDS)]
    extra = {"LD_PRELOAD": f"{place.library}:{preload}"} if preload else {}
    watch = place.watch()
    child = place.start(service + ([agent] if agent else []),
                        place.options(**{**OPTIONS, **options}), extra, stdout=subprocess.PIPE)
    said = child.stdout.read().decode()
    require(child.wait() == 0 and said.endswith(" requests\n"),
            f"the service said {said!r}, exit status {child.returncode}")
    watch.end()
    return watch


def run_server(place, node, agent):
    server, port = place.serve([node, os.path.join(AGENT, "server.js"), agent],
                               place.options(**OPTIONS))
    watch = place.watch()
    done = place.load([node, os.path.join(AGENT, "load.js"), str(port), str(CALLS_A_SECOND),
                       str(SECONDS)], SECONDS)
    require(done["failed"] == 0 and done["answered"] > 0, f"the load: {done}")
    require(place.end(server) == 0, f"the server's exit status is {server.returncode}")
    watch.end()
    return watch


def section(path, heading):
    """The lines under a heading of a summary.txt."""
    with open(path, encoding="utf-8") as file:
        paragraphs = file.read().split("\n\n")
    found = [part.splitlines()[1:] for part in paragraphs if part.startswith(heading)]
    return found[0] if found else []


def require_module(place, watch, agent):
    """The agent is the first of modules[], with its growth, and nothing outside of it rises."""
    leaking = [summary for summary in watch.summaries() if rising(summary)]
    require(leaking, "nothing rises")
    first = leaking[0]["sequence"]
    require(first <= NAMED_WITHIN + 2, f"it is named in summary {first}")
    for summary in leaking:
        strangers = [(site["function"], site["module"]) for site in rising(summary)
                     if site["module"] != agent]
        require(not strangers, f"rising outside of the agent: {strangers}")
    module = leaking[-1]["modules"][0]
    require(module["path"] == agent, f"the first module is {module}, not {agent}")
    require(module["rising_sites"] >= 1 and
            module["rising_sites"] == len(rising(leaking[-1])), f"{module}")
    truth = CALLS_A_SECOND * SPAN_BYTES
    require(truth / 2 <= module["growth_bytes_per_s"] <= truth * 2,
            f"it grows {module['growth_bytes_per_s']:.0f} B/s, truth {truth}")
    lines = section(glob.glob(os.path.join(place.runs, "*", "summary.txt"))[0], "Modules that grow")
    require(len(lines) == 1 and lines[0].endswith(f"/{os.path.basename(agent)}"),
            f"summary.txt says {lines}")
    return f"summary {first} says so, {module['growth_bytes_per_s'] / 1e3:.0f} kB/s, truth {truth / 1e3:.0f}"


def leaking_preloaded(place):
    made = build(place)
    # Told by its whole path, although the loader is given another.
    watch = run_service(place, None, preload="./agent-preload.so")
    return require_module(place, watch, made("agent-preload.so"))


def leaking_loaded(place):
    """Every block is counted here: those that libc's strdup allocates for the agent are the agent's."""
    made = build(place)
    watch = run_service(place, "./agent.so", mode="exact")
    copies = [site for site in watch.last()["sites"] if site["stack"] and
              "strdup" in (site["stack"][0]["function"] or "")]
    require(copies and all(site["module"].endswith("/agent.so") for site in copies),
            f"strdup is of {[site['module'] for site in copies]}")
    return require_module(place, watch, made("agent.so"))


def leaking_add_on(place, node):
    made = build(place, node)
    watch = run_server(place, node, made("agent.node"))
    said = require_module(place, watch, made("agent.node"))
    lines = section(glob.glob(os.path.join(place.runs, "*", "summary.txt"))[0], "Rising")
    require("trace < handle" in lines[0], f"summary.txt calls it {lines[0]!r}")
    return said


def fixed_preloaded(place):
    made = build(place)
    run_service(place, None, preload=made("agent-fixed-preload.so"))
    return f"{require_nothing_rises(place.runs)} summaries"


def fixed_loaded(place):
    made = build(place)
    run_service(place, made("agent-fixed.so"))
    return f"{require_nothing_rises(place.runs)} summaries"


def fixed_add_on(place, node):
    made = build(place, node)
    run_server(place, node, made("agent-fixed.node"))
    return f"{require_nothing_rises(place.runs)} summaries"


CHECKS = [
    ("an add-on that leaks is the module that grows", leaking_add_on),
    ("an add-on, fixed: nothing rises", fixed_add_on),
]
SERVICE = [
    ("an agent that leaks, preloaded, is the module that grows", leaking_preloaded),
    ("an agent, preloaded and fixed: nothing rises", fixed_preloaded),
    ("an agent that leaks, loaded with dlopen, is the module that grows", leaking_loaded),
    ("an agent, loaded with dlopen and fixed: nothing rises", fixed_loaded),
]
