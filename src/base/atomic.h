/*
 * C11 atomics under names that carry their memory order, so that a reader sees at every use which
 * edge is meant. docs/memory-order.md lists the edges by the labels used in the comments.
 */
#ifndef LS_BASE_ATOMIC_H
#define LS_BASE_ATOMIC_H

#include <stdatomic.h>

#define ls_load_relaxed(object) atomic_load_explicit((object), memory_order_relaxed)
#define ls_load_acquire(object) atomic_load_explicit((object), memory_order_acquire)
#define ls_store_relaxed(object, value)                                                            \
    atomic_store_explicit((object), (value), memory_order_relaxed)
#define ls_store_release(object, value)                                                            \
    atomic_store_explicit((object), (value), memory_order_release)
#define ls_add_relaxed(object, value)                                                              \
    atomic_fetch_add_explicit((object), (value), memory_order_relaxed)
#define ls_add_release(object, value)                                                              \
    atomic_fetch_add_explicit((object), (value), memory_order_release)
#define ls_exchange_relaxed(object, value)                                                         \
    atomic_exchange_explicit((object), (value), memory_order_relaxed)
#define ls_exchange_acquire_release(object, value)                                                 \
    atomic_exchange_explicit((object), (value), memory_order_acq_rel)
#define ls_compare_exchange_relaxed(object, expected, desired)                                     \
    atomic_compare_exchange_weak_explicit((object), (expected), (desired), memory_order_relaxed,   \
                                          memory_order_relaxed)
#define ls_compare_exchange_acquire_release(object, expected, desired)                             \
    atomic_compare_exchange_strong_explicit((object), (expected), (desired), memory_order_acq_rel, \
                                            memory_order_acquire)

/*
 * Adds to a counter that only this thread writes, signal handlers on it included: one instruction
 * without a bus lock, so a handler cannot come between its load and its store. Readers elsewhere
 * use ls_load_relaxed.
 */
static inline void ls_add_own_thread(_Atomic unsigned long *counter, unsigned long value)
{
#if defined(__x86_64__)
    __asm__("addq %1, %0" : "+m"(*counter) : "er"(value) : "cc");
#else
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
#endif
}

/* Keeps the compiler, not the processor, from moving accesses across. */
#define ls_compiler_fence() atomic_signal_fence(memory_order_seq_cst)

#endif
