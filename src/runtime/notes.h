/*
 * What the library has to say about itself: lines for health.notes, each once, and on stderr at
 * most one line for each thing the user can mend.
 *
 * Any thread; short spin lock, nothing is called under it. Lines are kept for the process's life.
 * The collector has descriptors of its own and borrows the host's stderr for a line.
 */
#ifndef LS_RUNTIME_NOTES_H
#define LS_RUNTIME_NOTES_H

#include <stdbool.h>
#include <stddef.h>

#define LS_NOTES_MAX 16

/* Remembers which file stderr is, so that a later line does not go into whatever the host has
 * opened under the same number. Call first, from the constructor. */
void ls_notes_start(void);
/* Adds a line to the notes unless it is there. False if it was, or if there is no more room. */
bool ls_note(const char *line);
/* The same, and says it on stderr, as "leakshim: <line>". */
void ls_warn(const char *line);
/* This thread no longer shares descriptors with the host. */
void ls_notes_descriptors_are_own(void);
/* Removes a line that is no longer true. */
void ls_note_remove(const char *line);
/* Fills `lines` with up to `capacity` notes; returns how many. The strings stay valid. */
size_t ls_notes_list(const char **lines, size_t capacity);

#endif
