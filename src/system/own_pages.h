/*
 * The pages the library has mapped for itself, so that they are told from the host's in what the
 * kernel says is resident. A bounded list; neighbours are one entry. What does not fit is forgotten
 * and counts as unexplained. Any thread, no lock.
 */
#ifndef LS_SYSTEM_OWN_PAGES_H
#define LS_SYSTEM_OWN_PAGES_H

#include <stddef.h>
#include <stdint.h>

#define LS_OWN_PAGES_MAX 1024

void ls_own_pages_add(const void *pages, size_t size);
void ls_own_pages_remove(const void *pages, size_t size);
typedef void ls_own_pages_visit(void *context, uintptr_t start, uintptr_t end);
void ls_own_pages_for_each(ls_own_pages_visit *visit, void *context);

#endif
