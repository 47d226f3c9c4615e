/*
 * What it costs to know the stack, in the ways that were considered:
 * docs/decisions/0007-stack-walk.md quotes its figures.
 *
 *   stack_capture       ns a capture at several depths, and how many frames are the right ones
 *
 * Compiled twice, with -fomit-frame-pointer and with -fno-omit-frame-pointer; the page has the
 * commands.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture/thread.h"
#include "capture/unwind.h"
#include "capture/walk.h"
#include "system/memory.h"

#define NOT_INLINED  __attribute__((noinline, noclone))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")
#define DEPTH        64
#define ROUNDS       200000

static int (*backtrace_of_libunwind)(void **, int);
static volatile uintptr_t sink;

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static size_t by_libunwind(uintptr_t *pcs)
{
    int found = backtrace_of_libunwind((void **)pcs, DEPTH);

    return found < 0 ? 0 : (size_t)found;
}

/* Bounds-checked; right only where every function keeps a frame pointer. */
static size_t by_frame_pointers(uintptr_t *pcs)
{
    const struct ls_frame_record *record = __builtin_frame_address(0);
    size_t count = 0;

    while (count < DEPTH) {
        const struct ls_frame_record *next = (const struct ls_frame_record *)record->caller_bp;

        if (record->return_address == 0)
            break;
        pcs[count++] = record->return_address;
        if (next <= record || (uintptr_t)next - (uintptr_t)record > (64 << 10))
            break;
        record = next;
    }
    return count;
}

static size_t capture(uintptr_t *pcs, bool with_guide)
{
    struct ls_thread *thread = ls_thread_enter();
    struct ls_captured captured;

    if (!with_guide && thread->walk != NULL)
        thread->walk->first = LS_WALK_FRAMES;
    ls_unwind_capture(thread, __builtin_frame_address(0), &captured);
    ls_thread_leave();
    memcpy(pcs, captured.pcs, captured.depth * sizeof(*pcs));
    return captured.depth;
}

static NOT_INLINED size_t by_rules(uintptr_t *pcs)
{
    return capture(pcs, false);
}

static NOT_INLINED size_t by_rules_with_guide(uintptr_t *pcs)
{
    return capture(pcs, true);
}

/* Frames of `a` that are in `b` as well, in the same order. */
static size_t agreeing(const uintptr_t *a, size_t a_count, const uintptr_t *b, size_t b_count)
{
    size_t same = 0;
    size_t at = 0;

    for (size_t i = 0; i < a_count; i++) {
        size_t found = at;

        while (found < b_count && b[found] != a[i])
            found++;
        if (found < b_count) {
            at = found + 1;
            same++;
        }
    }
    return same;
}

static NOT_INLINED void measure(const char *name, size_t (*way)(uintptr_t *), unsigned depth)
{
    uintptr_t pcs[2 * DEPTH];
    uintptr_t right[2 * DEPTH];
    size_t right_count = by_libunwind(right);
    double best = 1e12;
    size_t count = 0;

    while (right_count > 0 && right[right_count - 1] == 0)
        right_count--;
    for (int round = 0; round < 5; round++) {
        double start = now_ns();

        for (int i = 0; i < ROUNDS; i++) {
            count = way(pcs);
            sink = pcs[0];
        }
        if (now_ns() - start < best)
            best = now_ns() - start;
    }
    while (count > 0 && pcs[count - 1] == 0)
        count--;
    printf("%3u deep  %-32s %8.1f ns  %3zu frames, %3zu as libunwind's\n", depth, name,
           best / ROUNDS, count, agreeing(pcs, count, right, right_count));
}

static NOT_INLINED void descend(unsigned levels, unsigned depth)
{
    if (levels > 0) {
        descend(levels - 1, depth);
    } else {
        measure("libunwind's fast trace", by_libunwind, depth);
        measure("frame pointers", by_frame_pointers, depth);
        measure("rules", by_rules, depth);
        measure("rules, guided by the last walk", by_rules_with_guide, depth);
    }
    KEEP_FRAME();
}

int main(void)
{
    static const unsigned depths[] = {5, 20, 50};
    void *library;
    void *found;

    if (ls_memory_start(LS_MEMORY_TRACKED_ONLY) != 0 || ls_thread_start(NULL) != 0 ||
        ls_unwind_start(DEPTH) != 0)
        return 1;
    library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    found = library != NULL ? dlsym(library, "unw_backtrace") : NULL;
    if (found == NULL)
        return 1;
    memcpy(&backtrace_of_libunwind, &found, sizeof(found));
    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++)
        descend(depths[i], depths[i]);
    return 0;
}
