#ifndef CM_TESTS_ENVELOPE_KIT_H
#define CM_TESTS_ENVELOPE_KIT_H
/* Keys, a device and a pen for envelopes, for the tests of envelopes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/cbor.h"
#include "envelope/envelope.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

enum { KEMS = 5, XWING = 0, MLKEM768, MLKEM1024, MLKEM512, X25519 };

static const cm_kem_id ids[KEMS] = {CM_KEM_XWING, CM_KEM_MLKEM768, CM_KEM_MLKEM1024,
                                    CM_KEM_MLKEM512, CM_KEM_X25519};
static const cm_argon2 cheap = {8 << 10, 1, 1};
static const cm_key32 content = {"the content key of 32 bytes....."};
static cm_envelope_policy lax = {.allow_classical = true, .allow_passphrase = true};

static cm_crypt *crypt_;
static cm_kem_key *keys[KEMS], *stranger;

static inline cm_kem_key *make_key(cm_kem_id id, uint8_t fill)
{
    uint8_t seed[CM_KEM_SEED_MAX];
    cm_kem_key *k = NULL;

    memset(seed, fill, sizeof seed);
    OK(cm_kem_from_seed(&k, crypt_, id, cm_view_of(seed, cm_kem_info_of((uint32_t)id)->seed)));
    return k;
}

static inline int setup(void **state)
{
    (void)state;
    OK(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
    for (unsigned i = 0; i < KEMS; i++)
        keys[i] = make_key(ids[i], (uint8_t)(i + 1));
    stranger = make_key(CM_KEM_XWING, 99);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEMS; i++)
        cm_kem_key_free(keys[i]);
    cm_kem_key_free(stranger);
    cm_crypt_free(crypt_);
    return 0;
}

/* ---- a device ------------------------------------------------------------------------------ */

/* What a KMS or an HSM would be: it names its key and wraps by itself. Here it masks with the
 * context's hash, so that E-3 shows. */
struct device {
    const char *name;
    uint32_t number;
    cm_err broken; /* what it fails with */
    size_t body;   /* bytes it writes, when not 32 */
    uint64_t kind; /* when not external */
    unsigned calls;
};

static inline cm_err mask(const cm_crypt *c, uint8_t out[32], const uint8_t *in, cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = 128};
    uint8_t h[32];

    CM_TRY(cm_envelope_info(c, &info, CM_STANZA_EXTERNAL, context));
    CM_TRY(cm_hash_once(c, CM_SHA256, h, cm_buf_view(&info)));
    for (size_t i = 0; i < 32; i++)
        out[i] = in[i] ^ h[i];
    return CM_OKAY;
}

static inline cm_err device_wrap(void *self, const cm_crypt *c, cm_stanza *st, cm_buf *id,
                                 cm_buf *body, const cm_key32 *key, cm_view context)
{
    static const uint8_t zeros[16384];
    struct device *d = self;
    uint8_t out[32];

    d->calls++;
    CM_TRY(d->broken);
    CM_TRY(mask(c, out, key->b, context));
    st->kind = d->kind ? d->kind : CM_STANZA_EXTERNAL;
    st->number = d->number;
    CM_TRY(cm_buf_append(id, cm_view_str(d->name)));
    return d->body ? cm_buf_append(body, cm_view_of(zeros, d->body))
                   : cm_buf_append(body, CM_VIEW(out));
}

static inline cm_err device_claims(void *self, const cm_crypt *c, const cm_stanza *st, bool *yes)
{
    const struct device *d = self;

    (void)c;
    *yes = st->kind == CM_STANZA_EXTERNAL && st->number == d->number &&
           cm_view_eq(st->id, cm_view_str(d->name));
    return CM_OKAY;
}

static inline cm_err device_unwrap(void *self, const cm_crypt *c, cm_key32 *key,
                                   const cm_stanza *st, cm_view context)
{
    struct device *d = self;

    d->calls++;
    CM_TRY(d->broken);
    return mask(c, key->b, st->body.p, context);
}

static inline cm_recipient to_device(struct device *d)
{
    bool classical = d->number & CM_STANZA_CLASSICAL;

    return (cm_recipient){classical ? CM_STRENGTH_CLASSICAL : CM_STRENGTH_SYMMETRIC, 5, device_wrap,
                          d};
}

static inline cm_opener of_device(struct device *d)
{
    return (cm_opener){device_claims, device_unwrap, d};
}

/* ---- shorthands ---------------------------------------------------------------------------- */

static inline cm_err seal(cm_buf *env, const cm_recipient *to, size_t n)
{
    return cm_envelope_seal(env, crypt_, &content, to, n, &lax, CM_LIT("context"));
}

static inline cm_buf sealed_to(const cm_recipient *to, size_t n)
{
    cm_buf env = {.max = CM_ENVELOPE_MAX};

    OK(seal(&env, to, n));
    return env;
}

/* Opens, and sees that the key is the content key or untouched. */
static inline cm_err open_in(cm_view env, const cm_opener *o, size_t n, const cm_envelope_policy *p,
                             cm_view context)
{
    cm_key32 key;
    uint8_t before[32];
    cm_err e;

    memset(before, 0x77, sizeof before);
    memcpy(key.b, before, sizeof key.b);
    e = cm_envelope_open(&key, crypt_, env, o, n, p, context);
    assert_memory_equal(key.b, cm_ok(e) ? content.b : before, 32);
    return e;
}

static inline cm_err open_with(const cm_buf *env, cm_opener o)
{
    return open_in(cm_buf_view(env), &o, 1, &lax, CM_LIT("context"));
}

static inline cm_err open_as(const cm_buf *env, const cm_kem_key *k)
{
    return open_with(env, cm_opener_kem(k));
}

/* ---- a pen for envelopes that no sealer would write ---------------------------------------- */

struct forged {
    uint64_t kind, number;
    bool has_number, has_cost, has_extra;
    cm_view id, body;
    uint64_t cost[4];
    size_t cost_n;
};

static inline void put_forged(cm_buf *b, const struct forged *f)
{
    OK(cm_cbor_put_map(b, 3u + f->has_number + f->has_cost + f->has_extra));
    OK(cm_cbor_put_uint(b, 1));
    OK(cm_cbor_put_uint(b, f->kind));
    OK(cm_cbor_put_uint(b, 2));
    OK(cm_cbor_put_bytes(b, f->id));
    OK(cm_cbor_put_uint(b, 3));
    OK(cm_cbor_put_bytes(b, f->body));
    if (f->has_number) {
        OK(cm_cbor_put_uint(b, 4));
        OK(cm_cbor_put_uint(b, f->number));
    }
    if (f->has_cost) {
        OK(cm_cbor_put_uint(b, 5));
        OK(cm_cbor_put_array(b, f->cost_n));
        for (size_t i = 0; i < f->cost_n; i++)
            OK(cm_cbor_put_uint(b, f->cost[i]));
    }
    if (f->has_extra) {
        OK(cm_cbor_put_uint(b, 6));
        OK(cm_cbor_put_uint(b, 0));
    }
}

/* The commitment as the spec has it, written here a second time: E-7. */
static inline void commit(uint8_t mac[32], cm_view stanzas, cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf msg = {.max = CM_ENVELOPE_MAX + 128};
    uint8_t key[32], ctx[32];

    OK(cm_hkdf_expand(crypt_, CM_SHA256, key, 32, CM_VIEW(content.b),
                      CM_LIT("casemate-envelope-v1 commitment")));
    OK(cm_hash_once(crypt_, CM_SHA256, ctx, context));
    OK(cm_buf_append(&msg, CM_LIT("casemate-envelope-v1\x01")));
    OK(cm_buf_append(&msg, CM_VIEW(ctx)));
    OK(cm_buf_append(&msg, stanzas));
    OK(cm_hmac(crypt_, CM_SHA256, mac, CM_VIEW(key), cm_buf_view(&msg)));
}

/* An envelope around encoded stanzas, whose commitment fits. */
static inline cm_buf wrap_stanzas(uint64_t version, uint64_t n, cm_view stanzas)
{
    cm_buf env = {.max = CM_ENVELOPE_MAX}, list = {.max = CM_ENVELOPE_MAX};
    uint8_t mac[32];

    OK(cm_cbor_put_array(&list, n));
    OK(cm_buf_append(&list, stanzas));
    commit(mac, cm_buf_view(&list), CM_LIT("context"));
    OK(cm_cbor_put_map(&env, 3));
    OK(cm_cbor_put_uint(&env, 1));
    OK(cm_cbor_put_uint(&env, version));
    OK(cm_cbor_put_uint(&env, 2));
    OK(cm_buf_append(&env, cm_buf_view(&list)));
    OK(cm_cbor_put_uint(&env, 3));
    OK(cm_cbor_put_bytes(&env, CM_VIEW(mac)));
    cm_buf_free(&list);
    return env;
}

/* The one stanza of an envelope to keys[k], as bytes. */
static inline cm_buf stanza_to(unsigned k)
{
    cm_recipient to = cm_recipient_kem(keys[k]);
    cm_buf env = sealed_to(&to, 1), out = {.max = CM_STANZA_BODY_MAX};
    size_t head = 5, tail = 1 + 2 + 32; /* map, 1: 1, 2: [ ; 3: bytes */

    OK(cm_buf_append(&out, cm_view_of(env.p + head, env.n - head - tail)));
    cm_buf_free(&env);
    return out;
}

static inline struct forged phrase_stanza(uint64_t memory, uint64_t passes, uint64_t lanes)
{
    static const uint8_t salt[16], body[60];

    return (struct forged){.kind = CM_STANZA_PASSPHRASE,
                           .id = CM_VIEW(salt),
                           .body = CM_VIEW(body),
                           .has_cost = true,
                           .cost = {memory, passes, lanes},
                           .cost_n = 3};
}

#endif
