#!/usr/bin/env python3
"""Files and lines of native frames: every way debug information is kept, and files that are others by
now. binutils' addr2line is asked for the same addresses.

    python3 tests/cli/test_symbolize.py BUILD_DIRECTORY
"""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import harness
from harness import Checks

PROGRAM = r"""
#include <stdlib.h>
#include <unistd.h>

void *library_keep(int count);
static void *volatile kept[1 << 20];
static int used;

static inline __attribute__((always_inline)) void *xmalloc_checked(size_t size)
{
    void *block = malloc(size); /* malloc */

    if (block == NULL)
        abort();
    return block;
}

static inline __attribute__((always_inline)) void keep(size_t size)
{
    kept[used++] = xmalloc_checked(size); /* keep */
}

__attribute__((noinline)) void serve(size_t size)
{
    keep(size); /* serve */
    __asm__ volatile("" ::: "memory");
}

__attribute__((noinline, noclone, noreturn)) static void leave(size_t size)
{
    kept[used++] = malloc(size);
    exit(0);
}

__attribute__((noinline, noclone, noreturn)) static void last(size_t size)
{
    leave(size); /* last */
}

int main(int count, char **arguments)
{
    int rounds = count > 1 ? atoi(arguments[1]) : 3;

    for (int i = 0; i < rounds; i++) {
        serve(1000);
        if (rounds > 100)
            usleep(1000);
    }
    kept[used++] = library_keep(rounds);
    last(77);
}
"""
LIBRARY = r"""
#include <cstdlib>
#include <new>

namespace shop {
template <typename Item> struct Basket {
    Item *items;
    __attribute__((always_inline)) inline void fill(int count)
    {
        items = static_cast<Item *>(malloc(sizeof(Item) * 500 * count)); // fill
    }
};
__attribute__((noinline)) void *order(int count)
{
    Basket<long> basket;
    basket.fill(count); // order
    __asm__ volatile("" ::: "memory");
    return basket.items;
}
} // namespace shop

extern "C" void *library_keep(int count)
{
    void *items = shop::order(count); // library_keep
    __asm__ volatile("" ::: "memory");
    return items;
}
"""


def line_of(source, mark):
    """The number of the line that ends in this comment."""
    lines = [number for number, line in enumerate(source.splitlines(), 1)
             if re.search(rf"(/\*|//) {mark}( \*/)?$", line)]
    assert len(lines) == 1
    return lines[0]


class Bench:
    def __init__(self, checks, build, scratch):
        self.checks = checks
        self.scratch = scratch
        self.build = build
        harness.PROGRAM = build / "leakshim"
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("DEBUGINFOD") and name != "LD_PRELOAD"}
        self.environment["HOME"] = str(scratch)

    def compile(self, name, *flags, library_flags=()):
        """The program and its library in a folder of their own."""
        folder = self.scratch / name
        folder.mkdir()
        (folder / "program.c").write_text(PROGRAM)
        (folder / "library.cc").write_text(LIBRARY)
        subprocess.run(["c++", "-g", "-O2", "-fPIC", "-shared", *library_flags, "-o",
                        folder / "libshop.so", folder / "library.cc"], check=True, timeout=120)
        subprocess.run(["cc", "-g", "-O2", *flags, "-o", folder / "program", folder / "program.c",
                        folder / "libshop.so", f"-Wl,-rpath,{folder}"], check=True, timeout=120)
        return folder

    def run(self, folder, *arguments, runs="runs", interval="1h"):
        """Makes a run and returns its directory."""
        subprocess.run([harness.PROGRAM, "run", "--quiet", "--mode=exact", f"--interval={interval}",
                        f"--dir={folder}/{runs}", "--", folder / "program", *arguments],
                       check=True, timeout=120, env=self.environment)
        return next((folder / runs).glob("program.*"))

    def leakshim(self, *arguments, **environment):
        return subprocess.run([harness.PROGRAM, *map(str, arguments)], capture_output=True,
                              text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
                              env={**self.environment, **environment}, cwd=self.scratch)

    def stacks(self, *arguments, **environment):
        """function -> [(function, base name, line, inlined)...] of sites, and what was told."""
        result = self.leakshim("symbolize", "--format=json", *arguments, **environment)
        sites = {}
        for site in json.loads(result.stdout)["sites"]:
            sites[site["function"]] = [(frame["function"], os.path.basename(frame["file"] or ""),
                                        frame["line"], frame.get("inlined", False))
                                       for frame in site["stack"]]
        return sites, result


SERVE = line_of(PROGRAM, "serve")
LAST = line_of(PROGRAM, "last")
MALLOC = line_of(PROGRAM, "malloc")
EXPECTED = {
    "keep": [("xmalloc_checked", "program.c", MALLOC, True),
             ("keep", "program.c", line_of(PROGRAM, "keep"), True),
             ("serve", "program.c", SERVE, False)],
    "shop::Basket<...>::fill": [("shop::Basket<...>::fill", "library.cc",
                                 line_of(LIBRARY, "fill"), True),
                                ("shop::order", "library.cc", line_of(LIBRARY, "order"), False),
                                ("library_keep", "library.cc", line_of(LIBRARY, "library_keep"),
                                 False)],
}


def has_lines(sites, names=tuple(EXPECTED)):
    return all(sites.get(name, [])[:len(EXPECTED[name])] == EXPECTED[name] for name in names)


def strip(folder, *names):
    """Moves the debug information of files into debug files of their own."""
    for name in names:
        path = folder / name
        subprocess.run(["objcopy", "--only-keep-debug", path, f"{path}.debug"], check=True)
        subprocess.run(["strip", "--strip-all", path], check=True)


def build_id(path):
    notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True,
                           check=True).stdout
    return re.search(r"Build ID: (\w+)", notes).group(1)


def into_store(folder, store, *names):
    """Puts debug files where they are found by build id."""
    for name in names:
        identity = build_id(folder / f"{name}.debug")
        place = store / ".build-id" / identity[:2]
        place.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / f"{name}.debug", place / f"{identity[2:]}.debug")


def check_layouts(bench):
    checks = bench.checks
    for name, flags in (("pie", ("-pie", "-fPIE")), ("fixed", ("-no-pie",)),
                        ("dwarf4", ("-gdwarf-4",)), ("frames", ("-fno-omit-frame-pointer",)),
                        ("compressed", ("-gz=zlib",))):
        folder = bench.compile(name, *flags)
        run = bench.run(folder)
        sites, result = bench.stacks(run)
        checks.true(f"{name}: functions, files, lines and what is inlined", has_lines(sites),
                    (sites, result.stderr))
        checks.true(f"{name}: a call at the end of a function is not the next one's",
                    sites.get("leave", [])[1:2] == [("last", "program.c", LAST, False)], sites)
        if name in ("pie", "fixed"):
            compare_with_addr2line(bench, folder, run)
    raw = json.loads((run / "summary.json").read_text())
    sites, _ = bench.stacks(run)
    checks.true("nothing else in the summary changes", compare_rest(bench, run, raw))
    text = bench.leakshim("symbolize", "--all", run)
    checks.true("as text", re.search(rf"      xmalloc_checked \(inlined\)  \S+/program\.c:{MALLOC}\n"
                                     rf"      keep \(inlined\)  \S+/program\.c:\d+\n"
                                     rf"      serve  \S+/program\.c:{SERVE}\n", text.stdout), text)


def compare_rest(bench, run, raw):
    changed = json.loads(bench.leakshim("symbolize", "--format=json", run).stdout)
    for document in (raw, changed):
        for site in document["sites"]:
            for key in ("function", "location"):
                site.pop(key)
            site["stack"] = [frame["pc"] for frame in site["stack"] if not frame.get("inlined")]
    return raw == changed


def compare_with_addr2line(bench, folder, run):
    """Every frame of the program, by an independent reader of DWARF."""
    raw = json.loads((run / "summary.json").read_text())
    changed = json.loads(bench.leakshim("symbolize", "--format=json", run).stdout)
    wrong = []
    compared = 0
    for before, after in zip(raw["sites"], changed["sites"]):
        at = 0
        for frame in before["stack"]:
            group = [after["stack"][at]]
            while group[-1].get("inlined"):
                group.append(after["stack"][at + len(group)])
            at += len(group)
            if not (frame["module"] or "").startswith(str(folder)) or not group[0]["file"]:
                continue
            lines = subprocess.run(
                ["addr2line", "-e", frame["module"], "-i", hex(int(frame["offset"], 16) - 1)],
                capture_output=True, text=True, check=True).stdout.splitlines()
            found = [f"{one['file']}:{one['line']}" for one in group]
            compared += 1
            if found != [re.sub(r" \(discriminator.*", "", line) for line in lines]:
                wrong.append((frame["offset"], found, lines))
    bench.checks.true(f"addr2line says the same of {compared} frames", compared >= 6 and not wrong,
                      wrong)


def check_debug_files(bench):
    checks = bench.checks
    folder = bench.compile("linked")
    strip(folder, "program", "libshop.so")
    subprocess.run(["objcopy", f"--add-gnu-debuglink={folder}/program.debug", folder / "program"],
                   check=True)
    (folder / ".debug").mkdir()
    shutil.move(folder / "program.debug", folder / ".debug/program.debug")
    store = bench.scratch / "store"
    into_store(folder, store, "libshop.so")
    run = bench.run(folder)
    sites, result = bench.stacks(run)
    checks.true("a debug file that the program links to", has_lines(sites, ("keep",)), sites)
    checks.true("a stripped library without one is told", re.search(
        r"libshop\.so: no debug information was found \(build id \w{40}; \d+ frames?\)",
        result.stderr), result)
    sites, result = bench.stacks(f"--debuginfo-path={store}", run)
    checks.true("a debug file found by build id", has_lines(sites, ("shop::Basket<...>::fill",)),
                (sites, result.stderr))

    folder = bench.compile("moved")
    run = bench.run(folder)
    before = bench.leakshim("report", run).stdout
    strip(folder, "program")
    into_store(folder, store, "program")
    (folder / "program").unlink()
    sites, result = bench.stacks(run)
    checks.true("a program that is not there any more is told", "program: is not here" in
                result.stderr and not has_lines(sites, ("keep",)), result.stderr)
    checks.true("and has no lines, but the names of the symbol table",
                sites.get("serve", [])[:1] == [("serve", "", None, False)], sites)
    sites, result = bench.stacks(f"--debuginfo-path={store}", run)
    checks.true("its debug file stands for it", has_lines(sites), (sites, result.stderr))
    kept = bench.leakshim("symbolize", "--in-place", f"--debuginfo-path={store}", run)
    checks.equal("--in-place keeps what was found, for others to read",
                 bench.leakshim("report", run).stdout, before, kept)
    checks.equal("with the mode that the file had", (run / "summary.json").stat().st_mode & 0o777,
                 0o600)
    again, _ = bench.stacks(run)
    checks.true("and is taken as it is the next time", has_lines(again), again)
    left = [path.name for path in run.iterdir() if path.name.startswith(".")]
    checks.equal("nothing is left beside it", left, [])


def check_other_builds(bench):
    checks = bench.checks
    folder = bench.compile("rebuilt")
    run = bench.run(folder)
    strip(folder, "program")
    store = bench.scratch / "old"
    into_store(folder, store, "program")
    other = folder / "program.c"
    other.write_text("\n\n\n\n" + PROGRAM.replace("rounds > 100", "rounds > 101"))
    subprocess.run(["cc", "-g", "-O2", "-o", folder / "program", other, folder / "libshop.so",
                    f"-Wl,-rpath,{folder}"], check=True, timeout=120)
    sites, result = bench.stacks(run)
    checks.true("another build gives no lines", sites.get("serve", [("", "", 0)])[0][1] == "" and
                has_lines(sites, ("shop::Basket<...>::fill",)), sites)
    checks.true("and is told", "program: is not the build that ran, and no debug file of that one "
                               "was found" in result.stderr, result.stderr)
    report = bench.leakshim("report", run)
    checks.equal("by report too", report.stderr,
                 f"leakshim: {folder}/program is not the build that ran; "
                 "its frames have no lines\n")
    sites, result = bench.stacks(f"--debuginfo-path={store}", run)
    checks.true("the debug file of the old build is used", has_lines(sites) and
                "program: is not" not in result.stderr, (sites, result.stderr))

    folder = bench.compile("nameless", "-Wl,--build-id=none")
    time.sleep(0.05)
    run = bench.run(folder)
    sites, result = bench.stacks(run)
    checks.true("without build id an unchanged file is used", has_lines(sites, ("keep",)),
                (sites, result.stderr))
    os.utime(folder / "program", (1, 1))
    sites, result = bench.stacks(run)
    checks.true("and a changed one, whatever its date, is not",
                "program: has no build id and has changed since it ran" in result.stderr and
                sites["serve"][0][1] == "", (sites, result.stderr))


def check_damage(bench):
    checks = bench.checks
    folder = bench.compile("damaged")
    run = bench.run(folder)
    program = folder / "program"
    whole = program.read_bytes()
    program.unlink()
    os.mkfifo(program)
    sites, result = bench.stacks(run)
    checks.true("a pipe in the place of a program is not waited for", "is not here" in
                result.stderr, result.stderr)
    program.unlink()
    codes = set()
    for length in [0, 1, 63, 64, 700, *range(1000, len(whole), len(whole) // 12)]:
        program.write_bytes(whole[:length])
        codes.add(bench.leakshim("symbolize", run).returncode)
    for start in range(0, len(whole), len(whole) // 40):
        program.write_bytes(whole[:start] + b"\xff" * 64 + whole[start + 64:])
        codes.add(bench.leakshim("symbolize", run).returncode)
    checks.equal("damaged files are survived", codes, {0})
    for arguments in ((), ("--format=xml", run), ("--none", run), (folder / "nothing",)):
        checks.equal(f"symbolize {' '.join(map(str, arguments[:1]))} ends with 2",
                     bench.leakshim("symbolize", *arguments).returncode, 2)


def check_consumers(bench):
    checks = bench.checks
    folder = bench.compile("leaking")
    run = bench.run(folder, "5000", interval="200ms")
    report = bench.leakshim("report", run)
    checks.true("report names function, file and line", re.search(
        rf"xmalloc_checked < keep +\S+program\.c:{line_of(PROGRAM, 'keep')}\n.*\n +called from +serve +\S+:{SERVE}\n",
        report.stdout), report)
    raw = bench.leakshim("report", "--no-symbolize", run)
    checks.true("and --no-symbolize what the summary has", re.search(
        r" serve +program\+0x\w+\n", raw.stdout) and "program.c" not in raw.stdout, raw)
    folded = bench.leakshim("report", "--format=folded", run).stdout
    checks.true("folded stacks have inlined functions", re.search(
        r";serve \(program\.c:\d+\);keep \(program\.c:\d+\);xmalloc_checked", folded), folded)
    profile = bench.scratch / "profile.pb.gz"
    bench.leakshim("report", "--format=pprof", f"--output={profile}", run)
    raw = subprocess.run(["go", "tool", "pprof", "-raw", profile], capture_output=True, text=True,
                         check=True, timeout=120, env=bench.environment).stdout
    checks.true("a pprof location has them as lines of its own", re.search(
        rf"M=\d+ xmalloc_checked \S+:{MALLOC} s=0\n +keep \S+:\d+ s=0\n +serve \S+:{SERVE} s=0\n", raw)
                and "program " in raw and "[FN][FL][LN][IN]" in raw, raw)
    github = bench.leakshim("check", "--format=github", f"--source-root={folder}", run)
    checks.true("an annotation points at the line", github.returncode == 1 and re.search(
        rf"^::error file=program\.c,line={line_of(PROGRAM, 'keep')},", github.stdout), github)
    sarif = json.loads(bench.leakshim("check", "--format=sarif", f"--source-root={folder}",
                                      run).stdout)
    where = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    checks.equal("so does SARIF", (where["artifactLocation"]["uri"], where["region"]["startLine"]),
                 ("program.c", line_of(PROGRAM, "keep")))
    check_baselines(bench, folder, run)


def check_baselines(bench, folder, run):
    """A site is the same with debug information and without, before a build and after."""
    for name, flag in (("with", ()), ("without", ("--no-symbolize",))):
        baseline = bench.scratch / f"{name}.json"
        bench.leakshim("check", *flag, f"--write-baseline={baseline}", run)
        summary = json.loads((run / "summary.json").read_text())
        for site in summary["sites"]:
            site["id"] = f"{int(site['id'], 16) ^ 1:016x}"
        other = bench.scratch / f"{name}-rebuilt"
        other.mkdir()
        (other / "summary.json").write_text(json.dumps(summary))
        for again in ((), ("--no-symbolize",)):
            result = bench.leakshim("check", *again, f"--baseline={baseline}", other)
            bench.checks.equal(f"a baseline made {name} lines is found again "
                               f"{'without' if again else 'with'}", result.returncode, 0, result)
        result = bench.leakshim("diff", run, other)
        bench.checks.equal("and diff sees no difference", result.returncode, 0, result)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def check_server(bench):
    checks = bench.checks
    folder = bench.compile("served")
    run = bench.run(folder)
    (folder / "served").mkdir()
    strip(folder, "program")
    shutil.move(folder / "program.debug", folder / "served/program.debug")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"DEBUGINFOD_URLS": url, "DEBUGINFOD_CACHE_PATH": str(bench.scratch / "cache")}
    log = open(bench.scratch / "server.log", "w+")
    server = subprocess.Popen(["debuginfod", "-p", str(port), "-d", ":memory:", "-F",
                               folder / "served"], stdout=log, stderr=log,
                              env=bench.environment)
    try:
        deadline = time.monotonic() + 60
        identity = build_id(folder / "program")
        while time.monotonic() < deadline and subprocess.run(
                ["python3", "-c", "import sys, urllib.request as r; r.urlopen(sys.argv[1])",
                 f"{url}/buildid/{identity}/debuginfo"], capture_output=True,
                check=False).returncode != 0:
            time.sleep(0.1)
        sites, result = bench.stacks(run, "--offline", **settings)
        checks.true("--offline asks no server", not has_lines(sites, ("keep",)), sites)
        bench.leakshim("report", run, **settings)
        bench.leakshim("check", run, **settings)
        checks.true("report and check ask none either", not (bench.scratch / "cache").exists())
        sites, result = bench.stacks(run, **settings)
        checks.true("a debuginfod server is asked", has_lines(sites), (sites, result.stderr))
        shutil.rmtree(bench.scratch / "cache")
        (folder / "program").unlink()
        sites, result = bench.stacks(run, **settings)
        checks.true("also for a program that is not here", has_lines(sites),
                    (sites, result.stderr))
    finally:
        server.terminate()
        server.wait(timeout=60)
        log.close()
    shutil.rmtree(bench.scratch / "cache")
    sites, result = bench.stacks(run, **settings)
    checks.true("a server that is gone does no harm", result.returncode == 0 and
                "program: is not here" in result.stderr, result)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    scratch = pathlib.Path(tempfile.mkdtemp()).resolve()
    bench = Bench(Checks(), build, scratch)
    try:
        for part in (check_layouts, check_debug_files, check_other_builds, check_damage,
                     check_consumers, check_server):
            part(bench)
    finally:
        shutil.rmtree(scratch)
    return bench.checks.finish()


if __name__ == "__main__":
    sys.exit(main())
