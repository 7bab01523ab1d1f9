/*
 * HPKE open with fixed keys. The first byte picks key and suite, the second the length of info and
 * aad, which follow, and then the message. What opens must not open with one bit less of it right,
 * and what does not must leave the buffer alone and say one of the documented reasons.
 */
#include <stdlib.h>

#include "crypt/kem.h"

enum { MAX = 1 << 21, KEYS = 3, PREFIX = 4 };

static const cm_kem_id ids[KEYS] = {CM_KEM_X25519, CM_KEM_MLKEM512, CM_KEM_XWING};
static const uint16_t kdfs[4] = {1, 0x10, 3, 0x12};
static cm_kem_key *keys[KEYS];

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void setup(void)
{
    static const uint8_t seed[CM_KEM_SEED_MAX] = "a key that everybody may know";
    static cm_crypt *crypt;

    if (crypt)
        return;
    must(cm_ok(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)));
    for (size_t i = 0; i < KEYS; i++)
        must(cm_ok(cm_kem_from_seed(&keys[i], crypt, ids[i],
                                    cm_view_of(seed, cm_kem_info_of((uint32_t)ids[i])->seed))));
}

static cm_err open_once(cm_buf *out, const cm_kem_key *k, cm_hpke_suite s, cm_view extra,
                        cm_view sealed)
{
    cm_err e;

    must(cm_ok(cm_buf_append(out, cm_view_of("kept", PREFIX))));
    e = cm_hpke_open(out, k, s, extra, extra, sealed);
    must(out->n >= PREFIX && memcmp(out->p, "kept", PREFIX) == 0);
    must(cm_ok(e) || out->n == PREFIX);
    return e;
}

static void opened(const cm_kem_key *k, cm_hpke_suite s, cm_view extra, cm_view sealed,
                   size_t plain_n)
{
    CM_AUTO(cm_buf_free) cm_buf bent = {.max = MAX};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = MAX};

    must(sealed.n == cm_kem_key_info(k)->ct + plain_n + CM_HPKE_TAG);
    must(cm_ok(cm_buf_append(&bent, sealed)));
    bent.p[sealed.p[0] % bent.n] ^= 1;
    must(cm_is(open_once(&out, k, s, extra, cm_buf_view(&bent)), CM_CRYPT_TAG));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = MAX};
    const cm_kem_key *k;
    cm_hpke_suite s;
    cm_view extra, sealed;
    cm_err e;

    setup();
    if (n < 2)
        return 0;
    k = keys[(p[0] & 15) % KEYS];
    s = (cm_hpke_suite){kdfs[p[0] >> 4 & 3], (uint16_t)((p[0] >> 6) + 1)};
    extra = cm_view_of(p + 2, CM_MIN((size_t)p[1], n - 2));
    sealed = cm_view_of(p + 2 + extra.n, n - 2 - extra.n);
    e = open_once(&out, k, s, extra, sealed);
    if (cm_ok(e))
        opened(k, s, extra, sealed, out.n - PREFIX);
    else
        must(cm_is(e, CM_HPKE_SHORT) || cm_is(e, CM_CRYPT_TAG) || cm_is(e, CM_CRYPT_ALGORITHM));
    return 0;
}
