#!/usr/bin/env python3
"""Counts instructions of the hot paths, which repeat exactly where clocks do not.

    run.py --library build/release/libleakshim.so

valgrind's callgrind runs the same program with two numbers of malloc/free pairs; the difference is
that of the pairs alone. How far the collector's thread gets before the program ends depends on the
machine's other load, so the least of some runs counts. The figures are those of docs/benchmark.md.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
FEW, MANY = 10_000, 60_000
SHALLOW, DEEP = 5, 55
RUNS = 3


class Counter:
    def __init__(self, library, scratch):
        self.library = library
        self.scratch = scratch
        self.program = scratch / "pairs"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", self.program, HERE / "pairs.c"],
                       check=True)

    def _least(self, options, depth, pairs):
        return min(self._whole_run(options, depth, pairs) for _ in range(RUNS))

    def _whole_run(self, options, depth, pairs):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.scratch)}
        if options is not None:
            environment["LD_PRELOAD"] = str(self.library)
            environment["LEAKSHIM_OPTIONS"] = f"dir={self.scratch}/runs,{options}"
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", self.program,
             str(depth), str(pairs)], env=environment, capture_output=True, text=True, check=True)
        return int(re.search(r"Collected : (\d+)", done.stderr).group(1))

    def a_pair(self, options, depth=SHALLOW):
        """Instructions of one malloc and free; options None: without the library."""
        return round((self._least(options, depth, MANY) - self._least(options, depth, FEW))
                     / (MANY - FEW))

    def was_at_work(self):
        """Exact mode leaves a run behind, so a count of nothing is found out."""
        return any(self.scratch.glob("runs/pairs.*/summary.json"))


def stores_outside_the_thread(library, function):
    """Instructions of a function's hot part that write to memory other threads may read."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", library],
                          capture_output=True, text=True, check=True).stdout
    listing = re.search(rf"<{function}>:\n(.*?)\n\n", text + "\n\n", re.DOTALL).group(1)
    lines = [line.split("\t", 1)[1] for line in listing.splitlines() if "\t" in line]
    # A move or an arithmetic instruction whose last operand is memory, and not %fs:, the thread's.
    return [line for line in lines
            if re.match(r"(mov|add|sub|inc|dec|xchg|lock|cmpxchg|or|and)\w*\s", line)
            and re.search(r"(,|\s)[^,:]*\([^)]*\)\s*(#.*|<.*)?$", line)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    passed = failed = 0

    def check(what, value, bound):
        nonlocal passed, failed
        fine = value <= bound
        passed, failed = passed + fine, failed + (not fine)
        print(f"{'ok' if fine else 'not ok'} - {what}: {value}, at most {bound}")

    with tempfile.TemporaryDirectory() as scratch:
        counter = Counter(arguments.library.resolve(), pathlib.Path(scratch))
        plain = counter.a_pair(None)
        print(f"     the C library's own pair: {plain}")
        check("instructions more for an unsampled pair", counter.a_pair("sample=1G") - plain, 18)
        check("allocator=jemalloc, instructions more for an unsampled pair",
              counter.a_pair("allocator=jemalloc,sample=1G") - plain, 10)
        check("no summary of a short sampled run", int(counter.was_at_work()), 0)
        exact = counter.a_pair("mode=exact")
        check("exact, instructions of a pair", exact, 850)
        check("exact, instructions of a frame",
              round((counter.a_pair("mode=exact", DEEP) - exact) / (DEEP - SHALLOW)), 16)
        check("runs of exact mode missing", int(not counter.was_at_work()), 0)
        check("instructions of a sampled pair", counter.a_pair("sample=1"), 2100)
    check("a function that does write shared memory, passed over",
          int(not stores_outside_the_thread(arguments.library, "ls_heap_set_mode")), 0)
    for function in ("malloc", "free"):
        stores = stores_outside_the_thread(arguments.library, function)
        check(f"shared memory written by an unsampled {function}", len(stores), 0)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
