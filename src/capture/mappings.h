/*
 * Mappings of the host: which call made them, and how much of each is committed (readable, writable
 * or executable) and how much reserved (PROT_NONE).
 *
 * A hook puts what it does into a bounded queue, and the collector carries it into its map of
 * addresses (address_map.h). So no lock is taken on the host's threads, nothing is looked up there,
 * and a handler or a fork at any instruction finds nothing half done but a cell of the queue. A
 * release goes into the queue before the real call and an acquire after it: an address that one
 * thread gives back and another one gets from the kernel is released before it is acquired. When
 * the queue is full a thread waits a little for a collector that is not held up; then the event is
 * lost, counted, and what is known is compared with /proc/self/maps.
 *
 * Producers: any thread, in a signal handler too; errno kept; no wait but the one above. The rest
 * is the collector's, under its lock. A vfork child shares the address space and is recorded like a
 * thread.
 */
#ifndef LS_CAPTURE_MAPPINGS_H
#define LS_CAPTURE_MAPPINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ls_stack;

/* Makes the tables for about `ranges_max` ranges. Once. 0 or -ENOMEM. */
int ls_mappings_start(size_t ranges_max);
enum ls_mappings_mode {
    LS_MAPPINGS_OFF,
    LS_MAPPINGS_STOPPED, /* what is known is followed, nothing new is tracked */
    LS_MAPPINGS_TRACKED,
};
/* After ls_mappings_start; without it the mode stays off. */
void ls_mappings_set_mode(enum ls_mappings_mode mode);
bool ls_mappings_active(void); /* not off */

/* --- producers --- */

/* Names a release that is under way; 0: none. */
typedef uint64_t ls_mapping_ticket;

/* Before the real call takes [address, address + length) away. */
ls_mapping_ticket ls_mappings_release(const void *address, size_t length);
/* The same where ls_mappings_move, _restore or _confirm follows, whatever the real call does. */
ls_mapping_ticket ls_mappings_lift(const void *address, size_t length);
/* As a release, of all of the mapping that begins at the address. */
ls_mapping_ticket ls_mappings_detach(const void *address);
/* The real call failed: all is as it was. */
void ls_mappings_restore(ls_mapping_ticket ticket);
/* The real call took away what was lifted. */
void ls_mappings_confirm(ls_mapping_ticket ticket);
/* After the real call has mapped it, whatever was there before. `caller` is the hook's return
 * address. */
void ls_mappings_acquire(const void *address, size_t length, int protection, const void *caller);
/* What was lifted is at a new place, or of a new size, with the protection it had. */
void ls_mappings_move(ls_mapping_ticket ticket, const void *address, size_t length,
                      const void *caller);
/* After the real call. */
void ls_mappings_protect(const void *address, size_t length, int protection);

/* --- the collector --- */

/* Who owns a mapping, by the stack that made it. */
enum ls_mapping_class {
    LS_MAPPING_UNKNOWN, /* its modules are not known yet: asked again */
    LS_MAPPING_PROGRAM, /* a site of its own */
    LS_MAPPING_V8,
    LS_MAPPING_ALLOCATOR,
    LS_MAPPING_CLASS_COUNT
};
typedef enum ls_mapping_class ls_mapping_classify(const struct ls_stack *stack);

/* True when the queue is so full that it should be drained. */
bool ls_mappings_want_drain(void);
void ls_mappings_drain(void);
/* Drains, and sets the ledger's tallies of what the program maps. Stacks at or above
 * `stacks_known` wait. */
void ls_mappings_settle(uint32_t stacks_known, ls_mapping_classify *classify);

struct ls_mapping_totals {
    uint64_t committed_bytes;
    uint64_t reserved_bytes;
    uint64_t pieces;
};
/* As of the last drain. */
void ls_mappings_totals(enum ls_mapping_class owner, struct ls_mapping_totals *totals);
/* Bytes that the kernel does not have, or has as the other of committed and reserved: mapped and
 * unmapped past the hooks, or at this very moment. Reads /proc/self/maps; -1 when it cannot. */
double ls_mappings_disagreement(void);

/* A stretch of [address, end): known or not, and whose. */
struct ls_mapping_stretch {
    uintptr_t end;
    bool known;
    bool reserved;
    enum ls_mapping_class owner;
};
struct ls_mapping_stretch ls_mappings_look_up(uintptr_t address, uintptr_t end);

/* The committed bytes and the age of every piece of a mapping that is a site's. */
typedef void ls_mappings_visit(void *context, uint32_t stack, uint64_t bytes, uint64_t acquired_ns);
void ls_mappings_for_each(ls_mappings_visit *visit, void *context);

void ls_mappings_after_fork(void);

#endif
