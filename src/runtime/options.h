/*
 * The options of a run, read from LEAKSHIM_OPTIONS: key=value,key=value.
 *
 * Promise: a pure function from a string to a structure. Nothing is allocated, locked, opened or
 * printed, errno is left alone, the locale is not asked, and no input stops the host: what is not
 * understood is reported through the caller's function and the value that stood before is kept.
 * Time is linear in the length of the string.
 * Callers: any thread, also before constructors have run; no two may write to one structure.
 * Ownership: the structure holds all its text itself and may be copied by assignment.
 * Fork: nothing to do.
 *
 * Syntax: blanks around keys, values and list items are dropped, empty entries are skipped, the
 * last of several entries with one key wins. In a value "\," is a comma and "\\" a backslash; in a
 * list "\+" is a plus. Any other backslash is itself. Words are lower case; the units of sizes and
 * durations may be either. Sizes take B, K, M, G (powers of 1024, also as KB or KiB); durations
 * take ms, s, m, h, and are seconds without a unit; numbers are whole. Switches take on, off, yes,
 * no, true, false, 1, 0.
 */
#ifndef LS_RUNTIME_OPTIONS_H
#define LS_RUNTIME_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/resource.h"
#include "base/text.h"

#define LS_OPTIONS_DIRECTORY_MAX 4096
#define LS_OPTIONS_ONLY_MAX      1024

/* A complaint with its terminating zero is never longer. */
#define LS_OPTIONS_COMPLAINT_MAX 1024
/* Complaints made by one parse; the last of them counts those that were left out. */
#define LS_OPTIONS_COMPLAINTS_MAX 16

enum ls_mode {
    LS_MODE_SAMPLED,
    LS_MODE_EXACT,
    LS_MODE_OFF,
};

enum ls_allocator {
    LS_ALLOCATOR_HOST,
    LS_ALLOCATOR_JEMALLOC,
};

struct ls_options {
    enum ls_mode mode;
    enum ls_allocator allocator;
    size_t sample_bytes; /* mean distance between heap samples; 1 means every byte */
    size_t js_sample_bytes;
    uint64_t interval_ns;
    size_t memory_bytes; /* cap on the shim's own memory in sampled mode */
    uint32_t track;      /* bit 1 << resource, see ls_options_tracks */
    unsigned keep;       /* runs kept in the directory */
    unsigned depth;      /* frames kept of a stack */
    unsigned top;        /* sites listed in a summary */
    bool children;       /* follow forked and executed children */
    bool start;          /* false: wait for leakshim_start() */
    char directory[LS_OPTIONS_DIRECTORY_MAX];
    /* Program names, each ended by a zero byte, the list by an empty one; empty: every program. */
    char only[LS_OPTIONS_ONLY_MAX];
};

/* Called with one line of printable ASCII, without newline, valid during the call only. */
typedef void ls_options_complaint(void *context, const char *line);

void ls_options_defaults(struct ls_options *options);

/*
 * Changes what `string` names and leaves the rest as it is: call ls_options_defaults first. A NULL
 * string counts as empty; a NULL `complain` drops the complaints.
 */
void ls_options_parse(struct ls_options *options, const char *string,
                      ls_options_complaint *complain, void *context);

/* Whether a program of this base name ("node", not "/usr/bin/node") is to be tracked. */
bool ls_options_program_wanted(const struct ls_options *options, const char *program_base_name);

static inline bool ls_options_tracks(const struct ls_options *options, enum ls_resource resource)
{
    return (options->track >> resource) & 1;
}

/* What the parser knows about one key, for the manual and the command line. */
struct ls_options_description {
    const char *name;
    const char *default_text; /* "" for an empty list */
    const char *meaning;
    char allowed[160]; /* reads on after "expected": "a size from 1 to 1G" */
};

/* Fills in the key of this index, counted from 0; false behind the last one. */
bool ls_options_describe(size_t index, struct ls_options_description *description);

/*
 * Appends the value of a key, as ls_options_parse would read it back. False, and nothing appended,
 * when there is no such key.
 */
bool ls_options_write_value(const struct ls_options *options, const char *name,
                            struct ls_text *text);

#endif
