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


def children_have_their_own(bench, cwd):
    """A forked child begins with its parent's descriptors, and what it closes is closed for it."""
    outcome = harness.run([bench.victim("descriptor_calls")], cwd,
                          bench.environment(cwd, "mode=exact,track=socket+file,top=1000"), 30)
    expect(outcome.code == 0, f"{outcome.end()}\n{harness.shorten(outcome.stdout)}")
    children = [summary for summary in map(harness.read_summary, harness.run_directories(cwd))
                if summary["process"]["program"] == "victim_descriptor_calls"
                and summary["process"]["pid"] != outcome.pid]
    expect(len(children) == 1, f"{len(children)} children left a run")
    told = {"socket": live(children[0], "socket"), "file": live(children[0], "file")}
    expect(told == {"socket": 0, "file": 3}, f"the child closed all but 0, 1 and 2: {told}")


def at_start(summary):
    return next((site["live_count"] for site in summary["sites"]
                 if site["function"] == "(open when tracking began)"), 0)


def inherited_are_told(bench, cwd):
    """What an executed program gets from the one before it."""
    harness.run(["sh", "-c", 'exec 7</dev/null 8</dev/null; exec "$0" 3', bench.victim("plain")], cwd,
                bench.environment(cwd, "mode=exact,track=file"), 30)
    (summary,) = [summary for summary in map(harness.read_summary, harness.run_directories(cwd))
                  if summary["process"]["program"] == "victim_plain"]
    expect(at_start(summary) == 5, f"0, 1, 2, 7 and 8 were open: {at_start(summary)}")


def past(summary, resource):
    return sum(site["live_count"] for site in summary["sites"] if site["resource"] == resource
               and site["function"] == "(opened past the hooks)")


def past_the_hooks(bench, cwd):
    """What no hook sees is found within two summaries, and so is that it has gone."""
    outcome = harness.run([bench.victim("descriptors_past"), "700"], cwd,
                          bench.environment(cwd, "interval=100ms,track=socket+file,top=1000"), 30)
    expect(outcome.code == 0, f"{outcome.end()}\n{harness.shorten(outcome.stdout)}")
    lines = [json.loads(line) for line in outcome.stdout.splitlines() if line[:1] == b"{"]
    summary = summary_of(cwd, outcome.pid)
    told = {"sockets": past(summary, "socket"), "files": past(summary, "file"),
            "closed": live(summary, "file", "main")}
    expect(told == lines[-1], f"{lines[-1]} are there, the summary says {told}")


CONTENTS = {
    "forked children have descriptors of their own": children_have_their_own,
    "descriptors that were inherited are told apart": inherited_are_told,
    "descriptors opened past the hooks are found": past_the_hooks,
    "descriptors are counted as the kernel lists them": descriptors_are_counted,
}
