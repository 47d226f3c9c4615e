/*
 * Text as a script would treat it: lines are made, split into fields, counted in a hash table of
 * chained entries that grows, joined again, and thrown away. Strings are blocks of their own and
 * live from one call to the end of a round.
 *
 *   --rounds N   of 4,000 lines each
 */
#include "workload.h"

#define LINES      4000
#define FIELDS     8
#define VOCABULARY 3000

struct entry {
    struct entry *next;
    char *key;
    uint64_t hash;
    long count;
};

struct table {
    struct entry **buckets;
    size_t bucket_count;
    size_t entry_count;
};

static uint64_t random_state;

static uint64_t hash_of(const char *text, size_t length)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash ^ hash >> 32;
}

static char *copy_of(const char *text, size_t length)
{
    char *copy = workload_allocate(length + 1);

    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

static void table_grow(struct table *table)
{
    size_t bucket_count = table->bucket_count == 0 ? 64 : table->bucket_count * 2;
    struct entry **buckets = calloc(bucket_count, sizeof(*buckets));

    if (buckets == NULL)
        workload_fail("out of memory");
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct entry *entry = table->buckets[i];

        while (entry != NULL) {
            struct entry *next = entry->next;
            struct entry **bucket = &buckets[entry->hash & (bucket_count - 1)];

            entry->next = *bucket;
            *bucket = entry;
            entry = next;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = bucket_count;
}

static NOINLINE struct entry *table_find(struct table *table, const char *key)
{
    uint64_t hash = hash_of(key, strlen(key));
    struct entry *entry;

    if (table->entry_count >= table->bucket_count)
        table_grow(table);
    entry = table->buckets[hash & (table->bucket_count - 1)];
    while (entry != NULL && (entry->hash != hash || strcmp(entry->key, key) != 0))
        entry = entry->next;
    if (entry != NULL)
        return entry;
    entry = workload_allocate(sizeof(*entry));
    *entry = (struct entry){.next = table->buckets[hash & (table->bucket_count - 1)],
                            .key = copy_of(key, strlen(key)),
                            .hash = hash};
    table->buckets[hash & (table->bucket_count - 1)] = entry;
    table->entry_count++;
    return entry;
}

static uint64_t table_clear(struct table *table)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < table->bucket_count; i++) {
        struct entry *entry = table->buckets[i];

        while (entry != NULL) {
            struct entry *next = entry->next;

            sum += entry->hash * (uint64_t)entry->count;
            free(entry->key);
            free(entry);
            entry = next;
        }
    }
    free(table->buckets);
    *table = (struct table){0};
    return sum;
}

static NOINLINE char *make_line(void)
{
    char text[256];
    size_t length = 0;

    for (int i = 0; i < FIELDS; i++) {
        uint64_t word = workload_random(&random_state) % VOCABULARY;

        word = word * word / VOCABULARY; /* some words are far more frequent than others */
        for (uint64_t rest = word + 26; rest > 0; rest /= 7)
            text[length++] = (char)('a' + rest % 26);
        text[length++] = ' ';
    }
    return copy_of(text, length);
}

static NOINLINE int split(const char *line, char **fields)
{
    int count = 0;
    const char *end;

    for (; (end = strchr(line, ' ')) != NULL; line = end + 1)
        fields[count++] = copy_of(line, (size_t)(end - line));
    return count;
}

static NOINLINE char *join(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    char *joined = workload_allocate(a_length + b_length + 2);

    memcpy(joined, a, a_length);
    joined[a_length] = '-';
    memcpy(joined + a_length + 1, b, b_length + 1);
    return joined;
}

static NOINLINE uint64_t round_of_lines(void)
{
    struct table table = {0};
    uint64_t sum;

    for (int i = 0; i < LINES; i++) {
        char *fields[FIELDS];
        char *line = make_line();
        int count = split(line, fields);

        for (int field = 0; field < count; field++)
            table_find(&table, fields[field])->count++;
        for (int field = 0; field + 1 < count; field += 2) {
            char *joined = join(fields[field], fields[field + 1]);

            table_find(&table, joined)->count++;
            free(joined);
        }
        for (int field = 0; field < count; field++)
            free(fields[field]);
        free(line);
    }
    sum = table_clear(&table);
    return sum;
}

int main(int count, char **values)
{
    long rounds = workload_option(count, values, "rounds", 100);
    uint64_t checksum = 0;
    struct workload_clock start = workload_start();

    random_state = 88172645463325252u;
    for (long i = 0; i < rounds; i++)
        checksum = workload_mix(checksum, round_of_lines());
    return workload_done(start, (uint64_t)(rounds * LINES * (1 + FIELDS + FIELDS / 2)), checksum);
}
