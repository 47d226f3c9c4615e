"""JavaScript names on native stacks: the blocks of programs/native_names.js, each taken under known
functions, in interpreted, baseline and optimised code."""

import ctypes
import json
import os
import platform
import re
import subprocess
import time

from harness import PATIENCE, PROGRAMS, Failed, require

PROGRAM = os.path.join(PROGRAMS, "native_names.js")

TIERS = {
    "interpreted": ["--no-opt", "--no-sparkplug"],
    "baseline": ["--no-opt", "--always-sparkplug"],
    # Of functions inlined into another only the outer one is known, so nothing is inlined here.
    "optimised": ["--always-turbofan", "--no-turbo-inlining"],
}
TIERS_OF_NODE_18 = {**TIERS, "optimised": ["--always-opt", "--no-turbo-inlining"]}


def marked_functions():
    """key -> [name, file, line], from the program's own comments."""
    functions = {}
    with open(PROGRAM, encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            for key, name in re.findall(r"/\*@([\w-]+) ([^*]+)\*/", line):
                functions[key] = [name, PROGRAM, number]
    return functions


def user_frames(site):
    return [[frame["function"], frame["file"], frame["line"]] for frame in site["stack"]
            if frame["language"] == "js" and not (frame["file"] or "").startswith("node:")]


def block_sites(summary, size):
    """Sites that hold a block of that many bytes; zlib adds a few of its own."""
    return [site for site in summary["sites"]
            if site["resource"] == "heap" and size <= site["live_bytes"] < size + 4096]


def compare(case, functions, summary):
    expected = [{**functions, **(case.get("key") or {})}[key] for key in case["chain"]]
    sites = block_sites(summary, case["bytes"])
    require(sites, f"no site holds the {case['bytes']} bytes of {case['chain']}")
    found = [user_frames(site)[:len(expected)] for site in sites]
    require(expected in found, f"{case['chain']}: {found}, not {expected}")
    site = sites[found.index(expected)]
    name, file, line = next(frame for frame in expected if frame[1])
    require([site["function"], site["location"]] == [name, f"{file}:{line}"],
            f"{case['chain']}: the site is called {site['function']} {site['location']}")


def compare_other(other, functions, summary):
    name, file, line = functions[other["key"]]
    found = [(site["live_count"], site["location"]) for site in summary["sites"]
             if site["resource"] == other["resource"] and site["function"] == name]
    require(found == [(other["count"], f"{file}:{line}")], f"{other}: {found}")


def compare_all(said, summary):
    functions = marked_functions()
    for case in said["blocks"]:
        compare(case, functions, summary)
    for other in said["others"]:
        compare_other(other, functions, summary)


def run_until(place, command, compare_summary):
    """Runs a program that says in a line of JSON what it has done, until a summary shows it; returns
    that line's value."""
    watch = place.watch()
    child = place.start(command, place.options(mode="exact", interval="300ms", top=1000),
                        stdout=subprocess.PIPE)
    said = json.loads(child.stdout.readline() or "null")
    require(said, "the program said nothing")
    deadline = time.monotonic() + PATIENCE / 4
    while True:
        try:
            compare_summary(said, watch.last() or {"sites": []})
            break
        except Failed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    place.end(child)
    return said


def names(place, node, major, tier):
    flags = (TIERS_OF_NODE_18 if major == 18 else TIERS)[tier]
    said = run_until(place, [node, *flags, PROGRAM], compare_all)
    return f"{len(said['blocks'])} blocks, {', '.join(one['resource'] for one in said['others'])}"


def compare_inlined(said, summary):
    live = {site["function"]: site["live_count"] for site in summary["sites"]
            if site["resource"] == "heap" and site["live_bytes"] >= 4096 * 400}
    # V8's own bookkeeping of a block may be at the same place: there may be more than one a block.
    require(list(live) == ["keep"] and live["keep"] >= said["blocks"], f"{live}, of {said}")


def inlined(place, node, _major):
    program = os.path.join(PROGRAMS, "inlined.js")
    said = run_until(place, [node, "--allow-natives-syntax", "--no-use-osr", program], compare_inlined)
    require(said["optimised"], "V8 did not optimise")


def refuse_guarded_reads():
    """In the child, before it becomes Node: process_vm_readv fails with EPERM from here on."""
    class Instruction(ctypes.Structure):
        _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8),
                    ("k", ctypes.c_uint32)]

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(Instruction))]

    number = {"x86_64": 310, "aarch64": 270}[platform.machine()]
    # Load the call's number; if it is that one, fail with EPERM; else allow.
    instructions = (Instruction * 4)((0x20, 0, 0, 0), (0x15, 0, 1, number),
                                     (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000))
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(4, instructions)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def refused(place, node, _major):
    program = ("const kept = []; const timer = setInterval(() => { kept.push(Buffer.alloc(1 << 20));"
               " if (kept.length > 40) { clearInterval(timer); console.log('done'); } }, 20);")
    watch = place.watch()
    done = place.run([node, "-e", program], place.options(interval="200ms"),
                     preexec_fn=refuse_guarded_reads)
    watch.end()
    require(done.stdout == b"done\n", f"it said {done.stdout!r} {done.stderr[-300:]!r}")
    summary = watch.last()
    require(any("process_vm_readv" in note for note in summary["health"]["notes"]),
            f"no note: {summary['health']['notes']}")
    require(any(site["resource"] == "heap" and site["live_bytes"] > 10 << 20
                for one in watch.summaries() for site in one["sites"]), "the heap was not tracked")


CHECKS = [(f"native stacks have their JavaScript functions, {tier}",
           lambda place, node, major, tier=tier: names(place, node, major, tier)) for tier in TIERS]
CHECKS.append(("what an inlined function takes stays its own", inlined))
CHECKS.append(("where guarded reads are refused, a note says so and the rest goes on", refused))
