/* Folders: the table, the walk, the plaintext as a source, and the folder made again. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "codec/cbor.h"
#include "proc.h"
#include "sealed/dir.h"
#include "tensors.h"

struct fixture {
    char root[T_PATH];
    int fd;
};

static int set_up(void **state)
{
    static struct fixture f;

    t_mkdir(f.root);
    f.fd = open(f.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.fd >= 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    close(f->fd);
    t_rmdir(f->root);
    return 0;
}

static void file(const struct fixture *f, const char *name, size_t n)
{
    static uint8_t b[3 * CM_DIR_ALIGN];

    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)((uint8_t)name[i % strlen(name)] + i / 251);
    t_put_file(t_path(f->root, name), cm_view_of(b, n));
}

static void folder(const struct fixture *f, const char *name)
{
    assert_int_equal(mkdir(t_path(f->root, name), 0755), 0);
}

/* ---- paths and tables ---------------------------------------------------------------------- */

/* S-7 */
static void paths(void **state)
{
    static const char *const good[] = {
        "a", "a/b/c", ".git", "...", "a..b", "x y", "\xc3\xa9/\xf0\x9f\x98\x80"};
    static const char *const bad[] = {
        "",         "/",     "/a",   "a/",         "a//b",     ".",     "..",
        "a/.",      "./a",   "a/..", "../a",       "a/../b",   "a\\b",  "a\nb",
        "\x1b[31m", "a\x7f", "\xff", "a/\xc0\xaf", "\xc2\x85", "C:\\a",
    };
    char text[1100];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(good); i++)
        assert_true(cm_dir_path_ok(cm_view_str(good[i])));
    for (size_t i = 0; i < CM_COUNT(bad); i++)
        assert_false(cm_dir_path_ok(cm_view_str(bad[i])));
    assert_false(cm_dir_path_ok(CM_LIT("a\0b")));
    memset(text, 'a', sizeof text);
    for (size_t i = 200; i < sizeof text; i += 200)
        text[i] = '/';
    assert_true(cm_dir_path_ok(cm_view_of(text, CM_DIR_PATH_MAX)));
    assert_false(cm_dir_path_ok(cm_view_of(text, CM_DIR_PATH_MAX + 1)));
    memset(text, 'a', 256);
    assert_true(cm_dir_path_ok(cm_view_of(text, 255)));
    assert_false(cm_dir_path_ok(cm_view_of(text, 256)));
    for (size_t i = 0; i < 80; i++)
        text[i] = i % 2 ? '/' : 'a';
    assert_true(cm_dir_path_ok(cm_view_of(text, 2 * CM_DIR_DEPTH_MAX + 1)));
    assert_false(cm_dir_path_ok(cm_view_of(text, 2 * CM_DIR_DEPTH_MAX + 3)));
}

struct entry {
    const char *path;
    uint64_t size;
};

/* A plaintext's table as another writer would make it, claiming the plaintext to be so long. */
static cm_err decode(cm_dir *d, const struct entry *v, size_t n, uint64_t plain, int touch)
{
    cm_buf b = {.max = 1 << 20}, cbor = {.max = 1 << 20};
    struct t_bytes bytes;
    cm_source s;
    cm_err e;

    assert_true(cm_ok(cm_cbor_put_array(&cbor, n)));
    for (size_t i = 0; i < n; i++) {
        assert_true(cm_ok(cm_cbor_put_array(&cbor, 3)));
        assert_true(cm_ok(cm_cbor_put_text(&cbor, cm_view_str(v[i].path))));
        assert_true(cm_ok(cm_cbor_put_uint(&cbor, v[i].size)));
        assert_true(cm_ok(cm_cbor_put_bool(&cbor, i == 0)));
    }
    assert_true(cm_ok(cm_buf_append(&b, CM_LIT("CSMDIR01"))));
    assert_true(cm_ok(cm_buf_be32(&b, (uint32_t)cbor.n)));
    assert_true(cm_ok(cm_buf_append(&b, cm_buf_view(&cbor))));
    while (b.n % CM_DIR_ALIGN)
        assert_true(cm_ok(cm_buf_byte(&b, 0)));
    if (touch >= 0)
        b.p[touch] ^= 1;
    bytes = (struct t_bytes){.v = cm_buf_view(&b), .size = plain};
    s = t_source(&bytes);
    e = cm_dir_decode(d, &s);
    cm_buf_free(&cbor);
    cm_buf_free(&b);
    return e;
}

static void reads_tables(void **state)
{
    static const struct entry v[] = {{"a", 0}, {"a-b", 1}, {"b/c", 4096}, {"b/d", 4097}};
    cm_dir d = {0};

    (void)state;
    assert_true(cm_ok(decode(&d, v, 4, 5 * CM_DIR_ALIGN, -1)));
    assert_int_equal(d.n, 4);
    assert_true(d.v[0].executable && !d.v[1].executable);
    assert_int_equal(d.v[0].offset, 4096);
    assert_int_equal(d.v[1].offset, 4096);
    assert_int_equal(d.v[2].offset, 8192);
    assert_int_equal(d.v[3].offset, 12288);
    assert_string_equal(d.v[3].path, "b/d");
    cm_dir_free(&d);
    cm_dir_free(&d);
    assert_true(cm_ok(decode(&d, v, 0, CM_DIR_ALIGN, -1)));
    cm_dir_free(&d);
}

/* S-7 */
static void refuses_tables(void **state)
{
    static const struct entry bad[][3] = {
        {{"b", 1}, {"a", 1}},
        {{"a", 1}, {"a", 1}},
        {{"a", 1}, {"a/b", 1}},
        {{"a", 1}, {"a-b", 1}, {"a/b", 1}},
        {{"../a", 1}, {"b", 1}},
        {{"/a", 1}, {"b", 1}},
        {{"a", 1}, {"b/../../c", 1}},
        {{"a", 1}, {"b\\c", 1}},
        {{"a", 1}, {"b\n", 1}},
        {{"a", 1}, {"b", UINT64_C(1) << 60}},
        {{"a", UINT64_MAX}, {"b", 1}},
        {{"a", UINT64_MAX - 4095}, {"b", 1}},
        {{"a", UINT64_C(1) << 63}, {"b", UINT64_C(1) << 63}},
    };
    static const struct entry two[] = {{"a", 1}, {"b", 1}};
    cm_dir d = {.n = 77};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        size_t n = bad[i][2].path ? 3 : 2;

        assert_true(cm_is(decode(&d, bad[i], n, (n + 1) * CM_DIR_ALIGN, -1), CM_DIR_TABLE));
    }
    for (uint64_t size = 1; size < 8 * CM_DIR_ALIGN; size += 4095)
        assert_true(cm_is(decode(&d, two, 2, size, -1), CM_DIR_TABLE));
    for (int at = 0; at < CM_DIR_ALIGN; at++) {
        if (at >= 13 && at < 32) /* other paths, sizes and modes */
            continue;
        assert_true(cm_is(decode(&d, two, 2, 3 * CM_DIR_ALIGN, at), CM_DIR_TABLE));
    }
    assert_int_equal(d.n, 77);
    assert_true(cm_ok(decode(&d, two, 2, 3 * CM_DIR_ALIGN, -1)));
    cm_dir_free(&d);
}

static void every_changed_byte_of_a_table(void **state)
{
    static const struct entry two[] = {{"a", 1}, {"b", 1}};

    (void)state;
    for (unsigned plain = 1; plain < 5; plain++) {
        for (int at = 0; at < 64; at++) {
            cm_dir d = {0};

            if (cm_ok(decode(&d, two, 2, plain * CM_DIR_ALIGN, at)))
                for (size_t i = 0; i < d.n; i++)
                    assert_true(d.v[i].offset + d.v[i].size <= plain * CM_DIR_ALIGN);
            cm_dir_free(&d);
        }
    }
}

static void writes_no_bad_table(void **state)
{
    char a[] = "a", b[] = "a/b", up[] = "../x";
    cm_dir_entry v[] = {{.path = a, .size = 1}, {.path = b, .size = 1}};
    cm_dir d = {.v = v, .n = 2};
    cm_buf out = {.max = 1 << 16};

    (void)state;
    assert_true(cm_is(cm_dir_encode(&out, &d), CM_BAD_ARGUMENT));
    assert_true(cm_is(cm_dir_create(-1, &d), CM_BAD_ARGUMENT));
    v[1].path = a;
    assert_true(cm_is(cm_dir_encode(&out, &d), CM_BAD_ARGUMENT));
    d.n = 1;
    v[0].path = up;
    assert_true(cm_is(cm_dir_encode(&out, &d), CM_BAD_ARGUMENT));
    assert_int_equal(out.n, 0);
    cm_buf_free(&out);
}

/* ---- scanning ------------------------------------------------------------------------------ */

static void scan_sorts_and_lays_out(void **state)
{
    const struct fixture *f = *state;
    static const char *const want[] = {".hidden/x", "a", "a-b", "b/c/d", "config.json"};
    cm_dir d = {0};
    char *bad = (char *)1;

    folder(f, "b");
    folder(f, "b/c");
    folder(f, ".hidden");
    folder(f, "empty");
    file(f, "config.json", 10);
    file(f, "b/c/d", 4096);
    file(f, "a-b", 4097);
    file(f, "a", 0);
    file(f, ".hidden/x", 1);
    assert_int_equal(chmod(t_path(f->root, "a-b"), 0755), 0);
    assert_true(cm_ok(cm_dir_scan(&d, f->fd, &bad)));
    assert_null(bad);
    assert_int_equal(d.n, CM_COUNT(want));
    for (size_t i = 0; i < d.n; i++) {
        assert_string_equal(d.v[i].path, want[i]);
        assert_int_equal(d.v[i].executable, i == 2);
        assert_int_equal(d.v[i].offset % CM_DIR_ALIGN, 0);
    }
    assert_int_equal(d.plain_size, 6 * CM_DIR_ALIGN);
    cm_dir_free(&d);
}

static void expect_bad(const struct fixture *f, cm_reason reason, const char *name)
{
    cm_dir d = {.n = 77};
    char *bad = NULL;
    cm_err e = cm_dir_scan(&d, f->fd, &bad);

    if (e.v != (uint32_t)reason)
        print_error("%s\n", cm_err_name(e));
    assert_int_equal(e.v, reason);
    assert_int_equal(d.n, 77);
    if (name)
        assert_string_equal(bad, name);
    else
        assert_null(bad);
    cm_free(bad);
    assert_int_equal(cm_dir_scan(&d, f->fd, NULL).v, reason);
}

/* S-8 */
static void scan_refuses_links(void **state)
{
    const struct fixture *f = *state;

    folder(f, "d");
    file(f, "d/real", 5);
    assert_int_equal(symlink("real", t_path(f->root, "d/link")), 0);
    expect_bad(f, CM_DIR_LINK, "d/link");
    assert_int_equal(unlink(t_path(f->root, "d/link")), 0);
    assert_int_equal(symlink("/", t_path(f->root, "root")), 0);
    expect_bad(f, CM_DIR_LINK, "root");
    assert_int_equal(unlink(t_path(f->root, "root")), 0);
    assert_int_equal(symlink("nowhere", t_path(f->root, "d/dangling")), 0);
    expect_bad(f, CM_DIR_LINK, "d/dangling");
}

/* S-8 */
static void scan_refuses_special_files(void **state)
{
    const struct fixture *f = *state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    file(f, "a", 5);
    assert_int_equal(mkfifo(t_path(f->root, "pipe"), 0644), 0);
    expect_bad(f, CM_DIR_SPECIAL, "pipe");
    assert_int_equal(unlink(t_path(f->root, "pipe")), 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%.90s/socket", f->root);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    expect_bad(f, CM_DIR_SPECIAL, "socket");
    close(fd);
}

static void scan_refuses_names(void **state)
{
    static const struct {
        const char *name, *shown;
    } all[] = {
        {"a\xff", "a\\xff"},
        {"new\nline", "new\\x0aline"},
        {"\x1b[2J", "\\x1b[2J"},
        {"back\\slash", "back\\x5cslash"},
        {"\xc2\x9b"
         "2J\xc3\xa9",
         "\\xc2\\x9b2J\\xc3\\xa9"},
    };
    const struct fixture *f = *state;

    for (size_t i = 0; i < CM_COUNT(all); i++) {
        file(f, all[i].name, 1);
        expect_bad(f, CM_DIR_PATH, all[i].shown);
        assert_int_equal(unlink(t_path(f->root, all[i].name)), 0);
        folder(f, all[i].name);
        expect_bad(f, CM_DIR_PATH, all[i].shown);
        assert_int_equal(rmdir(t_path(f->root, all[i].name)), 0);
    }
    expect_bad(f, CM_DIR_EMPTY, NULL);
}

static void scan_bounds_depth(void **state)
{
    const struct fixture *f = *state;
    char path[4 * CM_DIR_DEPTH_MAX] = "d";
    cm_dir d = {0};

    for (int i = 1; i < CM_DIR_DEPTH_MAX; i++) {
        folder(f, path);
        strcat(path, "/d");
    }
    folder(f, path);
    strcat(path, "/f");
    file(f, path, 1);
    assert_true(cm_ok(cm_dir_scan(&d, f->fd, NULL)));
    assert_int_equal(d.n, 1);
    cm_dir_free(&d);
    path[strlen(path) - 1] = 'd';
    folder(f, path);
    expect_bad(f, CM_DIR_DEPTH, path);
}

/* ---- the source ---------------------------------------------------------------------------- */

struct model {
    cm_dir d;
    cm_source src;
    cm_dir_source *s;
};

static void open_model(struct model *m, const struct fixture *f)
{
    *m = (struct model){0};
    assert_true(cm_ok(cm_dir_scan(&m->d, f->fd, NULL)));
    assert_true(cm_ok(cm_dir_source_new(&m->s, &m->src, f->fd, &m->d)));
    assert_int_equal(m->src.size, m->d.plain_size);
}

static void close_model(struct model *m)
{
    cm_dir_source_free(m->s);
    cm_dir_free(&m->d);
}

static cm_err read_at(struct model *m, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    return m->src.read(m->src.self, p, n, off, got);
}

static void some_files(const struct fixture *f)
{
    folder(f, "x");
    file(f, "a", 5000);
    file(f, "b", 0);
    file(f, "x/c", 4096);
    file(f, "x/d", 1);
    file(f, "z", 0);
}

static uint8_t *whole(struct model *m)
{
    uint8_t *p = malloc((size_t)m->d.plain_size);
    size_t got;

    assert_non_null(p);
    assert_true(cm_ok(read_at(m, p, (size_t)m->d.plain_size, 0, &got)));
    assert_int_equal(got, m->d.plain_size);
    return p;
}

static void source_is_table_files_and_zeros(void **state)
{
    const struct fixture *f = *state;
    struct t_bytes bytes;
    struct model m;
    cm_dir again = {0};
    uint8_t *all, part[64];
    cm_source s;

    some_files(f);
    open_model(&m, f);
    all = whole(&m);
    bytes = (struct t_bytes){.v = cm_view_of(all, (size_t)m.d.plain_size)};
    s = t_source(&bytes);
    assert_true(cm_ok(cm_dir_decode(&again, &s)));
    assert_int_equal(again.n, 5);
    for (size_t i = 0; i < again.n; i++) {
        cm_buf b = {.max = 1 << 16};
        const cm_dir_entry *e = &again.v[i];

        t_get_file(&b, t_path(f->root, e->path));
        assert_true(cm_view_eq(cm_buf_view(&b), cm_view_of(all + e->offset, (size_t)e->size)));
        for (uint64_t at = e->offset + e->size; at % CM_DIR_ALIGN; at++)
            assert_int_equal(all[at], 0);
        cm_buf_free(&b);
    }
    for (uint64_t off = 0; off <= m.d.plain_size + 7; off += 61) {
        size_t got = 99, want = off < m.d.plain_size ? (size_t)(m.d.plain_size - off) : 0;

        assert_true(cm_ok(read_at(&m, part, sizeof part, off, &got)));
        assert_int_equal(got, CM_MIN(want, sizeof part));
        assert_true(cm_view_eq(cm_view_of(part, got), cm_view_of(all + off, got)));
    }
    assert_true(cm_ok(cm_dir_source_check(m.s)));
    cm_dir_free(&again);
    free(all);
    close_model(&m);
}

static void change(const struct fixture *f, int how)
{
    const char *path = t_path(f->root, "a");
    struct timespec times[2];
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    times[0] = times[1] = st.st_mtim;
    if (how == 0) { /* the size alone */
        file(f, "a", 5001);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    } else if (how == 1)
        assert_int_equal(truncate(path, 100), 0);
    else if (how == 2) {
        times[1].tv_sec--;
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    } else if (how == 7) {
        times[1].tv_nsec ^= 1;
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    } else if (how == 8) { /* another file of the same size and time */
        assert_int_equal(rename(path, t_path(f->root, "x/old")), 0);
        file(f, "a", 5000);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    } else if (how == 3)
        assert_int_equal(unlink(path), 0);
    else if (how == 4)
        assert_true(unlink(path) == 0 && symlink("x/c", path) == 0);
    else if (how == 5)
        assert_true(unlink(path) == 0 && mkfifo(path, 0644) == 0);
    else
        assert_true(rename(t_path(f->root, "x"), t_path(f->root, "y")) == 0 &&
                    symlink("y", t_path(f->root, "x")) == 0);
}

static void changes_are_noticed(void **state)
{
    const struct fixture *f = *state;

    for (int how = 0; how < 9; how++) {
        for (int opened = 0; opened < 2; opened++) {
            struct model m;
            uint8_t *all, b[16];
            size_t got;
            uint64_t off;

            some_files(f);
            open_model(&m, f);
            if (opened) {
                all = whole(&m);
                free(all);
            }
            change(f, how);
            off = m.d.v[how == 6 ? 2 : 0].offset + 4000;
            if (!opened || how == 1)
                assert_true(cm_is(read_at(&m, b, sizeof b, off, &got), CM_DIR_CHANGED));
            assert_true(cm_is(cm_dir_source_check(m.s), CM_DIR_CHANGED));
            close_model(&m);
            assert_int_equal(
                t_run(NULL, (cm_view){0},
                      (const char *const[]){"rm", "-rf", t_path(f->root, "a"), t_path(f->root, "x"),
                                            t_path(f->root, "y"), NULL}),
                0);
        }
    }
}

enum { MANY = 40, THREADS = 24 };

static void *reader(void *arg)
{
    struct model *m = arg;
    uint8_t b[5];
    size_t got;

    for (unsigned i = 0; i < 4000; i++) {
        const cm_dir_entry *e = &m->d.v[i * 7 % m->d.n];

        if (cm_failed(read_at(m, b, sizeof b, e->offset, &got)) || got != sizeof b ||
            b[0] != (uint8_t)e->path[0] || b[1] != (uint8_t)e->path[1] ||
            b[2] != (uint8_t)e->path[2])
            return m;
    }
    return NULL;
}

static void many_threads_and_more_files_than_are_kept_open(void **state)
{
    const struct fixture *f = *state;
    pthread_t t[THREADS];
    struct model m;
    char name[8];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "f%02u", i);
        file(f, name, 100);
    }
    open_model(&m, f);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, reader, &m), 0);
    for (int i = 0; i < THREADS; i++) {
        void *bad;

        pthread_join(t[i], &bad);
        assert_null(bad);
    }
    close_model(&m);
}

static void identity_follows_the_files(void **state)
{
    const struct fixture *f = *state;
    struct timespec past[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    uint8_t a[32], b[32];
    cm_crypt *c = NULL;
    cm_dir d = {0};

    assert_true(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    some_files(f);
    for (int i = 0; i < 3; i++) {
        assert_true(cm_ok(cm_dir_scan(&d, f->fd, NULL)));
        assert_true(cm_ok(cm_dir_identity(&d, c, i ? b : a)));
        cm_dir_free(&d);
        if (i)
            assert_int_equal(cm_view_eq(CM_VIEW(a), CM_VIEW(b)), i == 1);
        if (i == 1)
            utimensat(f->fd, "x/c", past, 0);
    }
    cm_crypt_free(c);
}

/* ---- making it again ----------------------------------------------------------------------- */

static void creates_and_opens(void **state)
{
    const struct fixture *f = *state;
    struct model m;
    struct stat st;
    int out, fd = -1;
    mode_t mask = umask(022);

    folder(f, "in");
    folder(f, "out");
    out = open(t_path(f->root, "out"), O_RDONLY | O_DIRECTORY);
    some_files(f);
    assert_int_equal(chmod(t_path(f->root, "x/d"), 0700), 0);
    open_model(&m, f);
    assert_true(cm_ok(cm_dir_create(out, &m.d)));
    for (size_t i = 0; i < m.d.n; i++) {
        assert_true(cm_ok(cm_dir_open_entry(&fd, out, &m.d.v[i], true)));
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_size, m.d.v[i].size);
        assert_int_equal(st.st_mode & 07777, m.d.v[i].executable ? 0755 : 0644);
        assert_int_equal(write(fd, "w", 1), 1);
        close(fd);
    }
    assert_true(m.d.v[3].executable);
    assert_true(cm_is(cm_dir_create(out, &m.d), CM_DIR_NOT_EMPTY));
    cm_dir_remove(t_path(f->root, "out"));
    assert_int_equal(access(t_path(f->root, "out"), F_OK), -1);
    close(out);
    umask(mask);
    close_model(&m);
}

/* S-8: nor into what a link leads to, whatever was put there meanwhile. */
static void opens_through_no_link(void **state)
{
    const struct fixture *f = *state;
    char path[] = "d/f";
    cm_dir_entry e = {.path = path, .size = 1};
    int fd = -7;

    folder(f, "real");
    file(f, "real/f", 1);
    assert_int_equal(symlink("real", t_path(f->root, "d")), 0);
    assert_true(cm_is(cm_dir_open_entry(&fd, f->fd, &e, false), CM_DIR_LINK));
    assert_true(cm_is(cm_dir_open_entry(&fd, f->fd, &e, true), CM_DIR_LINK));
    assert_int_equal(unlink(t_path(f->root, "d")), 0);
    folder(f, "d");
    assert_int_equal(symlink("../real/f", t_path(f->root, "d/f")), 0);
    assert_true(cm_is(cm_dir_open_entry(&fd, f->fd, &e, true), CM_DIR_LINK));
    assert_int_equal(unlink(t_path(f->root, "d/f")), 0);
    assert_true(cm_is(cm_dir_open_entry(&fd, f->fd, &e, false), CM_NO_FILE));
    assert_int_equal(mkfifo(t_path(f->root, "d/f"), 0644), 0);
    assert_true(cm_is(cm_dir_open_entry(&fd, f->fd, &e, false), CM_DIR_SPECIAL));
    file(f, "plain", 1);
    memcpy(path, "d/.", 3);
    assert_true(cm_is(cm_dir_open_entry(&fd, f->fd, &e, false), CM_BAD_ARGUMENT));
    assert_int_equal(fd, -7);
}

static void creates_below_no_link(void **state)
{
    const struct fixture *f = *state;
    char path[] = "../out/evil";
    cm_dir_entry v[] = {{.path = path, .size = 1}};
    cm_dir d = {.v = v, .n = 1};
    int in;

    folder(f, "out");
    folder(f, "in");
    in = open(t_path(f->root, "in"), O_RDONLY | O_DIRECTORY);
    assert_true(cm_is(cm_dir_create(in, &d), CM_BAD_ARGUMENT));
    assert_int_equal(symlink("../out", t_path(f->root, "in/link")), 0);
    memcpy(path, "link/evil", 10);
    assert_true(cm_is(cm_dir_create(in, &d), CM_DIR_NOT_EMPTY));
    assert_int_equal(rmdir(t_path(f->root, "out")), 0);
    close(in);
}

static void remove_follows_no_link(void **state)
{
    const struct fixture *f = *state;

    folder(f, "keep");
    file(f, "keep/me", 3);
    folder(f, "gone");
    folder(f, "gone/deep");
    folder(f, "gone/deep/er");
    file(f, "gone/deep/er/file", 3);
    file(f, "gone/file", 3);
    assert_int_equal(symlink("../../keep", t_path(f->root, "gone/deep/link")), 0);
    assert_int_equal(symlink("gone", t_path(f->root, "link")), 0);
    cm_dir_remove(t_path(f->root, "link"));
    cm_dir_remove(t_path(f->root, "missing"));
    assert_int_equal(access(t_path(f->root, "gone/file"), F_OK), 0);
    cm_dir_remove(t_path(f->root, "gone"));
    assert_int_equal(access(t_path(f->root, "gone"), F_OK), -1);
    assert_int_equal(access(t_path(f->root, "keep/me"), F_OK), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(reads_tables),
        cmocka_unit_test(refuses_tables),
        cmocka_unit_test(every_changed_byte_of_a_table),
        cmocka_unit_test(writes_no_bad_table),
        IN_FOLDER(scan_sorts_and_lays_out),
        IN_FOLDER(scan_refuses_links),
        IN_FOLDER(scan_refuses_special_files),
        IN_FOLDER(scan_refuses_names),
        IN_FOLDER(scan_bounds_depth),
        IN_FOLDER(source_is_table_files_and_zeros),
        IN_FOLDER(changes_are_noticed),
        IN_FOLDER(many_threads_and_more_files_than_are_kept_open),
        IN_FOLDER(identity_follows_the_files),
        IN_FOLDER(creates_and_opens),
        IN_FOLDER(opens_through_no_link),
        IN_FOLDER(creates_below_no_link),
        IN_FOLDER(remove_follows_no_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
