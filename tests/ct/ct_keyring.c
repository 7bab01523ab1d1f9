/*
 * Key operations: no branch and no address may depend on the root's seed, on a tenant's KEK, on a
 * key's secret or on what is wrapped. What comes out of them as public or sealed is declassified
 * where it is; a result that a caller asked for stays secret.
 */
#include <stdio.h>

#include "base/ct.h"
#include "keys/ring.h"

static cm_crypt *crypt_;
static cm_keyring *ring;
static cm_root root = {.n = 1, .kem = {{.number = 1}}};
static int failed;

static void must(const char *what, cm_err e)
{
    if (cm_failed(e)) {
        (void)printf("%s: %s\n", what, cm_err_name(e));
        failed = 1;
    }
}

static void start(void)
{
    cm_keyring_options o = {.crypt = crypt_, .root = &root};

    cm_keyring_free(ring);
    must("ring", cm_keyring_new(&ring, &o));
}

static void run(const char *what, cm_keyop *op)
{
    cm_keyring_exec(ring, op);
    CM_DECLASSIFY(&op->result, sizeof op->result); /* the caller learns it */
    must(what, op->result);
}

/* What everybody may see. */
static void sealed(cm_buf *b)
{
    CM_DECLASSIFY(b->p, b->n);
}

static cm_keyop new_key(cm_view kek, cm_key_type type, cm_view secret)
{
    cm_keyop op = {.code = CM_KEYOP_IMPORT,
                   .bind = {.tenant = CM_LIT("acme"),
                            .path = CM_LIT("keys/one"),
                            .version = 1,
                            .type = type,
                            .kek_version = 1},
                   .kek = kek,
                   .data = secret};

    run("import", &op);
    sealed(&op.out);
    sealed(&op.out2);
    return op;
}

/* Wrapped, unwrapped with empty caches, and refused once a byte is altered. */
static void wrapping(cm_view kek, cm_key_type type, cm_view secret, cm_view data)
{
    cm_keyop made = new_key(kek, type, secret), op = made, bad;

    op.code = CM_KEYOP_WRAP;
    op.key = cm_buf_view(&made.out);
    op.data = data;
    run("wrap", &op);
    sealed(&op.out);
    start();
    bad = op;
    bad.code = CM_KEYOP_UNWRAP;
    bad.data = cm_buf_view(&op.out);
    run("unwrap", &bad);
    cm_keyop_done_with(&bad);
    op.out.p[op.out.n - 20] ^= 1;
    cm_keyring_exec(ring, &bad);
    CM_DECLASSIFY(&bad.result, sizeof bad.result);
    if (!cm_is(bad.result, CM_CRYPT_TAG))
        failed = 1;
    cm_keyop_done_with(&op);
    cm_keyop_done_with(&made);
}

static void mac(cm_view kek, cm_view secret, cm_view data)
{
    cm_keyop made = new_key(kek, CM_KEY_HMAC_SHA256, secret), op = made, check;

    op.code = CM_KEYOP_MAC;
    op.key = cm_buf_view(&made.out);
    op.data = data;
    run("mac", &op);
    sealed(&op.out);
    check = op;
    check.code = CM_KEYOP_VERIFY_MAC;
    check.more = cm_buf_view(&op.out);
    run("verify mac", &check);
    cm_keyop_done_with(&op);
    cm_keyop_done_with(&made);
}

int main(void)
{
    uint8_t seed[64] = {9}, data[32] = {7};
    cm_keyop tenant = {.code = CM_KEYOP_NEW_TENANT,
                       .bind = {.tenant = CM_LIT("acme"), .kek_version = 1}};
    cm_keyop row = tenant;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    CM_SECRET(root.kem[0].seed, sizeof root.kem[0].seed);
    CM_SECRET(seed, sizeof seed);
    CM_SECRET(data, sizeof data);
    start();
    run("tenant", &tenant);
    sealed(&tenant.out);
    row.code = CM_KEYOP_ROW_KEY;
    row.kek = cm_buf_view(&tenant.out);
    run("row key", &row);
    wrapping(cm_buf_view(&tenant.out), CM_KEY_AES_256, cm_view_of(seed, 32), CM_VIEW(data));
    wrapping(cm_buf_view(&tenant.out), CM_KEY_X_WING, cm_view_of(seed, 32), CM_VIEW(data));
    wrapping(cm_buf_view(&tenant.out), CM_KEY_ML_KEM_768, CM_VIEW(seed), CM_VIEW(data));
    mac(cm_buf_view(&tenant.out), cm_view_of(seed, 32), CM_VIEW(data));
    cm_keyop_done_with(&row);
    cm_keyop_done_with(&tenant);
    cm_keyring_free(ring);
    cm_crypt_free(crypt_);
    return failed;
}
