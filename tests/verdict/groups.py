"""A control group with a memory limit, below our own, where we may make one."""

import os
import tempfile
import time

V1 = "/sys/fs/cgroup/memory"
V2 = "/sys/fs/cgroup"


def own_group():
    """(version, directory) of the group we are in. Inside a container its path may not exist under the
    mount, which is then the group itself."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    for _, controllers, path in lines:
        if "memory" in controllers.split(","):
            return 1, V1 + path.rstrip("/") if os.path.isdir(V1 + path) else V1
    for _, controllers, path in lines:
        if not controllers and os.path.exists(f"{V2}/cgroup.controllers"):
            return 2, V2 + path.rstrip("/") if os.path.isdir(V2 + path) else V2
    return None, None


def write(directory, name, text):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(str(text))


def problem():
    """Why no group can be made here; None when one can."""
    version, parent = own_group()
    if version is None:
        return "no memory controller of control groups is mounted"
    if version == 2:
        # A group that holds processes cannot hand a controller down, and what is set up here is not ours.
        with open(os.path.join(parent, "cgroup.subtree_control"), encoding="utf-8") as file:
            if "memory" not in file.read().split():
                return f"{parent} does not hand its memory controller down"
    try:
        Group(64 << 20).remove()
    except OSError as error:
        return f"no control group can be made: {error}"
    return None


class Group:
    def __init__(self, limit_bytes):
        self.version, parent = own_group()
        self.path = tempfile.mkdtemp(prefix="leakshim-limits-", dir=parent)
        try:
            write(self.path, "memory.max" if self.version == 2 else "memory.limit_in_bytes", limit_bytes)
            self.forbid_swap()
        except OSError:
            self.remove()
            raise

    def forbid_swap(self):
        """A kernel without accounts of swap has no such file, or no swap."""
        name, value = ("memory.swap.max", 0) if self.version == 2 else ("memory.swappiness", 0)
        if os.path.exists(os.path.join(self.path, name)):
            write(self.path, name, value)

    def enter(self):
        write(self.path, "cgroup.procs", os.getpid())

    def remove(self):
        """What was in it has ended, but the kernel may take a moment to see that."""
        for _ in range(50):
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.1)
