#include "vectors.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/base.h"

enum {
    FILE_MAX = 64 << 20,
    FOLDER_SIZE = 4096,
    PATH_SIZE = FOLDER_SIZE + 256,
    REASONS = 24,
    RING = 16,
    SHOWN = 20,
    SKIPPED = 77
};

static struct {
    const char *file, *name;
    uint64_t number;
    size_t ran, skipped, failed; /* of this file */
    size_t all_ran, all_skipped, all_failed;
    struct {
        const char *why;
        size_t n;
    } reason[REASONS]; /* of this file */
} now;

static void die(const char *what, const char *path)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

/* ---- counting ----------------------------------------------------------------------------- */

void t_case(const char *name, uint64_t number)
{
    now.name = name;
    now.number = number;
}

void t_ran(void)
{
    now.ran++;
}

void t_skip(const char *why)
{
    size_t i = 0;

    now.skipped++;
    while (i < REASONS - 1 && now.reason[i].n && strcmp(now.reason[i].why, why) != 0)
        i++;
    now.reason[i].why = why;
    now.reason[i].n++;
}

bool t_check(bool holds, const char *what, const char *file, int line)
{
    if (holds)
        return true;
    now.failed++;
    if (now.failed <= SHOWN)
        fprintf(stderr, "FAIL %s, %s %llu: %s (%s:%d)\n", now.file ? now.file : "-",
                now.name ? now.name : "case", (unsigned long long)now.number, what, file, line);
    return false;
}

static void begin(const char *file)
{
    now.file = file;
    now.name = NULL;
    now.number = 0;
    now.ran = now.skipped = now.failed = 0;
    memset(now.reason, 0, sizeof now.reason);
}

static void end(void)
{
    printf("%s: %zu ran, %zu skipped, %zu failed\n", now.file, now.ran, now.skipped, now.failed);
    for (size_t i = 0; i < REASONS && now.reason[i].n; i++)
        printf("    SKIP %zu: %s\n", now.reason[i].n, now.reason[i].why);
    now.all_ran += now.ran;
    now.all_skipped += now.skipped;
    now.all_failed += now.failed;
}

void t_group(const char *name, void (*fn)(void))
{
    begin(name);
    fn();
    end();
}

int t_vectors_main(void (*run)(void))
{
    run();
    printf("%zu ran, %zu skipped, %zu failed\n", now.all_ran, now.all_skipped, now.all_failed);
    if (now.all_failed)
        return 1;
    if (now.all_ran)
        return 0;
    printf("SKIP: no vectors; set CASEMATE_VECTORS to their folder\n");
    return SKIPPED;
}

/* ---- files -------------------------------------------------------------------------------- */

cm_buf t_slurp(const char *path)
{
    gzFile f = gzopen(path, "rb"); /* reads what is not packed as it is */
    cm_buf b = {.max = FILE_MAX};
    int got = 1;

    if (!f)
        die("can't be opened", path);
    while (got > 0) {
        if (cm_failed(cm_buf_reserve(&b, 1 << 16)))
            die("too large", path);
        got = gzread(f, b.p + b.n, 1 << 16);
        b.n += got > 0 ? (size_t)got : 0;
    }
    if (got < 0 || gzclose(f) != Z_OK)
        die("can't be read", path);
    return b;
}

/* scandir() gives a filter no argument. */
static const char *wanted;

static int matches(const struct dirent *e)
{
    return fnmatch(wanted, e->d_name, FNM_PERIOD) == 0;
}

/* shown: from where in the path a report names it. */
static void run_file(const char *folder, size_t shown, const char *name, void (*fn)(const char *))
{
    char path[PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    begin(path + shown);
    fn(path);
    end();
}

void t_each_file(const char *folder, const char *pattern, void (*fn)(const char *path))
{
    const char *root = getenv("CASEMATE_VECTORS");
    struct dirent **names = NULL;
    char path[FOLDER_SIZE];
    int n;

    snprintf(path, sizeof path, "%s/%s", root ? root : "../shared/vectors", folder);
    wanted = pattern;
    n = scandir(path, &names, matches, alphasort);
    if (n <= 0)
        printf("SKIP: no %s in %s\n", pattern, folder);
    for (int i = 0; i < n; i++) {
        run_file(path, strlen(path) - strlen(folder), names[i]->d_name, fn);
        free(names[i]);
    }
    free(names);
}

/* ---- text --------------------------------------------------------------------------------- */

bool t_line(cm_view *line, cm_view *text)
{
    const uint8_t *end_;

    if (text->n == 0)
        return false;
    end_ = memchr(text->p, '\n', text->n);
    line->p = text->p;
    line->n = end_ ? (size_t)(end_ - text->p) : text->n;
    *text = cm_view_sub(*text, line->n + (end_ != NULL), text->n - line->n - (end_ != NULL));
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

static unsigned digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0';
    c |= 0x20;
    if (c < 'a' || c > 'f')
        die("bad hex in a vector", now.file ? now.file : "-");
    return c - (unsigned)'a' + 10;
}

cm_view t_hex_view(cm_view hex)
{
    static cm_buf ring[RING];
    static unsigned next;
    cm_buf *b = &ring[next++ % RING];

    b->n = 0;
    b->max = FILE_MAX;
    if (hex.n % 2 || cm_failed(cm_buf_reserve(b, hex.n / 2 + 1)))
        die("bad hex in a vector", now.file ? now.file : "-");
    for (size_t i = 0; i < hex.n; i += 2)
        b->p[b->n++] = (uint8_t)(digit(hex.p[i]) << 4 | digit(hex.p[i + 1]));
    return cm_buf_view(b);
}

static cm_view trimmed(cm_view v)
{
    while (v.n && v.p[0] == ' ')
        v = cm_view_sub(v, 1, v.n - 1);
    while (v.n && v.p[v.n - 1] == ' ')
        v.n--;
    return v;
}

bool t_pair(cm_view *name, cm_view *value, cm_view *text)
{
    cm_view line;

    while (t_line(&line, text)) {
        const uint8_t *eq = line.n ? memchr(line.p, '=', line.n) : NULL;
        size_t at = eq ? (size_t)(eq - line.p) : 0;

        if (!eq || line.p[0] == '#')
            continue;
        *name = trimmed(cm_view_of(line.p, at));
        *value = trimmed(cm_view_sub(line, at + 1, line.n - at - 1));
        return true;
    }
    return false;
}
