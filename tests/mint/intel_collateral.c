/* Intel's certificates, lists and signed statements. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "codec/text.h"
#include "intel_int.h"

#define SGX_EXTENSION "1.2.840.113741.1.13.1"

enum { LINE = 512, TIME_TEXT = 32 };

const uint8_t mint_fmspc[6] = {0xc0, 0x80, 0x6f, 0, 0, 0}, mint_pce_id[2] = {0, 0};
const uint8_t mint_qe_mrsigner[32] = {0xdc, 0x9e, 0x2a, 0x7c, 0x6f, 0x94, 0x8f, 0x17};
const uint8_t mint_sgx_svn[MINT_SVNS] = {7, 9, 3, 3, 255, 255, 1};

void mint_tdx_svn(uint8_t svn[MINT_SVNS], unsigned variant)
{
    static const uint8_t now[MINT_SVNS] = {5, 1, 6}, first[MINT_SVNS] = {5, 0, 6};

    memcpy(svn, variant & MINT_FIRST_MODULE ? first : now, MINT_SVNS);
}

/* ---- certificates -------------------------------------------------------------------------- */

static void put_octets(cm_buf *b, const char *last, cm_view v)
{
    size_t at = b->n, in;

    mint_oid(b, last);
    in = b->n;
    mint_put(b, v);
    mint_wrap(b, in, 0x04);
    mint_wrap(b, at, 0x30);
}

static void put_number(cm_buf *b, const char *oid, uint64_t v)
{
    size_t at = b->n;

    mint_oid(b, oid);
    mint_int(b, 2, v);
    mint_wrap(b, at, 0x30);
}

static void put_platform_tcb(cm_buf *b, const mint *m)
{
    size_t at = b->n, in;
    char oid[64];

    mint_oid(b, SGX_EXTENSION ".2");
    in = b->n;
    for (unsigned i = 0; i < MINT_SVNS; i++) {
        if (i == 3 && mint_bad(m, "missing-oid"))
            continue;
        (void)snprintf(oid, sizeof oid, SGX_EXTENSION ".2.%u", i + 1);
        put_number(b, oid, mint_sgx_svn[i] - (i == 0 && mint_bad(m, "old-tcb") ? 1u : 0));
    }
    put_number(b, SGX_EXTENSION ".2.17", MINT_PCE_SVN - (mint_bad(m, "old-pce") ? 1 : 0));
    put_octets(b, SGX_EXTENSION ".2.18", cm_view_of(mint_sgx_svn, MINT_SVNS));
    mint_wrap(b, in, 0x30);
    mint_wrap(b, at, 0x30);
}

static void put_platform(cm_buf *b, const mint *m)
{
    CM_AUTO(cm_buf_free) cm_buf ppid = {.max = MINT_MAX};
    uint8_t fmspc[6];

    memcpy(fmspc, mint_fmspc, sizeof fmspc);
    fmspc[0] ^= mint_bad(m, "wrong-platform");
    mint_label(&ppid, "PPID", m->spec.serial, 16);
    put_octets(b, SGX_EXTENSION ".1", cm_buf_view(&ppid));
    put_platform_tcb(b, m);
    put_octets(b, SGX_EXTENSION ".3", CM_VIEW(mint_pce_id));
    put_octets(b, SGX_EXTENSION ".4", CM_VIEW(fmspc));
    mint_wrap(b, 0, 0x30);
}

static X509 *pck_new(const mint *m, const mint_intel_pki *k)
{
    CM_AUTO(cm_buf_free) cm_buf platform = {.max = MINT_MAX};
    mint_ext ext = {.oid = SGX_EXTENSION};
    mint_cert s = {.cn = "Intel SGX PCK Certificate",
                   .issuer = k->x_ca,
                   .key = k->pck,
                   .signer = k->ca,
                   .serial = MINT_PCK_SERIAL,
                   .ext = &ext,
                   .n_ext = 1};

    put_platform(&platform, m);
    ext.der = cm_buf_view(&platform);
    mint_dates(m, &s);
    return mint_cert_new(&s);
}

void mint_intel_pki_new(const mint *m, mint_intel_pki *k)
{
    mint_cert s = {.cn = "Intel SGX Root CA",
                   .serial = 0x76,
                   .from = m->spec.at - MINT_YEAR,
                   .to = m->spec.at + 10ull * MINT_YEAR,
                   .ca = true};

    k->root = s.key = s.signer = mint_root_key(m, "p256:intel-root");
    k->ca = mint_key("p256:pck-ca");
    k->pck = mint_key("p256:pck");
    k->signer = mint_key("p256:tcb-signer");
    k->x_root = mint_cert_new(&s);
    s.issuer = k->x_root;
    s.cn = "Intel SGX PCK Platform CA";
    s.key = k->ca;
    s.serial = MINT_PCK_CA_SERIAL;
    k->x_ca = mint_cert_new(&s);
    s.cn = "Intel SGX TCB Signing";
    s.key = k->signer;
    s.serial = MINT_SIGNER_SERIAL;
    s.ca = false;
    k->x_signer = mint_cert_new(&s);
    k->x_pck = pck_new(m, k);
}

void mint_intel_pki_done(mint_intel_pki *k)
{
    EVP_PKEY_free(k->root);
    EVP_PKEY_free(k->ca);
    EVP_PKEY_free(k->pck);
    EVP_PKEY_free(k->signer);
    X509_free(k->x_root);
    X509_free(k->x_ca);
    X509_free(k->x_pck);
    X509_free(k->x_signer);
}

/* ---- statements ---------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) say(cm_buf *b, const char *format, ...)
{
    char line[LINE];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    mint_must(n >= 0 && (size_t)n < sizeof line, "a line too long");
    mint_put(b, cm_view_of(line, (size_t)n));
}

static void say_hex(cm_buf *b, const char *key, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = MINT_MAX};

    mint_must(cm_ok(cm_hex_encode(&hex, v)), "hex");
    say(b, "\"%s\":\"%.*s\",", key, (int)hex.n, (const char *)hex.p);
}

static void say_time(cm_buf *b, const char *key, uint64_t at)
{
    char text[TIME_TEXT];
    time_t t = (time_t)at;
    struct tm tm;

    mint_must(gmtime_r(&t, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm), "time");
    say(b, "\"%s\":\"%s\",", key, text);
}

static void say_head(cm_buf *b, const mint *m, const char *id, unsigned version, bool stale)
{
    uint64_t at = m->spec.at - (stale ? 60 * MINT_DAY : MINT_DAY);

    say(b, "{\"id\":\"%s\",\"version\":%u,", mint_bad(m, "other-statement") ? "OTHER" : id,
        version);
    say_time(b, "issueDate", at);
    say_time(b, "nextUpdate", at + 30 * MINT_DAY);
    say(b, "\"tcbEvaluationDataNumber\":%u,",
        MINT_EVALUATION - (mint_bad(m, "old-evaluation") ? 1u : 0));
}

static void say_svn_levels(cm_buf *b, unsigned svn)
{
    say(b, "\"tcbLevels\":[");
    say(b, "{\"tcb\":{\"isvsvn\":%u},\"tcbStatus\":\"UpToDate\"},", svn);
    say(b, "{\"tcb\":{\"isvsvn\":%u},\"tcbStatus\":\"OutOfDate\"}]", svn - 1);
}

static void say_components(cm_buf *b, const char *key, const uint8_t svn[MINT_SVNS])
{
    say(b, "\"%s\":[", key);
    for (size_t i = 0; i < MINT_SVNS; i++)
        say(b, "%s{\"svn\":%u}", i ? "," : "", svn[i]);
    say(b, "]");
}

static void say_level(cm_buf *b, unsigned variant, unsigned less, const char *status)
{
    uint8_t sgx[MINT_SVNS], tdx[MINT_SVNS];

    memcpy(sgx, mint_sgx_svn, MINT_SVNS);
    mint_tdx_svn(tdx, variant);
    sgx[0] = (uint8_t)(sgx[0] - less);
    tdx[0] = (uint8_t)(tdx[0] - less);
    tdx[2] = (uint8_t)(tdx[2] - less);
    say(b, "{\"tcb\":{");
    say_components(b, "sgxtcbcomponents", sgx);
    say(b, ",\"pcesvn\":%u", MINT_PCE_SVN - less);
    if (variant & MINT_TDX) {
        say(b, ",");
        say_components(b, "tdxtcbcomponents", tdx);
    }
    say(b, "},\"tcbStatus\":\"%s\"}", status);
}

static void say_module(cm_buf *b)
{
    static const uint8_t zero[48], ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};

    say_hex(b, "mrsigner", cm_view_of(zero, 48));
    say_hex(b, "attributes", cm_view_of(zero, 8));
    say_hex(b, "attributesMask", CM_VIEW(ones));
    b->n--; /* the comma */
}

static void say_modules(cm_buf *b)
{
    say(b, "\"tdxModule\":{");
    say_module(b);
    say(b, "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\",");
    say_module(b);
    say(b, ",");
    say_svn_levels(b, 5);
    say(b, "}],");
}

static void say_info(cm_buf *b, const mint *m, unsigned variant)
{
    say_head(b, m, variant & MINT_TDX ? "TDX" : "SGX", 3, mint_bad(m, "stale-statement"));
    say_hex(b, "fmspc", CM_VIEW(mint_fmspc));
    say_hex(b, "pceId", CM_VIEW(mint_pce_id));
    if (variant & MINT_TDX)
        say_modules(b);
    say(b, "\"tcbLevels\":[");
    say_level(b, variant, 0, "UpToDate");
    say(b, ",");
    say_level(b, variant, 1, "OutOfDate");
    say(b, "]}");
}

static void say_identity(cm_buf *b, const mint *m, unsigned variant)
{
    static const uint8_t attributes[16] = {0x15},
                         mask[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t none[4];

    say_head(b, m, variant & MINT_TDX ? "TD_QE" : "QE", 2, mint_bad(m, "stale-identity"));
    say_hex(b, "mrsigner", CM_VIEW(mint_qe_mrsigner));
    say(b, "\"isvprodid\":2,");
    say_hex(b, "miscselect", CM_VIEW(none));
    say_hex(b, "miscselectMask", CM_VIEW(none));
    say_hex(b, "attributes", CM_VIEW(attributes));
    say_hex(b, "attributesMask", CM_VIEW(mask));
    say_svn_levels(b, MINT_QE_SVN);
    say(b, "}");
}

/* The vendor's answer: the object as it was signed, and the signature. */
static cm_view answer(mint *m, const char *file, const char *name, EVP_PKEY *key, cm_view object,
                      bool edited)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = MINT_MAX};

    mint_ecdsa(&sig, key, "SHA256", object, 32, false);
    say(&b, "{\"%s\":", name);
    mint_put(&b, cm_view_sub(object, 0, object.n - 1));
    say(&b, edited ? " }," : "},"); /* it says the same in other bytes */
    say_hex(&b, "signature", cm_buf_view(&sig));
    b.p[b.n - 1] = '}';
    return mint_keep(m, file, &b);
}

static void add_statements(mint *m, const mint_intel_pki *k, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf identity = {.max = MINT_MAX};

    say_info(&info, m, variant);
    say_identity(&identity, m, variant);
    m->in.tcb_info = answer(m, "tcb_info.json", "tcbInfo", k->signer, cm_buf_view(&info),
                            mint_bad(m, "edited-statement"));
    m->in.qe_identity =
        answer(m, "qe_identity.json", "enclaveIdentity",
               mint_bad(m, "unsigned-identity") ? k->ca : k->signer, cm_buf_view(&identity), false);
}

void mint_intel_collateral(mint *m, const mint_intel_pki *k, unsigned variant)
{
    uint64_t at = m->spec.at - (mint_bad(m, "stale-list") ? 60 * MINT_DAY : 0);
    uint64_t above = mint_bad(m, "revoked-ca")       ? MINT_PCK_CA_SERIAL
                     : mint_bad(m, "revoked-signer") ? MINT_SIGNER_SERIAL
                                                     : 0xbad;
    X509_CRL *root = mint_crl_new(k->x_root, k->root, at, above, 0);
    bool bad = mint_bad(m, "revoked") || mint_bad(m, "held");
    X509_CRL *pck = mint_crl_new(k->x_ca, k->ca, at, bad ? MINT_PCK_SERIAL : 0xbad,
                                 mint_bad(m, "held") ? MINT_HELD : 0);

    mint_add_cert(m, "tcb_signer.der", k->x_signer);
    mint_add_crl(m, "root_crl.der", root);
    mint_add_crl(m, "pck_crl.der", pck);
    add_statements(m, k, variant);
    X509_CRL_free(root);
    X509_CRL_free(pck);
}
