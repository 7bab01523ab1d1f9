/* Quotes of TPMs below tee/tpm2, whatever sets are there, and logs of measured boot, to which this
 * test makes the quote. */
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/x509.h>

#include "attest/tpm_int.h"
#include "attest_kit.h"

enum { PCRS_FIRMWARE = 0xff };

static const uint32_t skips = CM_CHECK_BIT(REVOCATION) | CM_CHECK_BIT(EVENTS) |
                              CM_CHECK_BIT(PLATFORM) | CM_CHECK_BIT(CHIP) |
                              CM_CHECK_BIT(MEASUREMENT) | CM_CHECK_BIT(FRESH);

/* ---- recorded quotes ----------------------------------------------------------------------- */

static char folder[256];

static tee *open_set(void)
{
    tee *t = tee_new(folder, "quote.msg", tee_time("2026-12-01T00:00:00"));

    tee_part(t, CM_PART_SIGNATURE, folder, "quote.sig");
    tee_part(t, CM_PART_AK, folder, "ak_tpm2b_public.bin");
    tee_part(t, CM_PART_PCRS, folder, "quote_pcrs.bin");
    t->p.fresh = tee_file(t, folder, "nonce.bin");
    return t;
}

/* AT-53: no certificate, and no list that names the key. */
static void stranger(tee *t)
{
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    T_CHECK(tee_is(t, CM_CHECK_SIGNATURE, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_PCRS, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_IDENTITY, CM_VERDICT_PASS));
    T_CHECK(tee_is(t, CM_CHECK_FRESH, CM_VERDICT_PASS));
}

static void wrong(tee *t)
{
    cm_view fresh = t->p.fresh;

    t->p.fresh = CM_LIT("another nonce");
    t->p.tpm.pcrs = 1u << 23;
    t->p.tpm.has_boot = true;
    t->p.tpm.resets = 77;
    tee_measured(t, CM_LIT("another"));
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_FRESH, CM_VERDICT_FAIL) &&
            tee_is(t, CM_CHECK_PCRS, CM_VERDICT_FAIL) &&     /* AT-55 */
            tee_is(t, CM_CHECK_PLATFORM, CM_VERDICT_FAIL) && /* AT-57 */
            tee_is(t, CM_CHECK_MEASUREMENT, CM_VERDICT_FAIL));
    t->p.fresh = fresh;
    t->p.tpm.pcrs = 0;
    t->p.tpm.has_boot = false;
    t->p.n_measurements = 0;
}

/* AT-50, AT-51: neither length nor bit of any part may be another. */
static void changed(tee *t)
{
    T_CHECK(cm_ok(tee_run(t, skips)));
    tee_lengths(t, &t->in.evidence, 1);
    for (size_t i = CM_PART_SIGNATURE; i <= CM_PART_PCRS; i++)
        tee_lengths(t, &t->in.part[i], 1);
    t_case(folder, 0);
    tee_mutate(t, t->evidence.p, t->evidence.n, 1);
    for (size_t i = 0; i < 3; i++)
        tee_mutate(t, t->file[i].p, t->file[i].n, 1);
}

/* AT-10: the same as one file, and no other form of it. */
static void packed(tee *t)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 16};
    cm_attest_input loose = t->in;
    size_t accepted = 0;

    t->in.kind = CM_ATTEST_TPM;
    T_CHECK(cm_ok(cm_attest_pack_put(&b, &t->in)));
    t->in = (cm_attest_input){.evidence = cm_buf_view(&b)};
    T_CHECK(cm_attest_detect(t->in.evidence) == CM_ATTEST_TPM);
    T_CHECK(cm_ok(tee_run(t, skips)) && t->r.kind == CM_ATTEST_TPM);
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        accepted += cm_ok(tee_run(t, skips));
        b.p[i] ^= 1;
        t->in.evidence = cm_view_of(b.p, i + 1 < b.n ? i + 1 : 1);
        accepted += cm_ok(tee_run(t, skips));
        t->in.evidence = cm_buf_view(&b);
    }
    T_CHECK(accepted == 0);
    t->in = loose;
}

/* AT-53: the policy names the key. */
static void named(tee *t)
{
    cm_view name = tee_file(t, folder, "ak_name.bin"), other = CM_LIT("another name");

    t->p.chips = &name;
    t->p.n_chips = 1;
    T_CHECK(cm_ok(tee_run(t, skips)) && tee_is(t, CM_CHECK_CHIP, CM_VERDICT_PASS));
    T_CHECK(cm_is(tee_run(t, 0), CM_ATTEST_INCOMPLETE));
    tee_every_byte(t);
    wrong(t);
    changed(t);
    packed(t);
    t->p.chips = &other;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHIP, CM_VERDICT_FAIL));
    t->p.chips = NULL;
    t->p.n_chips = 0;
}

/* The root among the certificates of a set: its own issuer. */
static void find_root(cm_root *out, uint8_t **spki, tee *t, cm_view file)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};

    T_CHECK(cm_ok(cm_pool_add(&pool, t->c, file)));
    for (size_t i = 0; i < pool.n; i++) {
        X509 *x = pool.v[i];

        if (X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0) {
            int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), spki);

            *out = (cm_root){CM_VENDOR_TPM, "test", "", cm_view_of(*spki, (size_t)n), "test"};
        }
    }
}

static void activation_of(cm_tpm_activation *a, tee *t, cm_view cert)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    cm_view name = tee_file(t, folder, "ak_name.bin");

    T_CHECK(cm_ok(cm_pool_add(&pool, t->c, cert)) &&
            cm_ok(cm_x509_key_digest(a->ek, t->c, pool.v[0])));
    memcpy(a->name, name.p, name.n);
    a->name_n = name.n;
    memcpy(a->secret, t->in.part[CM_PART_ACTIVATION].p, sizeof a->secret);
}

/* AT-54: the TPM that has the endorsement key opened what was made for this attestation key. */
static void activated(tee *t)
{
    cm_tpm_activation a = {0};
    uint8_t *spki = NULL;
    cm_root root = {0};
    uint64_t now = t->p.now;

    tee_part(t, CM_PART_ACTIVATION, folder, "makecredential_secret.bin");
    tee_cert(t, folder, "ek_rsa2048_cert.der");
    tee_cert(t, folder, "ek_eccp384_cert.der");
    tee_cert(t, folder, "swtpm_localca_chain.pem");
    activation_of(&a, t, t->cert[0]);
    t->p.tpm.activation = &a;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    find_root(&root, &spki, t, t->cert[2]);
    t->roots = (cm_roots){&root, 1};
    T_CHECK(cm_ok(tee_run(t, skips)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_PASS));
    t->p.now = tee_time("2020-01-01T00:00:00");
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)));
    t->p.now = now;
    a.secret[0] ^= 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    a.secret[0] ^= 1;
    a.name[5] ^= 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    a.name[5] ^= 1;
    a.ek[0] ^= 1;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    a.ek[0] ^= 1;
    t->in.part[CM_PART_ACTIVATION] = cm_view_of(NULL, 0);
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_CHAIN, CM_VERDICT_FAIL));
    OPENSSL_free(spki);
}

/* AT-52: a key that may sign anything, made by hand: one attribute less. */
static void loose_key(tee *t)
{
    cm_buf *ak = &t->file[1];

    for (unsigned bit = 0; bit < 32; bit++) {
        uint8_t *byte = &ak->p[2 + 4 + 3 - bit / 8];
        bool needed = bit == 1 || bit == 4 || bit == 5 || bit == 16 || bit == 17 || bit == 18;

        *byte ^= (uint8_t)(1u << bit % 8);
        T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) &&
                tee_is(t, CM_CHECK_IDENTITY, needed ? CM_VERDICT_FAIL : CM_VERDICT_PASS));
        *byte ^= (uint8_t)(1u << bit % 8);
    }
}

static void each_set(const char *path)
{
    tee *t;

    (void)snprintf(folder, sizeof folder, "tpm2/%s", tee_last(path));
    if (!tee_exists(folder, "quote.msg"))
        return;
    t = open_set();
    T_CHECK(cm_attest_detect(t->in.evidence) == CM_ATTEST_TPM);
    t_ran();
    stranger(t);
    loose_key(t);
    named(t);
    activated(t);
    tee_done(t);
}

/* ---- logs ---------------------------------------------------------------------------------- */

/* A TPM of this test: a key, and registers that it quotes. */
typedef struct {
    tee *t;
    EVP_PKEY *key;
    cm_buf ak, sig;
    cm_tcg_registers r;
    uint16_t alg;
    size_t size;
    cm_view name;
    uint8_t name_bytes[CM_TPM_NAME_MAX];
} made;

static void put16(cm_buf *b, unsigned v)
{
    T_CHECK(cm_ok(cm_buf_byte(b, (uint8_t)(v >> 8))) && cm_ok(cm_buf_byte(b, (uint8_t)v)));
}

static void put(cm_buf *b, cm_view v)
{
    T_CHECK(cm_ok(cm_buf_append(b, v)));
}

static void put_sized(cm_buf *b, cm_view v)
{
    put16(b, (unsigned)v.n);
    put(b, v);
}

static void make_key(made *m)
{
    static const uint8_t head[] = {0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x00, 0x72, 0x00, 0x00,
                                   0x00, 0x10, 0x00, 0x18, 0x00, 0x0c, 0x00, 0x04, 0x00, 0x10};
    CM_AUTO(cm_buf_free) cm_buf area = {.max = 512};
    uint8_t point[97];
    size_t n;
    cm_tpm_public pub;

    m->key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    T_CHECK(EVP_PKEY_get_octet_string_param(m->key, "encoded-pub-key", point, sizeof point, &n));
    put(&area, CM_VIEW(head));
    put_sized(&area, cm_view_of(point + 1, 48));
    put_sized(&area, cm_view_of(point + 49, 48));
    put_sized(&m->ak, cm_buf_view(&area));
    T_CHECK(cm_tpm_public_read(&pub, cm_buf_view(&m->ak)) &&
            cm_ok(cm_tpm_name(m->name_bytes, &n, m->t->c, &pub)));
    m->name = cm_view_of(m->name_bytes, n);
}

static void put_signature(made *m, const uint8_t *der, size_t n)
{
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);
    uint8_t half[48];

    put16(&m->sig, CM_TPM_ECDSA);
    put16(&m->sig, CM_TCG_SHA384);
    BN_bn2binpad(ECDSA_SIG_get0_r(s), half, sizeof half);
    put_sized(&m->sig, CM_VIEW(half));
    BN_bn2binpad(ECDSA_SIG_get0_s(s), half, sizeof half);
    put_sized(&m->sig, CM_VIEW(half));
    ECDSA_SIG_free(s);
}

static void sign(made *m)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t der[256];
    size_t n = sizeof der;

    T_CHECK(EVP_DigestSignInit_ex(md, NULL, "SHA384", NULL, NULL, m->key, NULL) == 1 &&
            EVP_DigestSign(md, der, &n, m->t->evidence.p, m->t->evidence.n) == 1);
    EVP_MD_CTX_free(md);
    put_signature(m, der, n);
}

static void quote(made *m)
{
    static const uint8_t head[] = {0xff, 0x54, 0x43, 0x47, 0x80, 0x18, 0, 0, 0, 1, 'n'};
    static const uint8_t rest[25] = {[16] = 1};
    CM_AUTO(cm_buf_free) cm_buf values = {.max = 1024};
    cm_buf *q = &m->t->evidence;
    uint8_t digest[48];

    cm_buf_free(q);
    *q = (cm_buf){.max = 1024};
    for (size_t i = 0; i < 8; i++)
        put(&values, cm_view_of(m->r.v[i], m->size));
    T_CHECK(cm_ok(cm_hash_once(m->t->c, CM_SHA384, digest, cm_buf_view(&values))));
    put(q, CM_VIEW(head));
    put(q, CM_VIEW(rest));
    put16(q, 0);
    put16(q, 1);
    put16(q, m->alg);
    put(q, CM_LIT("\x03\xff"));
    put16(q, 0);
    put_sized(q, CM_VIEW(digest));
    sign(m);
    m->t->in.evidence = cm_buf_view(q);
    m->t->file[m->t->n_files] = values;
    values = (cm_buf){0};
    m->t->in.part[CM_PART_PCRS] = cm_buf_view(&m->t->file[m->t->n_files++]);
    m->t->in.part[CM_PART_AK] = cm_buf_view(&m->ak);
    m->t->in.part[CM_PART_SIGNATURE] = cm_buf_view(&m->sig);
}

/* Digests of registers 0 to 7 by another implementation; a log that is not here is replayed all the
 * same. */
static const struct {
    const char *log, *sha256;
} known[] = {
    {"eventlogwithsp800155.bin",
     "a4e33e92c80bc954d564bc1787e45d24821dc1a11c45198e3b8416f30a751618"},
    {"rhel8-uefi.bin", "322b07a200e8f26799724537987ff10f3f6d598d63ad1ad4218db17e44c7f0ec"},
    {"ubuntu-2404-amd-sevsnp.bin",
     "21db09b8307df4a97ffee8929abc624d9b2261bbaca0989ad23f0cbde6496a03"},
};

static void check_known(const made *m, const char *path)
{
    uint8_t digest[32];

    for (size_t i = 0; i < CM_COUNT(known); i++) {
        if (strcmp(tee_last(path), known[i].log) != 0 || m->alg != CM_TCG_SHA256)
            continue;
        T_CHECK(cm_ok(cm_hash_once(m->t->c, CM_SHA256, digest, m->t->in.part[CM_PART_PCRS])));
        T_CHECK(cm_view_eq(CM_VIEW(digest), t_hex_view(cm_view_str(known[i].sha256))));
        t_ran();
    }
}

/* AT-56: no log but this one leads there; without the values there is nothing to lead to. */
static void log_counts(made *m)
{
    tee *t = m->t;
    cm_view values = t->in.part[CM_PART_PCRS], whole = t->in.event_log;

    T_CHECK(cm_ok(tee_run(t, skips & ~CM_CHECK_BIT(EVENTS))));
    T_CHECK(tee_is(t, CM_CHECK_EVENTS, CM_VERDICT_PASS));
    t->in.part[CM_PART_PCRS] = cm_view_of(NULL, 0);
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_EVENTS, CM_VERDICT_FAIL));
    t->in.part[CM_PART_PCRS] = values;
    t->p.tpm.log_pcrs = PCRS_FIRMWARE | 1u << 9;
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_EVENTS, CM_VERDICT_FAIL));
    t->p.tpm.log_pcrs = 0;
    for (size_t n = 1; n < whole.n / 2; n += 997) {
        t->in.event_log = cm_view_sub(whole, 0, n);
        T_CHECK(cm_failed(tee_run(t, UINT32_MAX)) && tee_is(t, CM_CHECK_EVENTS, CM_VERDICT_FAIL));
    }
    t->in.event_log = whole;
    T_CHECK(cm_ok(tee_run(t, skips)));
}

static void replay(const char *path, uint16_t alg)
{
    made m = {.t = tee_new("tpm2/eventlogs", tee_last(path), tee_time("2026-12-01T00:00:00")),
              .alg = alg,
              .ak = {.max = 512},
              .sig = {.max = 512}};
    cm_view log;
    bool good = false;

    (void)cm_tcg_hash(alg, &m.size);
    log = tee_file(m.t, "tpm2/eventlogs", tee_last(path));
    T_CHECK(cm_ok(cm_tcg_replay(&good, &m.r, m.t->c, log, alg, 0, CM_TPM_PCRS)) && good);
    make_key(&m);
    quote(&m);
    m.t->p.chips = &m.name;
    m.t->p.n_chips = 1;
    m.t->in.event_log = log;
    check_known(&m, path);
    log_counts(&m);
    /* Digests that are extended count; every bit of the first event that is. */
    tee_mutate(m.t, m.t->file[0].p + 32, 8, 1);
    t_ran();
    EVP_PKEY_free(m.key);
    cm_buf_free(&m.ak);
    cm_buf_free(&m.sig);
    tee_done(m.t);
}

static void each_log(const char *path)
{
    replay(path, CM_TCG_SHA256);
    replay(path, CM_TCG_SHA384);
}

static void run(void)
{
    tee_each("tpm2", "*", each_set);
    tee_each("tpm2/eventlogs", "*", each_log);
}

int main(void)
{
    return t_vectors_main(run);
}
