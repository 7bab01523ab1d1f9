/* Shares and threshold signing: no branch and no address may depend on secrets, shares, nonces. */
#include <stdio.h>

#include "base/ct.h"
#include "keys/frost_int.h"
#include "keys/shamir.h"

static int failed;
static cm_crypt *crypt_;

static void check(cm_err e)
{
    CM_DECLASSIFY(&e, sizeof e);
    if (cm_failed(e)) {
        failed = 1;
        (void)printf("%s\n", cm_err_name(e));
    }
}

/* What is printed, typed and joined is secret throughout; set, threshold and index are not. */
static void shares(void)
{
    cm_key32 secret = {"thirty-two bytes that are secret"}, back;
    cm_share list[5], read[3];
    uint8_t digest[CM_SHARE_CHECK];
    unsigned bad;

    CM_SECRET(&secret, sizeof secret);
    check(cm_shamir_split(list, crypt_, &secret, 3, 5));
    for (int i = 0; i < 3; i++) {
        cm_buf text = {.max = 256};

        CM_SECRET(list[i + 1].y, sizeof list[0].y);
        CM_SECRET(list[i + 1].mac, sizeof list[0].mac);
        check(cm_share_check(digest, crypt_, &list[i + 1]));
        check(cm_share_print(&text, crypt_, &list[i + 1]));
        CM_SECRET(text.p, text.n);
        for (size_t j = 4; j < text.n; j += 5) /* where the dashes stand */
            CM_DECLASSIFY(text.p + j, 1);
        check(cm_share_parse(&read[i], crypt_, cm_buf_view(&text)));
        cm_buf_free(&text);
    }
    check(cm_shamir_join(&back, crypt_, read, 3, &bad));
    CM_DECLASSIFY(&back, sizeof back);
    CM_DECLASSIFY(&secret, sizeof secret);
    if (!cm_view_eq(CM_VIEW(back.b), CM_VIEW(secret.b)))
        failed = 1;
}

static void threshold(cm_frost_suite suite)
{
    cm_frost_group g;
    cm_frost_share s[3];
    cm_frost_nonces x[2];
    cm_frost_commitment list[2];
    cm_frost_part part[2];
    uint8_t sig[CM_FROST_SIG_MAX];

    check(cm_frost_deal(&g, s, crypt_, suite, 2, 3, NULL));
    for (int i = 0; i < 2; i++) {
        CM_SECRET(s[i].secret, sizeof s[i].secret);
        check(cm_frost_check(&g, &s[i]));
        check(cm_frost_commit(&x[i], crypt_, &g, &s[i]));
        CM_DECLASSIFY(&x[i].commitment, sizeof x[i].commitment); /* sent to all */
        list[i] = x[i].commitment;
        CM_SECRET(x[i].hiding, sizeof x[i].hiding);
        CM_SECRET(x[i].binding, sizeof x[i].binding);
    }
    for (int i = 0; i < 2; i++) {
        check(cm_frost_sign(&part[i], crypt_, &g, &s[i], &x[i], list, 2, CM_LIT("message")));
        CM_DECLASSIFY(&part[i], sizeof part[i]); /* sent to all */
    }
    check(cm_frost_aggregate(sig, NULL, crypt_, &g, list, part, 2, CM_LIT("message")));
}

int main(void)
{
    check(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
    shares();
    threshold(CM_FROST_ED25519);
    threshold(CM_FROST_SECP256K1);
    cm_crypt_free(crypt_);
    return failed;
}
