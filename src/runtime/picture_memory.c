#include "runtime/picture_memory.h"

#include <stddef.h>

#include "capture/mappings.h"
#include "runtime/balance.h"
#include "system/clock.h"

static double sum_of_known(const double *parts, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += parts[i] > 0 ? parts[i] : 0;
    return sum;
}

/* What the allocator holds beyond the live blocks; blocks that were never touched are not held. */
static double slack_of(const struct ls_balance *balance, double live_bytes)
{
    double held = balance->bytes[LS_BALANCE_ALLOCATOR];

    return held > live_bytes ? held - live_bytes : 0;
}

void ls_picture_memory(const struct ls_judgement *judgement, uint64_t now_ns,
                       struct ls_snapshot_memory *memory)
{
    const struct ls_balance *balance = ls_balance_last();
    const double *bytes = balance->bytes;

    *memory = (struct ls_snapshot_memory){
        .rss_bytes = judgement->rss_bytes,
        .rss_growth_bytes_per_s = judgement->process.rss_growth_bytes_per_s,
        .seconds_to_limit = judgement->process.seconds_to_limit,
        .seconds_to_limit_low = judgement->process.seconds_to_limit_low,
        .seconds_to_limit_high = judgement->process.seconds_to_limit_high,
        .v8_heap_bytes = judgement->v8_heap_bytes,
        .live_heap_bytes = judgement->live_heap_bytes,
        .allocator_slack_bytes = -1,
        .mapping_bytes = -1,
        .stack_bytes = -1,
        .file_bytes = judgement->file_bytes,
        .own_bytes = -1,
        .parts_age_s = -1,
    };
    if (balance->known) {
        if (bytes[LS_BALANCE_V8] > 0)
            memory->v8_heap_bytes = bytes[LS_BALANCE_V8];
        memory->allocator_slack_bytes = slack_of(balance, judgement->live_heap_bytes);
        memory->mapping_bytes = bytes[LS_BALANCE_MAPPING];
        memory->stack_bytes = bytes[LS_BALANCE_STACK];
        memory->file_bytes = bytes[LS_BALANCE_FILE];
        memory->own_bytes = bytes[LS_BALANCE_OWN];
        memory->parts_age_s = (double)(now_ns - balance->read_ns) / LS_NS_PER_S;
        if (ls_mappings_active())
            memory->mapped = &balance->mapped;
    }
    memory->unexplained_bytes =
        memory->rss_bytes -
        sum_of_known((const double[]){memory->v8_heap_bytes, memory->live_heap_bytes,
                                      memory->allocator_slack_bytes, memory->mapping_bytes,
                                      memory->stack_bytes, memory->file_bytes, memory->own_bytes},
                     7);
}
