#include "report/text_peers.h"

#include <stdbool.h>

#include "report/line.h"
#include "report/peer_order.h"
#include "report/text_sites.h"
#include "report/units.h"

#define PEERS_LISTED 10

enum {
    ADDRESS_COLUMN = 4,
    ADDRESS_COLUMNS_MAX = 24,
    OPENED_END = 36,
    RATE_END = 47,
    LIVE_END = 54,
    FAILED_END = 62,
    CONNECT_END = 71,
    LIFE_END = 80,
    FUNCTION_COLUMN = 82,
};

static void count_to(struct ls_line *line, double count, size_t end)
{
    size_t start = ls_line_width(line);

    ls_text_char(&line->text, ' ');
    ls_units_count(&line->text, count);
    ls_line_align_right(line, start, end);
}

static void time_to(struct ls_line *line, double seconds, size_t end)
{
    size_t start = ls_line_width(line);

    ls_text_char(&line->text, ' ');
    if (seconds < 0)
        ls_text_char(&line->text, '-');
    else if (seconds < 1)
        ls_units_delay(&line->text, seconds);
    else
        ls_units_rough_duration(&line->text, seconds);
    ls_line_align_right(line, start, end);
}

static void peer_line(struct ls_line *line, const struct ls_peer_place *place)
{
    const struct ls_snapshot_peer *peer = place->peer;
    size_t start;

    ls_line_pad_to(line, ADDRESS_COLUMN);
    if (peer->address[0] == '\0')
        ls_text_string(&line->text, "(others)");
    else
        ls_line_path(line, peer->address, ADDRESS_COLUMNS_MAX);
    count_to(line, peer->opened, OPENED_END);
    start = ls_line_width(line);
    ls_text_char(&line->text, ' ');
    ls_units_count_rate(&line->text, peer->opened_per_s);
    ls_line_align_right(line, start, RATE_END);
    count_to(line, peer->live, LIVE_END);
    count_to(line, peer->failed, FAILED_END);
    time_to(line, peer->connect_p50_s, CONNECT_END);
    time_to(line, peer->life_p50_s, LIFE_END);
    ls_line_pad_to(line, FUNCTION_COLUMN);
    ls_line_name(line, place->site->function[0] == '\0' ? "(no name)" : place->site->function,
                 LS_TEXT_COLUMNS - FUNCTION_COLUMN);
}

/* What is to be said beyond the columns; false when nothing is. */
static bool remarks(struct ls_line *line, const struct ls_snapshot_peer *peer)
{
    ls_line_pad_to(line, ADDRESS_COLUMN + 2);
    if (peer->unused > 0) {
        ls_units_count(&line->text, peer->unused);
        ls_text_string(&line->text, " open and never used");
    }
    if (peer->error_count > 0)
        ls_text_string(&line->text, peer->unused > 0 ? "; failed with " : "failed with ");
    for (size_t i = 0; i < peer->error_count; i++) {
        if (i > 0)
            ls_text_string(&line->text, ", ");
        ls_text_string(&line->text, peer->errors[i].name);
        ls_text_char(&line->text, ' ');
        ls_units_count(&line->text, (double)peer->errors[i].count);
    }
    return peer->unused > 0 || peer->error_count > 0;
}

void ls_text_write_peers(struct ls_emitter *emitter, const struct ls_snapshot *snapshot)
{
    struct ls_peer_place places[PEERS_LISTED];
    size_t count = ls_peer_order(snapshot, places, PEERS_LISTED);
    struct ls_line line;

    if (count == 0)
        return;
    ls_emitter_string(emitter, "\nSocket peers\n"
                               "    address                   opened       rate   live  failed"
                               "  connect     life  opened by\n");
    ls_line_init(&line);
    for (size_t i = 0; i < count; i++) {
        peer_line(&line, &places[i]);
        ls_line_end(&line, emitter);
        if (remarks(&line, places[i].peer))
            ls_line_end(&line, emitter);
        else
            ls_text_clear(&line.text);
    }
}
