/*
 * By what an address is known to be whose; for balance.c.
 */
#ifndef LS_RUNTIME_BALANCE_SIGNS_H
#define LS_RUNTIME_BALANCE_SIGNS_H

#include <stdint.h>

#include "runtime/balance.h"

struct ls_balance_sign {
    uintptr_t end; /* up to here it holds; behind the address asked for */
    enum ls_balance_part part;
};

/* Brings together what is known of stacks and of own pages. Before the next. */
void ls_balance_signs_gather(void);
/* Of anonymous memory, up to `end` at most. Reads the host's memory through the kernel. */
struct ls_balance_sign ls_balance_sign_at(uintptr_t address, uintptr_t end);

#endif
