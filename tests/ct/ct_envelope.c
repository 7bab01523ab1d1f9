/*
 * Envelopes: no branch and no address may depend on the content key, on a recipient's seed or on
 * the commitment before it was compared as a whole. A passphrase is left out: Argon2id touches
 * memory at addresses that depend on it, by design; what is done with the key it yields is not.
 */
#include <stdio.h>

#include "base/ct.h"
#include "envelope/envelope.h"

static const cm_envelope_policy policy = {.allow_passphrase = true, .min_level = 3};

static cm_crypt *crypt_;
static int failed;

static void must(const char *what, bool holds)
{
    if (!holds) {
        (void)printf("%s failed\n", what);
        failed = 1;
    }
}

static cm_kem_key *secret_key(cm_kem_id id)
{
    uint8_t seed[CM_KEM_SEED_MAX] = {4};
    cm_kem_key *k = NULL;
    cm_view pk;

    CM_SECRET(seed, sizeof seed);
    must("key", cm_ok(cm_kem_from_seed(&k, crypt_, id,
                                       cm_view_of(seed, cm_kem_info_of((uint32_t)id)->seed))));
    pk = cm_kem_public(k);
    CM_DECLASSIFY(pk.p, pk.n); /* published */
    return k;
}

static bool keep_all(void *arg, const cm_stanza *st)
{
    (void)arg;
    (void)st;
    return true;
}

static void opened(cm_buf *env, cm_opener o, const cm_key32 *content)
{
    cm_key32 got = {{0}};
    cm_err e = cm_envelope_open(&got, crypt_, cm_buf_view(env), &o, 1, &policy, CM_LIT("context"));
    uint32_t d = cm_ct_diff(got.b, content->b, sizeof got.b);

    CM_DECLASSIFY(&d, sizeof d); /* the test's own question */
    must("open", cm_ok(e) && d == 0);
    env->p[env->n - 1] ^= 1;
    e = cm_envelope_open(&got, crypt_, cm_buf_view(env), &o, 1, &policy, CM_LIT("context"));
    must("commitment", cm_is(e, CM_ENVELOPE_COMMITMENT)); /* E-7 */
    env->p[env->n - 1] ^= 1;
}

static void whole(cm_recipient to, cm_opener o, cm_recipient other)
{
    CM_AUTO(cm_buf_free) cm_buf env = {.max = CM_ENVELOPE_MAX};
    CM_AUTO(cm_buf_free) cm_buf changed = {.max = CM_ENVELOPE_MAX};
    cm_key32 content = {"the content key of 32 bytes....."};
    cm_view context = CM_LIT("context");

    CM_SECRET(content.b, sizeof content.b);
    must("seal", cm_ok(cm_envelope_seal(&env, crypt_, &content, &to, 1, &policy, context)));
    CM_DECLASSIFY(env.p, env.n); /* what everybody sees */
    opened(&env, o, &content);
    must("reseal", cm_ok(cm_envelope_reseal(&changed, crypt_, &content, cm_buf_view(&env), keep_all,
                                            NULL, &other, 1, &policy, context)));
    CM_DECLASSIFY(changed.p, changed.n); /* likewise */
    opened(&changed, o, &content);
}

int main(void)
{
    cm_envelope_passphrase phrase = {CM_LIT("correct horse"), {8 << 10, 1, 1}};
    cm_kem_key *xwing, *mlkem;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    xwing = secret_key(CM_KEM_XWING);
    mlkem = secret_key(CM_KEM_MLKEM1024);
    whole(cm_recipient_kem(xwing), cm_opener_kem(xwing), cm_recipient_kem(mlkem));
    whole(cm_recipient_kem(mlkem), cm_opener_kem(mlkem), cm_recipient_passphrase(&phrase));
    whole(cm_recipient_passphrase(&phrase), cm_opener_passphrase(&phrase), cm_recipient_kem(xwing));
    cm_kem_key_free(xwing);
    cm_kem_key_free(mlkem);
    cm_crypt_free(crypt_);
    return failed;
}
