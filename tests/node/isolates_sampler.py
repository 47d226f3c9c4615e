"""V8's sampler: heaps whose loop never comes back, other profilers beside ours, the interval."""

import glob
import json
import os
import statistics

from harness import PROGRAMS, Failed, read_summaries, require

INTERVAL = 16384  # what profilers.js asks for
OURS = 131072
# A burst that had less of a core than this has not cost anything worth while.
STARVED = 0.3


def program(name):
    return os.path.join(PROGRAMS, name)


def histories(place):
    """Every line of the history of each run."""
    for run in place.run_directories():
        lines = []
        for path in glob.glob(os.path.join(run, "history*.jsonl")):
            with open(path, encoding="utf-8") as file:
                lines += [json.loads(line) for line in file]
        yield sorted(lines, key=lambda entry: entry["sequence"])


def live(entry, function):
    return sum(site["live_bytes"] for site in entry["sites"]
               if site["resource"] == "js" and site["function"] == function)


def notes(place):
    return [note for summary in read_summaries(place.runs) for note in summary["health"]["notes"]]


def blocked(place, node, mode):
    """A heap that grows under JavaScript that never ends shows its growth all the same."""
    # Whoever calls hoard() may have it inlined: all sites of the program count.
    done = place.run([node, program("blocked.js"), mode, "5"],
                     place.options(interval="250ms", js_sample="32K"))
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    (history,) = list(histories(place))
    figures = [sum(live(entry, name) for name in ("hoard", "spin")) for entry in history]
    different = sorted({round(figure) for figure in figures if figure > 0})
    require(len(different) >= 4, f"it held {figures}")
    return f"{len(different)} figures, up to {different[-1] / 1e6:.1f} MB"


def unreadable(place, node):
    """Nothing can be read of a thread that neither waits nor allocates: that is said."""
    watch = place.watch()
    child = place.start([node, program("blocked.js"), "idle", "0"], place.options(interval="250ms"))
    for _ in range(200):
        if any("could be read so far" in note for summary in watch.summaries()
               for note in summary["health"]["notes"]):
            return
        watch.stopping.wait(0.1)
        require(child.poll() is None, f"it ended: {child.returncode}")
    raise Failed("no note says that nothing was read")


def storm(place, node, count):
    """Workers end at any moment while their heaps are read in interrupts."""
    done = place.run([node, program("storm.js"), str(count)],
                     place.options(interval="100ms", js_sample="16K"), timeout=60 + count)
    require(done.returncode == 0 and done.stdout == f"{count} workers\n".encode() and not done.stderr,
            f"exit status {done.returncode}: {done.stdout[-100:]} {done.stderr[-300:]}")
    (history,) = list(histories(place))
    # hoard() may have been compiled into its callers.
    seen = sum(1 for entry in history if any(live(entry, name) > 0 for name in ("hoard", "spin", "work")))
    require(seen > 0, "no worker that spins was ever read")
    return f"{seen} of {len(history)} summaries have spinning workers"


def profiles(place, node, where, mode):
    """What the application's own profiler said each time. It must work as it does without us."""
    command = [node, program("profilers.js"), where, mode]
    done = place.run(command, place.options(interval="250ms", js_sample=str(OURS)))
    require(done.returncode == 0 and not done.stderr,
            f"exit status {done.returncode}: {done.stderr[-300:]}")
    lines = done.stdout.decode().splitlines()
    if where == "worker":
        require(lines and lines[-1] == "worker 0", f"it said {lines}")
        lines.pop()
    found = [json.loads(line) for line in lines]
    for profile in found:
        require(profile["named"] and profile["samples"] > 10, f"not a profile of it: {profile}")
    return found


def near(value, truth):
    return abs(value - truth) <= 0.1 * truth


def require_own(found):
    for profile in found:
        require(near(profile["interval"], INTERVAL), f"not at the interval it asked for: {profile}")


def require_note(place):
    """That it stands aside, or, where the isolate has ended since, that it did."""
    require(any("another heap profiler" in note or "stood aside" in note for note in notes(place)),
            f"the notes are {notes(place)}")


def require_return(place):
    """Ours ran again after the other had stopped, and said that it had not for a time."""
    require(any("stood aside" in note for note in notes(place)), f"the notes are {notes(place)}")
    (history,) = list(histories(place))
    held = [live(entry, "remember") for entry in history]
    require(any(held[len(held) // 2:]), f"JavaScript sites did not come back: {held}")


def first(place, node, where):
    found = profiles(place, node, where, "before")
    require_own(found)
    require_return(place)


def second(place, node, where):
    """V8 refuses a second sampler and the inspector does not say so: the profile is of ours."""
    (found,) = profiles(place, node, where, "after")
    require(near(found["interval"], OURS), f"neither ours nor refused: {found}")
    require_return(place)


def again(place, node, where):
    """Having stopped ours once, it finds the sampler free from then on."""
    found = profiles(place, node, where, "again")
    require(len(found) == 6, f"{len(found)} profiles")
    require_own(found[1:])
    require_note(place)


def swapped(place, node, where):
    """Another's sampler in the place of ours is told apart: neither read nor stopped."""
    require_own(profiles(place, node, where, "swapped"))
    require_note(place)


def abandoned(place, node, where):
    profiles(place, node, where, "abandoned")


def option(place, node):
    """--heap-prof starts before the first line and has the sampler to the end."""
    done = place.run([node, "--heap-prof", "--heap-prof-dir=profiles", f"--heap-prof-interval={INTERVAL}",
                      program("profilers.js"), "main", "plain"],
                     place.options(interval="250ms", js_sample=str(OURS)))
    require(done.returncode == 0 and not done.stderr, f"{done.returncode}: {done.stderr[-300:]}")
    (path,) = glob.glob(os.path.join(place.path, "profiles", "*.heapprofile"))
    with open(path, encoding="utf-8") as file:
        samples = json.load(file)["samples"]
    require(len(samples) > 10 and near(statistics.median(s["size"] for s in samples), INTERVAL),
            f"{len(samples)} samples")
    require_note(place)


def stretched(place, node):
    """An interval that is stretched keeps what was sampled before, and what is sampled after is
    weighed by it."""
    watch = place.watch()
    done = place.run([node, "--expose-gc", program("burst.js"), "2"],
                     place.options(interval="250ms", js_sample="2K"))
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    truth = json.loads(done.stdout)
    watch.end()
    told = [summary for summary in watch.summaries()
            if any("further apart" in note for note in summary["health"]["notes"])]
    intervals = [isolate["js_sample_bytes"] or 0 for summary in watch.summaries()
                 for isolate in summary["isolates"]]
    if told:
        require(max(intervals) > 2048, f"the isolate's interval is said to be {set(intervals)}")
    else:
        require(truth["busy"] < STARVED, f"no note says that it was stretched: {truth}")
        return "skip: the machine is too busy to allocate much"
    (history,) = list(histories(place))
    both = [entry for entry in history if live(entry, "late") > 0]
    require(both, "late() was never seen")
    early, late = live(both[-1], "early"), live(both[-1], "late")
    require(abs(early - truth["early"]) <= 0.2 * truth["early"], f"early {early}, truth {truth}")
    # Some seventy samples, each of them for half a MB, and what kept[] has outgrown.
    require(abs(late - truth["late"]) <= 0.7 * truth["late"], f"late {late}, truth {truth}")
    return (f"early {early / 1e6:.1f} MB of {truth['early'] / 1e6:.1f},"
            f" late {late / 1e6:.1f} of {truth['late'] / 1e6:.1f}")


def snapshot(place, node):
    """A heap is written to a file only when nobody else points into it."""
    blob = os.path.join(place.path, "snapshot.blob")
    options = place.options(interval="100ms", js_sample="16K")
    built = place.run([node, "--snapshot-blob", blob, "--build-snapshot", program("snapshot_entry.js")],
                      options)
    require(built.returncode == 0, f"building: {built.returncode}: {built.stderr[-300:]}")
    used = place.run([node, "--snapshot-blob", blob, program("snapshot_entry.js")], options)
    require(used.stdout == b"entries 100000\n", f"{used.returncode}: {used.stdout} {used.stderr[-300:]}")


CHECKS = [
    ("a program that spins from its first line is read", lambda p, n: blocked(p, n, "now")),
    ("a loop that never comes back is read", lambda p, n: blocked(p, n, "later")),
    ("a worker that spins is read", lambda p, n: blocked(p, n, "worker")),
    ("a thread that cannot be read is told of", unreadable),
    ("--heap-prof keeps its interval", option),
    ("a start-up snapshot is built", snapshot),
]
# What a busy machine may not let happen at all.
ALONE = [
    ("spinning workers end while they are read", lambda p, n: storm(p, n, 60)),
    ("a sampler's interval is stretched under load, and nothing is lost", stretched),
]
for _where in ("main", "worker"):
    CHECKS += [
        (f"{_where}: a profiler that starts before us keeps its interval, and we come back",
         lambda p, n, w=_where: first(p, n, w)),
        (f"{_where}: a profiler that starts after us gets a profile, and we come back",
         lambda p, n, w=_where: second(p, n, w)),
        (f"{_where}: a profiler that starts again and again is left alone",
         lambda p, n, w=_where: again(p, n, w)),
        (f"{_where}: a profiler in our place is not read", lambda p, n, w=_where: swapped(p, n, w)),
        (f"{_where}: a thread ends with its own profiler running",
         lambda p, n, w=_where: abandoned(p, n, w)),
    ]
LONG = [
    ("1,000 spinning workers end while they are read", lambda p, n: storm(p, n, 1000)),
]
