#!/usr/bin/env python3
"""Rules of the source that no compiler checks.

Includes point one way along the data's path; the exported symbols are those of the hook list and the
public header; nothing in the library calls what must not run inside someone else's process; files
stay short; every label of a memory-order edge has its partner and its line in the documentation.
"""
import hashlib
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# A stage may include itself and those named here.
MAY_SEE = {
    "base": set(),
    "system": {"base"},
    "ledger": {"base", "system"},
    "capture": {"base", "system", "ledger"},
    "interpose": {"base", "system", "ledger", "capture"},
    "trend": {"base", "ledger"},
    "v8": {"base", "system", "ledger", "capture"},
    "report": {"base", "system", "trend"},
    "runtime": {"base", "system", "ledger", "capture", "interpose", "trend", "v8", "report",
                "leakshim"},
    # The program parses the same options as the library.
    "cli": {"base", "report", "trend", "runtime/options.h"},
}

FORBIDDEN_CALLS = re.compile(
    r"\b(abort|assert|printf|fprintf|sprintf|snprintf|vsnprintf|puts|perror|exit|strdup|qsort"
    r"|fopen|fwrite|fread|getline|setlocale|strtod|system|popen)\(")
# malloc.c and friends define or forward to these; nobody else may call them.
HEAP_CALLS = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|free)\(")
LINES_MAX = 500

failures = []
checks = 0


def check(condition, message):
    global checks
    checks += 1
    if not condition:
        failures.append(message)


def code_only(text):
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.S)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def check_includes(path, text):
    stage = path.relative_to(SRC).parts[0]
    allowed = MAY_SEE[stage]
    for include in re.findall(r'^#include "([^"]+)"', text, flags=re.M):
        target = include.split("/")[0] if "/" in include else stage
        check(target == stage or target in allowed or include in allowed,
              f"{path.relative_to(ROOT)} includes {include}: {stage} must not see {target}")


def check_calls(path, text):
    stage = path.relative_to(SRC).parts[0]
    if stage == "cli":
        return
    code = code_only(text)
    for number, line in enumerate(code.splitlines(), 1):
        where = f"{path.relative_to(ROOT)}:{number}"
        calls = set(FORBIDDEN_CALLS.findall(line))
        if stage == "interpose":  # what it stands in front of it names
            calls -= exported_by_map()
        check(not calls, f"{where}: {line.strip()}")
        if stage not in ("interpose", "system"):
            check(not HEAP_CALLS.search(line), f"{where}: {line.strip()}")


def check_length(path, text):
    lines = text.count("\n")
    check(lines <= LINES_MAX, f"{path.relative_to(ROOT)} has {lines} lines")


def exported_by_map():
    text = re.sub(r"/\*.*?\*/", "", (SRC / "leakshim.map").read_text(), flags=re.S)
    return set(re.findall(r"^\s+(\w+);", text.split("local:")[0], flags=re.M))


def check_exports():
    """The export map, the hook list, the public header and the definitions name the same symbols."""
    exported = exported_by_map()
    header = code_only((ROOT / "include/leakshim/leakshim.h").read_text())
    public = set(re.findall(r"LEAKSHIM_API\s+[\w\s*]*?\b(leakshim_\w+)\(", header))
    hooks = {name for name in exported if not name.startswith("leakshim_")}
    check(public == exported - hooks, f"public functions and export map differ: "
          f"{sorted(public ^ (exported - hooks))}")
    defined = set()
    for path in (SRC / "interpose").glob("*.c"):
        defined |= set(re.findall(r"^LS_EXPORT [\w\s*]*?\b(\w+)\(", path.read_text(), flags=re.M))
    check(defined == hooks, f"hooks and export map differ: {sorted(defined ^ hooks)}")
    listed = (SRC / "interpose/hooks.h").read_text()
    for name in hooks:
        check(re.search(rf"\b{re.escape(name)}\b", listed), f"{name} is not in interpose/hooks.h")


def check_memory_order():
    """Every label `X1 pairs with X2` names a partner that exists, and docs/memory-order.md has it."""
    document = (ROOT / "docs/memory-order.md").read_text()
    labels = {}
    for path in SRC.rglob("*.[ch]"):
        for match in re.finditer(r"\b([A-Z]\d{1,2}) pairs with", path.read_text()):
            labels.setdefault(match.group(1), path.relative_to(ROOT))
    for label, path in sorted(labels.items()):
        check(re.search(rf"\b{label}\b", document), f"{path}: edge {label} is not in "
              "docs/memory-order.md")


def check_library():
    """The built library needs libc only and exports what the map says."""
    library = ROOT / "build/dev/libleakshim.so"
    if not library.exists():
        check(False, "build/dev/libleakshim.so is not built")
        return
    dynamic = subprocess.run(["readelf", "-dW", library], capture_output=True, text=True,
                             check=True).stdout
    needed = re.findall(r"NEEDED.*\[(.*?)\]", dynamic)
    # The loader is there in any case; its list of libraries is walked for RTLD_DEEPBIND.
    check(set(needed) <= {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"},
          f"the library needs {needed}")
    symbols = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True,
                             text=True, check=True).stdout
    names = {line.split()[-1].split("@")[0] for line in symbols.splitlines()}
    check(names == exported_by_map(), f"exported: {sorted(names ^ exported_by_map())}")
    relocations = subprocess.run(["readelf", "-rW", library], capture_output=True, text=True,
                                 check=True).stdout
    check("DTPMOD" not in relocations and "TLSDESC" not in relocations,
          "thread-local storage is not all initial-exec")


def check_dlopen():
    """dlopen's way out is a jump, so that the loader sees the host as its caller."""
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=dlopen",
                           ROOT / "build/dev/libleakshim.so"], capture_output=True, text=True,
                          check=True).stdout
    check(re.search(r"\bjmp\s+\*", code) is not None, "dlopen does not end in a jump")


def check_vendored():
    """Files of others are as they were published."""
    folder = ROOT / "third_party"
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        check(found == digest, f"third_party/{name} is not the file of SHA256SUMS")


def main():
    for path in sorted(SRC.rglob("*.[ch]")):
        text = path.read_text()
        check_includes(path, text)
        check_calls(path, text)
        check_length(path, text)
    for path in [*sorted((ROOT / "tests").rglob("*.c")), *sorted((SRC / "cli/html").iterdir())]:
        check_length(path, path.read_text())
    check_exports()
    check_memory_order()
    check_library()
    check_dlopen()
    check_vendored()
    for failure in failures:
        print(f"not ok {failure}")
    print(f"{checks - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
