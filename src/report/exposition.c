#include "report/exposition.h"

#include "report/utf8.h"

/* Of a label's value, what it shows. */
struct shown {
    const char *at;
    size_t left;
};

static struct shown show(const char *value)
{
    return (struct shown){value, ls_emitter_prefix(value, LS_EMITTER_SHORT_BYTES)};
}

/* Control characters are legal but would break terminals and logs, so they are replaced. */
static uint32_t take(struct shown *shown)
{
    uint32_t character;
    size_t length = ls_utf8_decode(shown->at, shown->left, &character);

    shown->at += length;
    shown->left -= length;
    return ls_utf8_is_control(character) && character != '\n' ? LS_UTF8_REPLACEMENT : character;
}

bool ls_exposition_same_label(const char *one, const char *other)
{
    struct shown first = show(one);
    struct shown second = show(other);

    while (first.left > 0 && second.left > 0) {
        if (take(&first) != take(&second))
            return false;
    }
    return first.left == second.left && (*first.at == '\0') == (*second.at == '\0');
}

void ls_exposition_init(struct ls_exposition *exposition, const struct ls_snapshot *snapshot,
                        const struct ls_sink *sink)
{
    ls_emitter_init(&exposition->emitter, sink);
    exposition->snapshot = snapshot;
    exposition->family = "";
}

int ls_exposition_finish(struct ls_exposition *exposition)
{
    return ls_emitter_finish(&exposition->emitter);
}

static void comment(struct ls_emitter *emitter, const char *word, const char *name,
                    const char *rest)
{
    ls_emitter_string(emitter, word);
    ls_emitter_string(emitter, name);
    ls_emitter_char(emitter, ' ');
    ls_emitter_string(emitter, rest);
    ls_emitter_char(emitter, '\n');
}

void ls_exposition_family(struct ls_exposition *exposition, const char *name, const char *type,
                          const char *help)
{
    comment(&exposition->emitter, "# HELP ", name, help);
    comment(&exposition->emitter, "# TYPE ", name, type);
    exposition->family = name;
}

/* Backslash, quote and line feed are all that the format escapes. */
static void label_value(struct ls_emitter *emitter, const char *value)
{
    struct shown shown = show(value);
    char encoded[4];

    while (shown.left > 0) {
        uint32_t character = take(&shown);

        if (character == '\n') {
            ls_emitter_string(emitter, "\\n");
            continue;
        }
        if (character == '\\' || character == '"')
            ls_emitter_char(emitter, '\\');
        ls_emitter_bytes(emitter, encoded, ls_utf8_encode(character, encoded));
    }
    if (*shown.at != '\0')
        ls_emitter_string(emitter, LS_UTF8_ELLIPSIS);
}

static void label(struct ls_emitter *emitter, const char *before, const char *name,
                  const char *value)
{
    ls_emitter_string(emitter, before);
    ls_emitter_string(emitter, name);
    ls_emitter_string(emitter, "=\"");
    label_value(emitter, value);
    ls_emitter_char(emitter, '"');
}

void ls_exposition_label(struct ls_exposition *exposition, const char *name, const char *value)
{
    label(&exposition->emitter, ",", name, value);
}

void ls_exposition_label_number(struct ls_exposition *exposition, const char *name, uint64_t value)
{
    struct ls_emitter *emitter = &exposition->emitter;

    ls_emitter_char(emitter, ',');
    ls_emitter_string(emitter, name);
    ls_emitter_string(emitter, "=\"");
    ls_emitter_unsigned(emitter, value);
    ls_emitter_char(emitter, '"');
}

void ls_exposition_begin(struct ls_exposition *exposition)
{
    const struct ls_snapshot *snapshot = exposition->snapshot;
    uint64_t pid = snapshot->process.pid > 0 ? (uint64_t)snapshot->process.pid : 0;

    ls_emitter_string(&exposition->emitter, exposition->family);
    label(&exposition->emitter, "{", "program", snapshot->process.program);
    ls_exposition_label_number(exposition, "pid", pid);
    ls_exposition_label(exposition, "run", snapshot->process.run);
}

void ls_exposition_value(struct ls_exposition *exposition, double value)
{
    struct ls_emitter *emitter = &exposition->emitter;

    ls_emitter_string(emitter, "} ");
    if (value != value)
        ls_emitter_string(emitter, "NaN");
    else if (value - value != 0.0)
        ls_emitter_string(emitter, value > 0 ? "+Inf" : "-Inf");
    else
        ls_emitter_decimal(emitter, value, 6);
    ls_emitter_char(emitter, '\n');
}

void ls_exposition_single(struct ls_exposition *exposition, const char *name, const char *type,
                          const char *help, double value)
{
    ls_exposition_family(exposition, name, type, help);
    ls_exposition_begin(exposition);
    ls_exposition_value(exposition, value);
}
