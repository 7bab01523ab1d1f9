/* Reference values: CoRIMs as others may write them, our manifests, and policies that refer to one.
 */
#include <stdio.h>
#include <string.h>

#include "appraise/reference.h"
#include "codec/cbor.h"
#include "codec/text.h"
#include "kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MAX = 64 << 10 };

static cm_crypt *crypt;
static cm_pkey *alice, *bob, *old, *p384;

static cm_pkey *key(const char *name)
{
    cm_pkey *k = NULL;

    assert_true(cm_ok(cm_pkey_generate(&k, crypt, cm_view_str(name))));
    return k;
}

static int begin(void **s)
{
    (void)s;
    if (cm_failed(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)))
        return 1;
    alice = key("ML-DSA-65");
    bob = key("ML-DSA-65");
    old = key("Ed25519");
    p384 = key("P-384");
    return 0;
}

static int end(void **s)
{
    (void)s;
    cm_pkey_free(alice);
    cm_pkey_free(bob);
    cm_pkey_free(old);
    cm_pkey_free(p384);
    cm_crypt_free(crypt);
    return 0;
}

/* ---- writing CoRIMs ------------------------------------------------------------------------- */

static void must(cm_err e)
{
    assert_true(cm_ok(e));
}

static void tag(cm_buf *b, unsigned n)
{
    if (n < 24) {
        must(cm_buf_byte(b, (uint8_t)(0xc0 | n)));
        return;
    }
    must(cm_buf_byte(b, n < 256 ? 0xd8 : 0xd9));
    if (n >= 256)
        must(cm_buf_byte(b, (uint8_t)(n >> 8)));
    must(cm_buf_byte(b, (uint8_t)n));
}

/* What one differs in. */
typedef struct {
    uint64_t from, to; /* validity; 0: says none */
    unsigned size;     /* of the digest; 0: 48 */
    bool stray;        /* a key that is not known */
    bool extension;    /* one below zero */
    bool trailing;
} shape;

static void put_measurement(cm_buf *b, const shape *s)
{
    uint8_t digest[64];

    memset(digest, 0xab, sizeof digest);
    must(cm_cbor_put_map(b, 1));
    must(cm_cbor_put_uint(b, 1));
    must(cm_cbor_put_map(b, 1));
    must(cm_cbor_put_uint(b, 2));
    must(cm_cbor_put_array(b, 1));
    must(cm_cbor_put_array(b, 2));
    must(cm_cbor_put_uint(b, 7));
    must(cm_cbor_put_bytes(b, cm_view_of(digest, s->size ? s->size : 48)));
}

static void put_comid(cm_buf *b, const shape *s)
{
    must(cm_cbor_put_map(b, s->stray || s->extension ? 3 : 2));
    if (s->stray || s->extension) {
        must(cm_cbor_put_int(b, s->stray ? 99 : -3));
        must(cm_cbor_put_uint(b, 1));
    }
    must(cm_cbor_put_uint(b, 1));
    must(cm_cbor_put_map(b, 1));
    must(cm_cbor_put_uint(b, 0));
    must(cm_cbor_put_text(b, CM_LIT("comid")));
    must(cm_cbor_put_uint(b, 4));
    must(cm_cbor_put_map(b, 1));
    must(cm_cbor_put_uint(b, 0));
    must(cm_cbor_put_array(b, 1));
    must(cm_cbor_put_array(b, 2));
    must(cm_cbor_put_map(b, 1));
    must(cm_cbor_put_uint(b, 0));
    must(cm_cbor_put_map(b, 2));
    must(cm_cbor_put_uint(b, 1));
    must(cm_cbor_put_text(b, CM_LIT("ACME")));
    must(cm_cbor_put_uint(b, 2));
    must(cm_cbor_put_text(b, CM_LIT("Road\"Runner")));
    must(cm_cbor_put_array(b, 1));
    put_measurement(b, s);
}

static void put_time(cm_buf *b, unsigned k, uint64_t t)
{
    must(cm_cbor_put_uint(b, k));
    tag(b, 1);
    must(cm_cbor_put_uint(b, t));
}

static void put_corim(cm_buf *b, const shape *s)
{
    CM_AUTO(cm_buf_free) cm_buf comid = {.max = MAX};

    put_comid(&comid, s);
    tag(b, 501);
    must(cm_cbor_put_map(b, s->to ? 3 : 2));
    must(cm_cbor_put_uint(b, 0));
    must(cm_cbor_put_text(b, CM_LIT("corim one")));
    must(cm_cbor_put_uint(b, 1));
    must(cm_cbor_put_array(b, 1));
    tag(b, 506);
    must(cm_cbor_put_bytes(b, cm_buf_view(&comid)));
    if (s->to) {
        must(cm_cbor_put_uint(b, 4));
        must(cm_cbor_put_map(b, 2));
        put_time(b, 0, s->from);
        put_time(b, 1, s->to);
    }
    if (s->trailing)
        must(cm_buf_byte(b, 0));
}

/* COSE_Sign1 of payload; alg as its protected head says. */
static void put_signed(cm_buf *out, cm_view payload, const cm_pkey *k, int64_t alg)
{
    CM_AUTO(cm_buf_free) cm_buf head = {.max = 64};
    CM_AUTO(cm_buf_free) cm_buf tbs = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = CM_SIG_MAX};
    const cm_sig_key *sk = cm_pkey_sig(k);

    must(cm_cbor_put_map(&head, 1));
    must(cm_cbor_put_uint(&head, 1));
    must(cm_cbor_put_int(&head, alg));
    must(cm_cbor_put_array(&tbs, 4));
    must(cm_cbor_put_text(&tbs, CM_LIT("Signature1")));
    must(cm_cbor_put_bytes(&tbs, cm_buf_view(&head)));
    must(cm_cbor_put_bytes(&tbs, cm_view_of("", 0)));
    must(cm_cbor_put_bytes(&tbs, payload));
    must(cm_buf_reserve(&sig, cm_sig_key_info(sk)->sig));
    must(cm_sign_raw(sk, sig.p, cm_buf_view(&tbs)));
    sig.n = cm_sig_key_info(sk)->sig;
    tag(out, 18);
    must(cm_cbor_put_array(out, 4));
    must(cm_cbor_put_bytes(out, cm_buf_view(&head)));
    must(cm_cbor_put_map(out, 0));
    must(cm_cbor_put_bytes(out, payload));
    must(cm_cbor_put_bytes(out, cm_buf_view(&sig)));
}

static cm_err read_corim(cm_reference **r, const shape *s, cm_attest_kind as)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MAX};

    put_corim(&b, s);
    return cm_corim_read(r, crypt, cm_buf_view(&b), as, NULL, 0);
}

/* ---- CoRIMs --------------------------------------------------------------------------------- */

static void form(void **s)
{
    cm_reference *r = NULL;
    shape good = {.extension = true}, bad = {.stray = true};

    (void)s;
    assert_true(cm_ok(read_corim(&r, &good, CM_ATTEST_TDX))); /* AP-41 */
    assert_true(r->n == 1 && r->v[0].kind == CM_ATTEST_TDX && r->v[0].n == 48 && !r->is_signed);
    assert_string_equal(r->v[0].name, "corim one ACME Road?Runner");
    assert_string_equal(r->v[0].from, "CoRIM corim one, signed by nobody");
    cm_reference_free(r);
    r = NULL;
    assert_true(cm_ok(read_corim(&r, &good, CM_ATTEST_SGX))); /* no size for an enclave */
    assert_true(r->n == 0 && r->ignored == 1);
    cm_reference_free(r);
    r = NULL;
    assert_true(cm_is(read_corim(&r, &bad, CM_ATTEST_TDX), CM_REFERENCE_FORM));
    bad = (shape){.trailing = true};
    assert_true(cm_is(read_corim(&r, &bad, CM_ATTEST_TDX), CM_REFERENCE_FORM));
    for (unsigned n = 1; n <= 64; n++) { /* AP-42 */
        bad = (shape){.size = n};
        if (n != 48)
            assert_true(cm_is(read_corim(&r, &bad, CM_ATTEST_TDX), CM_REFERENCE_FORM));
    }
    assert_null(r);
}

/* AP-45 */
static void validity(void **s)
{
    cm_reference *r = NULL;
    shape v = {.from = 100, .to = 200};

    (void)s;
    assert_true(cm_ok(read_corim(&r, &v, CM_ATTEST_TDX)));
    assert_true(cm_is(cm_reference_valid(r, 99), CM_REFERENCE_EXPIRED));
    assert_true(cm_ok(cm_reference_valid(r, 100)));
    assert_true(cm_ok(cm_reference_valid(r, 199)));
    assert_true(cm_is(cm_reference_valid(r, 200), CM_REFERENCE_EXPIRED));
    cm_reference_free(r);
}

static void every_bit(cm_view file, cm_pkey *const *keys)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MAX};

    must(cm_buf_append(&b, file));
    for (size_t i = 0; i < file.n; i++) {
        cm_reference *r = NULL;

        b.p[i] ^= (uint8_t)(1u << i % 8);
        assert_true(cm_failed(cm_corim_read(&r, crypt, cm_buf_view(&b), CM_ATTEST_TDX, keys, 1)));
        assert_null(r);
        b.p[i] ^= (uint8_t)(1u << i % 8);
    }
}

/* AP-40 */
static void signatures(void **s)
{
    CM_AUTO(cm_buf_free) cm_buf payload = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf file = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf wrong = {.max = MAX};
    CM_AUTO(cm_reference_free_ptr) cm_reference *r = NULL;
    cm_pkey *both[] = {bob, p384}, *one[] = {bob}, *right[] = {p384};
    uint8_t fp[32];
    shape v = {.size = 0};
    cm_err e;

    (void)s;
    put_corim(&payload, &v);
    put_signed(&file, cm_buf_view(&payload), p384, -35);
    e = cm_corim_read(&r, crypt, cm_buf_view(&file), CM_ATTEST_TDX, both, 2);
    assert_true(cm_ok(e) && r->is_signed && r->n == 1);
    must(cm_pkey_fingerprint(fp, crypt, p384));
    assert_memory_equal(fp, r->signer, 32);
    cm_reference_free(r);
    r = NULL;
    e = cm_corim_read(&r, crypt, cm_buf_view(&file), CM_ATTEST_TDX, one, 1);
    assert_true(cm_is(e, CM_REFERENCE_SIGNER));
    e = cm_corim_read(&r, crypt, cm_buf_view(&file), CM_ATTEST_TDX, NULL, 0);
    assert_true(cm_is(e, CM_REFERENCE_SIGNER));
    put_signed(&wrong, cm_buf_view(&payload), p384, -49); /* another algorithm than the key's */
    e = cm_corim_read(&r, crypt, cm_buf_view(&wrong), CM_ATTEST_TDX, right, 1);
    assert_true(cm_is(e, CM_REFERENCE_SIGNER));
    every_bit(cm_buf_view(&file), right);
}

static void signed_by_mldsa(void **s)
{
    CM_AUTO(cm_buf_free) cm_buf payload = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf file = {.max = MAX};
    CM_AUTO(cm_reference_free_ptr) cm_reference *r = NULL;
    cm_pkey *keys[] = {alice}, *other[] = {bob};
    shape v = {.size = 0};

    (void)s;
    put_corim(&payload, &v);
    put_signed(&file, cm_buf_view(&payload), alice, -49);
    assert_true(cm_is(cm_corim_read(&r, crypt, cm_buf_view(&file), CM_ATTEST_TDX, other, 1),
                      CM_CRYPT_SIGNATURE));
    assert_true(cm_ok(cm_corim_read(&r, crypt, cm_buf_view(&file), CM_ATTEST_TDX, keys, 1)));
}

/* ---- manifests ------------------------------------------------------------------------------ */

#define A48                                                                                        \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab" \
    "cdef"

static const char images[] =
    "casemate_policy: 1\nname: images\nversion: 3\nevidence:\n  snp:\n    measurements:\n"
    "      - {value: " A48 ", name: one, provenance: built here, until: 1970-01-02}\n"
    "      - {value: 11" A48 ", name: two, provenance: built there}\n";

static cm_policy *policy(const char *text)
{
    cm_policy_fault f;
    cm_policy *p = NULL;

    if (cm_failed(cm_policy_read(&p, cm_view_str(text), &f)))
        print_message("%u:%u %s\n", f.line, f.column, f.what);
    assert_non_null(p);
    return p;
}

static void manifest(cm_buf *out, const cm_pkey *k, uint64_t issued, uint64_t expires)
{
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = policy(images);

    must(cm_manifest_sign(out, k, p, issued, expires));
}

/* AP-44 */
static void manifests(void **s)
{
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = policy(images);
    CM_AUTO(cm_reference_free_ptr) cm_reference *r = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf none = {.max = MAX};

    (void)s;
    assert_true(cm_is(cm_manifest_sign(&none, old, p, 1, 2), CM_POLICY_SIGNER));
    assert_true(cm_is(cm_manifest_sign(&none, alice, p, 2, 2), CM_BAD_ARGUMENT));
    assert_int_equal(none.n, 0);
    manifest(&b, alice, 1000, 100000);
    assert_true(cm_ok(cm_manifest_read(&r, crypt, cm_buf_view(&b))));
    assert_true(r->n == 2 && r->version == 3 && r->is_signed && r->expires == 100000);
    assert_int_equal(r->v[0].until, 86400);
    assert_int_equal(r->v[1].until, 100000); /* AP-45: no longer than the whole */
    assert_string_equal(r->v[1].from, "built there");
    for (size_t i = 0; i < b.n; i++) {
        cm_reference *bad = NULL;

        b.p[i] ^= (uint8_t)(1u << i % 8);
        assert_true(cm_failed(cm_manifest_read(&bad, crypt, cm_buf_view(&b))));
        assert_null(bad);
        b.p[i] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t n = 0; n < b.n; n += 7) {
        cm_reference *bad = NULL;

        assert_true(cm_failed(cm_manifest_read(&bad, crypt, cm_view_of(b.p, n))));
    }
}

/* ---- policies that refer to one ------------------------------------------------------------- */

static cm_policy *referring(const cm_pkey *signer, unsigned version)
{
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = 64};
    char text[600];
    uint8_t fp[32];

    must(cm_pkey_fingerprint(fp, crypt, signer));
    must(cm_hex_encode(&hex, CM_VIEW(fp)));
    (void)snprintf(text, sizeof text,
                   "casemate_policy: 1\nname: fleet\nversion: 1\nreferences:\n  - {name: images, "
                   "signer: \"%.64s\", version: %u}\nevidence:\n  snp: {measurements: reference}\n"
                   "  tdx: {measurements: any}\n",
                   (const char *)hex.p, version);
    return policy(text);
}

static void referred(const cm_pkey *signer, unsigned version, uint64_t now, cm_reason why)
{
    CM_AUTO(cm_reference_free_ptr) cm_reference *r = NULL;
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = referring(signer, version);
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MAX};
    const cm_policy_rule *rule = cm_policy_rule_of(p, CM_ATTEST_SNP);
    cm_err e;

    manifest(&b, alice, 1000, 100000);
    must(cm_manifest_read(&r, crypt, cm_buf_view(&b)));
    assert_true(rule->by_reference && rule->n_measurements == 0);
    e = cm_policy_refer(p, r, now);
    if (!why) {
        assert_true(cm_ok(e) && rule->n_measurements == 2);
        assert_string_equal(rule->measurement[0].name, "one");
        assert_int_equal(rule->measurement[1].until, 100000);
    } else {
        assert_true(cm_is(e, why) && rule->n_measurements == 0);
    }
    assert_int_equal(cm_policy_rule_of(p, CM_ATTEST_TDX)->n_measurements, 0);
}

/* AP-46, AP-47 */
static void references(void **s)
{
    CM_AUTO(cm_policy_free_ptr) cm_policy *p = referring(alice, 1);
    CM_AUTO(cm_reference_free_ptr) cm_reference *corim = NULL;
    shape v = {.size = 0};

    (void)s;
    referred(alice, 0, 1000, CM_OK_REASON);
    referred(alice, 3, 99999, CM_OK_REASON);
    referred(alice, 4, 1000, CM_REFERENCE_SIGNER);
    referred(bob, 1, 1000, CM_REFERENCE_SIGNER);
    referred(alice, 3, 100000, CM_REFERENCE_EXPIRED);
    referred(alice, 3, 999, CM_REFERENCE_EXPIRED);
    assert_true(cm_ok(read_corim(&corim, &v, CM_ATTEST_SNP)));
    assert_true(cm_is(cm_policy_refer(p, corim, 1), CM_REFERENCE_SIGNER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form),       cmocka_unit_test(validity),
        cmocka_unit_test(signatures), cmocka_unit_test(signed_by_mldsa),
        cmocka_unit_test(manifests),  cmocka_unit_test(references),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
