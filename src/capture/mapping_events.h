/*
 * The queue between the hooks and the collector's map of addresses; what is the collector's of it.
 * The hooks' side is in mappings.h.
 */
#ifndef LS_CAPTURE_MAPPING_EVENTS_H
#define LS_CAPTURE_MAPPING_EVENTS_H

#include <stdbool.h>

#include "capture/mapping_queue.h"

/* No cells until ls_mapping_events_start. */
extern struct ls_mapping_queue ls_mapping_events;

/* Last of the start: from then on hooks may record. 0 or -ENOMEM. */
int ls_mapping_events_start(void);
/* Whether events were lost since it was asked last. */
bool ls_mapping_events_were_lost(void);

#endif
