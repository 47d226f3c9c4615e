/*
 * The report as one page that needs nothing but a browser: page.html with its {{places}} filled in.
 *
 * Names in a summary are chosen by whoever wrote the program, and are not trusted. They are in the
 * page as JSON whose every '<' is escaped, and as text with all of HTML's own characters escaped;
 * scripts and styles run only with a number that nobody could know when the names were given
 * (https://www.w3.org/TR/CSP3/#security-nonces).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/html_assets.h"
#include "cli/html_data.h"
#include "cli/report_formats.h"
#include "cli/story.h"
#include "report/utf8.h"

#define TEXT_BYTES_MAX 4096

struct page {
    FILE *file;
    const struct ls_runs *runs;
    json_t *data;
    double now;
    char nonce[33];
};

static int make_nonce(char nonce[33])
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -errno;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

/* As text of an element or of a quoted attribute. */
static void write_text(FILE *file, const char *text)
{
    size_t length = strnlen(text, TEXT_BYTES_MAX);

    for (size_t i = 0; i < length;) {
        uint32_t character;
        char bytes[4];

        i += ls_utf8_decode(text + i, length - i, &character);
        if (ls_utf8_is_control(character))
            character = LS_UTF8_REPLACEMENT;
        if (character < 0x80 && strchr("&<>\"'", (int)character) != NULL)
            fprintf(file, "&#%u;", (unsigned)character);
        else
            fwrite(bytes, 1, ls_utf8_encode(character, bytes), file);
    }
}

/* '<' is in texts only, never in JSON's own syntax: "</script>" and "<!--" cannot come up. */
static int write_json_bytes(const char *bytes, size_t length, void *context)
{
    FILE *file = context;

    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '<')
            fputs("\\u003c", file);
        else
            fputc(bytes[i], file);
    }
    return 0;
}

static size_t count_of(const struct page *page, enum ls_process_verdict verdict)
{
    size_t count = 0;

    for (size_t i = 0; i < page->runs->count; i++)
        count += page->runs->items[i].summary.snapshot.verdict.state == verdict;
    return count;
}

static void write_headline(const struct page *page)
{
    size_t endings[LS_ENDING_COUNT] = {0};
    size_t restarts = 0;

    if (page->runs->count == 1) {
        write_text(page->file, page->runs->items[0].summary.snapshot.verdict.message);
        return;
    }
    for (size_t i = 0; i < page->runs->count; i++) {
        struct ls_service service;

        if (!ls_story_is_first(page->runs, i))
            continue;
        service = ls_story_sum_up(page->runs, i, page->now);
        restarts += service.restarts;
        for (size_t j = 0; j < LS_ENDING_COUNT; j++)
            endings[j] += service.endings[j];
    }
    fprintf(page->file, "%zu runs, %zu leaking", page->runs->count,
            count_of(page, LS_PROCESS_LEAKING));
    if (restarts > 0)
        fprintf(page->file, "; %zu restart%s", restarts, restarts == 1 ? "" : "s");
    for (size_t j = 0; j < LS_ENDING_COUNT; j++) {
        if (endings[j] > 0)
            fprintf(page->file, ", %zu %s", endings[j], ls_ending_names[j]);
    }
}

static void write_title(const struct page *page)
{
    const struct ls_snapshot *snapshot = &page->runs->items[0].summary.snapshot;

    if (page->runs->count == 1) {
        write_text(page->file, ls_process_verdict_names[snapshot->verdict.state]);
        fputs(": ", page->file);
        write_text(page->file, snapshot->process.program);
        fprintf(page->file, " %d", (int)snapshot->process.pid);
    } else
        fprintf(page->file, "%zu runs", page->runs->count);
    fputs(" - leakshim", page->file);
}

static const char *worst_verdict(const struct page *page)
{
    static const enum ls_process_verdict order[] = {LS_PROCESS_LEAKING, LS_PROCESS_FRAGMENTING,
                                                    LS_PROCESS_BACKLOG, LS_PROCESS_CLEAN,
                                                    LS_PROCESS_LEARNING};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (count_of(page, order[i]) > 0)
            return ls_process_verdict_names[order[i]];
    }
    return "";
}

static bool is_named(const char *name, size_t length, const char *wanted)
{
    return strlen(wanted) == length && memcmp(name, wanted, length) == 0;
}

static int fill_place(const struct page *page, const char *name, size_t length)
{
    struct ls_html_asset asset;

    if (is_named(name, length, "nonce"))
        fputs(page->nonce, page->file);
    else if (is_named(name, length, "title"))
        write_title(page);
    else if (is_named(name, length, "headline"))
        write_headline(page);
    else if (is_named(name, length, "verdict"))
        fputs(worst_verdict(page), page->file);
    else if (is_named(name, length, "data"))
        return json_dump_callback(page->data, write_json_bytes, page->file,
                                  JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0
                   ? 0
                   : -ENOMEM;
    else if (ls_html_asset(name, length, &asset))
        fwrite(asset.bytes, 1, asset.length, page->file);
    else
        return -ENOENT;
    return 0;
}

static int fill_in(const struct page *page, const char *template, size_t length)
{
    const char *end = template + length;
    int error = 0;

    while (error == 0) {
        const char *open = memmem(template, (size_t)(end - template), "{{", 2);
        const char *close = open != NULL ? memmem(open, (size_t)(end - open), "}}", 2) : NULL;

        if (close == NULL)
            break;
        fwrite(template, 1, (size_t)(open - template), page->file);
        error = fill_place(page, open + 2, (size_t)(close - open - 2));
        template = close + 2;
    }
    fwrite(template, 1, (size_t)(end - template), page->file);
    return error;
}

int ls_report_html(const struct ls_runs *runs, double now, FILE *file)
{
    struct page page = {.file = file, .runs = runs, .now = now};
    struct ls_html_asset asset;
    int error = make_nonce(page.nonce);

    if (error != 0)
        return error;
    page.data = ls_html_data(runs, now);
    if (page.data == NULL)
        return -ENOMEM;
    error = ls_html_asset("page.html", strlen("page.html"), &asset)
                ? fill_in(&page, asset.bytes, asset.length)
                : -ENOENT;
    json_decref(page.data);
    return error;
}
