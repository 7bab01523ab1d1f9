/* Parsers that evidence reaches before or after verification, or beside it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ocsp.h>

#include "appraise/reference.h"
#include "attest/eventlog.h"
#include "attest/intel_int.h"
#include "attest/tcg_int.h"
#include "codec/text.h"
#include "evidence.h"
#include "gather/gather.h"
#include "release/ear.h"
#include "rim/import.h"
#include "rim/xml.h"

enum { NOW = 1800000000, BLOB_MAX = 1 << 20 };

/* ---- logs of measured boot ------------------------------------------------------------------ */

static cm_err count(void *arg, const cm_event *e)
{
    cm_view *log = arg;

    fuzz_must(e->data.n <= log->n && e->digest.n <= CM_HASH_MAX);
    return CM_OKAY;
}

void fuzz_run_eventlog(const fuzz_pieces *p)
{
    static const cm_hash hash[] = {CM_SHA256, CM_SHA384};
    static const uint16_t alg[] = {CM_TCG_SHA256, CM_TCG_SHA384, CM_TCG_SHA512};
    cm_view log = fuzz_piece_of(p, FUZZ_LOG);
    cm_event_registers r;
    cm_tcg_registers t;
    bool good = false;

    for (size_t i = 0; i < CM_COUNT(hash); i++) {
        cm_err e = cm_eventlog_each(log, hash[i], count, &log);

        for (int td = 0; td < 2; td++)
            fuzz_must(cm_failed(cm_eventlog_replay(&r, fuzz_crypt(), log, hash[i], td)) ||
                      cm_ok(e));
    }
    for (size_t i = 0; i < CM_COUNT(alg); i++)
        fuzz_must(
            cm_ok(cm_tcg_replay(&good, &t, fuzz_crypt(), log, alg[i], i != 0, 4 + 20 * (i == 0))));
}

/* ---- certificates --------------------------------------------------------------------------- */

void fuzz_run_pck(const fuzz_pieces *p)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    cm_intel_platform platform;

    if (cm_failed(cm_pool_add(&pool, fuzz_crypt(), fuzz_piece_of(p, FUZZ_CERT))))
        return;
    for (size_t i = 0; i < pool.n; i++)
        if (cm_intel_platform_read(&platform, pool.v[i]))
            fuzz_must(platform.fmspc.n == 6 && platform.pce_id.n == 2);
}

X509 *fuzz_ocsp_subject(EVP_PKEY **issuer)
{
    static EVP_PKEY *key;
    static X509 *x;

    if (!key) {
        X509_NAME *name = X509_NAME_new();

        key = mint_key("p384:nvidia-root");
        x = X509_new();
        fuzz_must(key && x && name && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
                  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"ca", -1,
                                             -1, 0) == 1 &&
                  X509_set_issuer_name(x, name) == 1);
        X509_NAME_free(name);
    }
    *issuer = key;
    return x;
}

/* Nobody signed it; or everybody did, and then it says something. */
void fuzz_run_ocsp(const fuzz_pieces *p)
{
    cm_view der = fuzz_piece_of(p, FUZZ_OCSP), nonce = fuzz_piece_of(p, FUZZ_FRESH);
    EVP_PKEY *key;
    X509 *x = fuzz_ocsp_subject(&key);
    bool is = cm_ocsp_is(der);
    cm_ocsp_status s = cm_ocsp_about(der, x, key, NOW, nonce);

    fuzz_must(is || s == CM_OCSP_NONE);
    fuzz_trust(false);
    (void)cm_ocsp_about(der, x, key, NOW, nonce);
}

void fuzz_run_credential(const fuzz_pieces *p)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = BLOB_MAX};
    cm_tpm_activation a;
    cm_view ek = fuzz_piece_of(p, FUZZ_CERT);

    if (cm_ok(cm_tpm_credential_whose(&a, fuzz_crypt(), ek,
                                      fuzz_piece_of(p, FUZZ_PART + CM_PART_AK))))
        fuzz_must(cm_failed(cm_tpm_credential_put(&blob, &a, fuzz_crypt(), ek)) || blob.n > 8);
}

/* ---- files ---------------------------------------------------------------------------------- */

void fuzz_run_pack(const fuzz_pieces *p)
{
    cm_view file = fuzz_piece_of(p, FUZZ_EVIDENCE), piece[CM_ATTEST_SET_MAX];
    fuzz_pieces one = {.n = 0};
    size_t n = 0;

    if (cm_failed(cm_attest_set_read(piece, &n, file)))
        return;
    fuzz_must(n > 0 && n <= CM_ATTEST_SET_MAX);
    for (size_t i = 0; i < n; i++) {
        one.n = 0;
        fuzz_piece_add(&one, FUZZ_EVIDENCE, piece[i]);
        fuzz_run_verify(&one);
    }
}

/* ---- what machines answer ------------------------------------------------------------------- */

static int ask(void *arg, cm_view request, cm_buf *out)
{
    const cm_view *answer = arg;

    fuzz_must(request.n > 0 && request.n <= CM_NSM_REQUEST_MAX);
    return cm_ok(cm_buf_append(out, *answer)) ? 0 : EMSGSIZE;
}

void fuzz_run_nsm(const fuzz_pieces *p)
{
    CM_AUTO(cm_gathered_done) cm_gathered g = {0};
    CM_AUTO(cm_buf_free) cm_buf pack = {.max = BLOB_MAX};
    cm_view answer = fuzz_piece_of(p, FUZZ_EVIDENCE), none = cm_view_of(NULL, 0);
    cm_nsm nsm = {&answer, ask};

    if (cm_failed(cm_gather_nsm(&g, &nsm, CM_LIT("nonce"), none, none)))
        return;
    fuzz_must(g.kind == CM_ATTEST_NITRO && g.evidence.n > 0 && g.evidence.n < answer.n);
    fuzz_must(cm_ok(cm_gathered_pack(&pack, &g)));
}

typedef struct {
    const fuzz_pieces *p;
    unsigned reads;
} tsm;

static int make(void *arg, const char *entry)
{
    (void)arg;
    return entry[0] ? 0 : EINVAL;
}

static int put(void *arg, const char *entry, const char *attribute, cm_view v)
{
    (void)arg;
    return entry[0] && attribute[0] && v.n ? 0 : EINVAL;
}

static void pause_not(void *arg, unsigned nth)
{
    (void)arg;
    (void)nth;
}

/* Attributes are pieces; the count of writes is v before and w after. */
static uint8_t tag_of(tsm *t, const char *attribute)
{
    static const struct {
        const char *name;
        uint8_t tag;
    } of[] = {{"outblob", 'e'}, {"auxblob", 'a'}, {"provider", 'p'}, {"manifestblob", 'm'}};

    for (size_t i = 0; i < CM_COUNT(of); i++)
        if (strcmp(attribute, of[i].name) == 0)
            return of[i].tag;
    return t->reads++ & 1 ? 'w' : 'v';
}

static int get(void *arg, const char *entry, const char *attribute, cm_buf *out)
{
    tsm *t = arg;
    cm_view v = fuzz_piece_of(t->p, tag_of(t, attribute));

    if (v.n == 0 || !entry[0])
        return ENOENT;
    return cm_ok(cm_buf_append(out, v)) ? 0 : EFBIG;
}

void fuzz_run_tsm(const fuzz_pieces *p)
{
    CM_AUTO(cm_tsm_report_done) cm_tsm_report r = {.attempts = 0};
    CM_AUTO(cm_gathered_done) cm_gathered g = {0};
    CM_AUTO(cm_buf_free) cm_buf pack = {.max = 2 * BLOB_MAX};
    tsm t = {p, 0};
    cm_tsm_fs fs = {&t, make, put, get, make, pause_not};
    cm_err e = cm_tsm_report_get(&r, fuzz_crypt(), &fs, CM_LIT("bound"));

    if (cm_failed(e) || cm_failed(cm_gather_tsm(&g, &r, NULL)))
        return;
    fuzz_must(g.n_certs <= CM_GATHER_CERTS && g.evidence.n == r.report.n);
    (void)cm_failed(cm_gathered_pack(&pack, &g));
}

/* ---- statements that are signed ---------------------------------------------------------------
 */

enum { DIGEST_TEXT = 64, SHA384_SIZE = 48 };

/* The digest of the text stands in it: 64 characters of base64, set right here. */
static void set_digest(cm_buf *text)
{
    static const char name[] = "DigestValue>", tag[] = "Signature>";
    CM_AUTO(cm_xml_done) cm_xml x = {.n = 0};
    CM_AUTO(cm_buf_free) cm_buf canonical = {.max = 8 << 20};
    CM_AUTO(cm_buf_free) cm_buf digest = {.max = DIGEST_TEXT};
    uint8_t hash[SHA384_SIZE];
    uint32_t skip = 0;
    uint8_t *at;

    if (cm_failed(cm_xml_read(&x, cm_buf_view(text))))
        return;
    while (skip < x.n && !cm_xml_is(&x, skip, "http://www.w3.org/2000/09/xmldsig#", "Signature"))
        skip++;
    if (cm_failed(cm_xml_canonical(&canonical, &x, 0, skip)))
        return;
    fuzz_must(cm_ok(cm_hash_once(fuzz_crypt(), CM_SHA384, hash, cm_buf_view(&canonical))));
    fuzz_must(cm_ok(cm_base64_encode(&digest, CM_VIEW(hash), false)));
    at = memmem(text->p, text->n, name, sizeof name - 1);
    if (!at || (size_t)(text->p + text->n - at) < sizeof name + DIGEST_TEXT + sizeof tag)
        return;
    memcpy(at + sizeof name - 1, digest.p, digest.n);
}

/* One without active measurements is imported, and is no form. */
static bool any_row(const cm_rim *r)
{
    bool any = false;

    for (size_t i = 0; i < CM_RIM_ROWS; i++)
        any |= r->row[i].n > 0;
    return any;
}

void fuzz_run_rim_xml(const fuzz_pieces *p)
{
    static const char *const id[] = {"NV_GPU_DRIVER_GH100_550.90.07",
                                     "NV_GPU_VBIOS_1010_0200_882_96009F0001", "NV_GPU_DRIVER_a_1"};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_XML_TEXT_MAX};
    const char *why;

    if (cm_failed(cm_buf_append(&text, fuzz_piece_of(p, FUZZ_EVIDENCE))))
        return;
    set_digest(&text);
    for (size_t i = 0; i < CM_COUNT(id); i++) {
        CM_AUTO(cm_rim_import_done) cm_rim_import r = {.rim = {.from = 0}};
        CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_RIM_FILE_MAX};

        if (cm_ok(cm_rim_import_xml(&r, &why, fuzz_crypt(), cm_buf_view(&text), cm_view_str(id[i]),
                                    NOW)))
            fuzz_must(cm_ok(cm_rim_put(&out, &r.rim, 1)) || !any_row(&r.rim));
    }
}

cm_pkey *fuzz_signer(void)
{
    static const uint8_t seed[32] = {1};
    static cm_pkey *key;
    cm_sig_key *k = NULL;

    if (!key) {
        fuzz_must(cm_ok(cm_sig_from_seed(&k, fuzz_crypt(), CM_SIG_MLDSA65, CM_VIEW(seed))));
        fuzz_must(cm_ok(cm_pkey_from_sig(&key, &k)));
    }
    return key;
}

cm_ear_bound fuzz_ear_bound(void)
{
    static const uint8_t key[1184] = {2};
    cm_ear_bound b = {.version = 3, .manifest_n = 32};

    memset(b.manifest, 0x4d, 32);
    memset(b.digest, 0x50, sizeof b.digest);
    (void)snprintf(b.policy, sizeof b.policy, "fleet");
    fuzz_must(
        cm_ok(cm_ear_hold(&b, fuzz_crypt(), CM_KEM_MLKEM768, CM_VIEW(key), CM_LIT("an SPKI"))));
    return b;
}

void fuzz_run_ear(const fuzz_pieces *p)
{
    cm_ear_bound b = fuzz_ear_bound();
    cm_ear_demand d = {.key = fuzz_signer(),
                       .issuer = CM_LIT("https://kms.example"),
                       .bound = &b,
                       .now = NOW,
                       .skew = 5};
    cm_view token = fuzz_piece_of(p, FUZZ_EVIDENCE);
    cm_ear_form form;
    cm_ear e, shown;
    unsigned why;
    cm_err seen = cm_ear_peek(&shown, &form, token);

    if (cm_failed(cm_ear_verify(&e, &why, fuzz_crypt(), token, &d)))
        return;
    fuzz_must(cm_ok(seen) && why == 0 && e.n <= CM_RCAR_PIECES && e.tier < CM_POLICY_TIERS);
    fuzz_must(e.expires - e.issued <= CM_EAR_TTL_MAX && cm_ear_live(&e, NOW));
}

static void look(cm_reference *r, bool is_signed)
{
    fuzz_must(r->is_signed == is_signed && r->n <= CM_REFERENCE_VALUES && r->name[0]);
    for (size_t i = 0; i < r->n; i++)
        fuzz_must(r->v[i].n >= 20 && r->v[i].n <= 64 && r->v[i].name[0] && r->v[i].from[0]);
    cm_reference_free(r);
}

void fuzz_run_manifest(const fuzz_pieces *p)
{
    cm_reference *r = NULL;

    if (cm_ok(cm_manifest_read(&r, fuzz_crypt(), fuzz_piece_of(p, FUZZ_EVIDENCE))))
        look(r, true);
}

void fuzz_run_corim(const fuzz_pieces *p)
{
    cm_pkey *keys[] = {fuzz_signer()};
    cm_view file = fuzz_piece_of(p, FUZZ_EVIDENCE);
    cm_reference *r = NULL;

    if (cm_ok(cm_corim_read(&r, fuzz_crypt(), file, CM_ATTEST_TDX, keys, 1)))
        look(r, r->is_signed);
}
