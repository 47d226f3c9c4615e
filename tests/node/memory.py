"""The memory balance of a Node server, and what V8 takes for itself."""

import os

from harness import PROGRAMS, read_summaries, require

UNEXPLAINED_MOST = 0.1


def balance(place, node):
    done = place.run([node, os.path.join(PROGRAMS, "memory_balance.js")],
                     place.options(interval="500ms"))
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    (summary,) = [summary for summary in read_summaries(place.runs)
                  if summary["process"]["program"] == "node"]
    memory = summary["memory"]
    left = memory["unexplained_bytes"] / memory["rss_bytes"]
    require(abs(left) < UNEXPLAINED_MOST, f"{left:.1%} is left over: {memory}")
    mapped = memory["mapped"]
    require(mapped["committed_bytes"] > 1 << 20, "what V8 maps is not seen")
    require(mapped["differing_bytes"] <= 0.01 * mapped["committed_bytes"],
            f"the kernel does not have it so: {mapped}")
    require(memory["v8_heap_bytes"] > 2 << 20, f"V8 has only {memory['v8_heap_bytes']}")
    # V8's heap is no site of its own that could be said to rise.
    found = [site["function"] for site in summary["sites"]
             if site["resource"] == "map" and "v8::base::OS" in (site["function"] or "")]
    require(not found, f"{found} are sites")
    return (f"{left:.1%} of {memory['rss_bytes'] / 1e6:.0f} MB left over, "
            f"{mapped['differing_bytes']} bytes of {mapped['committed_bytes']} differ")


V8_OWN = ("v8::internal::Heap::CollectGarbage", "v8::internal::MarkCompactCollector::",
          "v8::internal::MemoryAllocator::", "v8::internal::PagedSpace",
          "v8::internal::SamplingHeapProfiler::")


def taken_by_engine(place, node):
    """Exact, so that every block that V8 takes in a collection is there. The last summary comes when V8
    has taken itself down, so what counts is the most that was held."""
    done = place.run([node, "--expose-gc", os.path.join(PROGRAMS, "engine_blocks.js")],
                     place.options(interval="300ms", mode="exact", js_sample="16K", top=1000))
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    (summary,) = [summary for summary in read_summaries(place.runs)
                  if summary["process"]["program"] == "node"]
    heap = [site for site in summary["sites"] if site["resource"] == "heap"]
    wrong = {site["function"] for site in heap
             for frame in site["stack"] if (frame["function"] or "").startswith(V8_OWN)}
    require(not wrong, f"V8 has blocks of its own in {wrong}")
    own = {site["function"]: site["peak_live_bytes"] for site in heap
           if site["function"] in ("(V8's own, for its heap)", "(V8's sampler)")}
    require(len(own) == 2 and min(own.values()) > 4096, f"V8's own sites are {own}")
    return ", ".join(f"{name} {size / 1e3:.0f} kB" for name, size in own.items())


def replaced_elements(place, node, mode):
    """An array counts for its first elements too, which are gone: V8's profile says so, and we say that."""
    done = place.run([node, os.path.join(PROGRAMS, "replaced_elements.js"), mode, "3"],
                     place.options(interval="500ms", js_sample="64K"))
    require(done.returncode == 0, f"exit status {done.returncode}: {done.stderr[-300:]}")
    (summary,) = read_summaries(place.runs)
    told = any("more than its heap holds" in note for note in summary["health"]["notes"])
    held = sum(site["live_bytes"] for site in summary["sites"] if site["resource"] == "js")
    (isolate,) = summary["isolates"]
    used = isolate["used_heap_bytes"]
    require(held > used / 2, f"{held} of {used} is sampled")
    require(told == (mode == "replaced"), f"told: {told}, sites hold {held} of {used}")
    return f"sites hold {held / 1e6:.1f} MB, the heap {used / 1e6:.1f}"


CHECKS = [("the balance explains the resident memory", balance),
          ("what V8 takes for itself is no function's", taken_by_engine),
          ("elements that were replaced count twice, and that is told",
           lambda p, n: replaced_elements(p, n, "replaced")),
          ("elements that stay count once", lambda p, n: replaced_elements(p, n, "plain"))]
