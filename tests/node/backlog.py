"""Incident 5 end to end: examples/backlog and its fix. Each signal alone looks harmless; the summary has to
show the chain."""

import os
import subprocess
import time

from harness import EXAMPLES, PATIENCE, environment, require, require_nothing_rises, rising

DIRECTORY = os.path.join(EXAMPLES, "backlog")
# The inventory answers 25 orders a second.
REQUESTS_A_SECOND = 60
SECONDS = 24
SETTINGS = {"interval": "1s", "js_sample": "128K", "top": "200"}
HEAP_MIB = 256
# Many answers come at once, and each is followed by a request: the repaired one is below a millisecond.
DELAY_S = 0.003


def start_inventory(place, node):
    """The slow dependency, without the library; its port."""
    inventory = subprocess.Popen([node, os.path.join(DIRECTORY, "inventory.js")],
                                 env=environment(None, ""), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE)
    place.children.append(inventory)
    line = inventory.stdout.readline().decode()
    require(line.startswith("listening on "), f"the inventory said {line!r}")
    return int(line.split()[-1])


def start_shop(place, node, inventory, fixed):
    command = [node, f"--max-old-space-size={HEAP_MIB}", os.path.join(DIRECTORY, "server.js")]
    return place.serve(command, place.options(**SETTINGS),
                       {"INVENTORY": str(inventory), "FIXED": "1" if fixed else "0"})


def load(place, node, port):
    return place.load([node, os.path.join(DIRECTORY, "load.js"), str(port), str(REQUESTS_A_SECOND),
                       str(SECONDS)], SECONDS)


def sites_to(summary, port):
    """The sites whose sockets go to the inventory."""
    address = f"127.0.0.1:{port}"
    return [site for site in summary["sites"]
            if any(peer["address"] == address for peer in site.get("peers", []))]


def live_to(summary, port):
    return sum(peer["live"] for site in sites_to(summary, port) for peer in site["peers"]
               if peer["address"] == f"127.0.0.1:{port}")


def while_filling(summaries, port):
    """Those in which more and more sockets go to the inventory."""
    return [after for before, after in zip(summaries, summaries[1:])
            if live_to(after, port) > live_to(before, port) + REQUESTS_A_SECOND / 10]


def sockets_pile_up(summary, port):
    """To the inventory they are many and old, and on both sides they become more."""
    ages = [site["median_age_s"] for site in sites_to(summary, port) if site["live_count"] >= 50]
    growing = [site for site in summary["sites"] if site["resource"] == "socket" and
               site["growth_count_per_s"] >= REQUESTS_A_SECOND / 10]
    return live_to(summary, port) >= 2 * REQUESTS_A_SECOND and max(ages, default=0) >= 2 and len(growing) >= 2


def rises(summary, function):
    return any(site["function"] == function for site in rising(summary, "js"))


def heap_and_resident(summary):
    """The heap after a collection next to the resident memory."""
    heaps = [isolate["used_heap_after_gc_bytes"] for isolate in summary["isolates"]]
    return heaps and heaps[0] is not None and 0 < heaps[0] < summary["memory"]["rss_bytes"]


def limit_comes(summary):
    return (summary["verdict"]["state"] == "leaking" and summary["process"]["limit_bytes"] and
            summary["memory"]["seconds_to_limit"] is not None)


def missing_links(summary, port):
    """What of the chain one summary does not show."""
    links = {
        "sockets to the inventory and to customers, with their age": sockets_pile_up(summary, port),
        "the queue": rises(summary, "enqueue"),
        "the promises": rises(summary, "reserve"),
        "the heap after a collection, and the resident memory": heap_and_resident(summary),
        "the time to the limit": limit_comes(summary),
        "the event loop's delay": any(loop["delay_p99_s"] >= DELAY_S for loop in summary["event_loops"]),
    }
    return [name for name, shown in links.items() if not shown]


def require_chain(filling, port):
    missing = min((missing_links(summary, port) for summary in filling), key=len)
    require(not missing, f"no summary shows the whole chain; one shows all but {missing}")


def wait_until_drained(watch, port):
    """After the load has stopped the inventory works off what is left."""
    deadline = time.monotonic() + 2 * PATIENCE
    while live_to(watch.last(), port) > REQUESTS_A_SECOND:
        require(time.monotonic() < deadline,
                f"{live_to(watch.last(), port)} sockets are left")
        time.sleep(0.5)


def wait_until_called_backlog(watch):
    """The judgement follows what has drained; without it, what is required of the summaries tells why."""
    deadline = time.monotonic() + PATIENCE
    while watch.last()["verdict"]["state"] != "backlog" and time.monotonic() < deadline:
        time.sleep(0.5)


def require_drained(summaries, port):
    """What the summaries say once the load has stopped: the sockets go, and nothing calls them a leak any
    more."""
    last = [summary for summary in summaries if not summary["final"]][-1]
    names = [site["function"] for site in rising(last, "socket")]
    require(not names, f"the sockets of {names} are said to rise still")
    require(live_to(last, port) <= REQUESTS_A_SECOND, f"{live_to(last, port)} sockets are left")
    peaks = [site["peak_live_count"] for site in sites_to(last, port)]
    require(peaks and max(peaks) >= 2 * REQUESTS_A_SECOND, f"their peaks are {peaks}")


def require_called_backlog(summaries):
    """Once it has drained, and nothing rises any more."""
    states = [summary["verdict"]["state"] for summary in summaries if not summary["final"]]
    require("leaking" in states, f"never leaking: {states}")
    after = states[len(states) - states[::-1].index("leaking"):]
    require("backlog" in after, f"not called a backlog after the load: {after}")


def leaking(place, node):
    inventory = start_inventory(place, node)
    shop, port = start_shop(place, node, inventory, fixed=False)
    watch = place.watch()
    load(place, node, port)
    watch.look()
    filling = while_filling(watch.summaries(), inventory)
    require(len(filling) >= 5, f"only {len(filling)} summaries saw the backlog grow")
    require_chain(filling, inventory)
    wait_until_drained(watch, inventory)
    wait_until_called_backlog(watch)
    require(place.end(shop) == 0, "the shop's exit status is not 0")
    watch.end()
    require_drained(watch.summaries(), inventory)
    require_called_backlog(watch.summaries())
    return (f"{live_to(filling[-1], inventory):.0f} sockets to the inventory, p99"
            f" {filling[-1]['event_loops'][0]['delay_p99_s'] * 1e3:.0f} ms")


def fixed(place, node):
    inventory = start_inventory(place, node)
    shop, port = start_shop(place, node, inventory, fixed=True)
    watch = place.watch()
    done = load(place, node, port)
    require(place.end(shop) == 0, "the shop's exit status is not 0")
    watch.end()
    require(done["answered"] > 0 and done["failed"] > 0 and
            done["answered"] + done["failed"] >= 0.9 * done["sent"], f"not shed, or not told: {done}")
    most = max(live_to(summary, inventory) for summary in watch.summaries())
    require(0 < most <= REQUESTS_A_SECOND, f"{most} sockets went to the inventory")
    return f"{require_nothing_rises(place.runs)} summaries, {most} sockets to the inventory"


CHECKS = [
    ("a backlog is named by its whole chain, and drains", leaking),
    ("a backlog, fixed: nothing rises", fixed),
]
