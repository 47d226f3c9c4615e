/*
 * Compiler attributes under names that say what they are for.
 */
#ifndef LS_BASE_COMPILER_H
#define LS_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define LS_LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define LS_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* A symbol the dynamic linker may bind the host's calls to. Everything else is hidden. */
#define LS_EXPORT __attribute__((visibility("default")))

/* Off the hot path: kept out of line and away from it in the text section. */
#define LS_COLD   __attribute__((cold, noinline))
#define LS_INLINE static inline __attribute__((always_inline))

#define LS_PRINTF(format_index, first_index)                                                       \
    __attribute__((format(printf, format_index, first_index)))

/*
 * Thread-local storage must not be allocated on first touch: the dynamic model calls malloc, and
 * malloc is what we replace (https://github.com/google/tcmalloc/issues/296).
 */
#define LS_THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))

#define LS_CACHE_LINE 64

/* The low `count` bits, fewer than 64. */
#define LS_BITS(count)            ((UINT64_C(1) << (count)) - 1)
#define LS_IS_POWER_OF_TWO(value) ((value) != 0 && ((value) & ((value)-1)) == 0)

#define LS_ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define LS_CONTAINER_OF(pointer, type, member)                                                     \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
