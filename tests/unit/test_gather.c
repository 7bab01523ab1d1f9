/* Evidence of this machine, from devices that a test stands in for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/cbor.h"
#include "gather/gather.h"

#define assert_good(e)           assert_string_equal(cm_err_name(e), "OK")
#define assert_reason(e, reason) assert_string_equal(cm_err_name(e), #reason)

enum { ENTRY_MAX = 64, DATA = 64, REPORT = 1184, DATA_AT = 0x50, TABLE_MAX = 512 };

static cm_crypt *c;

/* ---- configfs-tsm --------------------------------------------------------------------------- */

typedef struct {
    char entry[ENTRY_MAX];
    bool there;
    unsigned made, dropped, pauses;
    uint64_t generation;
    uint8_t in[DATA];
    size_t in_n;
    const char *provider;
    cm_view table, manifest;
    /* What goes wrong: calls with these errno values, or a second writer, this many times. */
    int make_err, put_err, get_err;
    unsigned put_bad, get_bad, races, lost;
    bool forget; /* the report is over other data */
} fake;

static fake f;

static int fake_make(void *arg, const char *entry)
{
    (void)arg;
    if (f.make_err)
        return f.make_err;
    assert_false(f.there);
    assert_true(strlen(entry) < sizeof f.entry);
    memcpy(f.entry, entry, strlen(entry) + 1);
    f.there = true;
    f.made++;
    return 0;
}

static int fake_drop(void *arg, const char *entry)
{
    (void)arg;
    assert_true(f.there);
    assert_string_equal(entry, f.entry);
    f.there = false;
    f.dropped++;
    return 0;
}

static int fake_put(void *arg, const char *entry, const char *attribute, cm_view v)
{
    (void)arg;
    assert_string_equal(entry, f.entry);
    assert_string_equal(attribute, "inblob");
    assert_true(v.n <= DATA);
    if (f.put_bad) {
        f.put_bad--;
        return f.put_err;
    }
    if (f.lost) {
        f.lost--;
        return 0;
    }
    memset(f.in, 0, sizeof f.in);
    memcpy(f.in, v.p, v.n);
    f.in_n = v.n;
    f.generation++;
    return 0;
}

static int give(cm_buf *out, cm_view v)
{
    assert_good(cm_buf_append(out, v));
    return 0;
}

static int give_report(cm_buf *out)
{
    uint8_t report[REPORT];

    if (f.get_bad) {
        f.get_bad--;
        return f.get_err;
    }
    memset(report, 0xaa, sizeof report);
    memcpy(report + DATA_AT, f.in, f.in_n);
    if (f.forget)
        report[DATA_AT] ^= 1;
    if (f.races) {
        f.races--;
        f.generation++;
    }
    return give(out, CM_VIEW(report));
}

static int fake_get(void *arg, const char *entry, const char *attribute, cm_buf *out)
{
    char number[32];

    (void)arg;
    assert_string_equal(entry, f.entry);
    if (strcmp(attribute, "generation") == 0) {
        (void)snprintf(number, sizeof number, "%llu\n", (unsigned long long)f.generation);
        return give(out, cm_view_str(number));
    }
    if (strcmp(attribute, "provider") == 0)
        return give(out, cm_view_str(f.provider));
    if (strcmp(attribute, "outblob") == 0)
        return give_report(out);
    if (strcmp(attribute, "auxblob") == 0)
        return f.table.n ? give(out, f.table) : ENOENT;
    assert_string_equal(attribute, "manifestblob");
    return f.manifest.n ? give(out, f.manifest) : ENOENT;
}

static void fake_pause(void *arg, unsigned nth)
{
    (void)arg;
    f.pauses++;
    assert_int_equal(f.pauses, nth);
}

static const cm_tsm_fs fs = {NULL, fake_make, fake_put, fake_get, fake_drop, fake_pause};

static cm_err ask(cm_tsm_report *r, cm_view data)
{
    return cm_tsm_report_get(r, c, &fs, data);
}

static int fresh(void **state)
{
    (void)state;
    f = (fake){.provider = "sev_guest\n", .generation = 41};
    return 0;
}

/* AT-110 */
static void one_report(void **state)
{
    static const uint8_t data[DATA] = {1, 2, 3, [63] = 64};
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};

    (void)state;
    f.manifest = CM_LIT("services");
    assert_good(ask(&r, CM_VIEW(data)));
    assert_int_equal(r.attempts, 1);
    assert_int_equal(r.report.n, REPORT);
    assert_memory_equal(r.report.p + DATA_AT, data, DATA);
    assert_true(cm_view_eq(cm_buf_view(&r.provider), CM_LIT("sev_guest")));
    assert_true(cm_view_eq(cm_buf_view(&r.manifest), CM_LIT("services")));
    assert_int_equal(r.certs.n, 0);
    assert_int_equal(f.made, 1);
    assert_int_equal(f.dropped, 1);
    assert_reason(ask(&r, cm_view_of(data, 0)), BAD_ARGUMENT);
    assert_reason(ask(&r, cm_view_of(data, DATA + 1)), BAD_ARGUMENT);
}

/* AT-110: each time a second writer came between, the attempt is repeated; its report is not used.
 */
static void races(void **state)
{
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};

    (void)state;
    for (unsigned n = 0; n < 8; n++) {
        fresh(NULL);
        cm_tsm_report_done(&r);
        f.races = n;
        assert_good(ask(&r, CM_LIT("data")));
        assert_int_equal(r.attempts, n + 1);
        assert_int_equal(f.pauses, n);
        assert_int_equal(f.dropped, 1);
    }
    fresh(NULL);
    f.races = 8;
    assert_reason(ask(&r, CM_LIT("data")), GATHER_TSM_RACE);
    assert_int_equal(f.dropped, 1);
    assert_int_equal(r.attempts, 8);
}

/* AT-110: the kernel can't say that it did not take the blob; the count does. */
static void lost_write(void **state)
{
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};

    (void)state;
    f.lost = 1;
    assert_good(ask(&r, CM_LIT("data")));
    assert_int_equal(r.attempts, 2);
    cm_tsm_report_done(&r);
    f.pauses = 0;
    f.lost = 8;
    assert_reason(ask(&r, CM_LIT("data")), GATHER_TSM_RACE);
}

/* The kernel's answers, the reason each becomes, and whether it is worth another attempt. */
static void answers(void **state)
{
    static const struct {
        int err;
        const char *reason;
        bool again;
    } t[] = {
        {EBUSY, "GATHER_TSM_BUSY", true},
        {EINTR, "GATHER_TSM_INTERRUPTED", true},
        {ETIMEDOUT, "GATHER_TSM_INTERRUPTED", true},
        {EAGAIN, "GATHER_TSM_RACE", true},
        {ENXIO, "GATHER_TSM_NONE", false},
        {ENOTTY, "GATHER_TSM_NONE", false},
        {EIO, "GATHER_TSM", false},
        {EINVAL, "GATHER_TSM", false},
        {EACCES, "NO_PERMISSION", false},
        {ENOMEM, "NO_MEMORY", false},
    };
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};

    (void)state;
    for (size_t i = 0; i < 3 * CM_COUNT(t); i++) {
        size_t k = i / 3;
        cm_err e;

        fresh(NULL);
        f.put_err = f.get_err = t[k].err;
        f.put_bad = i % 3 == 0 ? 8 : 0;
        f.get_bad = i % 3 == 1 ? 8 : 0;
        f.make_err = i % 3 == 2 ? t[k].err : 0;
        e = ask(&r, CM_LIT("data"));
        assert_string_equal(cm_err_name(e), t[k].reason);
        assert_int_equal(f.made, f.dropped);
        assert_int_equal(f.pauses, t[k].again && i % 3 != 2 ? 7 : 0);
        fresh(NULL);
        f.get_err = t[k].err;
        f.get_bad = 1;
        assert_int_equal(cm_ok(ask(&r, CM_LIT("data"))), t[k].again);
        cm_tsm_report_done(&r);
        assert_int_equal(f.made, f.dropped);
    }
}

static void other_data(void **state)
{
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};

    (void)state;
    f.forget = true;
    assert_reason(ask(&r, CM_LIT("data")), GATHER_TSM_ECHO);
    assert_int_equal(f.dropped, 1);
}

/* ---- the table of certificates -------------------------------------------------------------- */

static size_t put_entry(uint8_t *to, uint8_t guid, uint32_t at, uint32_t n)
{
    memset(to, guid, 16);
    memcpy(to + 16, &at, sizeof at);
    memcpy(to + 20, &n, sizeof n);
    return 24;
}

static cm_err gather(cm_gathered *g, cm_view table)
{
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};

    f.table = table;
    assert_good(ask(&r, CM_LIT("data")));
    return cm_gather_tsm(g, &r, NULL);
}

static void unpacked(cm_gathered *g, cm_attest_kind kind, size_t certs)
{
    CM_AUTO(cm_buf_free) cm_buf pack = {.max = 1 << 20};

    assert_int_equal(g->kind, kind);
    assert_int_equal(g->n_certs, certs);
    assert_good(cm_gathered_pack(&pack, g));
    assert_int_equal(cm_attest_detect(cm_buf_view(&pack)), kind);
}

/* AT-111 */
static void table(void **state)
{
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
    uint8_t t[TABLE_MAX] = {0};
    size_t end;

    (void)state;
    assert_good(gather(&g, cm_view_of(NULL, 0)));
    unpacked(&g, CM_ATTEST_SNP, 0);
    end = put_entry(t, 0x63, 72, 4);
    end += put_entry(t + end, 0x4a, 76, 5);
    end += put_entry(t + end, 0, 0, 0);
    memcpy(t + end, "vcekother", 9);
    assert_good(gather(&g, cm_view_of(t, 81)));
    unpacked(&g, CM_ATTEST_SNP, 2);
    assert_true(cm_view_eq(cm_buf_view(&g.cert[0]), CM_LIT("vcek")));
    assert_true(cm_view_eq(cm_buf_view(&g.cert[1]), CM_LIT("other")));
    /* Past the end, of no size, without an end. */
    assert_reason(gather(&g, cm_view_of(t, 80)), GATHER_TSM_TABLE);
    assert_reason(gather(&g, cm_view_of(t, 71)), GATHER_TSM_TABLE);
    (void)put_entry(t, 0x63, 72, 0);
    assert_reason(gather(&g, cm_view_of(t, 81)), GATHER_TSM_TABLE);
    (void)put_entry(t, 0x63, UINT32_MAX, UINT32_MAX);
    assert_reason(gather(&g, cm_view_of(t, 81)), GATHER_TSM_TABLE);
    assert_int_equal(g.n_certs, 2);
    end = 0;
    for (unsigned i = 0; i < CM_GATHER_CERTS + 1; i++)
        end += put_entry(t + end, 7, 0, 1);
    end += put_entry(t + end, 0, 0, 0);
    assert_reason(gather(&g, cm_view_of(t, end)), ATTEST_BUNDLE);
}

static void providers(void **state)
{
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};

    (void)state;
    f.provider = "tdx_guest\n";
    assert_good(gather(&g, cm_view_of(NULL, 0)));
    assert_int_equal(g.kind, CM_ATTEST_TDX);
    f.provider = "arm_cca_guest\n";
    assert_reason(gather(&g, cm_view_of(NULL, 0)), GATHER_TSM_PROVIDER);
}

/* ---- Nitro's module ------------------------------------------------------------------------- */

static cm_buf asked;
static cm_view answer;
static int ask_err;

static int nsm_ask(void *arg, cm_view request, cm_buf *out)
{
    (void)arg;
    asked.n = 0;
    asked.max = CM_NSM_REQUEST_MAX;
    assert_good(cm_buf_append(&asked, request));
    assert_good(cm_buf_append(out, answer));
    return ask_err;
}

static const cm_nsm nsm = {NULL, nsm_ask};

/* AT-112: by RFC 8949, written out. */
static void nitro_request(void **state)
{
    static const char want[] = "\xa1\x6b"
                               "Attestation\xa3"
                               "\x65nonce\x43"
                               "abc"
                               "\x69user_data\xf6"
                               "\x6apublic_key\x42"
                               "pk";
    static const uint8_t long_one[1025] = {1};
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
    cm_view none = cm_view_of(NULL, 0);

    (void)state;
    answer = CM_LIT("\xa1\x6b"
                    "Attestation\xa1\x68"
                    "document\x43"
                    "doc");
    assert_good(cm_gather_nsm(&g, &nsm, CM_LIT("abc"), none, CM_LIT("pk")));
    assert_int_equal(asked.n, sizeof want - 1);
    assert_memory_equal(asked.p, want, sizeof want - 1);
    assert_int_equal(g.kind, CM_ATTEST_NITRO);
    assert_true(cm_view_eq(cm_buf_view(&g.evidence), CM_LIT("doc")));
    assert_reason(cm_gather_nsm(&g, &nsm, cm_view_of(long_one, 513), none, none), BAD_ARGUMENT);
    assert_reason(cm_gather_nsm(&g, &nsm, none, cm_view_of(long_one, 513), none), BAD_ARGUMENT);
    assert_reason(cm_gather_nsm(&g, &nsm, none, none, CM_VIEW(long_one)), BAD_ARGUMENT);
    cm_buf_free(&asked);
}

/* AT-112 */
static void nitro_answers(void **state)
{
    static const char whole[] = "\xa1\x6b"
                                "Attestation\xa1\x68"
                                "document\x43"
                                "doc";
    static const cm_view bad[] = {
        {(const uint8_t *)"", 0},
        {(const uint8_t *)"\x6b"
                          "Attestation",
         12},
        {(const uint8_t *)"\xa1\x65Other\xa0", 8},
        {(const uint8_t *)"\xa1\x6b"
                          "Attestation\xa1\x68"
                          "document\x40",
         24},
        {(const uint8_t *)"\xa1\x6b"
                          "Attestation\xa1\x68"
                          "document\x63"
                          "doc",
         27},
    };
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
    cm_view none = cm_view_of(NULL, 0);

    (void)state;
    answer = CM_LIT("\xa1\x65"
                    "Error\x6f"
                    "InvalidArgument");
    assert_reason(cm_gather_nsm(&g, &nsm, none, none, none), GATHER_NSM);
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        answer = bad[i];
        assert_reason(cm_gather_nsm(&g, &nsm, none, none, none), GATHER_NSM_ANSWER);
    }
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        answer = cm_view_of(whole, n);
        assert_reason(cm_gather_nsm(&g, &nsm, none, none, none), GATHER_NSM_ANSWER);
    }
    answer = cm_view_of(whole, sizeof whole);
    assert_reason(cm_gather_nsm(&g, &nsm, none, none, none), GATHER_NSM_ANSWER);
    answer = cm_view_of(whole, sizeof whole - 1);
    ask_err = EIO;
    assert_reason(cm_gather_nsm(&g, &nsm, none, none, none), GATHER_NSM);
    ask_err = 0;
    assert_int_equal(g.kind, CM_ATTEST_UNKNOWN);
    cm_buf_free(&asked);
}

/* ---- what is not there ---------------------------------------------------------------------- */

static void absent(void **state)
{
    cm_tsm_dir dir = {0};
    cm_nsm_fd dev = {0};
    cm_tsm_fs none;
    cm_nsm module;
    cm_nvml *n = NULL;

    (void)state;
    assert_reason(cm_tsm_dir_open(&dir, &none, "/nonexistent"), GATHER_TSM_ABSENT);
    assert_reason(cm_tsm_dir_open(&dir, &none, "/dev/null"), GATHER_TSM_ABSENT);
    cm_tsm_dir_done(&dir);
    assert_reason(cm_nsm_open(&dev, &module, "/nonexistent"), GATHER_NSM_ABSENT);
    /* A device that is another's. */
    assert_good(cm_nsm_open(&dev, &module, "/dev/null"));
    {
        CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
        cm_view v = cm_view_of(NULL, 0);

        assert_reason(cm_gather_nsm(&g, &module, v, v, v), GATHER_NSM);
    }
    cm_nsm_done(&dev);
    assert_reason(cm_nvml_open(&n, "libnothing-of-this-name.so.1"), GATHER_GPU_ABSENT);
    assert_reason(cm_nvml_open(&n, "libc.so.6"), GATHER_GPU_ABSENT);
    assert_null(n);
}

/* ---- NVIDIA's library, simulated (mock_nvml.c) ----------------------------------------------- */

/* AT-113 */
static void gpus(void **state)
{
    const char *library = getenv("CASEMATE_MOCK_NVML");
    CM_AUTO(cm_gathered_done) cm_gathered g = {.n_certs = 0};
    CM_AUTO(cm_nvml_free_ptr) cm_nvml *n = NULL;
    uint8_t nonce[CM_GPU_NONCE] = {9, [31] = 8};

    (void)state;
    assert_non_null(library);
    assert_good(cm_nvml_open(&n, library));
    assert_int_equal(cm_nvml_count(n), 6);
    assert_good(cm_gather_gpu(&g, n, 0, nonce));
    assert_memory_equal(g.evidence.p + 4, nonce, sizeof nonce);
    unpacked(&g, CM_ATTEST_NVIDIA, 1);
    assert_int_equal(g.cert[0].p[g.cert[0].n - 1], '\n');
    assert_reason(cm_gather_gpu(&g, n, 1, nonce), GATHER_GPU_PLAIN);
    assert_reason(cm_gather_gpu(&g, n, 2, nonce), GATHER_GPU_ECHO);
    assert_reason(cm_gather_gpu(&g, n, 3, nonce), GATHER_GPU);
    assert_reason(cm_gather_gpu(&g, n, 4, nonce), GATHER_GPU);
    assert_reason(cm_gather_gpu(&g, n, 5, nonce), GATHER_GPU);
    assert_reason(cm_gather_gpu(&g, n, 6, nonce), GATHER_GPU);
    assert_int_equal(g.kind, CM_ATTEST_NVIDIA);
}

static int setup(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(c);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_report, fresh),
        cmocka_unit_test_setup(races, fresh),
        cmocka_unit_test_setup(lost_write, fresh),
        cmocka_unit_test_setup(answers, fresh),
        cmocka_unit_test_setup(other_data, fresh),
        cmocka_unit_test_setup(table, fresh),
        cmocka_unit_test_setup(providers, fresh),
        cmocka_unit_test(nitro_request),
        cmocka_unit_test(nitro_answers),
        cmocka_unit_test(absent),
        cmocka_unit_test(gpus),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
