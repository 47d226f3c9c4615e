#include "cli/terminal.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "report/utf8.h"

#define LINE_MAX_BYTES 8192

void ls_terminal_print(FILE *file, const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length;) {
        uint32_t character;
        char bytes[4];

        i += ls_utf8_decode(text + i, length - i, &character);
        if (ls_utf8_is_control(character))
            character = LS_UTF8_REPLACEMENT;
        fwrite(bytes, 1, ls_utf8_encode(character, bytes), file);
    }
}

void ls_terminal_complain(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;

    va_start(arguments, format);
    /* clang-tidy 14 loses va_start when it is given several files. NOLINTNEXTLINE */
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fflush(stdout);
    fputs("leakshim: ", stderr);
    ls_terminal_print(stderr, line);
    fputc('\n', stderr);
}

bool ls_terminal_read_color(const char *word, enum ls_color_choice *choice)
{
    static const char *const words[] = {"auto", "always", "never"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i]) == 0) {
            *choice = (enum ls_color_choice)i;
            return true;
        }
    }
    return false;
}

bool ls_terminal_has_color(FILE *file, enum ls_color_choice choice)
{
    const char *off = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    if (choice != LS_COLOR_AUTO)
        return choice == LS_COLOR_ALWAYS;
    return isatty(fileno(file)) && (off == NULL || *off == '\0') && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

int ls_terminal_finish(int exit_code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return exit_code;
    perror("leakshim: cannot write");
    return LS_EXIT_USAGE;
}
