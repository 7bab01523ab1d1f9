/* ML-KEM: C2SP CCTV and OpenSSL's own vectors, which are text. */
#include <stdio.h>
#include <stdlib.h>

#include "mlkem_kat.h"

enum { TESTS = 10000, STREAM = 32 + 32 + 32 };

static cm_crypt *crypt_;

/* "ML-KEM-512" of ".../ML-KEM-512.txt.gz". */
static const cm_kem_info *kind_of_path(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    const cm_kem_info *i = mlkem_named(cm_view_of(name, strcspn(name, ".")));

    T_CHECK(i != NULL);
    return i;
}

/* ---- CCTV: every invalid key is refused, whichever coefficient it is ---------------------- */

static void modulus(const char *path)
{
    const cm_kem_info *i = kind_of_path(path);
    CM_AUTO(cm_buf_free) cm_buf text = t_slurp(path);
    cm_view v = cm_buf_view(&text), line;

    for (uint64_t n = 1; i && t_line(&line, &v); n++) {
        cm_kem_key *none = NULL;

        t_case("line", n);
        T_CHECK(line.n == 2u * i->pk);
        T_CHECK(
            cm_is(cm_kem_from_public(&none, crypt_, i->id, t_hex_view(line)), CM_CRYPT_BAD_KEY));
        T_CHECK(none == NULL);
        t_ran();
    }
}

/* ---- CCTV: files that list one run's values ----------------------------------------------- */

enum { D, Z, EK, DK, M, CT, K, VALUES };
static const char *const value_names[VALUES] = {"d", "z", "ek", "dk", "m", "c", "K"};

/* The last 32 bytes of a public key are the first half of G's output. */
static bool of_the_draft(cm_view d, cm_view ek)
{
    uint8_t g[64];

    T_CHECK(cm_ok(cm_hash_once(crypt_, CM_SHA3_512, g, d)));
    return ek.n > 32 && memcmp(g, ek.p + ek.n - 32, 32) == 0;
}

static void one_run(const char *path)
{
    const cm_kem_info *i = kind_of_path(path);
    CM_AUTO(cm_buf_free) cm_buf text = t_slurp(path);
    cm_view all = cm_buf_view(&text), name, value, v[VALUES] = {{NULL, 0}};

    while (t_pair(&name, &value, &all))
        for (size_t j = 0; j < VALUES; j++)
            if (cm_view_eq(name, cm_view_str(value_names[j])))
                v[j] = t_hex_view(value);
    t_case("values of", i->pk);
    T_CHECK(v[DK].n && v[CT].n && v[K].n == SS);
    mlkem_decaps_expanded(crypt_, i->id, v[DK], v[CT], v[K]);
    t_ran();
    if (!v[D].n)
        return;
    mlkem_encaps(crypt_, i->id, v[EK], v[M], v[CT], v[K]);
    t_ran();
    if (of_the_draft(v[D], v[EK])) {
        t_skip("keys made as in the draft of FIPS 203, without k in G(d || k)");
        return;
    }
    mlkem_keygen(crypt_, i->id, v[D], v[Z], v[EK], v[DK]);
    t_ran();
}

/* ---- CCTV: ten thousand runs, one hash ---------------------------------------------------- */

static EVP_MD_CTX *shake128(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (!ctx || EVP_DigestInit_ex2(ctx, EVP_shake128(), NULL) != 1)
        abort();
    return ctx;
}

static void absorb(EVP_MD_CTX *ctx, cm_view v)
{
    if (EVP_DigestUpdate(ctx, v.p, v.n) != 1)
        abort();
}

static void squeeze(EVP_MD_CTX *ctx, uint8_t *out, size_t n)
{
    if (EVP_DigestSqueeze(ctx, out, n) != 1)
        abort();
}

static void accumulate_one(const cm_kem_info *i, EVP_MD_CTX *rng, EVP_MD_CTX *sum)
{
    uint8_t in[STREAM], bad[CM_KEM_CT_MAX], ct[CM_KEM_CT_MAX], ss[SS], ss2[SS], dk[DK_MAX];
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;

    squeeze(rng, in, sizeof in);
    squeeze(rng, bad, i->ct);
    if (!T_CHECK(cm_ok(cm_kem_from_seed(&k, crypt_, i->id, cm_view_of(in, 64)))))
        return;
    T_CHECK(cm_ok(cm_kem_encap_derand(k, ct, ss, cm_view_of(in + 64, 32))));
    mlkem_decaps(k, cm_view_of(ct, i->ct), CM_VIEW(ss));
    T_CHECK(cm_ok(cm_kem_decap(k, ss2, cm_view_of(bad, i->ct))));
    absorb(sum, cm_kem_public(k));
    absorb(sum, mlkem_expanded(k->own, cm_kem_public(k), dk));
    absorb(sum, cm_view_of(ct, i->ct));
    absorb(sum, CM_VIEW(ss));
    absorb(sum, CM_VIEW(ss2));
}

static void accumulate(const cm_kem_info *i, const char *want)
{
    EVP_MD_CTX *rng = shake128(), *sum = shake128();
    uint8_t out[SS];

    for (uint64_t n = 1; n <= TESTS; n++) {
        t_case(i->name, n);
        accumulate_one(i, rng, sum);
    }
    squeeze(sum, out, sizeof out);
    T_CHECK(cm_view_eq(CM_VIEW(out), t_hex_view(cm_view_str(want))));
    EVP_MD_CTX_free(rng);
    EVP_MD_CTX_free(sum);
    t_ran();
}

/* CCTV's hashes for the final FIPS 203 over 10000 runs. */
static void accumulated(void)
{
    static const struct {
        cm_kem_id id;
        const char *hash;
    } all[] = {
        {CM_KEM_MLKEM512, "705dcffc87f4e67e35a09dcaa31772e86f3341bd3ccf1e78a5fef99ae6a35a13"},
        {CM_KEM_MLKEM768, "f959d18d3d1180121433bf0e05f11e7908cf9d03edc150b2b07cb90bef5bc1c1"},
        {CM_KEM_MLKEM1024, "e3bf82b013307b2e9d47dde791ff6dfc82e694e6382404abdb948b908b75bad5"},
    };

    for (size_t i = 0; i < CM_COUNT(all); i++)
        accumulate(cm_kem_info_of((uint32_t)all[i].id), all[i].hash);
}

/* ---- OpenSSL's ---------------------------------------------------------------------------- */

typedef struct {
    const cm_kem_info *kind;
    cm_view entropy, ek, ct, out, dk, in;
} evp_case;

static void take(evp_case *c, cm_view name, cm_view value)
{
    static const char *const names[] = {"Entropy", "EncodedPublicKey",  "Ciphertext",
                                        "Output",  "EncodedPrivateKey", "Input"};
    cm_view *const fields[] = {&c->entropy, &c->ek, &c->ct, &c->out, &c->dk, &c->in};

    if (cm_view_eq(name, CM_LIT("Kem")))
        c->kind = mlkem_named(value);
    for (size_t i = 0; i < CM_COUNT(names); i++)
        if (cm_view_eq(name, cm_view_str(names[i])))
            *fields[i] = t_hex_view(value);
}

/* A case ends with its Output or, for encapsulation, its Ciphertext and Output. */
static void openssl_evp(const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf text = t_slurp(path);
    cm_view v = cm_buf_view(&text), name, value;
    evp_case c = {0};

    for (uint64_t n = 1; t_pair(&name, &value, &v);) {
        take(&c, name, value);
        if (!cm_view_eq(name, CM_LIT("Output")))
            continue;
        t_case("case", n++);
        if (T_CHECK(c.kind != NULL) && c.dk.n)
            mlkem_decaps_expanded(crypt_, c.kind->id, c.dk, c.in, c.out);
        else if (c.kind)
            mlkem_encaps(crypt_, c.kind->id, c.ek, c.entropy, c.ct, c.out);
        memset(&c, 0, sizeof c);
        t_ran();
    }
}

static void run(void)
{
    t_each_file("pq/cctv/ML-KEM/modulus", "ML-KEM-*.txt*", modulus);
    t_each_file("pq/cctv/ML-KEM/intermediate", "ML-KEM-*.txt", one_run);
    t_each_file("pq/cctv/ML-KEM/unluckysample", "ML-KEM-*.txt", one_run);
    t_each_file("pq/cctv/ML-KEM/strcmp", "ML-KEM-*.txt", one_run);
    t_group("accumulated", accumulated);
    t_each_file("pq/openssl-evp", "*ml_kem*", openssl_evp);
}

int main(void)
{
    int failed;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    failed = t_vectors_main(run);
    cm_crypt_free(crypt_);
    return failed;
}
