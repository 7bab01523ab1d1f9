/*
 * FLOE's published known answers, every *_ct.txt with its *_pt.txt, whatever implementation wrote
 * them: each opens to its plaintext; what we seal from it opens again and has the same length; and
 * every changed byte is refused.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/os.h"
#include "codec/text.h"
#include "sealed/floe.h"

static cm_crypt *crypt;

static char *folder(void)
{
    const char *root = getenv("CASEMATE_VECTORS");
    char *p = malloc(4096);

    snprintf(p, 4096, "%s/pq/floe", root ? root : "../shared/vectors");
    return p;
}

static cm_buf read_hex(const char *dir, const char *stem, const char *end)
{
    char path[8192];
    cm_buf text = {.max = 8 << 20}, out = {.max = 4 << 20};

    snprintf(path, sizeof path, "%s/%s%s", dir, stem, end);
    assert_true(cm_ok(cm_os_slurp(&text, path, 8 << 20)));
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    assert_true(cm_ok(cm_hex_decode(&out, cm_buf_view(&text))));
    cm_buf_free(&text);
    return out;
}

/* The rotation sets change keys every 4 segments, all others every 2^20. */
static unsigned rotation_of(const char *stem)
{
    return strstr(stem, "rotation") ? 2 : CM_FLOE_ROTATION;
}

static const cm_key32 zero_key;

static cm_err open_message(cm_buf *out, cm_view ct, unsigned rotation)
{
    cm_floe f;
    cm_floe_worker w = {0};
    cm_buf seg = {.max = 4 << 20};
    uint32_t segment = cm_get_be32(ct.p + 2);
    cm_err e;

    if (ct.n < CM_FLOE_HEADER)
        return CM_FAIL(IO_SHORT);
    e = cm_floe_open_start(&f, ct.p, crypt, &zero_key, CM_LIT("This is AAD"), segment);
    if (cm_failed(e))
        return e;
    f.rotation = rotation;
    assert_true(cm_ok(cm_buf_reserve(&seg, segment)));
    e = ct.n == CM_FLOE_HEADER ? CM_FAIL(IO_SHORT) : CM_OKAY;
    for (size_t at = CM_FLOE_HEADER, i = 0; cm_ok(e) && at < ct.n; i++) {
        size_t n = CM_MIN((size_t)segment, ct.n - at);

        memcpy(seg.p, ct.p + at, n);
        at += n;
        e = cm_floe_open(&f, &w, seg.p, n, i, at == ct.n);
        if (cm_ok(e))
            e = cm_buf_append(out, cm_view_of(seg.p + CM_FLOE_HEAD, n - CM_FLOE_OVERHEAD));
    }
    cm_floe_worker_done(&w);
    cm_floe_done(&f);
    cm_buf_free(&seg);
    return e;
}

static cm_buf seal_message(cm_view pt, uint32_t segment, unsigned rotation)
{
    cm_floe f;
    cm_floe_worker w = {0};
    cm_buf out = {.max = 8 << 20};
    size_t full = segment - CM_FLOE_OVERHEAD, at = 0;

    assert_true(cm_ok(cm_buf_reserve(&out, out.max)));
    assert_true(
        cm_ok(cm_floe_seal_start(&f, out.p, crypt, &zero_key, CM_LIT("This is AAD"), segment)));
    f.rotation = rotation;
    out.n = CM_FLOE_HEADER;
    for (uint64_t i = 0;; i++) {
        size_t n = CM_MIN(full, pt.n - at);
        bool last = at + n == pt.n;

        memcpy(out.p + out.n + CM_FLOE_HEAD, pt.p + at, n);
        assert_true(cm_ok(cm_floe_seal(&f, &w, out.p + out.n, n, i, last)));
        out.n += n + CM_FLOE_OVERHEAD;
        at += n;
        if (last)
            break;
    }
    cm_floe_worker_done(&w);
    cm_floe_done(&f);
    return out;
}

static void refuse_changes(cm_view ct, unsigned rotation)
{
    uint8_t *copy = malloc(ct.n);

    for (size_t i = 0; i<ct.n; i += ct.n> 2048 ? 37 : 1) {
        cm_buf out = {.max = 4 << 20};

        memcpy(copy, ct.p, ct.n);
        copy[i] ^= 0x40;
        if (i < 6 && i >= 2) { /* the segment length itself: refused before it sizes a buffer */
            cm_floe f;
            cm_err e = cm_floe_open_start(&f, copy, crypt, &zero_key, CM_LIT("This is AAD"),
                                          cm_get_be32(ct.p + 2));
            assert_true(cm_is(e, CM_FLOE_PARAMS));
            continue;
        }
        assert_true(cm_failed(open_message(&out, cm_view_of(copy, ct.n), rotation)));
        cm_buf_free(&out);
    }
    for (size_t n = CM_FLOE_HEADER; n<ct.n; n += ct.n> 2048 ? 41 : 1) {
        cm_buf out = {.max = 4 << 20};

        assert_true(cm_failed(open_message(&out, cm_view_sub(ct, 0, n), rotation)));
        cm_buf_free(&out);
    }
    free(copy);
}

static void one_set(const char *dir, const char *stem)
{
    cm_buf ct = read_hex(dir, stem, "_ct.txt"), pt = read_hex(dir, stem, "_pt.txt");
    cm_buf out = {.max = 4 << 20}, again = {.max = 4 << 20}, ours;
    unsigned rotation = rotation_of(stem);

    assert_true(cm_ok(open_message(&out, cm_buf_view(&ct), rotation)));
    assert_true(cm_view_eq(cm_buf_view(&out), cm_buf_view(&pt)));
    ours = seal_message(cm_buf_view(&pt), cm_get_be32(ct.p + 2), rotation);
    if (!strstr(stem, "lastSegEmpty"))
        assert_int_equal(ours.n, ct.n);
    assert_true(cm_ok(open_message(&again, cm_buf_view(&ours), rotation)));
    assert_true(cm_view_eq(cm_buf_view(&again), cm_buf_view(&pt)));
    refuse_changes(cm_buf_view(&ct), rotation);
    cm_buf_free(&ct);
    cm_buf_free(&pt);
    cm_buf_free(&out);
    cm_buf_free(&again);
    cm_buf_free(&ours);
}

static void test_published(void **state)
{
    char *dir = folder();
    DIR *d = opendir(dir);
    struct dirent *e;
    unsigned ran = 0;

    (void)state;
    while ((e = readdir(d)) != NULL) {
        size_t n = strlen(e->d_name);

        if (n <= 7 || strcmp(e->d_name + n - 7, "_ct.txt") != 0)
            continue;
        e->d_name[n - 7] = 0;
        one_set(dir, e->d_name);
        ran++;
    }
    closedir(d);
    free(dir);
    print_message("floe: %u sets ran, none skipped\n", ran);
    assert_true(ran > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_published)};
    char *dir = folder();
    DIR *d = opendir(dir);
    int rc;

    if (!d) {
        printf("SKIP floe: no vectors at %s (set CASEMATE_VECTORS)\n", dir);
        free(dir);
        return 77;
    }
    closedir(d);
    free(dir);
    if (cm_failed(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)))
        return 1;
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    cm_crypt_free(crypt);
    return rc;
}
