#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nftw */
#endif
#include "run_directory_fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "report_fixture.h"

char root[64];
static char start_directory[4096];
struct ls_run_directory run;
struct ls_snapshot snapshot;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

int remove_tree(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/leakshim-test-XXXXXX");
    fixture_clean_service(&snapshot);
    return mkdtemp(root) == NULL || getcwd(start_directory, sizeof(start_directory)) == NULL;
}

int remove_root(void **state)
{
    (void)state;
    return chdir(start_directory) != 0 || nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0;
}

const char *under_root(const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, 4096, "%s/%s", root, name);
    return path;
}

void start_run(const char *directory, const char *temporary)
{
    struct ls_run_directory_options options = {
        .directory = directory,
        .temporary = temporary,
        .program = "node",
        .pid = getpid(),
        .started_at = STARTED,
    };

    ls_run_directory_init(&run, &options);
}

const char *run_path(const char *file)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    struct ls_text text;

    ls_text_init(&text, path, 4096);
    ls_run_directory_path(&run, &text);
    ls_text_string(&text, "/");
    ls_text_string(&text, file);
    return path;
}

long size_of(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 ? (long)status.st_size : -1;
}

unsigned mode_of(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 ? status.st_mode & 07777 : 0;
}

size_t count_entries(const char *path)
{
    DIR *directory = opendir(path);
    size_t count = 0;
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (directory != NULL)
        closedir(directory);
    return count;
}

void write_text(const char *path, const char *content)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}
