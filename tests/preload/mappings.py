"""What the summaries must say of mappings: to the byte what a program that maps at random has."""

import json

import harness
from contents import expect, functions_of, summary_of


def sums_of(summary, function):
    sites = [site for site in summary["sites"]
             if site["resource"] == "map" and function in functions_of(site)]
    for site in sites:
        expect(site["acquired_count"] - site["released_count"] == site["live_count"],
               f"{function}: {site['acquired_count']} made, {site['released_count']} gone, "
               f"{site['live_count']} live")
    return {field: sum(site[field] for site in sites) for field in ("live_bytes", "reserved_bytes")}


def check_truth(bench, cwd, threads, operations):
    """The victim itself compares with /proc/self/maps."""
    environment = bench.environment(cwd, "mode=exact,interval=100ms,top=1000,track=map")
    outcome = harness.run([bench.victim("map_truth"), str(threads), str(operations), "150"], cwd,
                          environment, 60)
    expect(outcome.code == 0, f"{outcome.end()}\n{harness.shorten(outcome.stdout)}")
    lines = [json.loads(line) for line in outcome.stdout.splitlines() if line.startswith(b"{")]
    summary = summary_of(cwd, outcome.pid)
    expect(len(lines) == 4 and all(line["live_bytes"] > 0 for line in lines), "nothing is mapped")
    wrong = []
    for line in lines:
        told = sums_of(summary, line["function"])
        for field, value in told.items():
            if value != line[field]:
                wrong.append(f"{line['function']}: {field} is {line[field]}, "
                             f"the summary says {value}")
    expect(not wrong, "\n".join(wrong))
    expect(summary["health"]["lost_acquires"] == 0, "mappings were lost")


def totals_of_one_thread(bench, cwd):
    check_truth(bench, cwd, 1, 40000)


def totals_of_four_threads(bench, cwd):
    check_truth(bench, cwd, 4, 20000)


CONTENTS = {
    "mappings equal the truth to the byte, one thread": totals_of_one_thread,
    "mappings equal the truth to the byte, four threads": totals_of_four_threads,
}
