#include "report/demangle.h"

#include <string.h>

#include "base/compiler.h"
#include "base/text.h"

#define DEPTH_MAX 64
#define STEPS_MAX 4096

struct parser {
    const char *at;
    struct ls_text *out;
    unsigned depth;
    unsigned steps;
    unsigned quiet;    /* over 0 while a type is passed over: nothing is written */
    size_t last_start; /* the last component written, for constructors */
    size_t last_length;
};

static bool parse_name(struct parser *parser);
static bool skip_type(struct parser *parser);

static void write_bytes(struct parser *parser, const char *bytes, size_t length)
{
    if (parser->quiet == 0)
        ls_text_bytes(parser->out, bytes, length);
}

static void write_string(struct parser *parser, const char *string)
{
    write_bytes(parser, string, strlen(string));
}

static void write_component(struct parser *parser, const char *bytes, size_t length)
{
    if (parser->quiet > 0)
        return;
    parser->last_start = parser->out->length;
    parser->last_length = length;
    write_bytes(parser, bytes, length);
}

static bool take(struct parser *parser, const char *expected)
{
    size_t length = strlen(expected);

    if (strncmp(parser->at, expected, length) != 0)
        return false;
    parser->at += length;
    return true;
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool is_upper(char character)
{
    return character >= 'A' && character <= 'Z';
}

static bool is_lower(char character)
{
    return character >= 'a' && character <= 'z';
}

/* Digits, or base 36 in substitutions and numbers of lambdas, then an underscore. */
static bool take_sequence(struct parser *parser)
{
    while (is_digit(*parser->at) || is_upper(*parser->at))
        parser->at++;
    return take(parser, "_");
}

/* A length and that many characters. */
static bool take_source_name(struct parser *parser, const char **name, size_t *length)
{
    *length = 0;
    while (is_digit(*parser->at)) {
        *length = *length * 10 + (size_t)(*parser->at - '0');
        if (*length > 65536)
            return false;
        parser->at++;
    }
    *name = parser->at;
    if (*length == 0 || strnlen(parser->at, *length) < *length)
        return false;
    parser->at += *length;
    return true;
}

/* "h" and 16 hexadecimal digits at the end of a Rust path. */
static bool is_rust_hash(const char *name, size_t length)
{
    if (length != 17 || name[0] != 'h' || name[length] != 'E')
        return false;
    for (size_t i = 1; i < length; i++) {
        if (!is_digit(name[i]) && !(name[i] >= 'a' && name[i] <= 'f'))
            return false;
    }
    return true;
}

static bool parse_source_name(struct parser *parser)
{
    const char *name;
    size_t length;

    if (!take_source_name(parser, &name, &length))
        return false;
    if (length >= 10 && strncmp(name, "_GLOBAL__N", 10) == 0)
        write_component(parser, "(anonymous namespace)", 21);
    else
        write_component(parser, name, length);
    while (take(parser, "B")) {
        if (!take_source_name(parser, &name, &length))
            return false;
        write_string(parser, "[abi:");
        write_bytes(parser, name, length);
        write_string(parser, "]");
    }
    return true;
}

static bool parse_operator(struct parser *parser)
{
    static const struct {
        const char *code;
        const char *name;
    } operators[] = {
        {"nw", " new"}, {"na", " new[]"}, {"dl", " delete"}, {"da", " delete[]"}, {"co", "~"},
        {"pl", "+"},    {"mi", "-"},      {"ml", "*"},       {"dv", "/"},         {"rm", "%"},
        {"an", "&"},    {"or", "|"},      {"eo", "^"},       {"aS", "="},         {"pL", "+="},
        {"mI", "-="},   {"mL", "*="},     {"dV", "/="},      {"rM", "%="},        {"aN", "&="},
        {"oR", "|="},   {"eO", "^="},     {"ls", "<<"},      {"rs", ">>"},        {"lS", "<<="},
        {"rS", ">>="},  {"eq", "=="},     {"ne", "!="},      {"lt", "<"},         {"gt", ">"},
        {"le", "<="},   {"ge", ">="},     {"ss", "<=>"},     {"nt", "!"},         {"aa", "&&"},
        {"oo", "||"},   {"pp", "++"},     {"mm", "--"},      {"cm", ","},         {"pm", "->*"},
        {"pt", "->"},   {"cl", "()"},     {"ix", "[]"},      {"de", "*"},         {"ad", "&"},
        {"ng", "-"},    {"ps", "+"},
    };

    for (size_t i = 0; i < LS_ARRAY_LENGTH(operators); i++) {
        if (take(parser, operators[i].code)) {
            write_string(parser, "operator");
            write_string(parser, operators[i].name);
            return true;
        }
    }
    return false;
}

/* Ul <types> E [number] _ and Ut [number] _. */
static bool parse_unnamed(struct parser *parser)
{
    if (take(parser, "t")) {
        write_string(parser, "{unnamed type}");
        return take_sequence(parser);
    }
    if (!take(parser, "l"))
        return false;
    while (*parser->at != 'E') {
        if (!skip_type(parser))
            return false;
    }
    parser->at++;
    write_string(parser, "{lambda}");
    return take_sequence(parser);
}

static bool skip_template_argument(struct parser *parser)
{
    if (++parser->steps > STEPS_MAX)
        return false;
    if (take(parser, "J")) {
        while (*parser->at != 'E') {
            if (!skip_template_argument(parser))
                return false;
        }
        parser->at++;
        return true;
    }
    /* The address of something: the one expression that is common. */
    if (take(parser, "Xad"))
        return skip_template_argument(parser) && take(parser, "E");
    if (!take(parser, "L"))
        return skip_type(parser);
    if (take(parser, "_Z")) {
        if (!parse_name(parser))
            return false;
        while (*parser->at != 'E') {
            if (!skip_type(parser))
                return false;
        }
    } else if (!skip_type(parser)) {
        return false;
    }
    while (is_digit(*parser->at) || *parser->at == 'n')
        parser->at++;
    return take(parser, "E");
}

static bool parse_template_arguments(struct parser *parser)
{
    bool ok = true;

    if (!take(parser, "I"))
        return true;
    parser->quiet++;
    while (ok && *parser->at != 'E')
        ok = skip_template_argument(parser);
    parser->quiet--;
    if (!ok)
        return false;
    parser->at++;
    write_string(parser, "<...>");
    return true;
}

/* The standard library's short forms. A back reference has no text here, so it is only passed over
 * inside types. */
static bool parse_substitution(struct parser *parser)
{
    static const struct {
        const char *code;
        const char *space;
        const char *name;
    } forms[] = {
        {"t", "", "std"},           {"a", "std::", "allocator"}, {"b", "std::", "basic_string"},
        {"s", "std::", "string"},   {"i", "std::", "istream"},   {"o", "std::", "ostream"},
        {"d", "std::", "iostream"},
    };

    for (size_t i = 0; i < LS_ARRAY_LENGTH(forms); i++) {
        if (take(parser, forms[i].code)) {
            write_string(parser, forms[i].space);
            write_component(parser, forms[i].name, strlen(forms[i].name));
            return true;
        }
    }
    return parser->quiet > 0 && take_sequence(parser);
}

static bool parse_constructor(struct parser *parser, bool destructor)
{
    char name[256];
    size_t length = parser->last_length;

    if (!is_digit(*parser->at))
        return false;
    parser->at++;
    if (parser->quiet > 0)
        return true;
    if (length == 0 || length > sizeof(name) || parser->last_start + length > parser->out->length)
        return false;
    memcpy(name, parser->out->bytes + parser->last_start, length);
    write_string(parser, destructor ? "~" : "");
    write_bytes(parser, name, length);
    return true;
}

static bool parse_component(struct parser *parser)
{
    char next = *parser->at;

    if (next == 'L') {
        parser->at++;
        next = *parser->at;
        return is_digit(next) && parse_source_name(parser);
    }
    if (is_digit(next))
        return parse_source_name(parser);
    if (next == 'D' && !is_digit(parser->at[1]))
        return false;
    switch (next) {
    case 'S':
        parser->at++;
        return parse_substitution(parser);
    case 'C':
    case 'D':
        parser->at++;
        return parse_constructor(parser, next == 'D');
    case 'U':
        parser->at++;
        return parse_unnamed(parser);
    case 'T':
        parser->at++;
        return parser->quiet > 0 && take_sequence(parser);
    default:
        return is_lower(next) && parse_operator(parser);
    }
}

static bool parse_nested(struct parser *parser)
{
    bool first = true;

    while (*parser->at == 'r' || *parser->at == 'V' || *parser->at == 'K')
        parser->at++;
    if (*parser->at == 'R' || *parser->at == 'O')
        parser->at++;
    while (*parser->at != 'E') {
        const char *name;
        size_t length;
        const char *start = parser->at;

        if (!first && is_digit(*start) && take_source_name(parser, &name, &length) &&
            is_rust_hash(name, length))
            break;
        parser->at = start;
        if (!first)
            write_string(parser, "::");
        if (!parse_component(parser) || !parse_template_arguments(parser))
            return false;
        first = false;
    }
    /* A Rust path's hash is dropped with the separator not yet written. */
    return !first && take(parser, "E");
}

/* Z <function and its parameters> E <entity inside it>. */
static bool parse_local(struct parser *parser)
{
    if (!parse_name(parser))
        return false;
    parser->quiet++;
    while (*parser->at != 'E') {
        if (!skip_type(parser)) {
            parser->quiet--;
            return false;
        }
    }
    parser->quiet--;
    parser->at++;
    if (take(parser, "s"))
        return true;
    write_string(parser, "::");
    if (take(parser, "d")) {
        if (!take_sequence(parser))
            return false;
    }
    if (!parse_name(parser))
        return false;
    /* Which of several entities of one name. */
    if (take(parser, "_"))
        return take(parser, "_") ? take_sequence(parser) : is_digit(*parser->at++);
    return true;
}

static bool parse_plain(struct parser *parser)
{
    if (take(parser, "St"))
        write_string(parser, "std::");
    return parse_component(parser) && parse_template_arguments(parser);
}

static bool parse_name(struct parser *parser)
{
    bool ok;

    if (++parser->depth > DEPTH_MAX || ++parser->steps > STEPS_MAX)
        return false;
    if (take(parser, "N"))
        ok = parse_nested(parser);
    else if (take(parser, "Z"))
        ok = parse_local(parser);
    else
        ok = parse_plain(parser);
    parser->depth--;
    return ok;
}

static bool skip_function_type(struct parser *parser)
{
    take(parser, "Y");
    while (*parser->at != 'E') {
        if ((*parser->at == 'R' || *parser->at == 'O') && parser->at[1] == 'E') {
            parser->at++;
            continue;
        }
        if (!skip_type(parser))
            return false;
    }
    parser->at++;
    return true;
}

static bool skip_array_type(struct parser *parser)
{
    while (is_digit(*parser->at))
        parser->at++;
    return take(parser, "_") && skip_type(parser);
}

/* Two-letter built-in types, pack expansions and noexcept functions; no decltype, no vectors. */
static bool skip_d_type(struct parser *parser)
{
    char second = *parser->at;

    if (second == '\0')
        return false;
    parser->at++;
    if (second == 'p' || second == 'o')
        return skip_type(parser);
    return strchr("acdefhinsu", second) != NULL;
}

static bool skip_named_type(struct parser *parser)
{
    bool ok;

    parser->quiet++;
    ok = parse_name(parser);
    parser->quiet--;
    return ok;
}

static bool skip_type_inner(struct parser *parser)
{
    char next = *parser->at;

    if (next == '\0')
        return false;
    if (is_digit(next) || next == 'N' || next == 'Z' || next == 'S' || next == 'T')
        return skip_named_type(parser);
    parser->at++;
    switch (next) {
    case 'P':
    case 'R':
    case 'O':
    case 'K':
    case 'V':
    case 'r':
    case 'C':
    case 'G':
        return skip_type(parser);
    case 'F':
        return skip_function_type(parser);
    case 'A':
        return skip_array_type(parser);
    case 'M':
        /* The class, then the member. */
        return skip_type(parser) && skip_type(parser); /* NOLINT(misc-redundant-expression) */
    case 'D':
        return skip_d_type(parser);
    default:
        return is_lower(next) && next != 'u';
    }
}

static bool skip_type(struct parser *parser)
{
    bool ok;

    if (++parser->depth > DEPTH_MAX || ++parser->steps > STEPS_MAX)
        return false;
    ok = skip_type_inner(parser);
    parser->depth--;
    return ok;
}

/* A virtual call through a second base class: Th [n] <offset> _ <function>. */
static bool parse_encoding(struct parser *parser)
{
    if (take(parser, "Th")) {
        take(parser, "n");
        while (is_digit(*parser->at))
            parser->at++;
        if (!take(parser, "_"))
            return false;
        write_string(parser, "non-virtual thunk to ");
    }
    return parse_name(parser);
}

void ls_demangle(const char *mangled, char *name, size_t capacity)
{
    struct ls_text text;
    struct parser parser = {.at = mangled, .out = &text};

    ls_text_init(&text, name, capacity);
    if (take(&parser, "_Z") && parse_encoding(&parser) && text.length > 0)
        return;
    ls_text_clear(&text);
    ls_text_string(&text, mangled);
}
