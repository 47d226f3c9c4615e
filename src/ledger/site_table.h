/*
 * Sites: what a person calls a callsite. Many stacks may belong to one site (JIT code moves,
 * recursion varies); sites carry the live figures, the history and, later, the verdict.
 *
 * Owned by the collector; no other thread touches it.
 */
#ifndef LS_LEDGER_SITE_TABLE_H
#define LS_LEDGER_SITE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/resource.h"
#include "ledger/history.h"
#include "ledger/release_ages.h"
#include "ledger/stack_table.h"

/* Sums over the resources of a site. Doubles: estimates have fractions, and exact counts stay exact
 * up to 2^53. */
struct ls_tally {
    double acquired_count;
    double acquired_bytes;
    double released_count;
    double live_count;
    double live_bytes;
    double variance_bytes; /* of live_bytes, from sampling */
    double reserved_bytes; /* mappings: PROT_NONE, not in live_bytes */
    /* The most live_count has been whenever events were accounted; 0 where live_count is set. */
    double peak_live_count;
};

/* A frame that comes with its names, as V8 gives them. Strings live as long as the process. */
struct ls_named_frame {
    const char *function;
    const char *file;
    uint32_t line;
};

struct ls_module;

/* What a site stands for whose memory is nobody's of the program: a JavaScript engine took it for
 * itself, and the function that was running then has nothing to do with it. Such a site never
 * rises. */
enum ls_site_engine {
    LS_SITE_OF_PROGRAM = 0,
    LS_SITE_ENGINE_HEAP = LS_STACK_MADE_UP, /* what its heap and its collector keep */
    LS_SITE_ENGINE_SAMPLER,                 /* what it keeps for each of its samples */
};

struct ls_site {
    uint64_t id; /* the same in every run of the same binaries */
    enum ls_resource resource;
    uint8_t origin;                 /* 0, LS_STACK_EARLIER, _UNSEEN or an ls_site_engine */
    bool overflow;                  /* stands for all sites that found the table full */
    bool in_js;                     /* of its stacks one has a JavaScript function */
    uint32_t stack;                 /* first stack seen: ordinal, for native sites */
    const struct ls_module *module; /* where a person would look first; NULL for js and JIT code */
    uint32_t index;                 /* in the table, for data kept beside it */
    uint32_t next_in_bucket;        /* index plus one */
    uint32_t listed; /* place in the picture that is being taken, plus one; 0 otherwise */
    uint32_t failed; /* sockets: attempts to connect, as of the last picture */
    struct ls_tally tally;
    double peak_live_bytes;
    double peak_live_count; /* of the site, or of one of its stacks */
    double first_seen_s;
    struct ls_history history;
    struct ls_release_ages released;     /* of native sites, but for mappings */
    struct ls_named_frame *named_frames; /* js sites; NULL for native ones */
    uint32_t named_frame_count;
    uint32_t named_frame; /* index of the frame the site is named after */
    uint64_t reading;     /* js: the last round of readings that had this site */
};

#define LS_SITES_PER_CHUNK 256
#define LS_SITE_CHUNKS_MAX 256
#define LS_SITE_BUCKETS    16384

struct ls_site_table {
    struct ls_site *chunks[LS_SITE_CHUNKS_MAX];
    uint32_t buckets[LS_SITE_BUCKETS]; /* index plus one */
    uint32_t count;
    uint64_t overflowed; /* distinct sites turned away, approximately: by request */
};

/* Takes the memory of the first sites, among them those of the overflow sites, so that they are
 * there whatever is used up later. 0 or -ENOMEM. */
int ls_site_table_start(struct ls_site_table *table);
/* Finds or adds. When the table or the memory is full: the overflow site of that resource; NULL
 * only when not even that can be had. */
struct ls_site *ls_site_table_obtain(struct ls_site_table *table, enum ls_resource resource,
                                     uint64_t id);
/* NULL when there is none. */
struct ls_site *ls_site_table_find(const struct ls_site_table *table, enum ls_resource resource,
                                   uint64_t id);
struct ls_site *ls_site_table_at(const struct ls_site_table *table, uint32_t index);

/* Of two peaks the higher: whether they came together is not known. */
void ls_tally_add(struct ls_tally *sum, const struct ls_tally *part);
/* Judged and ordered by number and not by bytes: descriptors, and resources of the program's own
 * that it never gave a size. */
bool ls_site_is_counted(const struct ls_site *site);
/* Once the site's tally is complete. */
void ls_site_note_peak_count(struct ls_site *site);

#endif
