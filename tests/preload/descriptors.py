"""What the summaries say of sockets and files, against what the kernel lists."""

import json
import pathlib
import re

import harness
from contents import expect, functions_of, summary_of

SOURCE = pathlib.Path(__file__).parent / "victims/descriptor_calls.c"


def live(summary, resource, function=None):
    return sum(site["live_count"] for site in summary["sites"] if site["resource"] == resource
               and (function is None or function in functions_of(site)))


def descriptors_are_counted(bench, cwd):
    """As many as in /proc/self/fd, each call by its function, whatever opened, copied and closed
    them, and what children do with their copies counts for the children."""
    outcome = harness.run([bench.victim("descriptor_calls")], cwd,
                          bench.environment(cwd, "mode=exact,track=socket+file,top=1000"), 30)
    expect(outcome.code == 0, f"{outcome.end()}\n{harness.shorten(outcome.stdout)}")
    truth = json.loads(next(line for line in outcome.stdout.splitlines() if line[:1] == b"{"))
    summary = summary_of(cwd, outcome.pid)
    told = {"sockets": live(summary, "socket"), "files": live(summary, "file")}
    expect(told == truth, f"the kernel lists {truth}, the summary says {told}")
    source = SOURCE.read_text()
    sockets = {"socket": 1, "sys_socket": 1, "dup_socket": 2, "pairs": 2, "accepted": 7,
               "received": 3}
    files = {name: 1 for name in re.findall(r"^KEEPS\((\w+),", source, flags=re.M)
             if name not in sockets}
    files |= {"pairs": 4, "dup2": 1, "received": 1}
    wrong = [f"keeps_{name} holds {count} {resource}s, the summary says "
             f"{live(summary, resource, 'keeps_' + name)}"
             for resource, counts in (("socket", sockets), ("file", files))
             for name, count in counts.items()
             if live(summary, resource, "keeps_" + name) != count]
    expect(not wrong, "\n".join(wrong))
    expect(live(summary, "file", "closes_all_it_opens") == 0, "what was closed counts as open")
    health = summary["health"]
    expect(health["lost_acquires"] == health["lost_releases"] == 0, f"lost: {health}")


CONTENTS = {
    "descriptors are counted as the kernel lists them": descriptors_are_counted,
}
