/*
 * Native memory that V8 takes for itself, told by the functions of V8 on the stack: tables of its
 * pages, the collector's lists, and what its sampler keeps for each sample, which is what watching
 * JavaScript costs. The JavaScript function on such a stack is the one that happened to run when a
 * collection or a sample was due.
 *
 * By name: of these functions few are exported by all versions, but all are in the symbol tables of
 * the official builds, and the exported ones are in that of Debian's libnode. Where a name is
 * missing the stack is the function's, as any other.
 */
#include "runtime/runtime.h"

#include <dlfcn.h>
#include <string.h>

#include "base/compiler.h"
#include "ledger/ledger.h"

/* More than V8 puts between a collection's beginning and an allocation in it. */
#define FRAMES_MAX 32

static uintptr_t engine_address; /* of a function of V8; 0 without */

void ls_engine_code_start(void)
{
    engine_address = (uintptr_t)dlsym(RTLD_DEFAULT, "_ZN2v87Isolate10GetCurrentEv");
}

bool ls_engine_code_owns(const struct ls_module *module)
{
    return module == NULL ||
           (engine_address >= module->text_start && engine_address < module->text_end);
}

static bool starts_with_one_of(const char *name, const char *const *prefixes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

/* What V8 keeps for a heap: https://github.com/v8/v8/tree/12.4.254/src/heap, and the names that
 * these classes have from Node 18 to 25. */
static bool keeps_heap(const char *name)
{
    static const char *const prefixes[] = {
        "v8::internal::Heap::CollectGarbage",
        "v8::internal::Heap::CollectAllGarbage",
        "v8::internal::Heap::PerformGarbageCollection",
        "v8::internal::Heap::MarkCompact",
        "v8::internal::Heap::Scavenge",
        "v8::internal::MarkCompactCollector::",
        "v8::internal::MinorMark",
        "v8::internal::Scavenge",
        "v8::internal::IncrementalMarking::",
        "v8::internal::ConcurrentMarking::",
        "v8::internal::Sweeper::",
        "v8::internal::MemoryAllocator::",
        "v8::internal::PagedSpace",
        "v8::internal::PagedNewSpace",
        "v8::internal::SemiSpace",
        "v8::internal::LargeObjectSpace::",
        "v8::internal::OldLargeObjectSpace::",
        "v8::internal::NewLargeObjectSpace::",
        "v8::internal::Page::",
        "v8::internal::PageMetadata::",
        "v8::internal::MemoryChunk",
        "v8::internal::MutablePage",
        "v8::internal::RememberedSet",
        "v8::internal::SlotSet",
    };

    return starts_with_one_of(name, prefixes, LS_ARRAY_LENGTH(prefixes));
}

static bool is_sampler(const char *name)
{
    static const char *const prefixes[] = {"v8::internal::SamplingHeapProfiler"};

    return starts_with_one_of(name, prefixes, LS_ARRAY_LENGTH(prefixes));
}

/* V8's, or what it is written with and has its tasks run by. Where V8's module is the whole
 * program, a collection may call the program's own finalisers: what those take is the program's. A
 * function without a name goes on outwards. */
static bool is_engine(const char *name)
{
    static const char *const prefixes[] = {
        "v8::",
        "cppgc::",
        "heap::base::",
        "std::",
        "absl::",
        "operator new",
        "_ZNSt",
        "_ZN2v8",
        "node::NodePlatform::",
        "node::PerIsolatePlatformData::",
        "node::TaskQueue<",
        "non-virtual thunk to node::PerIsolatePlatformData::",
    };

    return name[0] == '\0' || starts_with_one_of(name, prefixes, LS_ARRAY_LENGTH(prefixes));
}

/* The frames that may tell: V8's innermost ones, inside of JavaScript. */
struct frames {
    const struct ls_stack *stack;
    const struct ls_module *engine;
    uint32_t next;
    uint32_t end;
};

static bool begin(const struct ls_stack *stack, struct frames *frames)
{
    uint32_t end;

    if (engine_address == 0)
        return false;
    end = ls_ledger_first_jit_frame(stack);
    *frames = (struct frames){
        .stack = stack,
        .engine = ls_modules_find(&ls_ledger.modules, engine_address, stack->first_seen_ns),
        .end = end < FRAMES_MAX ? end : FRAMES_MAX,
    };
    return frames->engine != NULL;
}

/* The program counter of the next one; 0 behind the last. */
static uintptr_t next_frame(struct frames *frames)
{
    while (frames->next < frames->end) {
        uintptr_t pc = frames->stack->pcs[frames->next++];
        const struct ls_module *module =
            ls_modules_find(&ls_ledger.modules, pc, frames->stack->first_seen_ns);

        if (module == frames->engine)
            return pc;
        if (module == NULL || (!module->is_own && !module->is_runtime))
            break;
    }
    return 0;
}

void ls_engine_code_each(const struct ls_stack *stack, ls_engine_code_visit *visit, void *context)
{
    struct frames frames;
    uintptr_t pc;

    if (!begin(stack, &frames))
        return;
    while ((pc = next_frame(&frames)) != 0)
        visit(context, frames.engine, pc);
}

enum ls_site_engine ls_engine_code_of(const struct ls_stack *stack)
{
    struct frames frames;
    uintptr_t pc;

    if (!begin(stack, &frames))
        return LS_SITE_OF_PROGRAM;
    while ((pc = next_frame(&frames)) != 0) {
        const char *name = ls_names_known(frames.engine, pc);

        if (is_sampler(name))
            return LS_SITE_ENGINE_SAMPLER;
        if (keeps_heap(name))
            return LS_SITE_ENGINE_HEAP;
        if (!is_engine(name))
            break;
    }
    return LS_SITE_OF_PROGRAM;
}
