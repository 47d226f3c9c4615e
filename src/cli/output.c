#include "cli/output.h"

#include <errno.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/terminal.h"

FILE *ls_output_open(const char *path)
{
    FILE *file = path != NULL ? fopen(path, "we") : stdout;

    if (file == NULL)
        ls_terminal_complain("%s cannot be written: %s", path, strerror(errno));
    return file;
}

int ls_output_finish(FILE *file, const char *path, int exit_code)
{
    if (file != stdout) {
        bool failed = ferror(file) != 0;

        errno = EIO; /* of the write that failed nothing is known any more */
        if ((fclose(file) != 0) | failed) {
            ls_terminal_complain("%s cannot be written: %s", path, strerror(errno));
            return LS_EXIT_USAGE;
        }
    }
    return ls_terminal_finish(exit_code);
}

int ls_output_write(void *file, const char *bytes, size_t length)
{
    return fwrite(bytes, 1, length, file) == length ? 0 : -EIO;
}
