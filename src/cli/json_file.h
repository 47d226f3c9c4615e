/*
 * A JSON file from disk: regular, of bounded size, one value and nothing behind it.
 */
#ifndef LS_CLI_JSON_FILE_H
#define LS_CLI_JSON_FILE_H

#include <jansson.h>
#include <stddef.h>

/* NULL with the reason, and errno as it was found; all numbers are read as reals. */
json_t *ls_json_file_read(const char *path, size_t limit, char *reason, size_t reason_size);
json_t *ls_json_parse(const char *bytes, size_t length, char *reason, size_t reason_size);

#endif
