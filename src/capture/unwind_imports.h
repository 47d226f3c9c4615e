/*
 * What the loaded libunwind may do inside someone else's process.
 *
 * Where a frame has no unwind information (JIT code), libunwind guesses a frame pointer and probes
 * each address it is about to read by writing a byte of it into a pipe of its own
 * (src/x86_64/Ginit.c, write_validate;
 * https://github.com/libunwind/libunwind/blob/v1.6.2/src/x86_64/Ginit.c). A host that closes all
 * descriptors, as daemons do, may then own the pipe's number: the byte goes into its file or
 * socket. So the calls by which libunwind probes are bound to functions here, which ask the kernel
 * without any descriptor. Three system calls a page become one.
 */
#ifndef LS_CAPTURE_UNWIND_IMPORTS_H
#define LS_CAPTURE_UNWIND_IMPORTS_H

/* Rebinds the probing calls of the library behind a dlopen handle. 0 or -errno: then it must not be
 * used. Called once, before the first trace, by one thread. */
int ls_unwind_confine(void *library);

#endif
