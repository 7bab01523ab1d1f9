/* Key files: what is written is read back, and what breaks a rule of spec/keys.md is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/os.h"
#include "codec/cbor.h"
#include "codec/text.h"
#include "crypt/aead.h"
#include "hex.h"
#include "pki/der_int.h"
#include "pki/pki_int.h"
#include "proc.h"

enum { ALGS_MAX = 24 };

static cm_crypt *c;
static cm_pkey *keys[ALGS_MAX];
static size_t n_keys;
static const cm_view pass = {(const uint8_t *)"correct horse", 13};
static const cm_view other = {(const uint8_t *)"battery staple", 14};
static const cm_protect open_file = {.mode = CM_PROTECT_NONE};

static int setup(void **state)
{
    const char *name;

    (void)state;
    if (cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT)))
        return -1;
    while ((name = cm_pkey_algorithm_name(n_keys)))
        if (n_keys == ALGS_MAX ||
            cm_failed(cm_pkey_generate(&keys[n_keys++], c, cm_view_str(name))))
            return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_keys; i++)
        cm_pkey_free(keys[i]);
    cm_crypt_free(c);
    return 0;
}

static const cm_pkey *key(const char *name)
{
    for (size_t i = 0; i < n_keys; i++)
        if (strcmp(cm_pkey_algorithm(keys[i]), name) == 0)
            return keys[i];
    fail_msg("no key of %s", name);
    return NULL;
}

static cm_view seed_of(const cm_pkey *k)
{
    return cm_pkey_kem(k) ? cm_kem_seed(cm_pkey_kem(k)) : cm_sig_seed(cm_pkey_sig(k));
}

static void assert_same(const cm_pkey *a, const cm_pkey *b, bool whole)
{
    uint8_t x[CM_FINGERPRINT], y[CM_FINGERPRINT];

    assert_string_equal(cm_pkey_algorithm(a), cm_pkey_algorithm(b));
    assert_int_equal(cm_pkey_has_private(b), whole);
    assert_true(cm_ok(cm_pkey_fingerprint(x, c, a)));
    assert_true(cm_ok(cm_pkey_fingerprint(y, c, b)));
    assert_memory_equal(x, y, sizeof x);
    if (whole)
        assert_true(cm_view_eq(seed_of(a), seed_of(b)));
}

/* What reading yields, with nothing left behind on failure. */
static cm_err reads(cm_view file, const cm_pkey_reading *o)
{
    cm_pkey *none = (cm_pkey *)&c, *k = none;
    cm_err e = cm_pkey_read(&k, c, file, o);

    if (cm_ok(e))
        cm_pkey_free(k);
    else
        assert_ptr_equal(k, none);
    return e;
}

#define assert_reason(e, reason) assert_string_equal(cm_err_name(e), #reason)

static void write_private(cm_buf *b, const cm_pkey *k, const cm_protect *p)
{
    assert_true(cm_ok(cm_pkey_write_private(b, c, k, p)));
}

static void append(cm_buf *b, const char *text)
{
    assert_true(cm_ok(cm_buf_append(b, cm_view_str(text))));
}

/* ---- round trips --------------------------------------------------------------------------- */

static void round_trips(void **state)
{
    (void)state;
    assert_int_equal(n_keys, CM_KEM_COUNT + CM_SIG_COUNT);
    for (size_t i = 0; i < n_keys; i++) {
        CM_AUTO(cm_buf_free) cm_buf a = {.max = CM_KEYFILE_MAX}, b = {.max = CM_KEYFILE_MAX};
        CM_AUTO(cm_buf_free) cm_buf pub = {.max = CM_KEYFILE_MAX}, der = {.max = CM_KEYFILE_MAX};
        CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *p = NULL, *d = NULL, *half = NULL;
        cm_keyfile_form form;

        write_private(&a, keys[i], &open_file);
        assert_true(cm_ok(cm_pkey_read(&k, c, cm_buf_view(&a), NULL)));
        assert_same(keys[i], k, true);
        write_private(&b, k, &open_file);
        assert_true(cm_view_eq(cm_buf_view(&a), cm_buf_view(&b)));
        assert_true(cm_ok(cm_pkey_peek(&form, cm_buf_view(&a))));
        assert_int_equal(form, CM_KEYFILE_PRIVATE);

        assert_true(cm_ok(cm_pkey_write_public(&pub, k)));
        assert_true(cm_ok(cm_pkey_read(&p, c, cm_buf_view(&pub), NULL)));
        assert_same(keys[i], p, false);
        assert_true(cm_ok(cm_pkey_peek(&form, cm_buf_view(&pub))));
        assert_int_equal(form, CM_KEYFILE_PUBLIC);
        assert_reason(cm_pkey_write_private(&pub, c, p, &open_file), KEY_NOT_PRIVATE);
        assert_true(cm_ok(cm_pkey_public_of(&half, c, k)));
        assert_same(keys[i], half, false);

        assert_true(cm_ok(cm_pkey_private_der(&der, k)));
        assert_true(cm_ok(cm_pkey_read(&d, c, cm_buf_view(&der), NULL)));
        assert_same(keys[i], d, true);
    }
}

/* The forms of the algorithms that have one of their own: K-22, K-26, K-28 by their exact bytes. */
static void exact_bytes(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf x = {.max = CM_KEYFILE_MAX}, m = {.max = CM_KEYFILE_MAX};
    CM_AUTO(cm_buf_free) cm_buf p = {.max = CM_KEYFILE_MAX}, d = {.max = CM_KEYFILE_MAX};
    cm_view head = t_hex("3034020100300d060b2b0601040183e62d81c87a0420");
    cm_view spki = t_hex("308204d4300d060b2b0601040183e62d81c87a038204c100");
    cm_view dsa = t_hex("3034020100300b06096086480165030403120422"
                        "8020");

    (void)state;
    assert_true(cm_ok(cm_pkey_private_der(&x, key("X-Wing"))));
    assert_int_equal(x.n, head.n + 32);
    assert_memory_equal(x.p, head.p, head.n);
    assert_true(cm_ok(cm_pkey_public_der(&p, key("X-Wing"))));
    assert_int_equal(p.n, spki.n + 1216);
    assert_memory_equal(p.p, spki.p, spki.n);
    assert_true(cm_ok(cm_pkey_private_der(&m, key("ML-DSA-65"))));
    assert_int_equal(m.n, dsa.n + 32);
    assert_memory_equal(m.p, dsa.p, dsa.n);
    assert_true(cm_ok(cm_pkey_private_der(&d, key("ML-DSA-65+Ed25519"))));
    assert_int_equal(d.n, m.n + 48);
    assert_memory_equal(d.p, dsa.p, dsa.n);
}

/* K-33 */
static void fingerprints(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX}, hex = {.max = 64};
    uint8_t fp[CM_FINGERPRINT], want[CM_FINGERPRINT];
    char id[CM_KEY_ID + 1];

    (void)state;
    assert_true(cm_ok(cm_pkey_public_der(&der, key("ML-KEM-768"))));
    assert_true(cm_ok(cm_hash_once(c, CM_SHA256, want, cm_buf_view(&der))));
    assert_true(cm_ok(cm_pkey_fingerprint(fp, c, key("ML-KEM-768"))));
    assert_memory_equal(fp, want, sizeof fp);
    assert_true(cm_ok(cm_pkey_short_id(id, c, key("ML-KEM-768"))));
    assert_true(cm_ok(cm_hex_encode(&hex, CM_VIEW(fp))));
    assert_memory_equal(id, hex.p, CM_KEY_ID);
    assert_int_equal(strlen(id), CM_KEY_ID);
}

static void protected_files(void **state)
{
    static const char *const names[] = {"X-Wing", "ML-DSA-87", "ML-DSA-65+Ed25519", "Ed25519"};
    cm_protect how[] = {
        {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {19456, 2, 1}},
        {.mode = CM_PROTECT_PBES2, .passphrase = pass},
    };
    cm_pkey_reading right = {.pass = cm_passphrase_of(&pass)};
    cm_pkey_reading wrong = {.pass = cm_passphrase_of(&other)};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(names); i++)
        for (size_t j = 0; j < CM_COUNT(how); j++) {
            CM_AUTO(cm_buf_free) cm_buf a = {.max = CM_KEYFILE_MAX}, b = {.max = CM_KEYFILE_MAX};
            CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
            cm_view seed = seed_of(key(names[i]));

            write_private(&a, key(names[i]), &how[j]);
            write_private(&b, key(names[i]), &how[j]);
            assert_false(cm_view_eq(cm_buf_view(&a), cm_buf_view(&b))); /* K-47 */
            assert_null(memmem(a.p, a.n, seed.p, seed.n));
            assert_reason(reads(cm_buf_view(&a), NULL), KEY_ENCRYPTED);
            assert_reason(reads(cm_buf_view(&a), &wrong), KEY_PASSPHRASE);
            assert_true(cm_ok(cm_pkey_read(&k, c, cm_buf_view(&a), &right)));
            assert_same(key(names[i]), k, true);
        }
    assert_true(cm_err_class(CM_FAIL(KEY_PASSPHRASE)) == CM_CLASS_UNAUTHENTIC);
    assert_true(strlen(cm_err_fix(CM_FAIL(KEY_PASSPHRASE))) > 0);
}

/* K-41, K-46, K-48: what may not be written. */
static void refused_protection(void **state)
{
    static uint8_t longest[CM_PASSPHRASE_MAX + 1];
    const cm_protect size[] = {
        {.mode = CM_PROTECT_ARGON2},
        {.mode = CM_PROTECT_PBES2},
        {.mode = CM_PROTECT_PBES2, .passphrase = {longest, sizeof longest}},
    };
    const cm_protect cost[] = {
        {.mode = CM_PROTECT_PBES2, .passphrase = pass, .rounds = 599999},
        {.mode = CM_PROTECT_PBES2, .passphrase = pass, .rounds = 10000001},
        {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {19455, 2, 1}},
        {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {19456, 1, 1}},
        {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {19456, 17, 1}},
        {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {(1 << 20) + 1, 2, 1}},
        {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {19456, 2, 0}},
        {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {19456, 2, 17}},
        {.mode = (cm_protect_mode)7, .passphrase = pass},
    };
    cm_buf b = {.max = CM_KEYFILE_MAX};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(size); i++)
        assert_reason(cm_pkey_write_private(&b, c, key("Ed25519"), &size[i]), KEY_PASSPHRASE_SIZE);
    for (size_t i = 0; i < CM_COUNT(cost); i++)
        assert_reason(cm_pkey_write_private(&b, c, key("Ed25519"), &cost[i]), BAD_ARGUMENT);
    assert_null(b.p);
}

/* ---- Argon2id records ---------------------------------------------------------------------- */

enum { FIELDS = 10 };

static void put_field(cm_buf *b, size_t i, const cm_cbor_value *v)
{
    assert_true(cm_ok(cm_cbor_put_uint(b, i + 1)));
    if (v->v.p)
        assert_true(cm_ok(cm_cbor_put_bytes(b, v->v)));
    else
        assert_true(cm_ok(cm_cbor_put_uint(b, v->u)));
}

/* The record that v stands for, and what reading it yields. */
static cm_err record(const cm_cbor_value *v, size_t n, const cm_pkey_reading *o)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_KEYFILE_MAX}, pem = {.max = CM_KEYFILE_MAX};

    assert_true(cm_ok(cm_cbor_put_map(&b, n)));
    for (size_t i = 0; i < n; i++)
        put_field(&b, i, &v[i]);
    assert_true(
        cm_ok(cm_pem_encode(&pem, CM_LIT("CASEMATE ENCRYPTED PRIVATE KEY"), cm_buf_view(&b))));
    return reads(cm_buf_view(&pem), o);
}

/* K-43, K-46: absurd costs are refused before they are paid; this test would take minutes. */
static void hostile_records(void **state)
{
    static const uint8_t salt[65], commit[32], nonce[12], sealed[40];
    const cm_cbor_value good[FIELDS + 1] = {
        {.u = 1},
        {.u = 1},
        {.u = 64},
        {.u = 1},
        {.u = 1},
        {.v = {salt, 16}},
        {.v = {commit, 32}},
        {.u = 1},
        {.v = {nonce, 12}},
        {.v = {sealed, 40}},
        {.u = 1},
    };
    const struct {
        size_t field;
        cm_cbor_value v;
        const char *reason;
    } cases[] = {
        {0, {.u = 2}, "KEY_PROTECTION"},
        {0, {.u = 0}, "KEY_PROTECTION"},
        {1, {.u = 2}, "KEY_PROTECTION"},
        {7, {.u = 2}, "KEY_PROTECTION"},
        {2, {.u = (1 << 20) + 1}, "KEY_COST"},
        {2, {.u = UINT32_MAX}, "KEY_COST"},
        {3, {.u = 17}, "KEY_COST"},
        {3, {.u = UINT32_MAX}, "KEY_COST"},
        {2, {.u = (uint64_t)1 << 32}, "KEY_MALFORMED"},
        {2, {.u = UINT64_MAX}, "KEY_MALFORMED"},
        {2, {.u = 7}, "KEY_MALFORMED"},
        {3, {.u = 0}, "KEY_MALFORMED"},
        {4, {.u = 0}, "KEY_MALFORMED"},
        {4, {.u = 9}, "KEY_MALFORMED"},
        {5, {.v = {salt, 15}}, "KEY_MALFORMED"},
        {5, {.v = {salt, 65}}, "KEY_MALFORMED"},
        {6, {.v = {commit, 31}}, "KEY_MALFORMED"},
        {8, {.v = {nonce, 11}}, "KEY_MALFORMED"},
        {9, {.v = {sealed, 16}}, "KEY_MALFORMED"},
        {9, {.u = 5}, "KEY_MALFORMED"},
    };
    cm_pkey_reading o = {.pass = cm_passphrase_of(&pass)}, strict = o;
    cm_cbor_value v[FIELDS + 1];

    (void)state;
    assert_reason(record(good, FIELDS, &o), KEY_PASSPHRASE); /* K-45: no such commitment */
    assert_reason(record(good, FIELDS + 1, &o), KEY_MALFORMED);
    assert_reason(record(good, FIELDS - 1, &o), KEY_MALFORMED);
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        memcpy(v, good, sizeof v);
        v[cases[i].field] = cases[i].v;
        assert_string_equal(cm_err_name(record(v, FIELDS, &o)), cases[i].reason);
    }
    memcpy(v, good, sizeof v);
    v[2].u = 1024;
    v[4].u = 17;
    assert_reason(record(v, FIELDS, &o), KEY_COST);
    strict.max_memory_kib = 63;
    assert_reason(record(good, FIELDS, &strict), KEY_COST);
    strict = o;
    strict.max_passes = 1;
    memcpy(v, good, sizeof v);
    v[3].u = 2;
    assert_reason(record(v, FIELDS, &strict), KEY_COST);
}

/* K-44, K-45: no byte of a record may change. The cost is low so that all of them can be tried. */
static void every_byte_counts(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX}, locked = {.max = CM_KEYFILE_MAX};
    const cm_protect p = {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {64, 1, 1}};
    const cm_pkey_reading o = {0};
    size_t damaged = 0;

    (void)state;
    assert_true(cm_ok(cm_pkey_private_der(&der, key("X-Wing"))));
    assert_true(cm_ok(cm_argon2_lock(&locked, c, &p, cm_buf_view(&der))));
    for (size_t i = 0; i <= locked.n; i++) {
        CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_KEYFILE_MAX};
        cm_err e;

        if (i < locked.n)
            locked.p[i] ^= 1;
        e = cm_argon2_unlock(&out, c, pass, cm_buf_view(&locked), &o);
        assert_int_equal(cm_ok(e), i == locked.n);
        assert_int_equal(out.n, i == locked.n ? der.n : 0);
        damaged += cm_is(e, CM_KEY_DAMAGED);
        if (i < locked.n)
            locked.p[i] ^= 1;
    }
    assert_true(damaged >= 12 + der.n + 16); /* at least nonce, ciphertext and tag */
}

/* K-43, K-44, K-45 once more by the spec's text, with none of the module's own code. */
static void by_the_spec(void **state)
{
    static const uint64_t uints[] = {1, 1, 64, 1, 1};
    const cm_protect p = {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {64, 1, 1}};
    const cm_argon2 cost = {64, 1, 1};
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX}, locked = {.max = CM_KEYFILE_MAX};
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 512}, plain = {.max = 512};
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *gcm = NULL;
    cm_view salt = {0}, commit = {0}, nonce = {0}, sealed = {0};
    uint64_t n, u, aead;
    cm_key32 k[2];
    cm_cbor r;

    (void)state;
    assert_true(cm_ok(cm_pkey_private_der(&der, key("Ed25519"))));
    assert_true(cm_ok(cm_argon2_lock(&locked, c, &p, cm_buf_view(&der))));
    assert_true(cm_ok(cm_cbor_open(&r, cm_buf_view(&locked), NULL)));
    assert_true(cm_ok(cm_cbor_map(&r, &n)));
    assert_int_equal(n, FIELDS);
    for (size_t i = 0; i < CM_COUNT(uints); i++) {
        assert_true(cm_ok(cm_cbor_uint(&r, &u)) && u == i + 1);
        assert_true(cm_ok(cm_cbor_uint(&r, &u)) && u == uints[i]);
    }
    assert_true(cm_ok(cm_cbor_uint(&r, &u)) && cm_ok(cm_cbor_bytes(&r, &salt)));
    assert_true(cm_ok(cm_cbor_uint(&r, &u)) && cm_ok(cm_cbor_bytes(&r, &commit)));
    assert_true(cm_ok(cm_cbor_uint(&r, &u)) && cm_ok(cm_cbor_uint(&r, &aead)) && aead == 1);
    assert_true(cm_ok(cm_cbor_uint(&r, &u)) && cm_ok(cm_cbor_bytes(&r, &nonce)));
    n = (uint64_t)(nonce.p + nonce.n - locked.p); /* where key 10 begins */
    assert_true(cm_ok(cm_cbor_uint(&r, &u)) && cm_ok(cm_cbor_bytes(&r, &sealed)));
    assert_true(cm_ok(cm_cbor_end(&r)));

    append(&aad, "casemate key file");
    assert_true(cm_ok(cm_cbor_put_map(&aad, FIELDS - 1)));
    assert_true(cm_ok(cm_buf_append(&aad, cm_view_of(locked.p + 1, (size_t)n - 1))));
    assert_true(cm_ok(cm_argon2id(c, k[0].b, sizeof k, pass, salt, &cost)));
    assert_memory_equal(k[1].b, commit.p, commit.n);
    assert_true(cm_ok(cm_gcm_new(&gcm, c, &k[0])));
    assert_true(cm_ok(cm_buf_reserve(&plain, sealed.n)));
    plain.n = sealed.n - CM_GCM_TAG;
    assert_true(cm_ok(cm_gcm_open(gcm, plain.p, sealed.p + plain.n, nonce.p, cm_buf_view(&aad),
                                  cm_view_of(sealed.p, plain.n))));
    assert_true(cm_view_eq(cm_buf_view(&plain), cm_buf_view(&der)));
}

/* ---- PBES2 parameters ---------------------------------------------------------------------- */

static void put_hex(cm_buf *b, const char *hex)
{
    assert_true(cm_ok(cm_buf_append(b, t_hex(hex))));
}

/* An EncryptedPrivateKeyInfo of given parts, as a file. */
static cm_err pbes2(const char *scheme, const char *kdf, const char *kdf_rest, size_t salt_n,
                    const char *cipher, size_t iv_n, size_t data_n)
{
    static const uint8_t zero[128];
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    cm_pkey_reading o = {.pass = cm_passphrase_of(&pass)};
    size_t alg, params;

    put_hex(&b, scheme);
    params = b.n;
    put_hex(&b, kdf);
    alg = b.n;
    assert_true(cm_ok(cm_der_put(&b, CM_DER_OCTETS, cm_view_of(zero, salt_n))));
    put_hex(&b, kdf_rest);
    assert_true(cm_ok(cm_der_wrap(&b, alg, CM_DER_SEQUENCE)));
    assert_true(cm_ok(cm_der_wrap(&b, params, CM_DER_SEQUENCE)));
    alg = b.n;
    put_hex(&b, cipher);
    assert_true(cm_ok(cm_der_put(&b, CM_DER_OCTETS, cm_view_of(zero, iv_n))));
    assert_true(cm_ok(cm_der_wrap(&b, alg, CM_DER_SEQUENCE)));
    assert_true(cm_ok(cm_der_wrap(&b, params, CM_DER_SEQUENCE)));
    assert_true(cm_ok(cm_der_wrap(&b, 0, CM_DER_SEQUENCE)));
    assert_true(cm_ok(cm_der_put(&b, CM_DER_OCTETS, cm_view_of(zero, data_n))));
    assert_true(cm_ok(cm_der_wrap(&b, 0, CM_DER_SEQUENCE)));
    return reads(cm_buf_view(&b), &o);
}

/* K-42 */
static void hostile_pbes2(void **state)
{
    static const char *const es2 = "06092a864886f70d01050d", *const kdf2 = "06092a864886f70d01050c";
    static const char *const sha256 = "020101300c06082a864886f70d02090500";
    static const char *const aes256 = "060960864801650304012a";

    (void)state;
    assert_reason(pbes2(es2, kdf2, sha256, 16, aes256, 16, 64), KEY_PASSPHRASE);
    assert_reason(pbes2("06092a864886f70d010503", kdf2, sha256, 16, aes256, 16, 64),
                  KEY_PROTECTION); /* PBES1 */
    assert_reason(pbes2(es2, "06092b06010401da47040b", sha256, 16, aes256, 16, 64),
                  KEY_PROTECTION);                                                 /* scrypt */
    assert_reason(pbes2(es2, kdf2, "020101", 16, aes256, 16, 64), KEY_PROTECTION); /* SHA-1 */
    assert_reason(pbes2(es2, kdf2, "020101300c06082a864886f70d02070500", 16, aes256, 16, 64),
                  KEY_PROTECTION);
    assert_reason(pbes2(es2, kdf2, "020100300c06082a864886f70d02090500", 16, aes256, 16, 64),
                  KEY_PROTECTION); /* no rounds */
    assert_reason(pbes2(es2, kdf2, "020400989681300c06082a864886f70d02090500", 16, aes256, 16, 64),
                  KEY_COST); /* 10 000 001 */
    assert_reason(pbes2(es2, kdf2, "0203989681300c06082a864886f70d02090500", 16, aes256, 16, 64),
                  KEY_MALFORMED); /* negative */
    assert_reason(pbes2(es2, kdf2, sha256, 7, aes256, 16, 64), KEY_PROTECTION);
    assert_reason(pbes2(es2, kdf2, sha256, 65, aes256, 16, 64), KEY_PROTECTION);
    assert_reason(pbes2(es2, kdf2, sha256, 16, "06082a864886f70d0307", 8, 64),
                  KEY_PROTECTION); /* triple DES */
    assert_reason(pbes2(es2, kdf2, sha256, 16, aes256, 15, 64), KEY_MALFORMED);
    assert_reason(pbes2(es2, kdf2, sha256, 16, aes256, 16, 63), KEY_MALFORMED);
    assert_reason(pbes2(es2, kdf2, sha256, 16, aes256, 16, 0), KEY_MALFORMED);
    assert_reason(pbes2(es2, kdf2, "020101020110300c06082a864886f70d02090500", 16, aes256, 16, 64),
                  KEY_MALFORMED); /* a key length of 16 for AES-256 */
}

/* ---- PKCS#8 and SPKI ----------------------------------------------------------------------- */

static cm_err reads_hex(const char *hex)
{
    return reads(t_hex(hex), NULL);
}

#define ED_SEED "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define ED_PUB  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

/* K-20, K-21, K-25 on RFC 8032's first key. */
static void malformed_private(void **state)
{
    (void)state;
    assert_true(cm_ok(reads_hex("302e020100300506032b657004220420" ED_SEED)));
    assert_true(cm_ok(reads_hex("3051020101300506032b657004220420" ED_SEED "812100" ED_PUB)));
    assert_reason(reads_hex("302e020101300506032b657004220420" ED_SEED), KEY_MALFORMED);
    assert_reason(reads_hex("3051020100300506032b657004220420" ED_SEED "812100" ED_PUB),
                  KEY_MALFORMED);
    assert_reason(reads_hex("302e020102300506032b657004220420" ED_SEED), KEY_MALFORMED);
    assert_reason(reads_hex("3051020101300506032b657004220420" ED_SEED "812100" ED_SEED),
                  CRYPT_BAD_KEY); /* not a point */
    assert_reason(reads_hex("3051020101300506032b657004220420" ED_SEED "812100"
                            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
                  KEY_INCONSISTENT); /* K-25: somebody else's */
    assert_reason(reads_hex("3030020100300706032b6570050004220420" ED_SEED), KEY_ALGORITHM);
    assert_reason(reads_hex("302c020100300306012a04220420" ED_SEED), KEY_ALGORITHM);
    assert_reason(reads_hex("30812e020100300506032b657004220420" ED_SEED), KEY_MALFORMED);
    assert_reason(reads_hex("302f020100300506032b657004230421"
                            "00" ED_SEED),
                  KEY_MALFORMED);
    assert_reason(reads_hex("3030020100300506032b657004220420" ED_SEED "a000"), KEY_MALFORMED);
    assert_reason(reads_hex("302c020100300506032b65700420" ED_SEED), KEY_MALFORMED);
    assert_reason(reads_hex("302e020100300506032b657004220420" ED_SEED "00"), KEY_TRAILING);
}

/* K-27, K-25, K-32: RFC 6979's P-256 key in every shape. */
#define P_X   "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define P_Y   "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define P_D   "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define P_ALG "301306072a8648ce3d020106082a8648ce3d030107"

static void curve_keys(void **state)
{
    (void)state;
    assert_true(cm_ok(reads_hex("308187020100" P_ALG "046d306b0201010420" P_D "a144034200"
                                "04" P_X P_Y)));
    assert_true(cm_ok(reads_hex("3041020100" P_ALG "042730250201010420" P_D)));
    assert_true(cm_ok(reads_hex("3067020100" P_ALG "044d304b0201010420" P_D "a124032200"
                                "03" P_X)));
    assert_reason(reads_hex("3067020100" P_ALG "044d304b0201010420" P_D "a124032200"
                            "02" P_X),
                  KEY_INCONSISTENT);
    assert_reason(reads_hex("308187020100" P_ALG "046d306b0201010420" P_D "a144034200"
                            "04" P_X P_X),
                  CRYPT_BAD_KEY);
    assert_true(
        cm_ok(reads_hex("304d020100" P_ALG "043330310201010420" P_D "a00a06082a8648ce3d030107")));
    assert_reason(reads_hex("304a020100" P_ALG "0430302e0201010420" P_D "a00706052b8104000a"),
                  KEY_INCONSISTENT);
    assert_reason(reads_hex("3041020100" P_ALG "042730250201020420" P_D), KEY_MALFORMED);
    assert_reason(reads_hex("3042020100" P_ALG "04283026020101042100" P_D), KEY_MALFORMED);
    assert_reason(reads_hex("3041020100" P_ALG "042730250201010420"
                            "0000000000000000000000000000000000000000000000000000000000000000"),
                  CRYPT_BAD_KEY);
    /* K-29: on its own */
    assert_true(cm_ok(reads_hex("30310201010420" P_D "a00a06082a8648ce3d030107")));
    assert_reason(reads_hex("30250201010420" P_D), KEY_MALFORMED);
    assert_reason(reads_hex("302e0201010420" P_D "a00706052b81040023"), KEY_ALGORITHM);
    assert_reason(reads_hex("30310201020420" P_D "a00a06082a8648ce3d030107"), KEY_MALFORMED);
    /* public */
    assert_true(cm_ok(reads_hex("3059" P_ALG "03420004" P_X P_Y)));
    assert_true(cm_ok(reads_hex("3039" P_ALG "03220003" P_X)));
    assert_reason(reads_hex("3059" P_ALG "03420006" P_X P_Y), CRYPT_BAD_KEY);
    assert_reason(reads_hex("3059" P_ALG "03420404" P_X P_Y), KEY_MALFORMED); /* K-30 */
    assert_reason(reads_hex("3058" P_ALG "034100" P_X P_Y), CRYPT_BAD_KEY);
    assert_reason(reads_hex("3018" P_ALG "030100"), CRYPT_BAD_KEY);
    assert_reason(reads_hex("3019" P_ALG "03020000"), CRYPT_BAD_KEY); /* K-31: infinity */
}

/* K-30, K-31: lengths, and the modulus check of FIPS 203. */
static void malformed_public(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};

    (void)state;
    assert_true(cm_ok(cm_pkey_public_der(&der, key("ML-KEM-768"))));
    assert_true(cm_ok(reads(cm_buf_view(&der), NULL)));
    memset(der.p + 22, 0xff, 3); /* two coefficients of 4095 */
    assert_reason(reads(cm_buf_view(&der), NULL), CRYPT_BAD_KEY);
    assert_reason(reads_hex("302a300506032b65700321"
                            "00" ED_PUB),
                  OK);
    assert_reason(reads_hex("3029300506032b65700320"
                            "00"
                            "5a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
                  KEY_MALFORMED);
}

/* ---- files --------------------------------------------------------------------------------- */

/* K-35 */
static void pem_files(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf one = {.max = CM_KEYFILE_MAX}, b = {.max = CM_KEYFILE_MAX};
    CM_AUTO(cm_buf_free) cm_buf pub = {.max = CM_KEYFILE_MAX}, odd = {.max = CM_KEYFILE_MAX};
    static uint8_t big[CM_KEYFILE_MAX + 1] = {0x30};
    static const char *const labels[][2] = {
        {"CERTIFICATE", "KEY_BLOCK"},
        {"EC PRIVATE KEY", "KEY_MALFORMED"},
        {"RSA PRIVATE KEY", "KEY_ALGORITHM"},
        {"X", "KEY_BLOCK"},
    };

    (void)state;
    write_private(&one, key("Ed25519"), &open_file);
    append(&b, "Bag Attributes: <none>\n");
    assert_true(cm_ok(cm_buf_append(&b, cm_buf_view(&one))));
    append(&b, " \r\n\t\n");
    assert_true(cm_ok(reads(cm_buf_view(&b), NULL)));
    append(&b, "x");
    assert_reason(reads(cm_buf_view(&b), NULL), KEY_TRAILING);
    assert_reason(reads(cm_view_of(NULL, 0), NULL), KEY_MALFORMED);
    assert_reason(reads(cm_view_str("no key"), NULL), KEY_MALFORMED);
    assert_reason(reads(CM_VIEW(big), NULL), TOO_BIG);
    for (size_t i = 0; i < CM_COUNT(labels); i++) {
        odd.n = 0;
        assert_true(cm_ok(cm_pem_encode(&odd, cm_view_str(labels[i][0]), CM_LIT("0123"))));
        assert_string_equal(cm_err_name(reads(cm_buf_view(&odd), NULL)), labels[i][1]);
    }
    assert_true(cm_ok(cm_pkey_write_public(&pub, key("Ed25519"))));
    assert_true(cm_ok(cm_buf_append(&pub, cm_buf_view(&one))));
    assert_reason(reads(cm_buf_view(&pub), NULL), KEY_BLOCK); /* K-36 */
}

/* No cut file is a key, in any form. */
static void truncated(void **state)
{
    static const char *const names[] = {"Ed25519", "X-Wing", "ML-DSA-65", "P-384"};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(names); i++) {
        CM_AUTO(cm_buf_free) cm_buf pem = {.max = CM_KEYFILE_MAX}, der = {.max = CM_KEYFILE_MAX};

        write_private(&pem, key(names[i]), &open_file);
        assert_true(cm_ok(cm_pkey_private_der(&der, key(names[i]))));
        for (size_t n = 0; n + 1 < pem.n; n++)
            assert_true(cm_failed(reads(cm_view_of(pem.p, n), NULL)));
        for (size_t n = 0; n < der.n; n++)
            assert_true(cm_failed(reads(cm_view_of(der.p, n), NULL)));
    }
}

static void join(cm_buf *b, const char *first, const char *second, const char *third)
{
    const char *names[] = {first, second, third};

    b->n = 0;
    for (size_t i = 0; i < CM_COUNT(names); i++)
        if (names[i])
            write_private(b, key(names[i]), &open_file);
}

/* K-28 */
static void dual_keys(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_KEYFILE_MAX};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *p = NULL;
    CM_AUTO(cm_buf_free) cm_buf pub = {.max = CM_KEYFILE_MAX};
    cm_view pq = seed_of(key("ML-DSA-87"));

    (void)state;
    join(&b, "ML-DSA-87", "Ed25519", NULL);
    assert_true(cm_ok(cm_pkey_read(&k, c, cm_buf_view(&b), NULL)));
    assert_string_equal(cm_pkey_algorithm(k), "ML-DSA-87+Ed25519");
    assert_memory_equal(seed_of(k).p, pq.p, pq.n);
    assert_true(cm_pkey_post_quantum(k));
    assert_true(cm_ok(cm_pkey_write_public(&pub, k)));
    assert_true(cm_ok(cm_pkey_read(&p, c, cm_buf_view(&pub), NULL)));
    assert_same(k, p, false);
    join(&b, "Ed25519", "ML-DSA-87", NULL);
    assert_reason(reads(cm_buf_view(&b), NULL), KEY_BLOCK);
    join(&b, "ML-DSA-44", "Ed25519", NULL);
    assert_reason(reads(cm_buf_view(&b), NULL), KEY_BLOCK);
    join(&b, "ML-DSA-65", "P-256", NULL);
    assert_reason(reads(cm_buf_view(&b), NULL), KEY_BLOCK);
    join(&b, "ML-DSA-65", "X25519", NULL);
    assert_reason(reads(cm_buf_view(&b), NULL), KEY_BLOCK);
    join(&b, "ML-DSA-65", "Ed25519", "Ed25519");
    assert_reason(reads(cm_buf_view(&b), NULL), KEY_BLOCK);
    join(&b, "ML-KEM-768", "X25519", NULL);
    assert_reason(reads(cm_buf_view(&b), NULL), KEY_BLOCK);
}

/* K-40 */
static void modes(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_KEYFILE_MAX}, locked = {.max = CM_KEYFILE_MAX};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL, *l = NULL, *m = NULL, *none = NULL;
    const cm_protect p = {.mode = CM_PROTECT_ARGON2, .passphrase = pass, .cost = {19456, 2, 1}};
    cm_pkey_reading any = {.any_mode = true}, o = {.pass = cm_passphrase_of(&pass)};
    char dir[T_PATH];
    struct stat st;
    const char *path;

    (void)state;
    t_mkdir(dir);
    path = t_path(dir, "key.pem");
    write_private(&plain, key("ML-DSA-65"), &open_file);
    assert_true(cm_ok(cm_pkey_save(path, cm_buf_view(&plain), false)));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_reason(cm_pkey_save(path, cm_buf_view(&plain), false), FILE_EXISTS);
    assert_true(cm_ok(cm_pkey_load(&k, c, path, NULL)));
    for (mode_t bit = 1; bit <= 040; bit <<= 1) {
        assert_int_equal(chmod(path, 0600 | bit), 0);
        assert_reason(cm_pkey_load(&none, c, path, NULL), KEY_MODE);
        assert_null(none);
    }
    assert_true(cm_ok(cm_pkey_load(&l, c, path, &any)));
    write_private(&locked, key("ML-DSA-65"), &p);
    assert_true(cm_ok(cm_pkey_save(path, cm_buf_view(&locked), true)));
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(cm_ok(cm_pkey_load(&m, c, path, &o)));
    assert_reason(cm_pkey_load(&none, c, t_path(dir, "none"), NULL), NO_FILE);
    t_rmdir(dir);
}

static void names(void **state)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;

    (void)state;
    assert_reason(cm_pkey_generate(&k, c, CM_LIT("ML-DSA-66")), KEY_ALGORITHM);
    assert_reason(cm_pkey_generate(&k, c, CM_LIT("")), KEY_ALGORITHM);
    assert_null(k);
    assert_false(cm_pkey_post_quantum(key("Ed25519")));
    assert_false(cm_pkey_post_quantum(key("X25519")));
    assert_true(cm_pkey_post_quantum(key("X-Wing")));
    cm_pkey_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(exact_bytes),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(protected_files),
        cmocka_unit_test(refused_protection),
        cmocka_unit_test(hostile_records),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(by_the_spec),
        cmocka_unit_test(hostile_pbes2),
        cmocka_unit_test(malformed_private),
        cmocka_unit_test(curve_keys),
        cmocka_unit_test(malformed_public),
        cmocka_unit_test(pem_files),
        cmocka_unit_test(truncated),
        cmocka_unit_test(dual_keys),
        cmocka_unit_test(modes),
        cmocka_unit_test(names),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
