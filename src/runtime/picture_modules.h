/*
 * Live bytes and growth by module: which library or add-on grows. A site counts for the innermost
 * module of its stack that is neither a runtime library nor this one, so that what strdup
 * allocates is its caller's; the sites of JavaScript and of generated code count for one entry
 * without a path.
 *
 * The collector only, while the sites stand still. Nothing blocks.
 */
#ifndef LS_RUNTIME_PICTURE_MODULES_H
#define LS_RUNTIME_PICTURE_MODULES_H

#include "report/snapshot.h"
#include "system/arena.h"

/* Fills the snapshot's modules: those with rising sites first, by growth, then by live bytes. 0, or
 * -ENOMEM. */
int ls_picture_modules(struct ls_arena *arena, struct ls_snapshot *snapshot);

#endif
