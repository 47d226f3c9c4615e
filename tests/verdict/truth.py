"""What each program of the corpus does, in truth: the labels that run.py holds the verdicts against.

A leak names the kind of resource and the function that leaks; that site has to be named `rising` at
some summary before the case ends, and no other site may ever be. A control has no such function: no
site may be `rising` in any summary from `quiet_after` seconds on. That is the first ten intervals for
most; where it is more, the note says why: what fills evenly is a leak until it is full, and nobody can
tell (docs/statistics.md, "What cannot be told").

`known_wrong` says why the library cannot tell, or does not yet: such a case is run and printed, and left
out of the figures that a run has to reach.

To add a case: write it into one of the programs under a name, and its truth here. Loads are so many
pieces of work a second, never as fast as possible, so that a busy machine changes no truth."""

import dataclasses
import fnmatch

INTERVAL_S = 0.3
SECONDS = 18
WARM_UP = 10 * INTERVAL_S


@dataclasses.dataclass(frozen=True)
class Case:
    program: str
    case: str
    kind: str                  # of what leaks; for a control, of what looks like it
    functions: tuple = ()      # any of them is the leak's site; none: a control
    note: str = ""
    also: tuple = ()           # (resource, function): grows along with the leak, and may be named too
    modes: tuple = ("sampled",)
    starts: float = 0          # seconds into the run at which the leak begins
    quiet_after: float = WARM_UP
    seconds: float = SECONDS
    short: bool = True         # part of the run that CI makes
    arguments: tuple = ()      # for the interpreter
    known_wrong: str = ""
    interval_s: float = INTERVAL_S
    sample: str = "8K"

    def may_rise(self, resource, function):
        """Beside the leak's own site."""
        return self.also == ANYTHING or any(
            kind == resource and fnmatch.fnmatchcase(function or "", name) for kind, name in self.also)

    @property
    def leaks(self):
        return bool(self.functions)

    @property
    def family(self):
        if self.is_software:
            return "software"
        return "node" if self.program.endswith(".js") else "native"

    @property
    def is_software(self):
        return self.program == "software"

    def for_long(self):
        """Real software runs for ten minutes, the programs of the corpus as they always do."""
        if not self.is_software:
            return self
        return dataclasses.replace(self, seconds=600, quiet_after=40, interval_s=2, sample="64K")


BOTH = ("sampled", "exact")
# In `also`: so much grows with the leak that no site is named wrongly.
ANYTHING = "anything"


def leak(program, case, kind, function, note, **more):
    functions = (function,) if isinstance(function, str) else function
    return Case(program, case, kind, functions, note, **more)


def control(program, case, kind, note, **more):
    return Case(program, case, kind, (), note, **more)


HEAP_LEAKS = [
    leak("heap_leaks", "list", "heap", "remember_event", "a list that is only appended to",
         modes=BOTH),
    leak("heap_leaks", "cache", "heap", "cache_put", "a cache without a bound", modes=BOTH),
    leak("heap_leaks", "error_path", "heap", "parse_request", "one request in 16 is not freed",
         modes=BOTH),
    leak("heap_leaks", "realloc_many", "heap", "append_transcript", "200 buffers that realloc grows"),
    leak("heap_leaks", "realloc_one", "heap", "append_journal", "one block that realloc grows",
         modes=BOTH),
    leak("heap_leaks", "hidden", "heap", "make_message", "one block in 20 of a churning site stays",
         modes=BOTH),
    leak("heap_leaks", "slow", "heap", "track_visitor", "100 kB/s beside a churn of 20 MB/s"),
    leak("heap_leaks", "library", "heap", "notices_post", "a shared library keeps what it is told"),
    leak("heap_leaks", "strdup", "heap", "parse_header", "a copied string, allocated by libc"),
    leak("heap_leaks", "arena", "heap", "arena_grow", "chunks of an arena after the first"),
    leak("heap_leaks", "big_blocks", "heap", "load_image", "blocks that glibc maps one by one"),
    leak("heap_leaks", "bursty", "heap", "import_row", "500 kB every 1.5 s"),
    leak("heap_leaks", "late", "heap", "audit", "nothing for eight seconds", starts=8),
    leak("heap_leaks", "falling_load", "heap", "log_request", "the load falls to a quarter"),
    leak("heap_leaks", "formatted", "heap", "format_line", "what asprintf returned", short=False),
    leak("threads", "task_leaks", "heap", "run_task", "a tenth of the tasks of a thread pool"),
    leak("kinds_leaks", "connections", "heap", "open_connection",
         "an epoll server forgets what it allocated for a closed connection"),
    leak("containers", "objects", "heap",
         ("(anonymous namespace)::Registry::open", "(anonymous namespace)::Session::Session"),
         "new without delete"),
    leak("containers", "shared", "heap",
         ("(anonymous namespace)::Registry::enter", "(anonymous namespace)::Session::Session"),
         "shared pointers in a map", modes=BOTH),
]

HEAP_CONTROLS = [
    control("heap_healthy", "churn", "heap", "many sizes at random", modes=BOTH),
    control("heap_healthy", "lru", "heap", "a full cache", modes=BOTH),
    control("heap_healthy", "exponential", "heap", "fills as 1 - exp(-t / 2.5 s)", quiet_after=6),
    control("heap_healthy", "bounded", "heap", "fills evenly until 5 s", quiet_after=8),
    control("heap_healthy", "pool", "heap", "grows once, by 2 MB", modes=BOTH),
    control("heap_healthy", "startup", "heap", "loads for two seconds", quiet_after=4),
    control("heap_healthy", "batches", "heap", "gathers for 2 s and lets go", modes=BOTH),
    control("heap_healthy", "queue", "heap", "a queue that wanders", modes=BOTH),
    control("heap_healthy", "day_and_night", "heap", "load by days of ten seconds: the first morning "
            "rises for five of them", quiet_after=7, seconds=26),
    control("heap_healthy", "lazy", "heap", "five steps up, the last after 7.5 s", quiet_after=10),
    control("heap_healthy", "fragment", "heap", "holes that the next blocks do not fit",
            short=False),
    control("heap_healthy", "ring", "heap", "the last 2,000 lines"),
    control("heap_healthy", "returned_late", "heap", "each block lives for four seconds, so that the "
            "first four only add", quiet_after=7),
    control("heap_healthy", "burst", "heap", "10,000 at once, worked off in five seconds"),
    control("heap_healthy", "doubling", "heap", "a table that doubles until 10 s", modes=BOTH),
    control("heap_healthy", "arenas", "heap", "arenas given back whole"),
    control("heap_healthy", "big_blocks", "heap", "eight large blocks in turn", short=False),
    control("heap_healthy", "replies", "heap", "buffers that realloc grows, then freed", modes=BOTH),
    control("threads", "task_frees", "heap", "a thread pool's tasks"),
    control("containers", "replaced", "heap", "a map of 500 shared pointers", quiet_after=4),
    control("containers", "containers", "heap", "vectors of strings"),
]

KIND_LEAKS = [
    leak("threads", "unjoined", "thread", "start_job", "finished and never joined"),
    leak("threads", "watchers", "thread", "watch_key", "threads that never end"),
    leak("threads", "hanging", "thread", "query_backend", "one thread in eight hangs"),
    leak("kinds_leaks", "retried", "socket", "connect_upstream", "refused, and the socket kept"),
    leak("kinds_leaks", "accepted", "socket", "accept_client", "not closed when the client leaves"),
    leak("kinds_leaks", "datagrams", "socket", "ask_name", "one socket in five"),
    leak("kinds_leaks", "settings", "file", "read_settings", "opened and not closed"),
    leak("kinds_leaks", "streams", "file", "read_line", "fopen without fclose",
         also=(("heap", "read_line"),)),
    leak("kinds_leaks", "pipes", "file", "run_filter", "one end of a pipe"),
    leak("kinds_leaks", "events", "file", "wake_up", "one eventfd in four", short=False),
    leak("kinds_leaks", "mappings", "map", "map_pages", "never unmapped"),
    leak("kinds_leaks", "partly", "map", "map_pages", "all but the last pages unmapped"),
    leak("kinds_leaks", "mapped_churn", "map", "map_pages", "one mapping in ten stays"),
    leak("kinds_leaks", "shared", "map", "share_frame", "shared memory, its descriptor closed"),
]

KIND_CONTROLS = [
    control("threads", "pool", "thread", "eight workers within four seconds", quiet_after=6),
    control("threads", "requests", "thread", "a joined thread for each request", short=False),
    control("threads", "detached", "thread", "detached threads of many lives"),
    control("kinds_healthy", "connection_pool", "socket", "full after four seconds", quiet_after=7),
    control("kinds_healthy", "visitors", "socket", "connections come and go"),
    control("kinds_healthy", "connection_burst", "socket", "150 at once, then closed"),
    control("kinds_healthy", "files", "file", "up to forty open"),
    control("kinds_healthy", "logs", "file", "five logs in turn", quiet_after=4, short=False),
    control("kinds_healthy", "windows", "map", "windows of many sizes"),
    control("kinds_healthy", "committed", "map", "committed in steps until 5 s", quiet_after=8),
    control("kinds_healthy", "remapped", "map", "grows for two seconds and is cut back",
            quiet_after=5),
]

# Collections twice a second stand for the age of a service that has been up for an hour.
COLLECT = ("--expose-gc", "--max-old-space-size=512")
# V8's own pace: only what it allocates makes it collect.
NATURAL = ("--max-old-space-size=512",)


def js_leak(case, function, note, kind="js", arguments=COLLECT, **more):
    return leak("leaks.js", case, kind, function, note, arguments=arguments, **more)


def js_control(case, note, kind="js", arguments=COLLECT, **more):
    return control("healthy.js", case, kind, note, arguments=arguments, **more)


NODE_LEAKS = [
    js_leak("listeners", "watchUser", "listeners that are never removed"),
    js_leak("map", "storeReport", "a Map without a bound"),
    js_leak("map_and_garbage", "storeReport", "the same, and V8's own collections",
            arguments=NATURAL, seconds=24),
    js_leak("timers", "retryLater", "intervals that close over requests"),
    js_leak("buffers", "keepBody", "Buffers in a list", kind="heap", modes=BOTH),
    js_leak("buffers_alone", "keepBody", "the same, and V8's own collections", kind="heap",
            arguments=NATURAL, seconds=20),
    js_leak("promises", "waitForReply", "promises that nobody settles"),
    js_leak("global", "recordAccess", "a module's own list"),
    js_leak("workers", "startWorker", "workers that are never terminated", kind="thread",
            seconds=24, also=ANYTHING, sample="64K"),
    # Node makes the socket in a turn of its own, after the address was looked up.
    js_leak("sockets", "internalConnect", "connections that nobody ends", kind="socket",
            also=(("js", "callPeer"), ("heap", "callPeer"))),
    js_leak("array_buffers", "decodeFrame", "typed arrays", kind="heap"),
    js_leak("errors", "rememberFailure", "Error objects with their stacks"),
    js_leak("contexts", "openContext", "contexts of AsyncLocalStorage by id"),
    js_leak("hidden", ("openSession", "openAndClose"),
            "one session in ten stays; V8 compiles the one into the other"),
    js_leak("hidden_well", ("openSession", "openAndClose"), "one session in twenty stays",
            known_wrong="named late, and about one time in four not within 18 s"),
    js_leak("strings", "writeLog", "lines of text"),
    js_leak("files", "openTemplate", "opened and not closed", kind="file"),
]

NODE_CONTROLS = [
    js_control("garbage", "garbage, and V8's own collections", arguments=NATURAL),
    js_control("lru", "a full cache, filled before the loop first waits"),
    js_control("inlined", "a full cache whose entries another function makes"),
    js_control("timers", "timers of two seconds", quiet_after=5),
    js_control("filling", "full after four seconds", quiet_after=8),
    js_control("exponential", "fills as 1 - exp(-t / 2.5 s)", quiet_after=6),
    js_control("warm_up", "code is made for three seconds, and compiled as it is first called",
               quiet_after=8),
    js_control("zlib", "streams of zlib", kind="heap"),
    js_control("zlib_alone", "streams of zlib, collected when V8 likes", kind="heap",
               arguments=NATURAL),
    js_control("bodies", "the last 64 Buffers", kind="heap", modes=BOTH),
    js_control("weak", "weak references and what finalises them", arguments=NATURAL),
    js_control("burst", "2,000 promises at once, settled in four seconds"),
    js_control("batches", "gathers for 2 s and lets go"),
    js_control("day_and_night", "sessions by days of eight seconds", seconds=26, quiet_after=7),
    js_control("http", "a server and its clients", arguments=NATURAL),
    js_control("connections", "connections that are ended", kind="socket", short=False),
    js_control("workers", "two workers at a time", kind="thread"),
]

PYTHON = [
    leak("interpreter.py", "leak", "heap", "PyByteArray_Resize", "bytearrays in a list"),
    control("interpreter.py", "churn", "heap", "dictionaries of strings"),
]

# The load begins when all there is to hold is held; quiet_after counts from there.
SOFTWARE = [Case("software", name, "heap", (), note, seconds=25, quiet_after=6, interval_s=0.5, sample="32K")
            for name, note in (
                ("redis", "5,000 keys, trimmed lists, keys that expire"),
                ("memcached", "8 MB of values, more of them than fit"),
                ("nginx", "pages, compressed"),
                ("sqlite3", "a table of 3,000 rows, changed"),
                ("python", "http.server, a connection and a thread a page"),
                ("node", "HTTP with a cache of the 2,000 last used"))]

CASES = HEAP_LEAKS + HEAP_CONTROLS + KIND_LEAKS + KIND_CONTROLS + \
    NODE_LEAKS + NODE_CONTROLS + PYTHON + SOFTWARE
