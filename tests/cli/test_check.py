#!/usr/bin/env python3
"""`leakshim check` against real runs, made here, and against damaged ones.

    python3 tests/cli/test_check.py BUILD_DIRECTORY

The schemas of the formats come from npm packages by name and version, into build/schemas; nothing
of them is kept in the sources.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import jsonschema

from harness import Checks, ROOT, leakshim, make_runs

# JUnit's schema by Windy Road (Apache licence 2.0), as a string in the tests of a package; the one
# of SARIF 2.1.0 by OASIS.
JUNIT_PACKAGE = "junit-xml@1.2.0"
SARIF_PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"


def schema_package(build, name):
    """Unpacks an npm package, once for a build."""
    place = build / "schemas" / re.sub(r"\W", "_", name)
    if not (place / "package").is_dir():
        place.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", name], cwd=place, check=True, timeout=120,
                       stdout=subprocess.DEVNULL)
        archive = next(place.glob("*.tgz"))
        with tarfile.open(archive) as content:
            content.extractall(place)
    return place / "package"


def junit_schema(build):
    text = (schema_package(build, JUNIT_PACKAGE) / "src/index.test.ts").read_text()
    schema = re.search(r"antJunitSchema\s*=\s*'(.*?)(?<!\\)';", text, flags=re.S).group(1)
    path = build / "schemas" / "junit.xsd"
    path.write_text(schema.replace("\\'", "'").replace("\\n", "\n"))
    return path


def sarif_schema(build):
    package = schema_package(build, SARIF_PACKAGE)
    return json.loads((package / "lib/schemas/sarif-2.1.0-rtm.5.json").read_text())


def check_exit_codes(checks, runs):
    for path, code in ((runs / "leaking", 1), (runs / "fixed", 0), (runs, 1)):
        result = leakshim("check", path)
        checks.equal(f"check {path.name} ends with {code}", result.returncode, code, result)
    result = leakshim("check", runs / "leaking")
    checks.true("the leaking function is named", "session_open" in result.stdout, result)
    run = next((runs / "leaking").glob("service.*"))
    for path in (run, run / "summary.json", f"{run}/"):
        checks.equal(f"{pathlib.Path(path).name} is taken as a path",
                     leakshim("check", path).returncode, 1)
    result = leakshim("check", "--resource=js", runs / "leaking")
    checks.equal("a kind that does not rise passes", result.returncode, 0, result)
    result = leakshim("check", "--max-growth=10G/min", runs / "leaking")
    checks.equal("growth that is allowed passes", result.returncode, 0, result)
    result = leakshim("check", "--max-growth=1k/min", runs / "leaking")
    checks.equal("growth beyond what is allowed fails", result.returncode, 1, result)
    result = leakshim("check", "--fail-on=none", "--max-live=1M", runs / "leaking")
    checks.equal("a site that holds too much fails", result.returncode, 1, result)
    checks.true("and it is said why", "more than 1 MiB" in result.stdout, result)


def check_known(checks, runs, scratch):
    baseline = scratch / "baseline.json"
    result = leakshim("check", f"--write-baseline={baseline}", runs / "leaking")
    checks.equal("a baseline is written", result.returncode, 0, result)
    result = leakshim("check", f"--baseline={baseline}", runs / "leaking")
    checks.equal("what is in the baseline passes", result.returncode, 0, result)
    content = json.loads(baseline.read_text())
    for site in content["sites"]:
        site["growth_bytes_per_s"] /= 3
    baseline.write_text(json.dumps(content))
    result = leakshim("check", f"--baseline={baseline}", runs / "leaking")
    checks.equal("what is faster than the baseline fails", result.returncode, 1, result)
    result = leakshim("check", f"--baseline={baseline}", "--baseline-margin=400%", runs / "leaking")
    checks.equal("within the margin it passes", result.returncode, 0, result)
    suppressions = scratch / "suppressions"
    suppressions.write_text("# known\nleak:^session_*$\nleak:nothing_at_all\n")
    result = leakshim("check", f"--suppressions={suppressions}", runs / "leaking")
    checks.equal("what is suppressed passes", result.returncode, 0, result)
    checks.true("a suppression that fits nothing is named", "leak:nothing_at_all" in result.stdout,
                result)
    suppressions.write_text("leak:ok\nthread:whatever\n")
    result = leakshim("check", f"--suppressions={suppressions}", runs / "fixed")
    checks.equal("suppressions of another kind are an error", result.returncode, 2, result)
    checks.true("with the line", "suppressions:2:" in result.stderr, result)


def damage(checks, name, fixed, scratch, change):
    """A tree with a good run and a damaged one must be neither green nor a leak."""
    tree = scratch / "damaged"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(fixed, tree)
    run = next(tree.glob("service.*"))
    change(run / "summary.json")
    for form in ("text", "json", "junit", "sarif", "github"):
        result = leakshim("check", f"--format={form}", tree)
        checks.true(f"{name}: exit code 2 and the file named, as {form}",
                    result.returncode == 2 and str(run) in result.stderr and not result.stdout,
                    result)


def check_damaged(checks, runs, scratch):
    fixed = runs / "fixed"

    def cut(share):
        return lambda path: path.write_bytes(path.read_bytes()[:int(path.stat().st_size * share)])

    def edit(before, after):
        def change(path):
            text = path.read_text()
            assert before in text
            path.write_text(text.replace(before, after, 1))
        return change

    def fifo(path):
        path.unlink()
        os.mkfifo(path)

    def dangling(path):
        path.unlink()
        path.symlink_to("nowhere")

    def directory(path):
        path.unlink()
        path.mkdir()

    for name, change in {
            "missing": lambda path: path.unlink(),
            "empty": lambda path: path.write_bytes(b""),
            "half": cut(0.5),
            "all but the end": cut(0.999),
            "two in one": lambda path: path.write_bytes(path.read_bytes() * 2),
            "zeros behind": lambda path: path.write_bytes(path.read_bytes() + b"\0" * 64),
            "zeros": lambda path: path.write_bytes(b"\0" * 4096),
            "foreign JSON": lambda path: path.write_text('{"name": "x"}'),
            "a list": lambda path: path.write_text("[]"),
            "text": lambda path: path.write_text("clean: nothing rises\n"),
            "a newer schema": edit("leakshim-summary/1", "leakshim-summary/2"),
            "no verdict": edit('"verdict":{', '"other":{'),
            "an unknown verdict": edit('"state":"clean"', '"state":"fine"'),
            "no sites": edit('"sites":[', '"sights":['),
            "a key twice": edit('"sequence":', '"sequence":1,"sequence":'),
            "no UTF-8": lambda path: path.write_bytes(
                path.read_bytes().replace(b"service", b"\xff\xfe\xfdvice", 1)),
            "a pipe": fifo,
            "a dangling link": dangling,
            "a directory": directory}.items():
        damage(checks, name, fixed, scratch, change)


def check_usage(checks, runs, scratch):
    empty = scratch / "empty"
    empty.mkdir()
    for arguments in ((), (empty,), (scratch / "nowhere",), ("",), ("--max-growth=1M", runs),
                      ("--max-live=x", runs), ("--fail-on=leaking,none", runs),
                      ("--fail-on=", runs), ("--resource=heaps", runs), ("--format=xml", runs),
                      ("--baseline=nowhere", runs), ("--suppressions=nowhere", runs),
                      ("--baseline", ), ("--nonsense", runs), ("--output=/nowhere/x", runs),
                      (f"--baseline={next((runs / 'fixed').glob('service.*'))}/summary.json", runs),
                      (runs / "fixed", empty)):
        result = leakshim("check", *arguments)
        shown = " ".join(str(argument) for argument in arguments)
        checks.true(f"'check {shown}' ends with 2 and a sentence",
                    result.returncode == 2 and result.stderr.startswith("leakshim: "), result)
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = leakshim("check", runs / "fixed", stdout=full)
    checks.equal("output that cannot be written is an error", result.returncode, 2, result)


def check_formats(checks, runs, scratch, build):
    everything = scratch / "everything"
    shutil.copytree(runs, everything)
    golden = everything / "node.1.20261121T083006Z"
    golden.mkdir()
    shutil.copy(ROOT / "tests/unit/golden/leaking.summary.json", golden / "summary.json")
    hostile = everything / "hostile.1.19700101T000000Z"
    hostile.mkdir()
    shutil.copy(ROOT / "tests/unit/golden/hostile.summary.json", hostile / "summary.json")
    suppressions = scratch / "known"
    suppressions.write_text("leak:^getData$\n")
    common = ("--fail-on=leaking,fragmenting,learning,degraded", f"--suppressions={suppressions}",
              "--max-live=1M", "--source-root=/srv/users", everything)

    result = leakshim("check", "--format=json", *common)
    document = json.loads(result.stdout)
    checks.true("json: a whole document and exit code 1",
                result.returncode == 1 and document["schema"] == "leakshim-check/1" and
                not document["passed"], result)
    kinds = {(finding["kind"], finding["state"]) for finding in document["findings"]}
    checks.true("json: findings of every state", {("rising-site", "fails"),
                ("rising-site", "suppressed"), ("live-above-limit", "fails"),
                ("degraded", "fails")} <= kinds, result)

    junit = scratch / "junit.xml"
    result = leakshim("check", "--format=junit", f"--output={junit}", *common)
    checks.equal("junit: exit code 1", result.returncode, 1, result)
    result = subprocess.run(["xmllint", "--noout", "--schema", junit_schema(build), junit],
                            capture_output=True, text=True, check=False, timeout=60)
    checks.equal("junit: valid by the schema of Ant's JUnit", result.returncode, 0, result)

    result = leakshim("check", "--format=sarif", *common)
    document = json.loads(result.stdout)
    try:
        jsonschema.Draft7Validator(sarif_schema(build)).validate(document)
        checks.true("sarif: valid by the schema of SARIF 2.1.0", True)
    except jsonschema.ValidationError as error:
        checks.true("sarif: valid by the schema of SARIF 2.1.0", False, error)
    places = [location["physicalLocation"] for found in document["runs"][0]["results"]
              for location in found.get("locations", [])]
    checks.true("sarif: places are relative to the source root",
                {"artifactLocation": {"uri": "src/body.js"}, "region": {"startLine": 9}} in places,
                result)

    result = leakshim("check", "--format=github", *common)
    checks.true("github: an error at file and line",
                re.search(r"^::error file=src/body\.js,line=9,title=.*::heap \+3\.6 MB/min",
                          result.stdout, flags=re.M) is not None, result)
    checks.true("github: nothing but annotations",
                all(line.startswith(("::error ", "::notice ", "::warning "))
                    for line in result.stdout.splitlines()), result)
    result = leakshim("check", "--color=always", *common)
    checks.true("text: no control character of a summary comes through",
                not re.search(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]|\x1b(?!\[[0-9;]*m)",
                              result.stdout), result)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    checks = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        runs = make_runs(build, scratch)
        check_exit_codes(checks, runs)
        check_known(checks, runs, scratch)
        check_damaged(checks, runs, scratch)
        check_usage(checks, runs, scratch)
        check_formats(checks, runs, scratch, build)
    return checks.finish()


if __name__ == "__main__":
    sys.exit(main())
