#ifndef CM_TESTLIB_MADE_H
#define CM_TESTLIB_MADE_H
/* What stands in for a device has its evidence made by a program of the test's: FOLDER/make, run
 * with what is to be bound in hexadecimal, leaves its files in FOLDER. Plain C: no library of ours
 * is linked into what stands in. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MADE_DATA = 64, MADE_PATH = 1024 };

static inline int made_path(char path[MADE_PATH], const char *folder, const char *name)
{
    return snprintf(path, MADE_PATH, "%s/%s", folder, name) < MADE_PATH;
}

/** Whether evidence over n bytes of data was made. */
static inline int made_run(const char *folder, const unsigned char *data, size_t n)
{
    char path[MADE_PATH], hex[2 * MADE_DATA + 1] = "";
    char *argv[] = {path, hex, NULL};
    int status = 0;
    pid_t pid;

    if (n > MADE_DATA || !made_path(path, folder, "make"))
        return 0;
    for (size_t i = 0; i < n; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", data[i]);
    if (posix_spawn(&pid, path, NULL, NULL, argv, environ) != 0)
        return 0;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/** Whether the folder has such a program. */
static inline int made_here(const char *folder)
{
    char path[MADE_PATH];

    return made_path(path, folder, "make") && access(path, X_OK) == 0;
}

/** The bytes of a file; 0 when there is none. */
static inline size_t made_read(void *to, size_t max, const char *folder, const char *name)
{
    char path[MADE_PATH];
    FILE *f = made_path(path, folder, name) ? fopen(path, "rb") : NULL;
    size_t n;

    if (!f)
        return 0;
    n = fread(to, 1, max, f);
    (void)fclose(f);
    return n;
}

#endif
