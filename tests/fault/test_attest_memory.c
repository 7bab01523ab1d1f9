/* What parsers of evidence ask for: never memory for a length that is only declared, and never more
 * in all than inputs and limits account for (AT-160). Each seed of tests/fuzz, with signatures that
 * hold, has lengths of 4 GiB, 2^63 and so on put in, and is cut behind them. CASEMATE_MUTATE in the
 * environment tries far more places. */
#include <dirent.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "appraise/policy.h"
#include "evidence.h"
#include "rim/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { ROOM = 6 << 20, PLACES_MAX = 4096, HEADS = 24, PATH_SIZE = 4096 };

/* For one call, and in all at once: a fixed part, and so many bytes for each of the input. */
enum { ONE_FIXED = 128 << 10, ONE_BYTE = 2, ALL_FIXED = 640 << 10, ALL_BYTE = 6, DENSE_BYTE = 64 };

/* ---- what is asked for (linked with --wrap; OpenSSL's too) ----------------------------------- */

static struct {
    size_t largest, live, peak, calls;
    bool on;
} used;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t n);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static void *had(void *p, size_t n)
{
    if (!used.on)
        return p;
    used.calls++;
    used.largest = CM_MAX(used.largest, n);
    used.live += p ? malloc_usable_size(p) : 0;
    used.peak = CM_MAX(used.peak, used.live);
    return p;
}

static void gone(void *p)
{
    size_t n = p && used.on ? malloc_usable_size(p) : 0;

    used.live -= CM_MIN(n, used.live); /* some were there before */
}

void *__wrap_malloc(size_t n)
{
    return had(__real_malloc(n), n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return had(__real_calloc(n, size), n * size);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
    return had(__real_aligned_alloc(align, n), n);
}

void *__wrap_realloc(void *p, size_t n)
{
    gone(p);
    return had(__real_realloc(p, n), n);
}

void __wrap_free(void *p)
{
    gone(p);
    __real_free(p);
}

/* ---- one input ------------------------------------------------------------------------------- */

static size_t runs, worst_one, worst_all;
static const char *format;

static void choose(const char *name)
{
    format = name;
    assert_int_equal(setenv("CASEMATE_FUZZ_FORMAT", name, 1), 0);
    assert_int_equal(LLVMFuzzerInitialize(NULL, NULL), 0);
}

static void run(const fuzz_pieces *p)
{
    static uint8_t in[ROOM];
    size_t n = fuzz_pieces_write(in, sizeof in, p);

    memset(&used, 0, sizeof used);
    used.on = true;
    (void)LLVMFuzzerTestOneInput(in, n);
    used.on = false;
    runs++;
    if (used.largest > ONE_FIXED + ONE_BYTE * n || used.peak > ALL_FIXED + ALL_BYTE * n)
        fprintf(stderr, "%s: %zu bytes: %zu at once, %zu in all\n", format, n, used.largest,
                used.peak);
    assert_true(used.largest <= ONE_FIXED + ONE_BYTE * n);
    assert_true(used.peak <= ALL_FIXED + ALL_BYTE * n);
    worst_one = CM_MAX(worst_one, used.largest);
    worst_all = CM_MAX(worst_all, used.peak);
}

/* ---- seeds ----------------------------------------------------------------------------------- */

static size_t slurp(uint8_t *to, size_t max, const char *name, const char *file)
{
    const char *root = getenv("CASEMATE_SOURCE");
    char path[PATH_SIZE];
    size_t n;
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/evidence/%s/%s", root ? root : ".",
                   name, file);
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(to, 1, max, f);
    (void)fclose(f);
    return n;
}

static int is_file(const struct dirent *d)
{
    return d->d_name[0] != '.';
}

static void each_seed(void (*fn)(const fuzz_pieces *seed, bool first))
{
    static uint8_t bytes[FUZZ_MAX];
    const char *root = getenv("CASEMATE_SOURCE");
    const fuzz_format *f;

    for (size_t i = 0; (f = fuzz_format_at(i)) != NULL; i++) {
        struct dirent **names = NULL;
        char path[PATH_SIZE];
        int n;

        (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/evidence/%s", root ? root : ".",
                       f->name);
        n = scandir(path, &names, is_file, alphasort);
        assert_true(n > 0);
        choose(f->name);
        for (int k = 0; k < n; k++) {
            fuzz_pieces seed;

            fuzz_pieces_read(
                &seed, cm_view_of(bytes, slurp(bytes, sizeof bytes, f->name, names[k]->d_name)));
            free(names[k]);
            fn(&seed, k == 0);
        }
        free(names);
    }
}

static bool in_focus(uint8_t tag)
{
    const char *focus = fuzz_chosen()->focus;

    return !*focus || strchr(focus, tag);
}

/* ---- lengths that are only declared ------------------------------------------------------------
 */

#define PATTERN(text)                             \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static const cm_view patterns[] = {
    PATTERN("\x30\x84\xff\xff\xff\xff"), /* DER */
    PATTERN("\x30\x84\x7f\xff\xff\xff"),
    PATTERN("\x04\x88\x80\0\0\0\0\0\0\0"),
    PATTERN("\x5b\x80\0\0\0\0\0\0\0"), /* CBOR */
    PATTERN("\x5b\0\0\0\x01\0\0\0\0"),
    PATTERN("\x7a\xff\xff\xff\xff"),
    PATTERN("\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"),
    PATTERN("\x9a\x04\0\0\0"),
    PATTERN("\xbb\x80\0\0\0\0\0\0\0"),
    PATTERN("\xff\xff\xff\xff"), /* numbers of two, four and eight bytes */
    PATTERN("\xff\xff\xff\x7f"),
    PATTERN("\x7f\xff\xff\xff"),
    PATTERN("\0\0\0\0\0\0\0\x80"),
    PATTERN("9223372036854775808"),
};

static void put_pattern(const fuzz_pieces *seed, size_t i, size_t at, cm_view pattern, bool cut)
{
    static uint8_t copy[FUZZ_MAX];
    fuzz_pieces p = *seed;
    cm_view v = p.v[i].v;
    size_t n = CM_MIN(pattern.n, v.n - at);

    memcpy(copy, v.p, v.n);
    memcpy(copy + at, pattern.p, n);
    p.v[i].v = cm_view_of(copy, cut ? CM_MIN(v.n, at + n + 2) : v.n);
    run(&p);
}

/* Where the values of a DER text begin, those inside of others too. */
static size_t der_places(size_t place[PLACES_MAX], cm_view v)
{
    size_t n = 0;

    for (size_t i = 0; i + 2 < v.n && n < PLACES_MAX; i++) {
        uint8_t size = v.p[i + 1];
        size_t end = i + 2 + size;

        if (strchr("\x30\x31\x02\x03\x04\x05\x06\x0a\xa0\xa3", v.p[i]) &&
            ((size > 0x80 && size < 0x84) || (size && size < 0x80 && end <= v.n)))
            place[n++] = i;
    }
    return n;
}

static size_t below(size_t n)
{
    static uint64_t state = 88172645463325252ull;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? (size_t)(state % n) : 0;
}

static void declare(const fuzz_pieces *seed, size_t i, size_t times)
{
    static size_t place[PLACES_MAX];
    cm_view v = seed->v[i].v;
    size_t n = v.n && v.p[0] == 0x30 ? der_places(place, v) : 0;

    for (size_t k = 0; v.n && k < times; k++) {
        size_t at = n && below(4) ? place[below(n)] : below(v.n);

        put_pattern(seed, i, at, patterns[below(n ? 3 : CM_COUNT(patterns))], below(2));
    }
}

/* The head of the evidence: each place with some patterns, or with all. */
static void declare_head(const fuzz_pieces *seed, size_t i, size_t step)
{
    for (size_t at = 0; at < CM_MIN(seed->v[i].v.n, (size_t)HEADS); at++)
        for (size_t k = at % step; k < CM_COUNT(patterns); k += step)
            put_pattern(seed, i, at, patterns[k], at & 1);
}

static void seed_declares(const fuzz_pieces *seed, bool first)
{
    bool all = getenv("CASEMATE_MUTATE") != NULL, headed = false;

    run(seed);
    for (size_t i = 0; i < seed->n; i++) {
        if (!in_focus(seed->v[i].tag))
            continue;
        declare(seed, i, all ? seed->v[i].v.n : 4);
        if (first && !headed)
            declare_head(seed, i, all ? 1 : 5);
        headed |= seed->v[i].v.n > HEADS;
    }
}

/* AT-160 */
static void declared(void **state)
{
    (void)state;
    each_seed(seed_declares);
    print_message("%zu runs; at most %zu bytes at once, %zu in all\n", runs, worst_one, worst_all);
}

/* Tiny files that are nothing but a length. */
static void tiny(void **state)
{
    static const struct {
        const char *format;
        uint8_t tag;
        cm_view v;
    } of[] = {
        {"nitro", 'e', PATTERN("\x84\x44\xa1\x01\x38\x22\xa0\x5b\x7f\xff\xff\xff\xff\xff\xff\xff")},
        {"nsm", 'e',
         PATTERN("\xa1\x6b"
                 "Attestation\xa1\x68"
                 "document\x5b\x80\0\0\0\0\0\0\0")},
        {"app-attest", 'e',
         PATTERN("\xa3\x63"
                 "fmt\x6f"
                 "apple-appattest\x67"
                 "attStmt\xbb\x80\0\0\0\0\0\0\0")},
        {"app-assertion", 'e',
         PATTERN("\xa2\x69"
                 "signature\x5b\x80\0\0\0\0\0\0\0")},
        {"corim", 'e', PATTERN("\xd9\x01\xf5\xbb\x80\0\0\0\0\0\0\0\0")},
        {"corim", 'e', PATTERN("\xd9\x01\xf5\xa2\x01\x9b\x80\0\0\0\0\0\0\0")},
        {"ref-manifest", 'e', PATTERN("\xa4\0\x7b\x80\0\0\0\0\0\0\0")},
        {"rim", 'r', PATTERN("\xa2\0\x9b\x80\0\0\0\0\0\0\0")},
        {"ear", 'e', PATTERN("\xd2\x84\x5b\x80\0\0\0\0\0\0\0")},
        {"android", 'e', PATTERN("\x30\x84\xff\xff\xff\xff\x30\x84\x7f\xff\xff\xff")},
        {"ocsp", 'o', PATTERN("\x30\x84\x7f\xff\xff\xff\x0a\x01\0")},
        {"pck", 'c', PATTERN("\x30\x88\x7f\xff\xff\xff\xff\xff\xff\xff")},
        {"credential", 'c', PATTERN("\x30\x84\x7f\xff\xff\xff")},
        {"tpm", '3', PATTERN("\xff\xff\0\x01")},
        {"tsm", 'a', PATTERN("0123456789abcdef\xff\xff\xff\xff\xff\xff\xff\xff")},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(of); i++) {
        fuzz_pieces p = {.n = 0};

        choose(of[i].format);
        fuzz_piece_add(&p, of[i].tag, of[i].v);
        run(&p);
        assert_true(used.largest <= ONE_FIXED / 2);
    }
}

/* ---- as large as may be, and one more ----------------------------------------------------------
 */

static size_t limit_of(uint8_t tag)
{
    switch (tag) {
    case FUZZ_CERT:
        return CM_DER_MAX;
    case FUZZ_LOG:
        return 4 << 20;
    default:
        return 1 << 20;
    }
}

/* The seed with a piece that is padded to size. */
static void padded(const fuzz_pieces *seed, size_t i, size_t size, int with)
{
    static uint8_t copy[5 << 20];
    fuzz_pieces p = *seed;
    cm_view v = p.v[i].v;

    memcpy(copy, v.p, CM_MIN(v.n, size));
    memset(copy + CM_MIN(v.n, size), with, size - CM_MIN(v.n, size));
    p.v[i].v = cm_view_of(copy, size);
    run(&p);
}

static void seed_grows(const fuzz_pieces *seed, bool first)
{
    bool done[256] = {false};

    for (size_t i = 0; first && i < seed->n; i++) {
        uint8_t tag = seed->v[i].tag;

        if (!in_focus(tag) || done[tag] || seed->v[i].v.n < HEADS)
            continue;
        done[tag] = true;
        padded(seed, i, limit_of(tag), ' ');
        padded(seed, i, limit_of(tag) + 1, ' ');
    }
}

static void largest(void **state)
{
    (void)state;
    each_seed(seed_grows);
    print_message("%zu runs; at most %zu bytes at once, %zu in all\n", runs, worst_one, worst_all);
}

/* Texts of the largest size with as many values as fit: a constant for each byte, or refused. */
static void dense_in(const fuzz_pieces *seed, uint8_t tag, const char *head, const char *each)
{
    static uint8_t v[1 << 20];
    static uint8_t in[ROOM];
    size_t n = strlen(head), more = strlen(each);
    fuzz_pieces p = *seed;

    memcpy(v, head, n);
    for (; n + more <= sizeof v; n += more)
        memcpy(v + n, each, more);
    for (size_t i = 0; i < p.n; i++)
        if (p.v[i].tag == tag)
            p.v[i].v = cm_view_of(v, n);
    memset(&used, 0, sizeof used);
    used.on = true;
    (void)LLVMFuzzerTestOneInput(in, fuzz_pieces_write(in, sizeof in, &p));
    used.on = false;
    print_message("%s, values without end: %zu bytes at once, %zu in all\n", format, used.largest,
                  used.peak);
    assert_true(used.peak <= DENSE_BYTE * sizeof v);
}

static void seed_dense(const fuzz_pieces *seed, bool first)
{
    if (first && strcmp(format, "status-list") == 0)
        dense_in(seed, FUZZ_STATUS, "{\"entries\":{\"a\":[", "1,");
    if (first && strcmp(format, "intel-tcb") == 0)
        dense_in(seed, FUZZ_TCB, "{\"tcbInfo\":{\"tcbLevels\":[", "{},");
    if (first && strcmp(format, "rim-xml") == 0)
        dense_in(seed, FUZZ_EVIDENCE, "<a>", "<a/>");
    if (first && strcmp(format, "corim") == 0)
        dense_in(seed, FUZZ_EVIDENCE, "\xd9\x01\xf5\xbf\x01\x9f", "\xd9\x01\xfa\x41");
}

static void dense(void **state)
{
    (void)state;
    each_seed(seed_dense);
}

static cm_err verify(size_t n)
{
    CM_AUTO(cm_attest_result_done) cm_attest_result r = {0};
    CM_AUTO(cm_free_ptr) uint8_t *v = NULL;
    cm_attest_input in = {.kind = CM_ATTEST_TDX};
    cm_attest_policy p = {.now = 1};

    assert_true(cm_ok(cm_alloc(&v, n)));
    in.evidence = cm_view_of(v, n);
    return cm_attest_verify(&r, fuzz_crypt(), &in, &p);
}

static cm_err read_xml(size_t n)
{
    CM_AUTO(cm_xml_done) cm_xml x = {.n = 0};
    CM_AUTO(cm_free_ptr) uint8_t *v = NULL;

    assert_true(cm_ok(cm_alloc(&v, n)));
    memset(v, ' ', n);
    memcpy(v, "<a>", 3);
    memcpy(v + n - 4, "</a>", 4);
    return cm_xml_read(&x, cm_view_of(v, n));
}

/* Of the largest size it is read, of one more it is not. */
static void limits(void **state)
{
    (void)state;
    assert_true(cm_ok(verify(1 << 20)));
    assert_true(cm_is(verify((1 << 20) + 1), CM_ATTEST_KIND));
    assert_true(cm_ok(read_xml(CM_XML_TEXT_MAX)));
    assert_true(cm_failed(read_xml(CM_XML_TEXT_MAX + 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared), cmocka_unit_test(tiny),   cmocka_unit_test(largest),
        cmocka_unit_test(dense),    cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
