"""Interleaved pairs: the program alone, with a tool, alone, with the next tool, and so on.

Each run with a tool is set against the run without that came right before it, so that what else the
machine does weighs on both. A tool's figure is the median of its pairs' ratios.
"""

import dataclasses
import os
import shutil
import statistics
import sys
import tempfile

import measure
from measure import Broken
from tools import PLAIN, Tool

# How much of a workload a proof runs, unless the tool needs longer.
PROOF_SCALE = 0.02
PROOF_SCALE_MOST = 5


@dataclasses.dataclass
class Settings:
    """A tool gets `repeat` pairs of a workload; more until it has run for `least_s` seconds, and
    none after `most_s`, unless it had fewer than `fewest`."""
    launcher: str
    scale: float
    repeat: int
    server_repeat: int
    fewest: int
    least_s: float
    most_s: float

    def wants(self, pairs, spent_s):
        if pairs >= self.fewest and spent_s > self.most_s:
            return False
        return pairs < self.repeat or spent_s < self.least_s


@dataclasses.dataclass
class Row:
    """All runs of one workload by one measure. values[tool] are in order of the pairs, and
    partners[tool] the runs without a tool that belong to them."""
    workload: str
    group: str
    measure: str           # "cpu s", "wall s", "requests/s", ...
    point: int = None      # where on a curve of growth it lies
    values: dict = dataclasses.field(default_factory=dict)
    partners: dict = dataclasses.field(default_factory=dict)
    peaks_kib: dict = dataclasses.field(default_factory=dict)
    facts: dict = dataclasses.field(default_factory=dict)
    failures: dict = dataclasses.field(default_factory=dict)

    def add(self, tool, value, partner):
        self.values.setdefault(tool, []).append(value)
        self.partners.setdefault(tool, []).append(partner)

    def ratios(self, tool):
        return [value / partner
                for value, partner in zip(self.values.get(tool, []), self.partners.get(tool, []))]

    def plain(self):
        """The median without a tool."""
        every = [value for values in self.partners.values() for value in values]
        return statistics.median(every) if every else None

    def peak(self, tool):
        return statistics.median(self.peaks_kib[tool]) if self.peaks_kib.get(tool) else None


class Place:
    """A scratch directory for one run of a tool."""

    def __init__(self, scratch):
        self.path = tempfile.mkdtemp(prefix="tool.", dir=scratch)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def prove(workload, scene, tool, launcher):
    """A short run in which the tool must show that it works on this program."""
    scale = PROOF_SCALE
    while True:
        job = workload.job(scene, scale)
        plain = measure.run(launcher, job, measure.base_environment(scene.scratch))
        with Place(scene.scratch) as place:
            environment = {**measure.base_environment(scene.scratch),
                           **tool.environment(place, proof=True)}
            proved = measure.run(launcher, job, environment)
            same_output(workload, plain, proved)
            if proved.wall_s >= tool.proof_s or scale >= PROOF_SCALE_MOST:
                tool.prove(place)
                return
        scale *= min(20, 1.5 * tool.proof_s / proved.wall_s)


def same_output(workload, plain, other):
    plain_says, other_says = plain.output, other.output
    if workload.check_output:
        plain_says, other_says = (workload.check_output(text) for text in (plain_says, other_says))
        if plain_says is None:
            raise Broken(f"{workload.name} printed {plain.output[:100]!r}")
    if plain_says != other_says:
        raise Broken(f"{workload.name} printed something else under the tool")


def run_once(workload, scene, tool, settings):
    """One measured run; its usage and what the tool tells of it."""
    job = workload.job(scene, settings.scale)
    with Place(scene.scratch) as place:
        environment = {**measure.base_environment(scene.scratch), **tool.environment(place)}
        usage = measure.run(settings.launcher, job, environment, tool.library)
        if not usage.mapped:
            raise Broken(f"{tool.library} was not mapped")
        return usage, tool.inspect(place, usage.wall_s)


class Pairs:
    """The rows of one workload, one for each clock, and the runs that fill them."""

    def __init__(self, workload, scene, settings):
        self.workload, self.scene, self.settings = workload, scene, settings
        self.rows = [Row(workload.name, workload.group, clock) for clock in workload.clocks]
        self.failed = self.rows[0].failures
        self.spent_s = {}

    def pair(self, tool):
        """One run without the tool and one with it."""
        try:
            plain, _ = run_once(self.workload, self.scene, Tool(), self.settings)
            usage, facts = run_once(self.workload, self.scene, tool, self.settings)
            same_output(self.workload, plain, usage)
        except Broken as error:
            fail(self.rows, tool, error)
            return
        for row in self.rows:
            value_of = measure.CLOCKS[row.measure]
            row.add(tool.name, value_of(usage), value_of(plain))
        first = self.rows[0]
        first.peaks_kib.setdefault(PLAIN, []).append(plain.peak_kib)
        first.peaks_kib.setdefault(tool.name, []).append(usage.peak_kib)
        first.facts.setdefault(tool.name, []).append(facts)
        self.spent_s[tool.name] = self.spent_s.get(tool.name, 0) + usage.wall_s

    def wanting(self, tools):
        """The tools that get another pair."""
        return [tool for tool in tools if tool.name not in self.failed and self.settings.wants(
            len(self.rows[0].values.get(tool.name, [])), self.spent_s.get(tool.name, 0))]


def compare(workload, scene, tools, settings, proof=True):
    """Measures one program under every tool; a row for each of its clocks."""
    pairs = Pairs(workload, scene, settings)
    for tool in tools if proof else []:
        try:
            prove(workload, scene, tool, settings.launcher)
        except Broken as error:
            fail(pairs.rows, tool, error)
    turn = 0
    while wanting := pairs.wanting(tools):
        # Another one begins each time, so that none always runs after the same other.
        for tool in wanting[turn % len(wanting):] + wanting[:turn % len(wanting)]:
            pairs.pair(tool)
        turn += 1
    return pairs.rows


def fail(rows, tool, error):
    """No figure of a tool stands that failed once on a workload."""
    for row in rows:
        row.failures[tool.name] = str(error)
        for figures in (row.values, row.partners, row.peaks_kib, row.facts):
            figures.pop(tool.name, None)
    print(f"{rows[0].workload}, {tool.name}: {error}", file=sys.stderr)


def over(row, tool, other):
    """Ratios of two tools' runs of the same turn: what profiling costs over the allocator alone."""
    pairs = zip(row.values.get(tool, []), row.values.get(other, []))
    return [value / reference for value, reference in pairs]


def library_path(path):
    if not os.path.exists(path):
        raise Broken(f"{path} does not exist")
    return os.path.abspath(path)
