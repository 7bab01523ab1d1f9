/* The folder of keys: $CASEMATE_HOME, or ~/.config/casemate. */
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "cli.h"

enum { TRUSTED_MAX = 1024, PATH_LEN = 4096 };

static cm_err join(char **out, const char *dir, const char *middle, const char *name)
{
    char path[PATH_LEN];
    int n = snprintf(path, sizeof path, "%s%s%s%s", dir, middle, name[0] ? "/" : "", name);

    if (n < 0 || (size_t)n >= sizeof path)
        return CM_FAIL(TOO_BIG);
    return cm_strdup(out, cm_view_of(path, (size_t)n));
}

cm_err cm_cli_home(cm_cli *cli, char **path, const char *name)
{
    const char *home = getenv("CASEMATE_HOME");
    const struct passwd *pw;

    (void)cli;
    if (home && home[0])
        return join(path, home, "", name);
    home = getenv("HOME");
    if (!home || !home[0]) {
        pw = getpwuid(getuid());
        home = pw ? pw->pw_dir : NULL;
    }
    if (!home)
        return CM_FAIL(CLI_NO_HOME);
    return join(path, home, "/.config/casemate", name);
}

cm_err cm_cli_data_dir(char *dir, size_t n)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

    if (data && data[0] == '/')
        snprintf(dir, n, "%.4000s/casemate", data);
    else if (home && home[0])
        snprintf(dir, n, "%.4000s/.local/share/casemate", home);
    else
        return CM_FAIL(CLI_NO_HOME);
    return CM_OKAY;
}

cm_err cm_cli_make_folder(const char *path, unsigned mode)
{
    char part[PATH_LEN];
    size_t n = strlen(path);

    if (n >= sizeof part)
        return CM_FAIL(TOO_BIG);
    for (size_t i = 1; i <= n; i++) {
        if (i < n && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, i == n ? (mode_t)mode : 0777) != 0 && errno != EEXIST)
            return cm_os_err(errno, CM_IO_OPEN);
    }
    return CM_OKAY;
}

static bool is_public_key(const char *name)
{
    size_t n = strlen(name);

    return name[0] != '.' && n > 4 && strcmp(name + n - 4, ".pub") == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void cm_cli_paths_free(char ***paths)
{
    for (size_t i = 0; *paths && i < TRUSTED_MAX; i++)
        cm_free((*paths)[i]);
    cm_free(*paths);
    *paths = NULL;
}

static void dir_close(DIR **d)
{
    if (*d)
        closedir(*d);
}

cm_err cm_cli_trusted(cm_cli *cli, char ***paths, size_t *n)
{
    CM_AUTO(cm_free_ptr) char *dir = NULL;
    CM_AUTO(dir_close) DIR *d = NULL;
    CM_AUTO(cm_cli_paths_free) char **list = NULL;
    const struct dirent *e;
    size_t count = 0;

    CM_TRY(cm_cli_home(cli, &dir, "trusted"));
    CM_TRY(cm_alloc_array(&list, TRUSTED_MAX + 1, sizeof *list));
    d = opendir(dir);
    while (d && (e = readdir(d)) != NULL) {
        if (!is_public_key(e->d_name))
            continue;
        if (count == TRUSTED_MAX)
            return cm_cli_about(cli, "trusted", CM_FAIL(TOO_BIG), "trust fewer publishers");
        CM_TRY(join(&list[count], dir, "", e->d_name));
        count++;
    }
    qsort(list, count, sizeof *list, by_name);
    *paths = list;
    *n = count;
    list = NULL;
    return CM_OKAY;
}

cm_err cm_cli_resume_key(cm_cli *cli, uint8_t key[32], bool *have)
{
    CM_AUTO(cm_free_ptr) char *home = NULL;
    CM_AUTO(cm_free_ptr) char *path = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};
    struct stat st;
    cm_err e;

    *have = false;
    CM_TRY(cm_cli_home(cli, &home, ""));
    CM_TRY(cm_cli_home(cli, &path, "resume.key"));
    if (stat(home, &st) != 0)
        return CM_OKAY;
    e = cm_os_slurp(&b, path, 32);
    if (cm_is(e, CM_NO_FILE)) {
        CM_TRY(cm_random(cli->crypt, key, 32));
        e = cm_os_spit(path, cm_view_of(key, 32), 0600, false);
        *have = cm_ok(e);
        return CM_OKAY;
    }
    if (cm_ok(e) && b.n == 32) {
        memcpy(key, b.p, 32);
        *have = true;
    }
    return CM_OKAY;
}
