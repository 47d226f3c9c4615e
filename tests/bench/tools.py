"""The tools that are compared: how each is put in front of a program, and how it proves it worked.

A ratio of 1.0 may mean a cheap tool or one that never ran. So each tool has a proof, a short run
under the same environment in which it has to leave what it can only leave when it tracks blocks;
and every measured run has to show the tool's library among its mappings.
"""

import glob
import json
import os
import shutil
import subprocess

from measure import Broken

PLAIN = "plain"


class Tool:
    """A program without any tool, and what the others have in common."""
    name = PLAIN
    about = "the program alone"
    library = None
    # How long a program has to run for the tool to have something to show.
    proof_s = 0

    def environment(self, place, proof=False):
        """Variables that put the tool in front; what it writes goes to the directory `place`."""
        return {}

    def prove(self, place):
        """Raises Broken unless what a run with proof=True left in `place` shows the tool's work."""

    def inspect(self, place, wall_s):
        """Facts about a measured run that the tool itself tells; Broken if it was not at work."""
        return {}


class Leakshim(Tool):
    INTERVAL_S = 10

    def __init__(self, name, library, options, about):
        self.name, self.path, self.options, self.about = name, library, options, about
        self.library = os.path.basename(library)
        self.exact = "mode=exact" in options
        self.allocator = "jemalloc" if "allocator=jemalloc" in options else "host"
        # In sampled mode only a process that lives longer than an interval leaves a run.
        self.proof_s = 0 if self.exact else 0.2

    def environment(self, place, proof=False):
        directory = os.path.join(place, "runs").replace(",", "\\,")
        options = [f"dir={directory}", *self.options]
        if proof and not self.exact:
            options += ["interval=100ms"]
        return {"LD_PRELOAD": self.path, "LEAKSHIM_OPTIONS": ",".join(options)}

    def summaries(self, place):
        found = []
        for path in sorted(glob.glob(os.path.join(place, "runs", "*", "summary.json"))):
            with open(path, encoding="utf-8") as file:
                found.append(json.load(file))
        return found

    def prove(self, place):
        summaries = self.summaries(place)
        if not summaries:
            raise Broken("leakshim left no run")
        for summary in summaries:
            health, settings = summary["health"], summary["settings"]
            if health["state"] != "active":
                raise Broken(f"leakshim was {health['state']}: {' '.join(health['notes'])}")
            if settings["mode"] != ("exact" if self.exact else "sampled"):
                raise Broken(f"leakshim ran in mode {settings['mode']}")
            if settings["allocator"] != self.allocator:
                raise Broken(f"leakshim ran with allocator {settings['allocator']}")
        if not any(site["resource"] == "heap" and site["acquired_count"]
                   for summary in summaries for site in summary["sites"]):
            raise Broken("leakshim saw no block")

    def inspect(self, place, wall_s):
        summaries = self.summaries(place)
        if summaries or self.exact or wall_s > 1.5 * self.INTERVAL_S:
            self.prove(place)
        if not summaries:
            return {}
        health = max((summary["health"] for summary in summaries),
                     key=lambda health: health["own_bytes"])
        return {key: health[key] for key in ("own_bytes", "own_cpu_s", "sites", "lost_acquires",
                                             "lost_releases", "sites_overflowed")}


class Heaptrack(Tool):
    name = "heaptrack"
    about = "Debian's heaptrack, as its script preloads it, output to /dev/null"
    library = "libheaptrack_preload.so"

    def __init__(self):
        self.path = installed_file("libheaptrack", self.library)

    def environment(self, place, proof=False):
        output = os.path.join(place, "heaptrack.out") if proof else os.devnull
        return {"LD_PRELOAD": self.path, "DUMP_HEAPTRACK_OUTPUT": output}

    def prove(self, place):
        """Its output has a line that begins with + for each allocation."""
        path = os.path.join(place, "heaptrack.out")
        if not os.path.exists(path):
            raise Broken("heaptrack wrote nothing")
        with open(path, encoding="utf-8", errors="replace") as file:
            allocations = sum(1 for line in file if line.startswith("+"))
        os.unlink(path)
        if allocations < 10:
            raise Broken(f"heaptrack recorded {allocations} allocations")


class Jemalloc(Tool):
    name = "jeplain"
    about = "Debian's jemalloc preloaded, no profiling"
    library = "libjemalloc.so.2"

    def __init__(self):
        self.path = installed_file("libjemalloc2", self.library)

    def environment(self, place, proof=False):
        return {"LD_PRELOAD": self.path}


class JemallocProfiling(Jemalloc):
    name = "jeprof"
    about = "the same with MALLOC_CONF=prof:true,prof_active:true (one sample in 512 KiB)"

    def environment(self, place, proof=False):
        settings = ["prof:true", "prof_active:true"]
        if proof:
            # A dump at the end and after each 4 MiB: a server may not end by itself.
            settings += ["prof_final:true", "lg_prof_interval:22",
                         f"prof_prefix:{os.path.join(place, 'jeprof')}"]
        return {"LD_PRELOAD": self.path, "MALLOC_CONF": ",".join(settings)}

    def prove(self, place):
        dumps = glob.glob(os.path.join(place, "jeprof.*.heap"))
        if not dumps:
            raise Broken("jemalloc dumped no profile")
        with open(dumps[0], encoding="utf-8", errors="replace") as file:
            if not file.readline().startswith("heap_v2/524288"):
                raise Broken("jemalloc's profile is not one of a sample in 512 KiB")


def installed_file(package, name):
    """The path of a file of an installed Debian package."""
    if shutil.which("dpkg") is None:
        raise Broken(f"{package}: dpkg is needed to find it")
    listing = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False)
    for path in listing.stdout.splitlines():
        if os.path.basename(path) == name:
            return path
    raise Broken(f"{package} is not installed")


def all_tools(library):
    """Every tool but plain, in the order of the table's columns."""
    makers = [
        lambda: Leakshim("sampled", library, [], "leakshim as it is by default"),
        lambda: Leakshim("exact", library, ["mode=exact"], "leakshim mode=exact"),
        lambda: Leakshim("jemalloc", library, ["allocator=jemalloc"],
                         "leakshim sampled, allocator=jemalloc"),
        Jemalloc, JemallocProfiling, Heaptrack,
    ]
    return [make() for make in makers]


NAMES = ("sampled", "exact", "jemalloc", "jeplain", "jeprof", "heaptrack")
