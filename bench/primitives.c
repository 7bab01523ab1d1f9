/*
 * What the facades of src/crypt cost over the calls they stand on, in one process. Every round runs
 * each primitive raw and through the facade, in alternating order and over the same messages, so
 * that both meet the same neighbours and the same rejections. CPU time of the thread.
 *
 * Raw is the cheapest way a program could call the provider: contexts made once and used again.
 *
 * primitives [--json] [--rounds N]
 * Microseconds for one operation: least and median; overhead of the least, and the median of the
 * overheads of all rounds.
 */
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <secp256k1_recovery.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypt/aead.h"
#include "crypt/crypt_int.h"
#include "crypt/kem.h"
#include "crypt/sig_int.h"

#define ROUNDS_MAX 1001u
#define BIG        65536u
#define SHORT      32u
#define SIGS       16u

typedef struct {
    const char *name;
    void (*raw)(size_t i);
    void (*ours)(size_t i);
    unsigned batch;
    double raw_s[ROUNDS_MAX], ours_s[ROUNDS_MAX], ratio[ROUNDS_MAX];
} job;

static size_t rounds = 201;
static volatile uint8_t sink;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "primitives: %s failed\n", what);
    exit(1);
}
#define MUST(x) must((x), #x)

/* ---- what the jobs work on ------------------------------------------------------------------ */

static cm_crypt *c;
static uint8_t big[BIG], out[BIG + 16], tag[16], message[SHORT];
static cm_gcm *gcm;
static EVP_CIPHER_CTX *raw_gcm;
static EVP_MD_CTX *raw_md;
static cm_hasher *hasher;

typedef struct {
    cm_kem_key *key;
    EVP_PKEY *pkey, *x_pkey;
    EVP_PKEY_CTX *encap, *decap, *x_gen, *x_derive;
    uint8_t ct[CM_KEM_CT_MAX], ss[32];
} kem;
static kem mlkem, xwing;

typedef struct {
    cm_sig_key *key;
    EVP_PKEY_CTX *sign, *det, *verify;
    uint8_t sig[SIGS][CM_SIG_MAX], made[CM_SIG_MAX];
} sig;
static sig mldsa, ed, secp;

static const cm_view ctx_ = {(const uint8_t *)"casemate/bench/v1", 17};
static const uint8_t nonce[12];

static cm_view msg_of(size_t i)
{
    memset(message, 0, sizeof message);
    memcpy(message, &i, sizeof i);
    return CM_VIEW(message);
}

/* ---- SHA-256 and AES-256-GCM ---------------------------------------------------------------- */

static void raw_hash(size_t n)
{
    MUST(EVP_DigestInit_ex2(raw_md, NULL, NULL) == 1 && EVP_DigestUpdate(raw_md, big, n) == 1 &&
         EVP_DigestFinal_ex(raw_md, out, NULL) == 1);
}

static void our_hash(size_t n)
{
    MUST(cm_ok(cm_hasher_update(hasher, cm_view_of(big, n))) &&
         cm_ok(cm_hasher_final(hasher, out)));
}

static void raw_hash_1k(size_t i)
{
    (void)i;
    raw_hash(1024);
}

static void our_hash_1k(size_t i)
{
    (void)i;
    our_hash(1024);
}

static void raw_hash_64k(size_t i)
{
    (void)i;
    raw_hash(BIG);
}

static void our_hash_64k(size_t i)
{
    (void)i;
    our_hash(BIG);
}

static void raw_seal(size_t i)
{
    int n;

    (void)i;
    MUST(EVP_EncryptInit_ex2(raw_gcm, NULL, NULL, nonce, NULL) == 1 &&
         EVP_EncryptUpdate(raw_gcm, out, &n, big, (int)BIG) == 1 &&
         EVP_EncryptFinal_ex(raw_gcm, tag, &n) == 1 &&
         EVP_CIPHER_CTX_ctrl(raw_gcm, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
}

static void our_seal(size_t i)
{
    (void)i;
    MUST(cm_ok(cm_gcm_seal(gcm, out, tag, nonce, CM_LIT(""), CM_VIEW(big))));
}

/* ---- ML-KEM-768 and X-Wing ------------------------------------------------------------------ */

static void raw_mlkem_encap(kem *k)
{
    size_t ct_n = sizeof k->ct, ss_n = sizeof k->ss;

    MUST(EVP_PKEY_encapsulate(k->encap, k->ct, &ct_n, k->ss, &ss_n) == 1);
}

static void raw_mlkem_decap(kem *k)
{
    size_t ss_n = sizeof k->ss;

    MUST(EVP_PKEY_decapsulate(k->decap, k->ss, &ss_n, k->ct, 1088) == 1);
}

static void raw_encap(size_t i)
{
    (void)i;
    raw_mlkem_encap(&mlkem);
}

static void our_encap(size_t i)
{
    (void)i;
    MUST(cm_ok(cm_kem_encap(mlkem.key, mlkem.ct, mlkem.ss)));
}

static void raw_decap(size_t i)
{
    (void)i;
    raw_mlkem_decap(&mlkem);
}

static void our_decap(size_t i)
{
    (void)i;
    MUST(cm_ok(cm_kem_decap(mlkem.key, mlkem.ss, cm_view_of(mlkem.ct, 1088))));
}

static void derive(EVP_PKEY_CTX *ctx, EVP_PKEY *peer, uint8_t ss[32])
{
    size_t n = 32;

    MUST(EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 && EVP_PKEY_derive(ctx, ss, &n) == 1);
}

/* The combiner: SHA3-256 over two secrets, the share, the public key and the label. */
static void combine(kem *k, const uint8_t *x)
{
    uint8_t in[134] = {0};

    memcpy(in, k->ss, 32);
    memcpy(in + 32, x, 32);
    MUST(EVP_Digest(in, sizeof in, k->ss, NULL, c->md[CM_SHA3_256], NULL) == 1);
}

static void raw_xwing_encap(size_t i)
{
    EVP_PKEY *fresh = NULL;
    EVP_PKEY_CTX *ctx;
    uint8_t x[32];
    size_t n;

    (void)i;
    raw_mlkem_encap(&xwing);
    MUST(EVP_PKEY_generate(xwing.x_gen, &fresh) == 1);
    MUST(EVP_PKEY_get_octet_string_param(fresh, OSSL_PKEY_PARAM_PUB_KEY, xwing.ct + 1088, 32, &n));
    ctx = EVP_PKEY_CTX_new_from_pkey(c->lib, fresh, NULL);
    MUST(ctx && EVP_PKEY_derive_init(ctx) == 1);
    derive(ctx, xwing.x_pkey, x);
    combine(&xwing, x);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(fresh);
}

static void our_xwing_encap(size_t i)
{
    (void)i;
    MUST(cm_ok(cm_kem_encap(xwing.key, xwing.ct, xwing.ss)));
}

static void raw_xwing_decap(size_t i)
{
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key_ex(c->lib, "X25519", NULL, xwing.ct + 1088, 32);
    uint8_t x[32];

    (void)i;
    raw_mlkem_decap(&xwing);
    derive(xwing.x_derive, peer, x);
    combine(&xwing, x);
    EVP_PKEY_free(peer);
}

static void our_xwing_decap(size_t i)
{
    (void)i;
    MUST(cm_ok(cm_kem_decap(xwing.key, xwing.ss, cm_view_of(xwing.ct, 1120))));
}

static EVP_PKEY_CTX *ctx_over(EVP_PKEY *k)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(c->lib, k, NULL);

    MUST(ctx != NULL);
    return ctx;
}

/* An EVP key of the provider's own making is as good as the facade's for timing. */
static void kem_init(kem *k, cm_kem_id id)
{
    MUST(cm_ok(cm_kem_generate(&k->key, c, id)));
    k->pkey = EVP_PKEY_Q_keygen(c->lib, NULL, "ML-KEM-768");
    k->x_pkey = EVP_PKEY_Q_keygen(c->lib, NULL, "X25519");
    k->encap = ctx_over(k->pkey);
    k->decap = ctx_over(k->pkey);
    k->x_derive = ctx_over(k->x_pkey);
    k->x_gen = EVP_PKEY_CTX_new_from_name(c->lib, "X25519", NULL);
    MUST(EVP_PKEY_encapsulate_init(k->encap, NULL) == 1);
    MUST(EVP_PKEY_decapsulate_init(k->decap, NULL) == 1);
    MUST(EVP_PKEY_derive_init(k->x_derive) == 1 && EVP_PKEY_keygen_init(k->x_gen) == 1);
    MUST(cm_ok(cm_kem_encap(k->key, k->ct, k->ss)));
}

/* ---- signatures ----------------------------------------------------------------------------- */

static void raw_sign(sig *s, EVP_PKEY_CTX *ctx, cm_view v)
{
    size_t n = sizeof s->made;

    MUST(EVP_PKEY_sign(ctx, s->made, &n, v.p, v.n) == 1);
}

static void raw_mldsa_sign(size_t i)
{
    raw_sign(&mldsa, mldsa.sign, msg_of(i));
}

static void our_mldsa_sign(size_t i)
{
    MUST(cm_ok(cm_sign(mldsa.key, mldsa.made, ctx_, msg_of(i))));
}

static void raw_mldsa_det(size_t i)
{
    raw_sign(&mldsa, mldsa.det, msg_of(i));
}

static void our_mldsa_det(size_t i)
{
    MUST(cm_ok(cm_sign_det(mldsa.key, mldsa.made, ctx_, msg_of(i))));
}

static void raw_verify(const sig *s, size_t i)
{
    cm_view v = msg_of(i % SIGS);

    MUST(EVP_PKEY_verify(s->verify, s->sig[i % SIGS], s->key->alg->info.sig, v.p, v.n) == 1);
}

static void raw_mldsa_verify(size_t i)
{
    raw_verify(&mldsa, i);
}

static void our_mldsa_verify(size_t i)
{
    MUST(
        cm_ok(cm_verify(mldsa.key, ctx_, msg_of(i % SIGS), cm_view_of(mldsa.sig[i % SIGS], 3309))));
}

static void raw_ed_verify(size_t i)
{
    raw_verify(&ed, i);
}

static void our_ed_verify(size_t i)
{
    MUST(cm_ok(cm_verify_raw(ed.key, msg_of(i % SIGS), cm_view_of(ed.sig[i % SIGS], 64))));
}

/* The facade's checks its own signature, so does this. */
static void raw_ed_sign(size_t i)
{
    cm_view v = msg_of(i);

    raw_sign(&ed, ed.sign, v);
    MUST(EVP_PKEY_verify(ed.verify, ed.made, 64, v.p, v.n) == 1);
}

static void our_ed_sign(size_t i)
{
    MUST(cm_ok(cm_sign_raw(ed.key, ed.made, msg_of(i))));
}

/* libsecp256k1 without the fresh bytes that the facade mixes into its nonce. */
static void raw_secp_sign(size_t i)
{
    secp256k1_ecdsa_signature s;

    MUST(secp256k1_ecdsa_sign(c->secp, &s, msg_of(i).p, secp.key->seed, NULL, NULL) == 1);
    (void)secp256k1_ecdsa_signature_serialize_compact(c->secp, secp.made, &s);
}

static void our_secp_sign(size_t i)
{
    MUST(cm_ok(cm_sign_raw(secp.key, secp.made, msg_of(i))));
}

static void raw_secp_verify(size_t i)
{
    secp256k1_ecdsa_signature s;

    MUST(secp256k1_ecdsa_signature_parse_compact(c->secp, &s, secp.sig[i % SIGS]) == 1 &&
         secp256k1_ecdsa_verify(c->secp, &s, msg_of(i % SIGS).p, &secp.key->point) == 1);
}

static void our_secp_verify(size_t i)
{
    MUST(cm_ok(cm_verify_raw(secp.key, msg_of(i % SIGS), cm_view_of(secp.sig[i % SIGS], 64))));
}

static EVP_PKEY_CTX *message_ctx(const sig *s, bool verify, bool det)
{
    EVP_PKEY_CTX *ctx = ctx_over(s->key->pkey);
    int one = 1;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_SIGNATURE_PARAM_CONTEXT_STRING,
                                          (void *)(uintptr_t)ctx_.p, ctx_.n),
        OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };

    if (det)
        params[1] = OSSL_PARAM_construct_int(OSSL_SIGNATURE_PARAM_DETERMINISTIC, &one);
    if (!s->key->alg->native_ctx)
        params[0] = OSSL_PARAM_construct_end();
    if (verify)
        MUST(EVP_PKEY_verify_message_init(ctx, s->key->method, params) == 1);
    else
        MUST(EVP_PKEY_sign_message_init(ctx, s->key->method, params) == 1);
    return ctx;
}

static void sig_init(sig *s, cm_sig_id id)
{
    MUST(cm_ok(cm_sig_generate(&s->key, c, id)));
    for (size_t i = 0; i < SIGS; i++) {
        if (s->key->alg->native_ctx)
            MUST(cm_ok(cm_sign(s->key, s->sig[i], ctx_, msg_of(i))));
        else
            MUST(cm_ok(cm_sign_raw(s->key, s->sig[i], msg_of(i))));
    }
    if (!s->key->pkey)
        return;
    s->sign = message_ctx(s, false, false);
    s->det = message_ctx(s, false, s->key->alg->native_ctx);
    s->verify = message_ctx(s, true, false);
}

/* ---- running -------------------------------------------------------------------------------- */

static job jobs[] = {
    {.name = "ML-KEM-768 encap", .raw = raw_encap, .ours = our_encap, .batch = 20},
    {.name = "ML-KEM-768 decap", .raw = raw_decap, .ours = our_decap, .batch = 15},
    {.name = "X-Wing encap", .raw = raw_xwing_encap, .ours = our_xwing_encap, .batch = 6},
    {.name = "X-Wing decap", .raw = raw_xwing_decap, .ours = our_xwing_decap, .batch = 8},
    {.name = "ML-DSA-65 sign", .raw = raw_mldsa_sign, .ours = our_mldsa_sign, .batch = 1},
    {.name = "ML-DSA-65 sign, same coins", .raw = raw_mldsa_det, .ours = our_mldsa_det, .batch = 1},
    {.name = "ML-DSA-65 verify", .raw = raw_mldsa_verify, .ours = our_mldsa_verify, .batch = 3},
    {.name = "Ed25519 sign and check", .raw = raw_ed_sign, .ours = our_ed_sign, .batch = 4},
    {.name = "Ed25519 verify", .raw = raw_ed_verify, .ours = our_ed_verify, .batch = 6},
    {.name = "secp256k1 sign", .raw = raw_secp_sign, .ours = our_secp_sign, .batch = 20},
    {.name = "secp256k1 verify", .raw = raw_secp_verify, .ours = our_secp_verify, .batch = 20},
    {.name = "SHA-256, 1 KiB", .raw = raw_hash_1k, .ours = our_hash_1k, .batch = 500},
    {.name = "SHA-256, 64 KiB", .raw = raw_hash_64k, .ours = our_hash_64k, .batch = 10},
    {.name = "AES-256-GCM, 64 KiB", .raw = raw_seal, .ours = our_seal, .batch = 100},
};

static void init(void)
{
    cm_key32 key = {{1}};

    MUST(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    MUST(cm_ok(cm_gcm_new(&gcm, c, &key)));
    raw_gcm = EVP_CIPHER_CTX_new();
    MUST(EVP_EncryptInit_ex2(raw_gcm, c->aead[1], key.b, NULL, NULL) == 1);
    raw_md = EVP_MD_CTX_new();
    MUST(EVP_DigestInit_ex2(raw_md, c->md[CM_SHA256], NULL) == 1);
    MUST(cm_ok(cm_hasher_new(&hasher, c, CM_SHA256)));
    kem_init(&mlkem, CM_KEM_MLKEM768);
    kem_init(&xwing, CM_KEM_XWING);
    sig_init(&mldsa, CM_SIG_MLDSA65);
    sig_init(&ed, CM_SIG_ED25519);
    sig_init(&secp, CM_SIG_SECP256K1);
}

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds for one operation; the first, whose memory is cold, does not count. */
static double timed(void (*fn)(size_t), unsigned batch, size_t from)
{
    double start;

    fn(from);
    start = cpu_seconds();
    for (unsigned i = 0; i < batch; i++)
        fn(from + i);
    sink ^= out[0];
    return (cpu_seconds() - start) / batch;
}

static void run_round(size_t r)
{
    for (size_t j = 0; j < CM_COUNT(jobs); j++) {
        job *b = &jobs[j];

        if (r % 2)
            b->ours_s[r] = timed(b->ours, b->batch, r * b->batch);
        b->raw_s[r] = timed(b->raw, b->batch, r * b->batch);
        if (!(r % 2))
            b->ours_s[r] = timed(b->ours, b->batch, r * b->batch);
        b->ratio[r] = b->ours_s[r] / b->raw_s[r];
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(job *b, bool json)
{
    double least, middle;

    qsort(b->raw_s, rounds, sizeof(double), by_size);
    qsort(b->ours_s, rounds, sizeof(double), by_size);
    qsort(b->ratio, rounds, sizeof(double), by_size);
    least = 100 * (b->ours_s[0] / b->raw_s[0] - 1);
    middle = 100 * (b->ratio[rounds / 2] - 1);
    (void)printf(json ? "{\"operation\":\"%s\",\"raw_us\":%.3f,\"raw_median_us\":%.3f,"
                        "\"ours_us\":%.3f,\"ours_median_us\":%.3f,\"overhead_percent\":%.2f,"
                        "\"overhead_median_percent\":%.2f}\n"
                      : "%-27s %9.2f %9.2f  %9.2f %9.2f  %+6.2f %% %+6.2f %%\n",
                 b->name, b->raw_s[0] * 1e6, b->raw_s[rounds / 2] * 1e6, b->ours_s[0] * 1e6,
                 b->ours_s[rounds / 2] * 1e6, least, middle);
}

static bool arguments(int argc, char **argv, bool *json)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            *json = true;
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = strtoul(argv[++i], NULL, 10);
        else
            return false;
    }
    return rounds >= 1 && rounds <= ROUNDS_MAX;
}

int main(int argc, char **argv)
{
    bool json = false;

    if (!arguments(argc, argv, &json)) {
        (void)fprintf(stderr, "primitives [--json] [--rounds 1..%u]\n", ROUNDS_MAX);
        return 2;
    }
    init();
    for (size_t r = 0; r < rounds; r++)
        run_round(r);
    if (!json)
        (void)printf("%-27s %9s %9s  %9s %9s  %8s %8s\n", "microseconds", "raw", "median",
                     "casemate", "median", "least", "median");
    for (size_t j = 0; j < CM_COUNT(jobs); j++)
        print(&jobs[j], json);
    return 0;
}
