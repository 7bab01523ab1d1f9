/* RSA-OAEP (RFC 8017, 7.1) of a key of 32 bytes, with SHA-256, MGF1-SHA-256 and an empty label. */
#include "base/ct.h"
#include "crypt/crypt_int.h"
#include "crypt/rsa.h"

enum { HASH = 32, SIZE_MAX_ = CM_RSA_SIG_MAX, DB_MAX = SIZE_MAX_ - HASH - 1 };

/* data ^= MGF1(seed) */
static cm_err mask(const cm_crypt *c, uint8_t *data, size_t n, cm_view seed)
{
    uint8_t in[DB_MAX + 4], block[HASH];
    cm_err e = CM_OKAY;

    memcpy(in, seed.p, seed.n);
    for (size_t at = 0; cm_ok(e) && at < n; at += HASH) {
        cm_put_be32(in + seed.n, (uint32_t)(at / HASH));
        e = cm_hash_once(c, CM_SHA256, block, cm_view_of(in, seed.n + 4));
        for (size_t i = 0; cm_ok(e) && i < HASH && at + i < n; i++)
            data[at + i] ^= block[i];
    }
    cm_wipe(in, sizeof in);
    cm_wipe(block, sizeof block);
    return e;
}

/* What stands before the key, which has one length: so nothing is searched for. */
static cm_err front(const cm_crypt *c, uint8_t *out, size_t n)
{
    memset(out, 0, n);
    out[n - 1] = 1;
    return cm_hash_once(c, CM_SHA256, out, cm_view_of("", 0));
}

static cm_err unpad(const cm_crypt *c, cm_key32 *out, uint8_t *em, size_t n)
{
    uint8_t want[DB_MAX], *seed = em + 1, *db = em + 1 + HASH;
    size_t db_n = n - 1 - HASH, front_n = db_n - sizeof out->b;
    CM_AUTO(cm_key32_wipe) cm_key32 other = {{0}};
    uint32_t bad;

    CM_TRY(cm_random(c, other.b, sizeof other.b));
    CM_TRY(mask(c, seed, HASH, cm_view_of(db, db_n)));
    CM_TRY(mask(c, db, db_n, cm_view_of(seed, HASH)));
    CM_TRY(front(c, want, front_n));
    bad = cm_ct_mask(cm_ct_diff(db, want, front_n) | em[0]);
    cm_ct_select(out->b, bad, other.b, db + front_n, sizeof out->b);
    return CM_OKAY;
}

cm_err cm_rsa_oaep_unpad(const cm_crypt *c, cm_key32 *out, cm_view block)
{
    uint8_t em[SIZE_MAX_];
    cm_err e;

    if (block.n > sizeof em || block.n < 2048 / 8)
        return CM_FAIL(BAD_ARGUMENT);
    memcpy(em, block.p, block.n);
    e = unpad(c, out, em, block.n);
    cm_wipe(em, sizeof em);
    return e;
}
