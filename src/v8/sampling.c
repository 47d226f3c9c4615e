#include "v8/sampling.h"

#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "v8/guard.h"
#include "v8/profile.h"

/* Words of v8::internal::HeapProfiler that may be its sampler's address: the 10th in Node 24, the
 * 14th in 20 and 22. It is 17 words long at least. */
#define PROFILER_WORDS 16
/* The words of the sampler that may be its rate_: the 36th. Its size depends on std::unordered_map.
 */
#define RATE_WORD_FIRST 30
#define RATE_WORD_LAST  35
/* Makes the interval a number that tells the sampler apart. */
#define MARK 13

/* v8::internal::SamplingHeapProfiler up to its observer. */
struct ls_v8_sampler_object {
    const void *isolate;
    const void *heap;
    uint64_t last_sample_id;
    uint64_t last_node_id;
    struct {
        const void *vtable;
        uint64_t step_size;
        const void *profiler; /* the object itself */
        const void *heap;
        const void *random;
        uint64_t rate; /* steps are drawn from it, each anew */
    } observer;
};

_Static_assert(sizeof(struct ls_v8_sampler_object) == 10 * sizeof(void *), "ten words");

static uint64_t word_of(const struct ls_v8_sampler_object *object, unsigned index)
{
    uint64_t word;

    memcpy(&word, (const char *)object + index * sizeof(word), sizeof(word));
    return word;
}

/* All that is known of a sampler fresh from its start. */
static bool is_fresh(const struct ls_v8_sampler_object *object, const struct ls_v8_symbols *symbols,
                     uint64_t bytes)
{
    uintptr_t vtable;

    if ((uintptr_t)object < 65536 || (uintptr_t)object % sizeof(void *) != 0 ||
        !ls_v8_guard_mapped(object, (RATE_WORD_LAST + 1) * sizeof(uint64_t)))
        return false;
    vtable = (uintptr_t)object->observer.vtable;
    return object->observer.profiler == object && object->observer.step_size == bytes &&
           object->observer.rate == bytes && vtable >= symbols->image_start &&
           vtable < symbols->image_end && object->heap == object->observer.heap;
}

static bool recognise(struct ls_v8_sampling *sampling, struct ls_v8_sampler_object *object,
                      const struct ls_v8_symbols *symbols, uint64_t bytes)
{
    if (!is_fresh(object, symbols, bytes))
        return false;
    for (unsigned word = RATE_WORD_FIRST; word <= RATE_WORD_LAST; word++) {
        if (word_of(object, word) != bytes)
            continue;
        sampling->object = object;
        sampling->rate_word = word;
        sampling->samples = object->last_sample_id;
        return true;
    }
    return false;
}

bool ls_v8_sampling_start(struct ls_v8_sampling *sampling, const struct ls_v8_symbols *symbols,
                          void *profiler, uint64_t bytes)
{
    void *before[PROFILER_WORDS] = {NULL};
    void *const *words = profiler;
    bool readable = ls_v8_guard_mapped(profiler, sizeof(before));

    sampling->object = NULL;
    sampling->start_bytes = bytes + MARK;
    if (readable)
        memcpy(before, profiler, sizeof(before));
    if (!symbols->sampling_start(profiler, sampling->start_bytes, LS_V8_STACK_DEPTH,
                                 LS_V8_SAMPLING_NO_FLAGS))
        return false;
    sampling->place = NULL;
    for (size_t i = 0; readable && i < PROFILER_WORDS; i++) {
        if (before[i] == NULL && words[i] != NULL &&
            recognise(sampling, words[i], symbols, sampling->start_bytes)) {
            sampling->place = &words[i];
            break;
        }
    }
    return true;
}

enum ls_v8_presence ls_v8_sampling_look(struct ls_v8_sampling *sampling)
{
    const struct ls_v8_sampler_object *object = sampling->object;

    if (!sampling->place)
        return LS_V8_PRESENT_UNKNOWN;
    if (!*sampling->place)
        return LS_V8_PRESENT_NONE;
    /* The allocator may have put another's where ours was: it has another interval then, or has
     * begun to count anew. */
    if (*sampling->place != object || object->observer.profiler != object ||
        word_of(object, sampling->rate_word) != sampling->start_bytes ||
        object->last_sample_id < sampling->samples)
        return LS_V8_PRESENT_OTHER;
    sampling->samples = object->last_sample_id;
    return LS_V8_PRESENT_OURS;
}

uint64_t ls_v8_sampling_count(const struct ls_v8_sampling *sampling)
{
    return sampling->samples;
}

/* Volatile: the store is for V8's code, which no compiler sees here. */
void ls_v8_sampling_set_interval(struct ls_v8_sampling *sampling, uint64_t bytes)
{
    volatile uint64_t *rate = &sampling->object->observer.rate;

    *rate = bytes;
}
