/*
 * Snapshots made by hand for the tests of the writers. Each stays valid until the next call of the
 * same function; the verdict's message is shared by all of them.
 */
#ifndef LS_TESTS_REPORT_FIXTURE_H
#define LS_TESTS_REPORT_FIXTURE_H

#include "report/snapshot.h"

/* A Node service 80 seconds into the listener incident, sampled. */
void fixture_leaking_node(struct ls_snapshot *snapshot);
/* A C service in exact mode at its end, nothing rising. */
void fixture_clean_service(struct ls_snapshot *snapshot);
/* The first summary of a degraded run whose names try to break every format. */
void fixture_hostile_degraded(struct ls_snapshot *snapshot);

#endif
