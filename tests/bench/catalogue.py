"""The workloads: what is run, how long, and by which clock it is judged."""

import dataclasses
import os

from measure import Job

HERE = os.path.dirname(os.path.abspath(__file__))

LOOPS = "bare loops of malloc and free"
PROGRAMS = "allocation-heavy programs"
# Their own: page faults decide, and would decide the mean of the others.
LARGE = "large blocks"
REAL = "real programs"

CPU = ("cpu s",)
WALL = ("wall s",)


@dataclasses.dataclass(frozen=True)
class Workload:
    """`clocks` are names of measure.CLOCKS: CPU time, or wall time where threads run side by side
    and waiting for one another is part of the cost."""
    name: str
    group: str
    clocks: tuple
    about: str
    job: object      # (scene, scale) -> Job
    check_output: object = None


@dataclasses.dataclass
class Scene:
    """Where built programs and scratch files are."""
    built: str
    scratch: str

    def program(self, name):
        return os.path.join(self.built, name)


def checksum_of(output):
    """What must not differ between runs of a workload of ours: all but the times."""
    words = output.split()
    return (words[1], words[-1]) if len(words) == 8 and words[0] == "operations" else None


def arguments_of(scale, scaled, fixed):
    arguments = []
    for name, value in scaled.items():
        arguments += [f"--{name}", str(max(1, int(value * scale)))]
    for name, value in fixed.items():
        arguments += [f"--{name}", str(value)]
    return arguments


def own(name, group, clocks, about, program, scaled, **fixed):
    """A program of workloads/; the `scaled` arguments decide how long it runs."""
    def job(scene, scale):
        return Job([scene.program(program), *arguments_of(scale, scaled, fixed)])
    return Workload(name, group, clocks, about, job, checksum_of)


OWN = [
    own("pairs-5", LOOPS, CPU, "malloc and free of 64 bytes, 5 frames deep",
        "pairs", {"pairs": 10_000_000}, depth=5),
    own("pairs-20", LOOPS, CPU, "the same, 20 frames deep",
        "pairs", {"pairs": 10_000_000}, depth=20),
    own("pairs-60", LOOPS, CPU, "the same, 60 frames deep",
        "pairs", {"pairs": 10_000_000}, depth=60),
    own("pairs-20-fp", LOOPS, CPU, "20 frames deep, compiled with frame pointers",
        "pairs_fp", {"pairs": 10_000_000}, depth=20),
    own("pairs-walk", LOOPS, CPU, "20 frames deep, 10 of them entered anew for each pair",
        "pairs", {"pairs": 6_000_000}, depth=20, walk=10),
    own("pairs-16", LOOPS, CPU, "5 frames deep, taking turns at 16 callsites",
        "pairs", {"pairs": 10_000_000}, depth=5, callsites=16),
    own("stacks", LOOPS, CPU, "10,000 call stacks, each replacing the one block it holds",
        "stacks", {"replacements": 4_000_000}, sites=10_000),
    own("live", LOOPS, CPU, "a million blocks of 32 to 63 bytes held and replaced at random",
        "live", {"replacements": 1_000_000}, blocks=1_000_000),
    own("fractions", PROGRAMS, CPU, "the continued fraction of e with numbers of any length",
        "fractions", {"rounds": 25_000}),
    own("words", PROGRAMS, CPU, "text split, counted in a hash table and joined again",
        "words", {"rounds": 60}),
    own("tree", PROGRAMS, CPU, "random binary trees of 20,000 nodes, built and destroyed",
        "tree", {"rounds": 250}, nodes=20_000),
    own("realloc", PROGRAMS, CPU, "vectors that double and strings that grow by 24 bytes",
        "realloc_growth", {"rounds": 2500}),
    own("producers-2", PROGRAMS, WALL, "1 producer and 1 consumer that frees its blocks",
        "producer_consumer", {"batches": 15_000}, couples=1),
    own("producers-8", PROGRAMS, WALL, "4 producers and 4 consumers",
        "producer_consumer", {"batches": 6_000}, couples=4),
    own("random-2", PROGRAMS, WALL, "2 threads replace blocks of 8 to 1000 bytes at random",
        "random_threads", {"generations": 10}, threads=2, replacements=500_000),
    own("random-8", PROGRAMS, WALL, "the same with 8 threads",
        "random_threads", {"generations": 10}, threads=8, replacements=125_000),
    own("large", LARGE, CPU, "blocks of 64 KiB to 4 MiB, a quarter of each written",
        "large", {"blocks": 10_000}),
]
