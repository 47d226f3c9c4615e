"""The memory balance of a Node server."""

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


CHECKS = [("the balance explains the resident memory", balance)]
