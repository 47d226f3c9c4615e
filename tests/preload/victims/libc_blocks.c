/* Blocks that the C library takes and the program frees. */
#include <dirent.h>
#include <locale.h>
#include <regex.h>
#include <search.h>
#include <stdlib.h>
#include <wchar.h>

#include "victim.h"

int main(void)
{
    char *text = NULL, *end = NULL;
    size_t size = 0;
    CHECK(strcmp(setlocale(LC_ALL, NULL), "C") == 0);
    CHECK(setlocale(LC_ALL, "C.UTF-8") != NULL);
    for (int i = 0; i < 100; i++) {
        CHECK(asprintf(&text, "%s %.3f %ls", "text", 1.5, L"wide") == 15);
        free(text);
        text = strndup("shortened", 5);
        CHECK(strcmp(text, "short") == 0);
        free(text);
        text = getcwd(NULL, 0);
        CHECK(text != NULL && text[0] == '/');
        free(text);
        text = realpath("/usr/./bin/..", NULL);
        CHECK(text != NULL && strcmp(text, "/usr") == 0);
        free(text);

        FILE *stream = open_memstream(&text, &size);
        fprintf(stream, "%0*d", 5000, 7);
        fclose(stream);
        CHECK(size == 5000 && text[4999] == '7');
        free(text);

        text = NULL;
        size = 0;
        stream = fopen("/proc/self/status", "r");
        if (stream != NULL) {
            CHECK(getline(&text, &size, stream) > 0);
            fclose(stream);
        }
        free(text);

        regex_t expression;
        CHECK(regcomp(&expression, "^a(b|c)*d$", REG_EXTENDED) == 0);
        CHECK(regexec(&expression, "abcbcd", 0, NULL, 0) == 0);
        regfree(&expression);

        struct dirent **names = NULL;
        int count = scandir("/etc", &names, NULL, alphasort);
        CHECK(count > 2);
        for (int n = 0; n < count; n++)
            free(names[n]);
        free(names);
        CHECK(setenv("VICTIM", i % 2 ? "long enough to move" : "x", 1) == 0);
        CHECK(strtod("2.5", &end) == 2.5 && *end == 0);
    }
    return victim_end();
}
