/*
 * A file of suppressions of any bytes is refused with a line that exists or read, and its patterns
 * can be held against any name.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/suppressions.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct ls_suppressions list = {0};
    struct ls_snapshot_site site = {.location = "file.js:1", .module = "", .function = ""};
    char *text = malloc(length + 1);
    size_t line = 0;

    if (text == NULL)
        return 0;
    memcpy(text, bytes, length);
    text[length] = '\0';
    site.function = text;
    if (!ls_suppressions_parse(text, &list, &line) && (line < 1 || line > length + 1))
        abort();
    (void)ls_suppressions_find(&list, &site);
    ls_suppressions_free(&list);
    free(text);
    return 0;
}
