/*
 * KEMs and HPKE: no branch and no address may depend on a seed, a scalar, a shared secret or a
 * plaintext, in our code and in the provider's under it. openssl.supp lists the places where
 * the provider branches on what is public by then. Valgrind shows a processor without AVX-512, so
 * it is the provider's other kernels that run here.
 */
#include <stdio.h>

#include "base/ct.h"
#include "crypt/hpke_int.h"
#include "crypt/kem.h"
#include "crypt/mlkem_int.h"

enum { SS = 32 };

static cm_crypt *crypt_;
static int failed;

static void must(const char *what, bool holds)
{
    if (!holds) {
        (void)printf("%s failed\n", what);
        failed = 1;
    }
}

static void combiner(void)
{
    uint8_t secret[2 * SS] = {1}, public[2 * SS] = {2}, ss[SS];

    CM_SECRET(secret, sizeof secret);
    must("combine", cm_ok(cm_xwing_combine(crypt_, ss, secret, secret + SS, public, public + SS)));
}

static void schedule(cm_hpke_suite s)
{
    uint8_t secret[SS] = {3}, out[SS + CM_HPKE_TAG], back[SS];
    cm_hpke_keys keys = {0};

    must("suite", cm_ok(cm_hpke_suite_check(&keys, crypt_, s)));
    CM_SECRET(secret, sizeof secret);
    must("schedule",
         cm_ok(cm_hpke_schedule(&keys, crypt_, CM_KEM_XWING, s, secret, CM_LIT("info"))));
    must("seal", cm_ok(cm_hpke_aead_seal(&keys, out, CM_LIT("aad"), CM_VIEW(secret))));
    CM_DECLASSIFY(out, sizeof out); /* the message is what everybody sees */
    must("open", cm_ok(cm_hpke_aead_open(&keys, back, CM_LIT("aad"), CM_VIEW(out))));
    out[0] ^= 1;
    must("refuse", cm_failed(cm_hpke_aead_open(&keys, back, CM_LIT("aad"), CM_VIEW(out))));
}

/* The whole way with a secret seed and secret randomness; a right and a wrong ciphertext. */
static void whole(cm_kem_id id)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *to = NULL;
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = 1 << 13};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = 1 << 13};
    const cm_kem_info *f = cm_kem_info_of((uint32_t)id);
    uint8_t seed[CM_KEM_SEED_MAX] = {4}, m[64] = {5}, ct[CM_KEM_CT_MAX], pk[CM_KEM_PK_MAX], ss[SS],
            text[SS] = {6};
    cm_view info = CM_LIT("info"), aad = CM_LIT("aad");

    CM_SECRET(seed, sizeof seed);
    CM_SECRET(m, sizeof m);
    CM_SECRET(text, sizeof text);
    must("from seed", cm_ok(cm_kem_from_seed(&k, crypt_, id, cm_view_of(seed, f->seed))));
    memcpy(pk, cm_kem_public(k).p, f->pk);
    CM_DECLASSIFY(pk, sizeof pk); /* published */
    must("from public", cm_ok(cm_kem_from_public(&to, crypt_, id, cm_view_of(pk, f->pk))));
    must("encap",
         cm_ok(cm_kem_encap_derand(to, ct, ss, cm_view_of(m, id == CM_KEM_XWING ? 2 * SS : SS))));
    CM_DECLASSIFY(ct, sizeof ct); /* sent */
    must("decap", cm_ok(cm_kem_decap(k, ss, cm_view_of(ct, f->ct))));
    ct[0] ^= 1;
    must("reject", cm_ok(cm_kem_decap(k, ss, cm_view_of(ct, f->ct))));

    must("seal", cm_ok(cm_hpke_seal(&sealed, to, cm_hpke_default, info, aad, CM_VIEW(text))));
    CM_DECLASSIFY(sealed.p, sealed.n); /* sent */
    must("open", cm_ok(cm_hpke_open(&plain, k, cm_hpke_default, info, aad, cm_buf_view(&sealed))));
    sealed.p[1] ^= 1;
    must("refuse", cm_is(cm_hpke_open(&plain, k, cm_hpke_default, info, aad, cm_buf_view(&sealed)),
                         CM_CRYPT_TAG));
}

/* ML-KEM on each kernel: valgrind and the processor have the last word on which is taken above. */
static void mlkem(cm_cpu_kind kind, unsigned k)
{
    cm_mlkem_own *o = NULL;
    uint8_t seed[CM_KEM_SEED_MAX] = {7}, m[SS] = {8}, ct[CM_KEM_CT_MAX], pk[CM_KEM_PK_MAX], ss[SS];

    CM_SECRET(seed, sizeof seed);
    CM_SECRET(m, sizeof m);
    must("own seed", cm_ok(cm_mlkem_own_seed(&o, kind, crypt_, k, seed, pk)));
    must("own encap", cm_ok(cm_mlkem_own_encap(o, crypt_, ct, ss, m)));
    CM_DECLASSIFY(ct, sizeof ct); /* sent */
    must("own decap", cm_ok(cm_mlkem_own_decap(o, crypt_, ss, ct)));
    ct[0] ^= 1;
    must("own reject", cm_ok(cm_mlkem_own_decap(o, crypt_, ss, ct)));
    cm_mlkem_own_free(o);
}

int main(void)
{
    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    combiner();
    schedule((cm_hpke_suite){1, 2});
    schedule((cm_hpke_suite){2, 1});
    schedule((cm_hpke_suite){0x11, 2});
    schedule((cm_hpke_suite){0x10, 3});
    for (cm_cpu_kind kind = CM_CPU_PORTABLE; kind < CM_CPU_KINDS; kind++)
        for (unsigned k = 2; k <= 4 && cm_mlkem_kernel_of(kind); k++)
            mlkem(kind, k);
    whole(CM_KEM_MLKEM512);
    whole(CM_KEM_MLKEM768);
    whole(CM_KEM_MLKEM1024);
    whole(CM_KEM_X25519);
    whole(CM_KEM_XWING);
    cm_crypt_free(crypt_);
    return failed;
}
