"""A V8 whose layout is not known: found out before anything of it is read, and left alone."""

import glob
import os
import re

from harness import PROGRAMS, read_summaries, require

# Looked up to learn that there is a V8, and to learn which.
HARMLESS = {"_ZN2v87Isolate10GetCurrentEv", "_ZN2v82V810GetVersionEv"}
# https://man7.org/linux/man-pages/man8/ld.so.8.html: LD_DEBUG=bindings
BINDING = re.compile(r"binding file \S*libleakshim\.so \S+ to \S+ \S+ \w+ symbol `(\w+)'")


def bound_symbols(place):
    """What the library asked the loader for, as the loader tells it."""
    symbols = set()
    for path in glob.glob(os.path.join(place.path, "bindings.*")):
        with open(path, encoding="utf-8", errors="replace") as file:
            symbols.update(BINDING.findall(file.read()))
    return symbols


def nothing_is_read(place, node):
    command = [node, os.path.join(PROGRAMS, "many_workers.js"), "10"]
    without = place.run(command, "", library=False)
    done = place.run(command, place.options(interval="200ms", js_sample="16K", sample="16K"),
                     {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": os.path.join(place.path, "bindings")})
    for name in ("returncode", "stdout", "stderr"):
        require(getattr(done, name) == getattr(without, name),
                f"{name}: {getattr(without, name)!r:.300} without, {getattr(done, name)!r:.300} with")
    symbols = bound_symbols(place)
    require("malloc" in symbols, "the loader's list does not have what the library binds")
    # Where V8's calls of mmap are, so that its mappings are told from the program's: addresses only.
    ours = {symbol for symbol in symbols if ("2v8" in symbol and "2v84base2OS" not in symbol) or
            "4node" in symbol or symbol[:3] == "uv_"}
    require(ours == HARMLESS, f"bound: {sorted(ours)}")
    (summary,) = read_summaries(place.runs)
    health = summary["health"]
    require(health["state"] == "degraded", f"state {health['state']}")
    require([note for note in health["notes"] if "V8 version is not known" in note],
            f"notes {health['notes']}")
    require(summary["settings"]["js_sample"] is None, f"settings {summary['settings']}")
    resources = {site["resource"] for site in summary["sites"]}
    require("heap" in resources and "js" not in resources, f"sites of {resources}")
    require(summary["event_loops"], "event loops are not timed")
    return health["notes"][0]


CHECKS = [("an unknown V8 is told before anything of it is read, and left alone", nothing_is_read)]
