"""The victims, how each one ends when all is well, and the option sets they run under."""

import dataclasses
import os
import shutil

BAD_OPTIONS = "mode=sideways,sample=-3,nonsense=1,interval=forever"

# name: (LEAKSHIM_OPTIONS or None, other variables)
SETS = {
    "sampled": (None, {}),
    "everything": ("sample=1", {}),
    "exact": ("mode=exact", {}),
    "quick": ("interval=100ms", {}),
    "quick exact": ("mode=exact,interval=100ms", {}),
    "bind now": ("mode=exact", {"LD_BIND_NOW": "1"}),
    "jemalloc": ("allocator=jemalloc", {}),
    "off": ("mode=off", {}),
    "bad options": (BAD_OPTIONS, {}),
}
ALL = tuple(SETS)
# Victims that take their time so that several summaries are written while they run.
TIMED = ("sampled", "quick", "quick exact", "off")
SAME_ALLOCATOR = ("sampled", "exact", "quick exact", "off", "bad options")


@dataclasses.dataclass
class Case:
    victim: str
    arguments: tuple = ()
    ends: int = 0          # exit code, or minus the signal, without the shim
    sets: tuple = ALL
    limit: float = 20.0    # seconds
    root: bool = False
    may_say: bool = False  # a line of the shim's own on stderr is right here
    leaves_run: bool = True  # in exact mode, at the latest at its end
    companion: str = None    # another library in LD_PRELOAD
    companion_first: bool = False
    wrap: str = None         # shell text that prepares the world, then runs "$@" under $PRELOAD
    options: str = None      # more options
    variables: dict = dataclasses.field(default_factory=dict)
    label: str = None
    says_lines: int = None   # exactly as many lines of the shim's own

    def name(self):
        words = [self.label or self.victim]
        if self.label is None:
            words += self.arguments
        if self.companion:
            order = "before" if self.companion_first else "after"
            words.append(f"[{self.companion} {order} the shim]")
        return " ".join(words)


def dies(how, ends, **more):
    return Case("dies", (how,), ends, **more)


PROCESSES = [
    Case("fork"),
    Case("fork_threads"),
    Case("fork_chain"),
    Case("fork_in_thread"),
    Case("fork_raw"),
    Case("vfork"),
    Case("spawn"),
    Case("exec", leaves_run=False),
    Case("daemon", sets=TIMED, leaves_run=False),
    Case("environment"),
]

THREADS = [
    Case("threads_short"),
    Case("thread_ends"),
    Case("thread_keys"),
    Case("thread_stack"),
    Case("storm"),
    Case("epoll_calls"),
]

SIGNALS = [
    Case("signal_malloc"),
    Case("signal_malloc", ("altstack",)),
    Case("signal_descriptors"),
    Case("signal_longjmp"),
    Case("signal_target", sets=TIMED),
    Case("stack_overflow"),
]

ENDS = [
    dies("return", 0),
    dies("exit", 7),
    dies("_exit", 8),
    dies("_Exit", 10),
    dies("quick_exit", 9),
    dies("exit_group", 11, leaves_run=False),
    dies("handler", 13),
    dies("thread", 14),
    dies("exit_under_load", 15),
    dies("pthread_exit", 0, limit=6.0),
    dies("abort", -6, leaves_run=False),
    dies("segv", -11, leaves_run=False),
    dies("kill", -9, leaves_run=False),
    dies("term", -15, leaves_run=False),
    # Undefined: what comes of it is the allocator's affair, so only where the block is the host's.
    dies("double_free", -6, leaves_run=False, sets=("sampled", "off")),
    Case("at_exit"),
]

LIBRARIES = [
    Case("dlopen", ("loop",)),
    Case("dlopen", ("namespace",)),
    Case("dlopen", ("deepbind",)),
    Case("dlopen", ("deepbind_across",)),
    Case("loads_cxx"),
    Case("cxx_exceptions"),
    Case("cxx_statics"),
    Case("cxx_partial_new"),
    Case("early"),
    Case("early_ifunc"),
    Case("own_malloc", may_say=True),
]

MEMORY = [
    Case("sizes"),
    Case("realloc_fails", ("relative",)),
    Case("realloc_fails", ("absolute",)),
    Case("aligned"),
    Case("usable"),
    Case("errno"),
    Case("libc_blocks"),
    Case("limited", ("memory",), may_say=True),
    Case("limited", ("locked",), may_say=True, root=True),
    Case("limited", ("files",), may_say=True, sets=TIMED),
    Case("many_stacks", ("50000", "2", "0")),
    Case("many_stacks", ("50000", "2", "0"), options="memory=4M",
         label="many stacks and little memory"),
    Case("fibers"),
    Case("no_unwind"),
    Case("stripped_frames"),
]

SURROUNDINGS = [
    Case("descriptors", ("closed", "0"), 13, sets=TIMED),
    Case("descriptors", ("closed", "1"), 13, sets=TIMED),
    Case("descriptors", ("closed", "2"), 13, sets=TIMED),
    Case("descriptors", ("closed", "012"), 13, sets=TIMED),
    Case("descriptors", ("lowest",), sets=TIMED),
    Case("descriptors", ("close_all",), sets=TIMED),
    Case("descriptors", ("inherit",), sets=TIMED),
    Case("descriptor_calls"),
    Case("descriptors_past", sets=TIMED),
    Case("directory", sets=TIMED),
    Case("directory", ("gone",), sets=TIMED),
    Case("directory", ("chroot",), sets=TIMED, root=True, may_say=True, leaves_run=False),
    Case("seccomp", ("files",), sets=TIMED, may_say=True, leaves_run=False),
    Case("seccomp", ("threads",), sets=TIMED, may_say=True),
    Case("seccomp", ("memory",), sets=TIMED, may_say=True),
    # The user it becomes may not write where the run is.
    Case("privileges", sets=TIMED, may_say=True, leaves_run=False),
    Case("privileges", ("namespace",), sets=TIMED),
    Case("plain", ("3",), sets=("bad options",), may_say=True, says_lines=4,
         label="each bad option is told on one line"),
    Case("plain", sets=("exact", "quick exact"), may_say=True, says_lines=1, leaves_run=False,
         options="dir=/proc/nowhere/at/all", variables={"TMPDIR": "/proc/nowhere"},
         label="an output directory that cannot be made"),
    Case("plain", sets=("exact", "quick exact"), may_say=True,
         options="dir=/proc/nowhere/at/all", label="output goes to TMPDIR"),
]

# These need a mount namespace of their own, so root.
ENTER = "exec env LD_PRELOAD=\"$PRELOAD\" \"$@\""
MOUNTS = [
    Case("plain", sets=("exact", "quick exact"), root=True, may_say=True, says_lines=1,
         leaves_run=False, variables={"TMPDIR": "/proc/nowhere"},
         label="a read-only output directory",
         wrap="mkdir leakshim-out && mount -t tmpfs -o ro,size=64k none leakshim-out && " + ENTER),
    Case("plain", sets=("exact", "quick exact"), root=True, may_say=True, says_lines=1,
         leaves_run=False, variables={"TMPDIR": "/proc/nowhere"}, label="a full output directory",
         wrap="mkdir leakshim-out && mount -t tmpfs -o size=64k none leakshim-out && "
              "{ head -c 100000 /dev/zero >leakshim-out/fill 2>/dev/null; " + ENTER + "; }"),
    Case("plain", sets=("exact", "quick exact"), root=True, may_say=True, leaves_run=False,
         variables={"TMPDIR": "/proc/nowhere"}, label="an output directory that fills up",
         wrap="mkdir leakshim-out && mount -t tmpfs -o size=16k none leakshim-out && " + ENTER),
    Case("plain", sets=("sampled", "exact", "quick exact"), root=True, may_say=True,
         label="no /proc", wrap="umount -l /proc && " + ENTER),
    Case("fork_threads", sets=("exact", "quick exact"), root=True, may_say=True,
         label="no /proc, with threads and forks", wrap="umount -l /proc && " + ENTER),
]


def companions():
    """Other libraries that want malloc for themselves, in front of the shim and behind it."""
    for companion, victims in (("early", ("plain", "fork_threads", "exec")),
                               ("wrapper", ("storm", "usable", "fork_threads", "cxx_statics")),
                               # not aligned: jemalloc has no pvalloc, and faults on the C library's
                               ("jemalloc", ("storm", "usable", "fork_threads", "threads_short",
                                             "cxx_exceptions")),
                               ("tcmalloc", ("storm", "usable", "fork_threads", "aligned",
                                             "threads_short", "cxx_exceptions"))):
        for victim in victims:
            for first in (False, True):
                yield Case(victim, ("3",) if victim == "plain" else (), companion=companion,
                           companion_first=first, may_say=True, leaves_run=False,
                           sets=("sampled", "everything", "exact", "jemalloc"))


HARM = (PROCESSES + THREADS + SIGNALS + ENDS + LIBRARIES + MEMORY + SURROUNDINGS + MOUNTS +
        list(companions()))


def missing_right(case):
    """Why this machine cannot run the case, or None."""
    if case.root and os.geteuid() != 0:
        return "needs root"
    if case.wrap is not None and shutil.which("unshare") is None:
        return "unshare is not installed"
    return None
