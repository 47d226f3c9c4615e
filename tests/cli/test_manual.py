#!/usr/bin/env python3
"""The manual and the completions against the program's own help and the public header.

    python3 tests/cli/test_manual.py BUILD_DIRECTORY
"""
import pathlib
import re
import subprocess
import sys

import harness
from harness import Checks, ROOT, leakshim

COMMANDS = ("check", "report", "diff", "symbolize", "top")


def rendered(page):
    """The page as man shows it, without line breaks inside words, and what it complains of."""
    result = subprocess.run(["man", "--warnings", "-l", ROOT / "man" / page], capture_output=True,
                            text=True, check=False, timeout=60,
                            env={"LC_ALL": "C.UTF-8", "MANWIDTH": "200", "MAN_KEEP_FORMATTING": "0",
                                 "PATH": "/usr/bin:/bin", "MANPAGER": "cat", "MANOPT": "--nh --nj"})
    return re.sub(r"\x1b\[[0-9;]*m|.\x08", "", result.stdout), result.stderr


def options_of_help(text):
    return re.findall(r"^  --([\w-]+)(?:=(\S*))?$", text, flags=re.M)


def check_commands(checks, page):
    for command in COMMANDS:
        help_text = leakshim("help" if command == "run" else command,
                             *(() if command == "run" else ("--help",))).stdout
        section = re.search(rf"^   {command}\n(.*?)(?=^\S|^   \S)", page, flags=re.M | re.S).group(1)
        in_help = [f"--{name}={value}" if value else f"--{name}"
                   for name, value in options_of_help(help_text)]
        in_page = re.findall(r"^ {7}(--[\w-]+(?:=\w+)?)(?=\s)", section, flags=re.M)
        checks.equal(f"leakshim(1) has the options of {command}, in their order", in_page, in_help)
    listed = re.findall(r"^  (\w+) +[A-Z]", leakshim("help").stdout, flags=re.M)
    synopsis = page[page.index("SYNOPSIS"):page.index("DESCRIPTION")]
    in_page = re.findall(r"^ +leakshim (\w+)", synopsis, flags=re.M)
    checks.equal("leakshim(1) has every command", in_page, listed)


def check_keys(checks, page):
    entries = re.findall(r"^  --(\w+)=(.*)\n      (.*)\n      (.*)$", leakshim("help").stdout,
                         flags=re.M)
    checks.true("the help lists keys", len(entries) >= 14)
    for name, default, meaning, allowed in entries:
        found = re.search(rf"^ +{name}=VALUE\n((?: {{10,}}.*\n)+)", page, flags=re.M)
        text = " ".join(found.group(1).split()) if found else ""
        wanted = [meaning[1:], allowed[1:], f"Without it: {default}." if default
                  else "Empty without it."]
        checks.true(f"libleakshim.so(7) says of {name} what the option table says",
                    all(" ".join(part.split()) in text for part in wanted), f"{text}\n{wanted}")
    in_page = re.findall(r"^ +(\w+)=VALUE$", page, flags=re.M)
    checks.equal("and knows no others", in_page, [entry[0] for entry in entries])


def check_functions(checks, page):
    header = (ROOT / "include/leakshim/leakshim.h").read_text()
    functions = re.findall(r"^LEAKSHIM_API [\w\s*]*?\b(leakshim_\w+)\(", header, flags=re.M)
    named = page[page.index("NAME"):page.index("SYNOPSIS")]
    checks.equal("leakshim(3) names the public functions",
                 re.findall(r"leakshim_\w+", named), functions)
    members = re.findall(r"^    uint64_t (\w+);", header, flags=re.M)
    checks.true("and every figure of leakshim_stats",
                all(re.search(rf"\b{member}\b", page) for member in members), members)


def complete(*words):
    """What bash offers for the last word."""
    script = f"""
        source {ROOT}/completions/leakshim.bash
        compopt() {{ :; }}
        COMP_WORDS=({harness.PROGRAM} {' '.join(f"'{word}'" for word in words)})
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _leakshim
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False,
                          timeout=60).stdout.split()


def check_completions(checks):
    checks.equal("bash completes commands", complete("re"), ["report"])
    for command in COMMANDS:
        wanted = [f"--{name}=" if value else f"--{name}" for name, value in
                  options_of_help(leakshim(command, "--help").stdout)]
        checks.equal(f"bash completes the options of {command}", complete(command, "--"), wanted)
    checks.true("bash completes the keys of run", "--js_sample=" in complete("run", "--js"))
    checks.equal("bash completes formats", complete("check", "--format", "=", "s"), ["sarif"])
    checks.equal("each command its own", complete("report", "--format", "="),
                 ["text", "html", "folded", "pprof"])
    result = subprocess.run(["zsh", "-n", ROOT / "completions/_leakshim"], capture_output=True,
                            text=True, check=False, timeout=60)
    checks.equal("zsh reads its completion", result.returncode, 0, result)


def main():
    harness.PROGRAM = pathlib.Path(sys.argv[1]).resolve() / "leakshim"
    checks = Checks()
    version = leakshim("version").stdout.strip()
    pages = {}
    for page in ("leakshim.1", "leakshim.3", "libleakshim.so.7"):
        pages[page], complaints = rendered(page)
        checks.equal(f"{page} has no fault that man sees", complaints, "")
        checks.true(f"{page} is of this version",
                    f'"{version}"' in (ROOT / "man" / page).read_text())
    check_commands(checks, pages["leakshim.1"])
    check_keys(checks, pages["libleakshim.so.7"])
    check_functions(checks, pages["leakshim.3"])
    check_completions(checks)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
