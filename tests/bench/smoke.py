"""Whether every workload works under every tool, and a tool that does not work is found out.

No figure comes of it: each run is as short as the tool's proof allows.
"""

import concurrent.futures

import catalogue
import comparison
import servers
from measure import Broken
from tools import Leakshim, Tool

AT_ONCE = 2


def prove(workload, scene, tool, launcher):
    if isinstance(workload, servers.Server):
        servers.prove(workload, scene, tool)
    else:
        comparison.prove(workload, scene, tool, launcher)


def expect_broken(action):
    try:
        action()
    except Broken:
        return
    raise Broken("it passed for one at work")


class Absent(Tool):
    """A tool whose variables never reach the program."""

    def __init__(self, tool):
        self.tool, self.name, self.library = tool, tool.name, tool.library

    def prove(self, place):
        self.tool.prove(place)


def checks(workloads, scene, tools, launcher):
    """(name, action) of every check; an action raises Broken."""
    for workload in workloads:
        for tool in tools:
            yield (f"{workload.name} under {tool.name}",
                   lambda workload=workload, tool=tool: prove(workload, scene, tool, launcher))
    pairs = catalogue.OWN[0]
    settings = comparison.Settings(launcher, comparison.PROOF_SCALE, 1, 1, 1, 0, 0)
    for tool in tools:
        absent = Absent(tool)
        yield (f"{tool.name} is found out when it is not mapped",
               lambda absent=absent: expect_broken(
                   lambda: comparison.run_once(pairs, scene, absent, settings)))
        if type(tool).prove is not Tool.prove:
            yield (f"{tool.name} is found out when it left no proof",
                   lambda absent=absent: expect_broken(
                       lambda: comparison.prove(pairs, scene, absent, launcher)))
        if isinstance(tool, Leakshim):
            idle = Leakshim(tool.name, tool.path, [*tool.options, "track=socket"], "")
            yield (f"{tool.name} is found out when it tracks no heap",
                   lambda idle=idle: expect_broken(
                       lambda: comparison.prove(pairs, scene, idle, launcher)))


def run(workloads, scene, tools, launcher):
    """Runs every check, two at a time; how many failed."""
    def outcome(check):
        name, action = check
        try:
            action()
        except Broken as error:
            return name, str(error)
        return name, None

    failed = passed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for name, error in pool.map(outcome, checks(workloads, scene, tools, launcher)):
            if error is None:
                passed += 1
            else:
                failed += 1
            print(f"ok {name}" if error is None else f"not ok {name}: {error}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed

