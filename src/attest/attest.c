#include "attest/attest_int.h"

enum { SNP_SIZE = 1184, NITRO_MAX = 16384, EVIDENCE_MAX = 1 << 20 };

/* Past the year 30000: sums of times do not overflow below. */
static const uint64_t TIME_END = 1ull << 40;

/* A COSE_Sign1 whose protected header is the four bytes {1: -35}, with its tag or without. */
static bool looks_nitro(cm_view v)
{
    static const uint8_t head[] = {0x84, 0x44, 0xa1, 0x01, 0x38, 0x22};

    if (v.n && v.p[0] == 0xd2)
        v = cm_view_sub(v, 1, v.n - 1);
    return v.n > sizeof head && cm_view_eq(cm_view_sub(v, 0, sizeof head), CM_VIEW(head));
}

/* Intel's header: version, ECDSA over P-256, the kind of environment, the vendor of the QE. */
static cm_attest_kind looks_intel(cm_view v)
{
    static const uint8_t vendor[] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                     0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

    if (v.n < 48 || v.p[0] < 3 || v.p[0] > 5 || v.p[1] != 0 ||
        !cm_view_eq(cm_view_sub(v, 12, sizeof vendor), CM_VIEW(vendor)))
        return CM_ATTEST_UNKNOWN;
    return cm_get_le32(v.p + 4) == 0x81 ? CM_ATTEST_TDX : CM_ATTEST_SGX;
}

static bool looks_snp(cm_view v)
{
    return v.n == SNP_SIZE;
}

static bool looks_short_nitro(cm_view v)
{
    return v.n <= NITRO_MAX && looks_nitro(v);
}

static bool looks_tdx(cm_view v)
{
    return looks_intel(v) == CM_ATTEST_TDX;
}

static bool looks_sgx(cm_view v)
{
    return looks_intel(v) == CM_ATTEST_SGX;
}

/* TPM_GENERATED_VALUE and TPM_ST_ATTEST_QUOTE. */
static bool looks_tpm(cm_view v)
{
    static const uint8_t head[] = {0xff, 0x54, 0x43, 0x47, 0x80, 0x18};

    return v.n > sizeof head && cm_view_eq(cm_view_sub(v, 0, sizeof head), CM_VIEW(head));
}

static bool looks_azure(cm_view v)
{
    return v.n > 4 && cm_view_eq(cm_view_sub(v, 0, 4), CM_LIT("HCLA"));
}

/* The object identifier 1.3.6.1.4.1.11129.2.1.17, or any other PEM: the attested key's certificate
 * need not come first to be looked at, and says what is wrong with it. */
static bool looks_android(cm_view v)
{
    static const uint8_t oid[] = {0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04,
                                  0x01, 0xd6, 0x79, 0x02, 0x01, 0x11};
    cm_view pem = CM_LIT("-----BEGIN CERTIFICATE-----");

    return (v.n > pem.n && cm_view_eq(cm_view_sub(v, 0, pem.n), pem)) ||
           cm_holds_oid(v, CM_VIEW(oid));
}

/* The object identifier 2.23.133.5.4.9. */
static bool looks_ratls(cm_view v)
{
    static const uint8_t oid[] = {0x06, 0x06, 0x67, 0x81, 0x05, 0x05, 0x04, 0x09};

    return cm_holds_oid(v, CM_VIEW(oid));
}

/* A map of three, the first of which is the format; a map of two, which are known. */
static bool looks_apple(cm_view v)
{
    cm_view head = CM_LIT("\xa3\x63"
                          "fmt"
                          "\x6f"
                          "apple-appattest");

    return v.n > head.n && cm_view_eq(cm_view_sub(v, 0, head.n), head);
}

static bool looks_assertion(cm_view v)
{
    cm_view head = CM_LIT("\xa2\x69"
                          "signature");

    return v.n > head.n && cm_view_eq(cm_view_sub(v, 0, head.n), head);
}

/* GET_MEASUREMENTS of SPDM 1.1: all of them, signed. */
static bool looks_nvidia(cm_view v)
{
    cm_view head = CM_LIT("\x11\xe0\x01\xff");

    return v.n > 64 && cm_view_eq(cm_view_sub(v, 0, head.n), head);
}

/* Every format, in the order in which they are tried. Whoever shows evidence to a person goes by
 * this table too, so that a new row is all that a new format needs. */
static const struct {
    cm_attest_kind kind;
    bool (*looks)(cm_view evidence);
    cm_err (*verify)(cm_run *run);
} formats[] = {
    {CM_ATTEST_SNP, looks_snp, cm_attest_snp},
    {CM_ATTEST_NITRO, looks_short_nitro, cm_attest_nitro},
    {CM_ATTEST_TDX, looks_tdx, cm_attest_intel},
    {CM_ATTEST_SGX, looks_sgx, cm_attest_intel},
    {CM_ATTEST_TPM, looks_tpm, cm_attest_tpm},
    {CM_ATTEST_AZURE, looks_azure, cm_attest_azure},
    {CM_ATTEST_RATLS, looks_ratls, cm_attest_ratls},
    {CM_ATTEST_ANDROID, looks_android, cm_attest_android},
    {CM_ATTEST_APPLE, looks_apple, cm_attest_apple},
    {CM_ATTEST_ASSERTION, looks_assertion, cm_attest_assertion},
    {CM_ATTEST_NVIDIA, looks_nvidia, cm_attest_nvidia},
};

cm_attest_kind cm_attest_detect(cm_view evidence)
{
    if (cm_is_pack(evidence))
        return cm_pack_kind(evidence);
    for (size_t i = 0; i < CM_COUNT(formats); i++)
        if (formats[i].looks(evidence))
            return formats[i].kind;
    return CM_ATTEST_UNKNOWN;
}

static cm_err dispatch(cm_run *run)
{
    for (size_t i = 0; i < CM_COUNT(formats); i++)
        if (formats[i].kind == run->r->kind)
            return formats[i].verify(run);
    return CM_FAIL(ATTEST_KIND);
}

cm_err cm_attest_verify_under(cm_attest_result *out, const cm_crypt *c, cm_roots roots,
                              const cm_attest_input *in, const cm_attest_policy *p)
{
    CM_AUTO(cm_attest_result_done) cm_attest_result r = {.data = {.max = CM_ATTEST_CLAIM_DATA_MAX}};
    cm_attest_input opened;
    cm_view certs[CM_POOL_MAX];
    cm_run run = {.c = c, .in = in, .p = p, .roots = roots, .r = &r};

    if (p->now >= TIME_END || p->max_age >= TIME_END)
        return CM_FAIL(BAD_ARGUMENT);
    if (in->evidence.n == 0 || in->evidence.n > EVIDENCE_MAX) /* AT-160 */
        return CM_FAIL(ATTEST_KIND);
    r.kind = in->kind ? in->kind : cm_attest_detect(in->evidence);
    if (cm_is_pack(in->evidence)) {
        if (r.kind != cm_pack_kind(in->evidence) || !cm_pack_open(&opened, certs, in))
            return CM_FAIL(ATTEST_KIND);
        run.in = &opened;
    }
    CM_TRY(dispatch(&run));
    cm_attest_result_done(out);
    *out = r;
    r.data = (cm_buf){0};
    return CM_OKAY;
}

cm_err cm_attest_verify(cm_attest_result *out, const cm_crypt *c, const cm_attest_input *in,
                        const cm_attest_policy *p)
{
    return cm_attest_verify_under(out, c, cm_roots_pinned(), in, p);
}
