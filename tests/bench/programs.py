"""Real programs that run once over a fixed input: sqlite3, Python, and the compiler proper."""

import os
import random
import shutil
import subprocess

from catalogue import CPU, REAL, Workload
from measure import Broken, Job

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMPILED = os.path.join(ROOT, "src", "report", "demangle.c")


def written(scene, name, lines):
    """A file of the scratch directory with these lines; made once."""
    path = os.path.join(scene.scratch, name)
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines())
    return path


def need(command):
    """The system's program of that name, else the one the caller would get."""
    path = shutil.which(command, path="/usr/bin:/bin") or shutil.which(command)
    if path is None:
        raise Broken(f"{command} is not installed")
    return path


def load_table(rows):
    """Lines of SQL that load a table, index it and ask it something."""
    source = random.Random(1)
    yield "create table item(id integer primary key, name text, price real, tag text);"
    yield "begin;"
    for number in range(rows):
        yield (f"insert into item values({number}, 'name {source.randrange(10**6)}', "
               f"{source.random():.4f}, 'tag{source.randrange(500)}');")
    yield "commit;"
    yield "create index by_tag on item(tag);"
    yield "select tag, count(*), round(sum(price), 3) from item group by tag order by 3 limit 5;"


def sqlite(scene, scale):
    rows = max(1, int(100_000 * scale))
    script = written(scene, f"load-{rows}.sql", lambda: load_table(rows))
    return Job([need("sqlite3"), ":memory:"], stdin=script)


def python(scene, scale):
    modules = max(1, int(80 * scale))
    script = os.path.join(HERE, "programs", "compile_modules.py")
    # Debian's own, by path; a malloc for each object instead of Python's pools.
    return Job(["/usr/bin/python3", script, str(modules)], {"PYTHONMALLOC": "malloc"})


def compiler(scene, _):
    """Always the whole file: a compilation cannot be had in part."""
    preprocessed = os.path.join(scene.scratch, "compiled.i")
    if not os.path.exists(preprocessed):
        subprocess.run(["gcc", "-E", "-std=gnu11", f"-I{ROOT}/src", f"-I{ROOT}/include", COMPILED,
                        "-o", preprocessed], check=True)
    cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True,
                         check=True).stdout.strip()
    return Job([cc1, "-quiet", "-O2", "-g", "-fsanitize=undefined", "-fpreprocessed", preprocessed,
                "-o", os.devnull])


PROGRAMS = [
    Workload("sqlite3", REAL, CPU, "100,000 rows inserted into a table in memory, and an index",
             sqlite),
    Workload("python3", REAL, CPU, "parses and compiles modules of its library, "
             "PYTHONMALLOC=malloc", python),
    Workload("cc1", REAL, CPU, "compiles a source of this project with -O2 -g and a sanitizer",
             compiler),
]
