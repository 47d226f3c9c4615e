/*
 * Which sites a summary lists, and in which order: rising ones first, fastest first, then by what
 * they hold. Reads the ledger's sites and their verdicts; the collector only.
 */
#ifndef LS_RUNTIME_PICTURE_ORDER_H
#define LS_RUNTIME_PICTURE_ORDER_H

#include <stddef.h>

#include "ledger/site_table.h"

/* `order` has room for `top` sites, at least one. Returns how many are to be listed. */
size_t ls_picture_order(const struct ls_site **order, size_t top);

#endif
