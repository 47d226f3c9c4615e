#include "runtime/options.h"

#include <string.h>

#include "base/compiler.h"
#include "runtime/option_value.h"

/* Longer than any key, so that a longer name is near to none. */
#define NAME_MAX_LENGTH 16
/* Bytes of foreign text repeated in a complaint. */
#define QUOTE_MAX 64

#define AT(member) offsetof(struct ls_options, member)

static const struct ls_option_key keys[] = {
    {.name = "mode",
     .kind = LS_OPTION_CHOICE,
     .offset = AT(mode),
     .choices = {"sampled", "exact", "off"},
     .default_text = "sampled",
     .meaning = "how much is tracked: a sample of the bytes, every block, or nothing"},
    {.name = "sample",
     .kind = LS_OPTION_SIZE,
     .offset = AT(sample_bytes),
     .lowest = "1",
     .highest = "1G",
     .default_text = "512K",
     .meaning = "mean number of bytes between two heap samples"},
    {.name = "js_sample",
     .kind = LS_OPTION_SIZE,
     .offset = AT(js_sample_bytes),
     .lowest = "1K",
     .highest = "1G",
     .default_text = "512K",
     .meaning = "the same for V8's heap"},
    {.name = "interval",
     .kind = LS_OPTION_DURATION,
     .offset = AT(interval_ns),
     .lowest = "100ms",
     .highest = "1h",
     .default_text = "10s",
     .meaning = "time between two summaries"},
    {.name = "dir",
     .kind = LS_OPTION_PATH,
     .offset = AT(directory),
     .default_text = "leakshim-out",
     .meaning = "directory the runs are written to"},
    {.name = "keep",
     .kind = LS_OPTION_COUNT,
     .offset = AT(keep),
     .lowest = "1",
     .highest = "100000",
     .default_text = "16",
     .meaning = "runs kept in the directory; older ones are removed"},
    {.name = "track",
     .kind = LS_OPTION_RESOURCES,
     .offset = AT(track),
     .default_text = "all",
     .meaning = "kinds of resource that are tracked"},
    {.name = "depth",
     .kind = LS_OPTION_COUNT,
     .offset = AT(depth),
     .lowest = "1",
     .highest = "128",
     .default_text = "64",
     .meaning = "frames kept of each stack"},
    {.name = "top",
     .kind = LS_OPTION_COUNT,
     .offset = AT(top),
     .lowest = "1",
     .highest = "10000",
     .default_text = "50",
     .meaning = "sites listed in a summary"},
    {.name = "allocator",
     .kind = LS_OPTION_CHOICE,
     .offset = AT(allocator),
     .choices = {"host", "jemalloc"},
     .default_text = "host",
     .meaning = "who serves the blocks: the host's own allocator or the private jemalloc"},
    {.name = "only",
     .kind = LS_OPTION_NAMES,
     .offset = AT(only),
     .default_text = "",
     .meaning = "programs that are tracked, others pass through; none named: every program"},
    {.name = "children",
     .kind = LS_OPTION_SWITCH,
     .offset = AT(children),
     .default_text = "on",
     .meaning = "follow forked and executed children"},
    {.name = "memory",
     .kind = LS_OPTION_SIZE,
     .offset = AT(memory_bytes),
     .lowest = "4M",
     .highest = "16G",
     .default_text = "64M",
     .meaning = "cap on leakshim's own memory in sampled mode"},
    {.name = "start",
     .kind = LS_OPTION_SWITCH,
     .offset = AT(start),
     .default_text = "on",
     .meaning = "off waits for leakshim_start()"},
};

bool ls_options_describe(size_t index, struct ls_options_description *description)
{
    struct ls_text allowed;

    if (index >= LS_ARRAY_LENGTH(keys))
        return false;
    description->name = keys[index].name;
    description->default_text = keys[index].default_text;
    description->meaning = keys[index].meaning;
    ls_text_init(&allowed, description->allowed, sizeof(description->allowed));
    ls_option_value_write_allowed(&allowed, &keys[index]);
    return true;
}

static const struct ls_option_key *find_key(struct ls_slice name)
{
    for (size_t i = 0; i < LS_ARRAY_LENGTH(keys); i++) {
        if (ls_slice_is(name, keys[i].name))
            return &keys[i];
    }
    return NULL;
}

bool ls_options_write_value(const struct ls_options *options, const char *name,
                            struct ls_text *text)
{
    const struct ls_option_key *key = find_key(ls_slice_of(name));

    if (key == NULL)
        return false;
    ls_option_value_write(text, options, key);
    return true;
}

void ls_options_defaults(struct ls_options *options)
{
    memset(options, 0, sizeof(*options));
    for (size_t i = 0; i < LS_ARRAY_LENGTH(keys); i++)
        ls_option_value_set(options, &keys[i], ls_slice_of(keys[i].default_text));
}

bool ls_options_program_wanted(const struct ls_options *options, const char *program_base_name)
{
    const char *name = options->only;

    if (*name == '\0')
        return true;
    for (; *name != '\0'; name += strlen(name) + 1) {
        if (strcmp(name, program_base_name) == 0)
            return true;
    }
    return false;
}

static char lower(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
}

static unsigned smallest(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* Edits that turn one into the other: a character put in, left out, changed, or two neighbours
 * exchanged (optimal string alignment). Both at most NAME_MAX_LENGTH long. */
static unsigned edit_distance(struct ls_slice a, struct ls_slice b)
{
    unsigned distance[NAME_MAX_LENGTH + 1][NAME_MAX_LENGTH + 1];

    for (size_t i = 0; i <= a.length; i++) {
        for (size_t j = 0; j <= b.length; j++) {
            unsigned changed;

            if (i == 0 || j == 0) {
                distance[i][j] = (unsigned)(i + j);
                continue;
            }
            changed = lower(a.start[i - 1]) != lower(b.start[j - 1]);
            distance[i][j] = smallest(distance[i - 1][j] + 1, distance[i][j - 1] + 1,
                                      distance[i - 1][j - 1] + changed);
            if (i > 1 && j > 1 && lower(a.start[i - 1]) == lower(b.start[j - 2]) &&
                lower(a.start[i - 2]) == lower(b.start[j - 1]) &&
                distance[i - 2][j - 2] + 1 < distance[i][j])
                distance[i][j] = distance[i - 2][j - 2] + 1;
        }
    }
    return distance[a.length][b.length];
}

/* The key a person most likely meant, or NULL when none is near. */
static const char *nearest_name(struct ls_slice name)
{
    const char *nearest = NULL;
    unsigned least = 3;

    if (name.length > NAME_MAX_LENGTH)
        return NULL;
    for (size_t i = 0; i < LS_ARRAY_LENGTH(keys); i++) {
        struct ls_slice known = ls_slice_of(keys[i].name);
        unsigned distance = edit_distance(name, known);

        /* Two edits make almost any short word out of another. */
        if (distance > (known.length > 4 ? 2 : 1)) {
            bool begins = name.length >= 3 && name.length < known.length &&
                          memcmp(name.start, known.start, name.length) == 0;

            if (!begins)
                continue;
            distance = 2;
        }
        if (distance < least) {
            least = distance;
            nearest = keys[i].name;
        }
    }
    return nearest;
}

struct complaints {
    ls_options_complaint *complain;
    void *context;
    size_t count;
};

/* Whether there is still room for a complaint; counts it either way. */
static bool admit(struct complaints *complaints)
{
    complaints->count++;
    return complaints->complain != NULL && complaints->count < LS_OPTIONS_COMPLAINTS_MAX;
}

/* The bytes come from the environment and go to a terminal. */
static void write_quoted(struct ls_text *text, struct ls_slice slice)
{
    size_t shown = slice.length < QUOTE_MAX ? slice.length : QUOTE_MAX;

    ls_text_char(text, '\'');
    for (size_t i = 0; i < shown; i++) {
        unsigned char byte = (unsigned char)slice.start[i];

        if (byte >= ' ' && byte <= '~') {
            ls_text_char(text, (char)byte);
        } else {
            ls_text_string(text, "\\x");
            ls_text_hex(text, byte, 2);
        }
    }
    ls_text_string(text, shown < slice.length ? "...'" : "'");
}

static void complain_of_name(struct complaints *complaints, struct ls_slice name)
{
    char line[LS_OPTIONS_COMPLAINT_MAX];
    struct ls_text text;
    const char *nearest;

    if (!admit(complaints))
        return;
    ls_text_init(&text, line, sizeof(line));
    ls_text_string(&text, "unknown option ");
    write_quoted(&text, name);
    nearest = nearest_name(name);
    if (nearest != NULL) {
        ls_text_string(&text, " (did you mean '");
        ls_text_string(&text, nearest);
        ls_text_string(&text, "'?)");
    }
    ls_text_string(&text, " is ignored");
    complaints->complain(complaints->context, line);
}

static void complain_of_value(struct complaints *complaints, const struct ls_options *options,
                              const struct ls_option_key *key, const struct ls_slice *value)
{
    char line[LS_OPTIONS_COMPLAINT_MAX];
    char kept[QUOTE_MAX + 2];
    struct ls_text text;
    struct ls_text kept_text;

    if (!admit(complaints))
        return;
    ls_text_init(&text, line, sizeof(line));
    ls_text_string(&text, "option '");
    ls_text_string(&text, key->name);
    ls_text_string(&text, value != NULL ? "' is " : "' has no value");
    if (value != NULL)
        write_quoted(&text, *value);
    ls_text_string(&text, ", expected ");
    ls_option_value_write_allowed(&text, key);
    ls_text_string(&text, "; using ");
    ls_text_init(&kept_text, kept, sizeof(kept));
    ls_option_value_write(&kept_text, options, key);
    write_quoted(&text, (struct ls_slice){kept, kept_text.length});
    complaints->complain(complaints->context, line);
}

static void complain_of_the_rest(const struct complaints *complaints)
{
    char line[LS_OPTIONS_COMPLAINT_MAX];
    struct ls_text text;

    if (complaints->complain == NULL || complaints->count < LS_OPTIONS_COMPLAINTS_MAX)
        return;
    ls_text_init(&text, line, sizeof(line));
    ls_text_string(&text, "options: ");
    ls_text_unsigned(&text, complaints->count - (LS_OPTIONS_COMPLAINTS_MAX - 1));
    ls_text_string(&text, " more not understood and ignored");
    complaints->complain(complaints->context, line);
}

static void parse_entry(struct ls_options *options, struct ls_slice entry,
                        struct complaints *complaints)
{
    const char *equals = memchr(entry.start, '=', entry.length);
    size_t name_length = equals != NULL ? (size_t)(equals - entry.start) : entry.length;
    struct ls_slice name = ls_slice_trim((struct ls_slice){entry.start, name_length});
    const struct ls_option_key *key = find_key(name);
    struct ls_slice value;

    if (key == NULL) {
        complain_of_name(complaints, name);
        return;
    }
    if (equals == NULL) {
        complain_of_value(complaints, options, key, NULL);
        return;
    }
    value = ls_slice_trim((struct ls_slice){equals + 1, entry.length - name_length - 1});
    if (!ls_option_value_set(options, key, value))
        complain_of_value(complaints, options, key, &value);
}

void ls_options_parse(struct ls_options *options, const char *string,
                      ls_options_complaint *complain, void *context)
{
    struct complaints complaints = {.complain = complain, .context = context};
    struct ls_slice rest = ls_slice_of(string != NULL ? string : "");
    struct ls_slice entry;

    while (ls_slice_take(&rest, ',', &entry)) {
        if (entry.length > 0)
            parse_entry(options, entry, &complaints);
    }
    complain_of_the_rest(&complaints);
}
