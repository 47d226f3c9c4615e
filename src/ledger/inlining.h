/*
 * Sites that survive inlining.
 *
 * When V8 optimises a function it puts the functions it calls into it, and these have no frames
 * from then on: what `readBody` took is taken by `handler`, as far as a stack can tell. So each
 * site remembers the functions that its own was called by; and when optimised code of one of these
 * takes the same kind of block directly, never having been seen to do so before, that is held to be
 * the site's as it was.
 *
 * Owned by the collector, as the site table is.
 */
#ifndef LS_LEDGER_INLINING_H
#define LS_LEDGER_INLINING_H

#include <stdint.h>

#include "ledger/site_table.h"
#include "ledger/stack_table.h"

/* The site that a stack belongs to by this rule; NULL: by its own identity `id`. `native` stands
 * for its native frames, `frame` is the index of its function's. */
struct ls_site *ls_inlining_site(const struct ls_site_table *table, enum ls_resource resource,
                                 uint64_t id, const struct ls_stack *stack, uint64_t native,
                                 uint32_t frame);
/* The stack has been found to belong to the site. */
void ls_inlining_note(const struct ls_site_table *table, const struct ls_site *site,
                      const struct ls_stack *stack, uint64_t native, uint32_t frame);

#endif
