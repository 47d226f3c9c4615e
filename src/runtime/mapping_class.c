/*
 * Whose a mapping is, by what lies innermost in the stack that made it. What V8 and allocators take
 * from the kernel is theirs to hand on: it is part of the memory balance, and what grows inside of
 * it is found as JavaScript and as heap.
 */
#include "runtime/runtime.h"

#include <dlfcn.h>
#include <link.h>

#include "base/compiler.h"
#include "ledger/ledger.h"
#include "system/allocator_code.h"

/* V8's way to the kernel may lie behind a static function or two of its own. */
#define FRAMES_TO_V8 4

struct code_range {
    uintptr_t start;
    uintptr_t end;
};

/* https://github.com/nodejs/node/blob/v24.x/deps/v8/src/base/platform/platform-posix.cc */
static const char *const v8_functions[] = {
    "_ZN2v84base2OS8AllocateEPvmmNS1_16MemoryPermissionE",
    "_ZN2v84base2OS14AllocateSharedEmNS1_16MemoryPermissionE",
    "_ZN2v84base2OS14AllocateSharedEPvmNS1_16MemoryPermissionElm",
    "_ZN2v84base2OS13RecommitPagesEPvmNS1_16MemoryPermissionE",
    "_ZN2v84base2OS13DecommitPagesEPvm",
    "_ZN2v84base2OS10RemapPagesEPKvmPvNS1_16MemoryPermissionE",
    "_ZN2v84base2OS11RemapSharedEPvS2_m",
};

static struct code_range v8_code[LS_ARRAY_LENGTH(v8_functions)];

void ls_mapping_class_start(void)
{
    for (size_t i = 0; i < LS_ARRAY_LENGTH(v8_functions); i++) {
        void *function = dlsym(RTLD_DEFAULT, v8_functions[i]);
        const ElfW(Sym) *symbol = NULL;
        Dl_info info;

        if (function == NULL) /* not even the first: there is no V8 */
            return;
        if (dladdr1(function, &info, (void **)(uintptr_t)&symbol, RTLD_DL_SYMENT) == 0 ||
            symbol == NULL)
            continue;
        v8_code[i].start = (uintptr_t)function;
        v8_code[i].end = (uintptr_t)function + symbol->st_size;
    }
}

/* A WebAssembly memory is the program's: V8 only makes it, at the word of JavaScript. */
static bool is_wasm_memory(const struct ls_stack *stack)
{
    uint32_t end = ls_ledger_first_jit_frame(stack);

    for (uint32_t i = 0; i < end && end < stack->depth; i++) {
        const struct ls_module *module =
            ls_modules_find(&ls_ledger.modules, stack->pcs[i], stack->first_seen_ns);

        if (ls_names_is_wasm_memory(module, stack->pcs[i]))
            return true;
    }
    return false;
}

/* Return addresses lie behind the call: the last of a function may be its end. */
static bool is_v8(uintptr_t pc)
{
    for (size_t i = 0; i < LS_ARRAY_LENGTH(v8_code); i++) {
        if (pc > v8_code[i].start && pc <= v8_code[i].end)
            return true;
    }
    return false;
}

enum ls_mapping_class ls_mapping_class_of(const struct ls_stack *stack)
{
    uint32_t frame = 0;
    const struct ls_module *module = NULL;

    if (stack == NULL)
        return LS_MAPPING_UNKNOWN;
    for (; frame < stack->depth; frame++) {
        module = ls_modules_find(&ls_ledger.modules, stack->pcs[frame], stack->first_seen_ns);
        if (module == NULL || !module->is_own)
            break;
    }
    if (module != NULL && ls_allocator_is_library(module->path))
        return LS_MAPPING_ALLOCATOR;
    for (uint32_t i = frame; i < stack->depth && i < frame + FRAMES_TO_V8; i++) {
        if (is_v8(stack->pcs[i]))
            return is_wasm_memory(stack) ? LS_MAPPING_PROGRAM : LS_MAPPING_V8;
    }
    return LS_MAPPING_PROGRAM;
}
