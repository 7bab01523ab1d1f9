/* Apple App Attest: an attestation object of a key, and assertions that this key signs. */
#include "attest/attest_int.h"
#include "codec/cbor_lax.h"
#include "codec/cut.h"
#include "crypt/ossl.h"

#define OID_NONCE "1.2.840.113635.100.8.2"

enum {
    HASH = 32,
    CERTS = 4,
    CERT_MAX = 4096,
    AUTH_MAX = 512,
    AAGUID = 16,
    ATTESTED = 0x40, /* flag: credential data follow */
    ASSERTION_AUTH = 37,
    SIGNATURE_MAX = 80,
    POINT = 65,
};

typedef struct {
    cm_view whole, rp_id, aaguid, key_id;
    uint32_t counter;
} auth_data;

static bool read_auth(auth_data *a, cm_view v, bool attested)
{
    cm_cut c = cm_cut_of(v);
    uint8_t flags;

    a->whole = v;
    a->rp_id = cm_cut_bytes(&c, HASH);
    flags = cm_cut_u8(&c);
    a->counter = cm_cut_be32(&c);
    if (!attested)
        return cm_cut_done(&c) && v.n == ASSERTION_AUTH;
    a->aaguid = cm_cut_bytes(&c, AAGUID);
    a->key_id = cm_cut_bytes(&c, cm_cut_be16(&c));
    return !c.bad && (flags & ATTESTED) && a->key_id.n == HASH && c.rest.n && v.n <= AUTH_MAX;
}

/* ---- what both have ------------------------------------------------------------------------ */

/* SHA-256 of authenticator data and of the client data's SHA-256. */
static cm_err nonce_of(uint8_t out[HASH], const cm_run *run, cm_view auth)
{
    uint8_t both[AUTH_MAX + HASH];

    memcpy(both, auth.p, auth.n);
    CM_TRY(cm_hash_once(run->c, CM_SHA256, both + auth.n, run->p->fresh));
    return cm_hash_once(run->c, CM_SHA256, out, cm_view_of(both, auth.n + HASH));
}

/* AT-83 */
static cm_err check_app(cm_run *run, cm_view rp_id)
{
    uint8_t want[HASH];

    if (run->p->config.n == 0) {
        cm_note_skip(run, CM_CHECK_CONFIG, "no App ID was expected");
        return CM_OKAY;
    }
    CM_TRY(cm_hash_once(run->c, CM_SHA256, want, run->p->config));
    cm_note(run, CM_CHECK_CONFIG, cm_view_eq(CM_VIEW(want), rp_id), "it is of another app");
    return CM_OKAY;
}

static void unbound(cm_run *run)
{
    cm_note_skip(run, CM_CHECK_FRESH, "no client data were expected");
    cm_note_skip(run, CM_CHECK_SIGNATURE, "what is signed includes the client data");
}

/* ---- attestations -------------------------------------------------------------------------- */

typedef struct {
    cm_view cert[CERTS];
    size_t n;
    auth_data auth;
} attestation;

static bool read_certs(attestation *a, cm_lax value)
{
    cm_lax list = cm_lax_array(&value);

    while (cm_lax_more(&list)) {
        cm_view v = cm_lax_bytes(&list);

        if (list.bad || a->n == CERTS || v.n == 0 || v.n > CERT_MAX)
            return false;
        a->cert[a->n++] = v;
    }
    return cm_lax_done(&list) && a->n;
}

/* AT-80 */
static bool read_attestation(attestation *a, cm_view evidence)
{
    cm_lax_field f[] = {{.key = "fmt"}, {.key = "attStmt"}, {.key = "authData"}};
    cm_lax_field s[] = {{.key = "x5c"}, {.key = "receipt"}};
    cm_lax c;
    cm_view format, auth;

    if (cm_failed(cm_lax_open(&c, evidence)) || !cm_lax_fields(&c, f, CM_COUNT(f)) ||
        !f[0].present || !f[1].present || !f[2].present)
        return false;
    format = cm_lax_text(&f[0].value);
    auth = cm_lax_bytes(&f[2].value);
    return cm_view_eq(format, CM_LIT("apple-appattest")) && !f[2].value.bad &&
           cm_lax_fields(&f[1].value, s, CM_COUNT(s)) && s[0].present &&
           read_certs(a, s[0].value) && read_auth(&a->auth, auth, true);
}

/* AT-81: the certificate was made for these very data. */
static cm_err check_nonce(cm_run *run, const attestation *a, const X509 *leaf)
{
    static const uint8_t head[] = {0x30, 0x24, 0xa1, 0x22, 0x04, 0x20};
    uint8_t nonce[HASH];
    cm_view v;
    bool good;

    if (run->p->fresh.n == 0) {
        unbound(run);
        return CM_OKAY;
    }
    CM_TRY(nonce_of(nonce, run, a->auth.whole));
    good = cm_x509_extension(&v, leaf, OID_NONCE) && v.n == sizeof head + HASH &&
           cm_view_eq(cm_view_sub(v, 0, sizeof head), CM_VIEW(head)) &&
           cm_view_eq(cm_view_sub(v, sizeof head, HASH), CM_VIEW(nonce));
    cm_note(run, CM_CHECK_SIGNATURE, good, "the certificate was made for other data");
    cm_note(run, CM_CHECK_FRESH, good, "it is bound to something else: stale, replayed or relayed");
    return CM_OKAY;
}

/* AT-82 */
static cm_err check_key(cm_run *run, const attestation *a, X509 *leaf)
{
    const ASN1_BIT_STRING *point = X509_get0_pubkey_bitstr(leaf);
    uint8_t id[HASH];
    bool good = point && ASN1_STRING_length(point) == POINT;

    if (good) {
        CM_TRY(
            cm_hash_once(run->c, CM_SHA256, id, cm_view_of(ASN1_STRING_get0_data(point), POINT)));
        good = cm_view_eq(CM_VIEW(id), a->auth.key_id);
    }
    cm_note(run, CM_CHECK_IDENTITY, good, "the certificate is of another key");
    cm_note(run, CM_CHECK_IDENTITY, a->auth.counter == 0, "the key was used before");
    return CM_OKAY;
}

/* AT-84 */
static void check_environment(cm_run *run, const attestation *a)
{
    static const char production[AAGUID] = "appattest";

    cm_note(run, CM_CHECK_DEBUG,
            cm_view_eq(a->auth.aaguid, CM_VIEW(production)) ||
                ((run->p->flags & CM_ATTEST_ALLOW_DEBUG) &&
                 cm_view_eq(a->auth.aaguid, CM_LIT("appattestdevelop"))),
            "it is of the development environment");
}

static void check_listed(cm_run *run, cm_view key_id)
{
    bool found = false;

    for (size_t i = 0; i < run->p->n_chips; i++)
        found |= cm_view_eq(run->p->chips[i], key_id);
    if (run->p->n_chips)
        cm_note(run, CM_CHECK_CHIP, found, "the key is not on the list");
    else
        cm_note_skip(run, CM_CHECK_CHIP, "the policy has no list of keys");
}

static cm_err claims(cm_run *run, const attestation *a, X509 *leaf)
{
    uint8_t *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
    cm_err e = n > 0 ? cm_claim_bytes(run, "public_key", 0, cm_view_of(der, (size_t)n))
                     : CM_FAIL(NO_MEMORY);

    OPENSSL_free(der);
    CM_TRY(e);
    CM_TRY(cm_claim_bytes(run, "key_id", 0, a->auth.key_id));
    CM_TRY(cm_claim_bytes(run, "app_id_hash", 0, a->auth.rp_id));
    return cm_claim_bytes(run, "aaguid", 0, a->auth.aaguid);
}

static cm_err load(cm_pool *pool, const cm_run *run, const attestation *a)
{
    for (size_t i = 0; i < a->n; i++)
        CM_TRY(cm_pool_add_der(pool, run->c, a->cert[i]));
    return cm_pool_load(pool, run);
}

static cm_err check_chain(cm_run *run, const cm_pool *pool)
{
    CM_AUTO(cm_path_done) cm_path path = {0};

    CM_TRY(cm_path_find(&path, run, pool->v[0], pool, CM_VENDOR_APPLE, CM_CHECK_CHAIN));
    if (path.root)
        return cm_path_revocation(&path, run, 0);
    cm_note_skip(run, CM_CHECK_REVOCATION, "the certificates lead to no root");
    return CM_OKAY;
}

cm_err cm_attest_apple(cm_run *run)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    attestation a = {0};
    cm_err e;

    if (!cm_note(run, CM_CHECK_FORM, read_attestation(&a, run->in->evidence),
                 "it is no attestation object of the documented form"))
        return CM_OKAY;
    e = load(&pool, run, &a);
    if (cm_is(e, CM_ATTEST_CERTIFICATE)) {
        cm_note_fail(run, CM_CHECK_CHAIN, "a certificate in the object can't be read");
        return CM_OKAY;
    }
    CM_TRY(e);
    CM_TRY(claims(run, &a, pool.v[0]));
    CM_TRY(check_chain(run, &pool));
    CM_TRY(check_nonce(run, &a, pool.v[0]));
    CM_TRY(check_key(run, &a, pool.v[0]));
    check_environment(run, &a);
    check_listed(run, a.auth.key_id);
    return check_app(run, a.auth.rp_id);
}

/* ---- assertions ---------------------------------------------------------------------------- */

static bool read_assertion(auth_data *a, cm_view *signature, cm_view evidence)
{
    cm_lax_field f[] = {{.key = "signature"}, {.key = "authenticatorData"}};
    cm_lax c;
    cm_view auth;

    if (cm_failed(cm_lax_open(&c, evidence)) || !cm_lax_fields(&c, f, CM_COUNT(f)) ||
        !f[0].present || !f[1].present)
        return false;
    *signature = cm_lax_bytes(&f[0].value);
    auth = cm_lax_bytes(&f[1].value);
    return !f[0].value.bad && !f[1].value.bad && signature->n && signature->n <= SIGNATURE_MAX &&
           read_auth(a, auth, false);
}

/* AT-85 */
static cm_err check_assertion(cm_run *run, const auth_data *a, cm_view signature)
{
    const uint8_t *p = run->p->apple.key.p;
    CM_AUTO(cm_attest_pkey_done)
    EVP_PKEY *key = p ? d2i_PUBKEY_ex(NULL, &p, (long)run->p->apple.key.n, cm_crypt_libctx(run->c),
                                      cm_crypt_propq(run->c))
                      : NULL;
    uint8_t nonce[HASH];
    bool good = false;

    if (!cm_note(run, CM_CHECK_CHAIN, key && p == run->p->apple.key.p + run->p->apple.key.n,
                 "no key that was attested before was given"))
        return CM_OKAY;
    if (run->p->fresh.n == 0) {
        unbound(run);
        return CM_OKAY;
    }
    CM_TRY(nonce_of(nonce, run, a->whole));
    CM_TRY(cm_verify_der(&good, run->c, key, CM_SHA256, false, signature, CM_VIEW(nonce)));
    cm_note(run, CM_CHECK_SIGNATURE, good, "another key signed it, or other data");
    cm_note(run, CM_CHECK_FRESH, good && a->counter > run->p->apple.counter,
            "its counter was seen before, or it is bound to something else");
    return CM_OKAY;
}

cm_err cm_attest_assertion(cm_run *run)
{
    auth_data a = {0};
    cm_view signature;

    if (!cm_note(run, CM_CHECK_FORM, read_assertion(&a, &signature, run->in->evidence),
                 "it is no assertion of the documented form"))
        return CM_OKAY;
    CM_TRY(cm_claim_u64(run, "counter", a.counter));
    CM_TRY(cm_claim_bytes(run, "app_id_hash", 0, a.rp_id));
    CM_TRY(check_assertion(run, &a, signature));
    return check_app(run, a.rp_id);
}
