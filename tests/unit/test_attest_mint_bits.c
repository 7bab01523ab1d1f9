/* Minted sets with one bit changed, cut anywhere, judged at another time, or with parts of another
 * set: each is refused. CASEMATE_MUTATE=1 in the environment tries every byte and every length. */
#include "mint_kit.h"

#include "attest/bind.h"

enum { SAMPLES = 9, YEARS = 365 * 86400 };

/* What nothing depends on: a root is known by its key, which is pinned; the vendor's status list
 * has no signature (AT-77); the policy's key is not the attester's; a log's words beside its
 * digests are not measured (AT-47, AT-56). */
static bool loose(const mint_file *f)
{
    static const char *const names[] = {"ark.der", "root.der", "status.json",
                                        "key.der", "ccel.bin", "log.bin"};

    for (size_t i = 0; i < CM_COUNT(names); i++)
        if (strcmp(f->name, names[i]) == 0)
            return true;
    return false;
}

/* All but the last certificate of a quote's or a phone's chain, which is a root's too. */
static size_t bound_bytes(const mint *m, const mint_file *f)
{
    static const char begin[] = "-----BEGIN CERTIFICATE";
    const uint8_t *last = f->bytes.p + f->bytes.n;

    if (f != &m->file[0])
        return f->bytes.n;
    for (size_t i = 0; i + sizeof begin < f->bytes.n; i++)
        if (memcmp(f->bytes.p + i, begin, sizeof begin - 1) == 0)
            last = f->bytes.p + i;
    return (size_t)(last - f->bytes.p);
}

static size_t stride_of(size_t n)
{
    return getenv("CASEMATE_MUTATE") ? 1 : n / SAMPLES + 1;
}

/* The same answer as before, in other words: the claims and each check. */
static bool same_result(const cm_attest_result *a, const cm_attest_result *b)
{
    if (a->n_claims != b->n_claims || !cm_view_eq(cm_buf_view(&a->data), cm_buf_view(&b->data)))
        return false;
    for (size_t i = 0; i < CM_CHECK_COUNT; i++)
        if (a->check[i].verdict != b->check[i].verdict)
            return false;
    return true;
}

/* The receipt is for the vendor's service and not read (AT-80). */
static bool in_receipt(const mint_file *f, size_t at)
{
    static const char receipt[] = "\x47receipt";

    for (size_t i = at > sizeof receipt ? at - sizeof receipt : 0; i < at; i++)
        if (i + sizeof receipt <= f->bytes.n &&
            memcmp(f->bytes.p + i, receipt, sizeof receipt - 1) == 0)
            return at < i + sizeof receipt - 1;
    return f->bytes.p[at] == 0x47 && at + sizeof receipt <= f->bytes.n &&
           memcmp(f->bytes.p + at, receipt, sizeof receipt - 1) == 0;
}

/* A maker's certificate is of the key alone: bits of the attributes beside those of AT-52 are in
 * nothing that is signed. */
static bool is_attribute(const mint *m, const mint_file *f, size_t at)
{
    return strcmp(m->kind, "tpm") == 0 && strcmp(f->name, "ak.bin") == 0 && at >= 6 && at < 10;
}

/* A letter of a signature's hexadecimal digits may be a capital: the bytes are the same. */
static bool is_capital(const mint_file *f, size_t at, uint8_t bit)
{
    static const char name[] = "\"signature\":\"";
    size_t begin = 0;

    while (begin + sizeof name < f->bytes.n && memcmp(f->bytes.p + begin, name, sizeof name - 1))
        begin++;
    return f->bytes.p[0] == '{' && at > begin && bit == 0x20 && f->bytes.p[at] >= 'a';
}

/* How many of a file's bytes may change unseen. */
static size_t flip_file(judge *j, mint *m, mint_file *f)
{
    size_t n = bound_bytes(m, f), stride = stride_of(n), unseen = 0;

    for (size_t i = stride / 2; i < n; i += stride) {
        uint8_t bit = (uint8_t)(1u << (i * 5 & 7));

        if (in_receipt(f, i) || is_capital(f, i, bit) || is_attribute(m, f, i))
            continue;
        f->bytes.p[i] ^= bit;
        if (cm_ok(verdict(j, m, m->skips))) {
            fprintf(stderr, "%s: %s: byte %zu of %zu, bit %02x\n", m->kind, f->name, i, n, bit);
            unseen++;
        }
        f->bytes.p[i] ^= bit;
    }
    return unseen;
}

static void flipped(void **state)
{
    size_t unseen = 0;
    const char *kind;

    for (size_t i = 0; (kind = mint_kind(i)) != NULL; i++) {
        mint *m = sound(kind);

        for (size_t f = 0; f < m->n_files; f++)
            if (!loose(&m->file[f]))
                unseen += flip_file(*state, m, &m->file[f]);
        expect(cm_ok(verdict(*state, m, m->skips)), *state, m);
        mint_free(m);
    }
    assert_int_equal(unseen, 0);
}

static void cut_evidence(judge *j, mint *m)
{
    cm_view whole = m->in.evidence;
    size_t n = bound_bytes(m, &m->file[0]), stride = stride_of(n);

    /* Without the line's end before the last certificate the chain is whole. */
    for (size_t i = 1; i + 1 < n; i += stride) {
        m->in.evidence = cm_view_sub(whole, 0, i);
        expect(cm_failed(verdict(j, m, m->skips)), j, m);
    }
    m->in.evidence = whole;
}

static void cut(void **state)
{
    const char *kind;

    for (size_t i = 0; (kind = mint_kind(i)) != NULL; i++) {
        mint *m = sound(kind);

        cut_evidence(*state, m);
        mint_free(m);
    }
}

/* AT-40: what stands behind an Intel quote's signature data changes nothing. */
static void padded_quote(void **state)
{
    static const size_t sizes[] = {1, 64, 3065};
    judge *j = *state;
    cm_attest_result first = {0};
    mint *m = sound("tdx-v4");
    cm_buf longer = {.max = 1 << 16};

    expect(cm_ok(verdict(j, m, m->skips)), j, m);
    first = j->r;
    j->r = (cm_attest_result){0};
    for (size_t i = 0; i < CM_COUNT(sizes); i++) {
        longer.n = 0;
        assert_true(cm_ok(cm_buf_append(&longer, cm_buf_view(&m->file[0].bytes))));
        for (size_t k = 0; k < sizes[i]; k++)
            assert_true(cm_ok(cm_buf_byte(&longer, (uint8_t)(k * 7 + 1))));
        m->in.evidence = cm_buf_view(&longer);
        expect(cm_ok(verdict(j, m, m->skips)) && same_result(&first, &j->r), j, m);
    }
    cm_attest_result_done(&first);
    cm_buf_free(&longer);
    mint_free(m);
}

/* Factory chains of phones and keys that the policy names have no end. */
static bool endless(const mint *m)
{
    return m->in.kind == CM_ATTEST_ASSERTION || m->in.kind == CM_ATTEST_ANDROID ||
           strcmp(m->kind, "tpm-listed") == 0;
}

static void other_times(void **state)
{
    static const int64_t off[] = {-20ll * YEARS, -40 * 86400, 2 * YEARS, 500ll * YEARS};
    const char *kind;

    for (size_t i = 0; (kind = mint_kind(i)) != NULL; i++) {
        mint *m = sound(kind);

        for (size_t k = 0; k < CM_COUNT(off) && !endless(m); k++) {
            bool device = m->in.kind == CM_ATTEST_NVIDIA && k > 0; /* valid until 9999 */

            m->p.now = (uint64_t)((int64_t)AT + off[k]);
            expect(device || cm_failed(verdict(*state, m, m->skips)), *state, m);
        }
        mint_free(m);
    }
}

/* Evidence of one machine with what belongs to another of the same kind. */
static void other_machine(void **state)
{
    judge *j = *state;
    mint *a = sound("snp-v5-turin");
    mint *b = mint_new("snp-v5-turin", &(mint_spec){.at = AT, .serial = 1});

    a->in.certs = b->cert;
    expect(cm_is(verdict(j, a, UINT32_MAX), CM_ATTEST_REFUSED), j, a);
    expect(fails(j, CM_CHECK_IDENTITY) && passes(j, CM_CHECK_SIGNATURE), j, a);
    a->in.certs = a->cert;
    a->p.chips = b->p.chips;
    expect(cm_is(verdict(j, a, UINT32_MAX), CM_ATTEST_REFUSED), j, a);
    expect(fails(j, CM_CHECK_CHIP), j, a);
    mint_free(a);
    mint_free(b);
}

/* Statements of the wrong environment, or one in the place of the other. */
static void other_statements(void **state)
{
    judge *j = *state;
    mint *tdx = sound("tdx-v5"), *sgx = sound("sgx-v3");
    cm_view info = tdx->in.tcb_info, identity = tdx->in.qe_identity;

    tdx->in.tcb_info = sgx->in.tcb_info;
    expect(cm_is(verdict(j, tdx, UINT32_MAX), CM_ATTEST_REFUSED), j, tdx);
    expect(fails(j, CM_CHECK_COLLATERAL), j, tdx);
    tdx->in.tcb_info = info;
    tdx->in.qe_identity = sgx->in.qe_identity;
    expect(cm_is(verdict(j, tdx, UINT32_MAX), CM_ATTEST_REFUSED), j, tdx);
    expect(fails(j, CM_CHECK_QUOTING), j, tdx);
    tdx->in.tcb_info = identity;
    tdx->in.qe_identity = info;
    expect(cm_is(verdict(j, tdx, UINT32_MAX), CM_ATTEST_REFUSED), j, tdx);
    mint_free(tdx);
    mint_free(sgx);
}

static mint *bound_to(const char *kind, cm_view value)
{
    return mint_new(kind, &(mint_spec){.at = AT, .nonce = value});
}

/* A processor and its device, bound to one session; then each beside the other session's. */
static void cross_bound(void **state)
{
    static const uint8_t manifest[32] = {1};
    judge *j = *state;
    uint8_t nonce[CM_BIND_NONCE] = {9}, gpu[2][CM_BIND_SHORT];
    cm_binding b = {.role = CM_LIT(CM_BIND_SERVER),
                    .suite = CM_LIT("X-Wing"),
                    .tls_key = CM_LIT("key"),
                    .nonce = CM_VIEW(nonce),
                    .manifest = CM_VIEW(manifest)};
    cm_bound e[2];
    mint *cpu, *dev;

    for (size_t i = 0; i < 2; i++) {
        assert_true(cm_ok(cm_bind(&e[i], j->c, &b)));
        assert_true(cm_ok(cm_bound_gpu(gpu[i], j->c, &e[i], 0)));
        nonce[0]++;
    }
    cpu = bound_to("snp-v3-genoa", CM_VIEW(e[0].e));
    dev = bound_to("nvidia", CM_VIEW(gpu[0]));
    expect(cm_ok(verdict(j, cpu, cpu->skips)), j, cpu);
    expect(cm_ok(verdict(j, dev, dev->skips)), j, dev);
    cpu->p.fresh = CM_VIEW(e[1].e);
    dev->p.fresh = CM_VIEW(gpu[1]);
    expect(cm_is(verdict(j, cpu, UINT32_MAX), CM_ATTEST_REFUSED), j, cpu);
    expect(fails(j, CM_CHECK_FRESH), j, cpu);
    expect(cm_is(verdict(j, dev, UINT32_MAX), CM_ATTEST_REFUSED), j, dev);
    expect(fails(j, CM_CHECK_FRESH), j, dev);
    /* The second device of the same processor is not the first one. */
    assert_true(cm_ok(cm_bound_gpu(gpu[1], j->c, &e[0], 1)));
    dev->p.fresh = CM_VIEW(gpu[1]);
    expect(cm_failed(verdict(j, dev, UINT32_MAX)) && fails(j, CM_CHECK_FRESH), j, dev);
    mint_free(cpu);
    mint_free(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JUDGE_TEST(flipped),     JUDGE_TEST(cut),           JUDGE_TEST(padded_quote),
        JUDGE_TEST(other_times), JUDGE_TEST(other_machine), JUDGE_TEST(other_statements),
        JUDGE_TEST(cross_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
