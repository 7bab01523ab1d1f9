/* A folder's files. Folders that are still to be read wait in a list, so that depth costs memory
 * and not stack. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "base/os.h"
#include "codec/text.h"
#include "sealed/dir_int.h"

struct scan {
    cm_dir d;
    int dirfd;
    cm_dir todo; /* folders, as entries */
    cm_buf path; /* of the entry at hand */
};

static void done(struct scan *s)
{
    cm_dir_free(&s->d);
    cm_dir_free(&s->todo);
    cm_buf_free(&s->path);
}

static size_t depth_of(cm_view path)
{
    size_t n = 0;

    for (size_t i = 0; i < path.n; i++)
        n += path.p[i] == '/';
    return n;
}

/* One that can be shown on a terminal. */
static cm_err printable(char **out, cm_view path)
{
    static const char hex[] = "0123456789abcdef";
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4 * path.n + 1};
    bool utf8 = cm_utf8_valid(path);

    for (size_t i = 0; i < path.n; i++) {
        uint8_t c = path.p[i];
        bool c1 = c == 0xc2 && i + 1 < path.n && path.p[i + 1] < 0xa0;

        if (c >= 0x20 && c != 0x7f && c != '\\' && (c < 0x80 || (utf8 && !c1))) {
            CM_TRY(cm_buf_byte(&b, c));
        } else {
            uint8_t text[4] = {'\\', 'x', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};

            CM_TRY(cm_buf_append(&b, CM_VIEW(text)));
            utf8 = utf8 && !c1;
        }
    }
    return cm_strdup(out, cm_buf_view(&b));
}

static cm_err add_file(struct scan *s, cm_view path, const struct stat *st)
{
    cm_dir_entry *e;

    CM_TRY(cm_dir_add(&s->d, path, (uint64_t)st->st_size, (st->st_mode & S_IXUSR) != 0));
    e = &s->d.v[s->d.n - 1];
    e->seen.dev = st->st_dev;
    e->seen.ino = st->st_ino;
    e->seen.sec = st->st_mtim.tv_sec;
    e->seen.nsec = st->st_mtim.tv_nsec;
    return CM_OKAY;
}

/* S-8 */
static cm_err add_entry(struct scan *s, int fd, const char *name)
{
    cm_view path = cm_buf_view(&s->path);
    struct stat st;

    CM_TRY(cm_dir_stat(&st, fd, name));
    if (S_ISLNK(st.st_mode))
        return CM_FAIL(DIR_LINK);
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return CM_FAIL(DIR_SPECIAL);
    if (depth_of(path) + S_ISDIR(st.st_mode) > CM_DIR_DEPTH_MAX)
        return CM_FAIL(DIR_DEPTH);
    if (!cm_dir_path_ok(path))
        return CM_FAIL(DIR_PATH);
    return S_ISDIR(st.st_mode) ? cm_dir_add(&s->todo, path, 0, false) : add_file(s, path, &st);
}

static cm_err set_path(struct scan *s, const char *folder, const char *name)
{
    s->path.n = 0;
    CM_TRY(cm_buf_append(&s->path, cm_view_str(folder)));
    if (*folder && *name)
        CM_TRY(cm_buf_byte(&s->path, '/'));
    return cm_buf_append(&s->path, cm_view_str(name));
}

static void close_dir(DIR **d)
{
    if (*d)
        closedir(*d);
}

static cm_err read_folder(struct scan *s, const char *folder)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    CM_AUTO(close_dir) DIR *d = NULL;

    CM_TRY(set_path(s, folder, ""));
    CM_TRY(cm_dir_open_folder(&fd, s->dirfd, folder));
    d = fdopendir(fd);
    if (!d)
        return cm_os_err(errno, CM_IO_OPEN);
    fd = -1;
    for (;;) {
        const struct dirent *e;

        errno = 0;
        e = readdir(d);
        if (!e)
            return errno ? cm_os_err(errno, CM_IO_READ) : CM_OKAY;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        CM_TRY(set_path(s, folder, e->d_name));
        CM_TRY(add_entry(s, dirfd(d), e->d_name));
    }
}

static cm_err read_folders(struct scan *s)
{
    CM_TRY(read_folder(s, ""));
    while (s->todo.n > 0) {
        CM_AUTO(cm_free_ptr) char *folder = s->todo.v[--s->todo.n].path;

        CM_TRY(read_folder(s, folder));
    }
    return CM_OKAY;
}

static int by_path(const void *a, const void *b)
{
    const cm_dir_entry *x = a, *y = b;

    return cm_view_compare(cm_view_str(x->path), cm_view_str(y->path));
}

static cm_err finish(struct scan *s)
{
    s->path.n = 0; /* from here on nobody in particular is to blame */
    if (s->d.n == 0)
        return CM_FAIL(DIR_EMPTY);
    qsort(s->d.v, s->d.n, sizeof *s->d.v, by_path);
    CM_TRY(cm_dir_layout(&s->d));
    return cm_dir_in_order(&s->d) ? CM_OKAY : CM_FAIL(DIR_CHANGED);
}

cm_err cm_dir_scan(cm_dir *out, int dirfd, char **bad)
{
    CM_AUTO(done) struct scan s = {.dirfd = dirfd, .path.max = 2 * CM_DIR_PATH_MAX + 512};
    cm_err e = read_folders(&s);

    if (bad)
        *bad = NULL;
    if (cm_ok(e))
        e = finish(&s);
    if (cm_ok(e)) {
        *out = s.d;
        s.d = (cm_dir){0};
    } else if (bad && s.path.n > 0 && cm_failed(printable(bad, cm_buf_view(&s.path)))) {
        *bad = NULL;
    }
    return e;
}
