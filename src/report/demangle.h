/*
 * Readable names for the C++ symbols one meets in stacks, without libstdc++: the qualified name of
 * a function, without its parameters; template arguments are left out as "<...>". Rust's older
 * names, which borrow the scheme, lose their hash. What is not fully understood stays as it is.
 *
 * Pure function over a terminated string; bounded in time and recursion; safe anywhere.
 * Scheme: https://itanium-cxx-abi.github.io/cxx-abi/abi.html#mangling
 */
#ifndef LS_REPORT_DEMANGLE_H
#define LS_REPORT_DEMANGLE_H

#include <stddef.h>

/* Writes into `name`, terminated, cut when it does not fit. `capacity` at least 1. */
void ls_demangle(const char *mangled, char *name, size_t capacity);

#endif
