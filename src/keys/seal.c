/* Root over tenants' KEKs over keys: every seal is bound to its parent, tenant, path and version
 * (KM-10 to KM-14). */
#include "codec/cbor.h"
#include "crypt/box.h"
#include "keys/ring_int.h"

enum { KEK_FORM = 1, KEK_HEAD = 9, BINDING_MAX = 2048 };

/* KM-11: [root, tenant, KEK version]. */
static cm_err kek_info(const cm_keyring *r, cm_buf *out, const cm_key_binding *b)
{
    static const char label[] = "casemate-kek-v1";

    CM_TRY(cm_buf_append(out, CM_VIEW(label)));
    CM_TRY(cm_cbor_put_array(out, 3));
    CM_TRY(cm_cbor_put_bytes(out, CM_VIEW(r->o.root->id)));
    CM_TRY(cm_cbor_put_bytes(out, b->tenant));
    return cm_cbor_put_uint(out, b->kek_version);
}

/* KM-13: [tenant, path, version, type, KEK version]. */
static cm_err key_aad(cm_buf *out, const cm_key_binding *b)
{
    CM_TRY(cm_cbor_put_array(out, 5));
    CM_TRY(cm_cbor_put_bytes(out, b->tenant));
    CM_TRY(cm_cbor_put_bytes(out, b->path));
    CM_TRY(cm_cbor_put_uint(out, b->version));
    CM_TRY(cm_cbor_put_uint(out, (uint64_t)b->type));
    return cm_cbor_put_uint(out, b->kek_version);
}

cm_err cm_ring_new_kek(const cm_keyring *r, cm_buf *out, const cm_key_binding *b)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = BINDING_MAX};
    CM_AUTO(cm_key32_wipe) cm_key32 kek;
    size_t last = r->n - 1;

    CM_TRY(kek_info(r, &info, b));
    CM_TRY(cm_random(r->o.crypt, kek.b, sizeof kek.b));
    CM_TRY(cm_buf_byte(out, KEK_FORM));
    CM_TRY(cm_buf_be64(out, r->root[last].number));
    return cm_hpke_seal(out, r->root[last].key, cm_hpke_default, cm_buf_view(&info), (cm_view){0},
                        CM_VIEW(kek.b));
}

static cm_err open_kek(const cm_keyring *r, cm_held **out, const cm_key_binding *b, cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = BINDING_MAX};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = 64};
    CM_AUTO(cm_key32_wipe) cm_key32 kek;
    uint64_t number;

    if (sealed.n < KEK_HEAD || sealed.p[0] != KEK_FORM)
        return CM_FAIL(CRYPT_TAG);
    number = cm_get_be64(sealed.p + 1);
    CM_TRY(kek_info(r, &info, b));
    for (size_t i = 0; i < r->n; i++) {
        cm_view rest = cm_view_sub(sealed, KEK_HEAD, sealed.n - KEK_HEAD);

        if (r->root[i].number != number)
            continue;
        if (cm_failed(cm_hpke_open(&plain, r->root[i].key, cm_hpke_default, cm_buf_view(&info),
                                   (cm_view){0}, rest)) ||
            plain.n != sizeof kek.b)
            return CM_FAIL(CRYPT_TAG);
        memcpy(kek.b, plain.p, sizeof kek.b);
        return cm_held_kek(out, &kek);
    }
    return CM_FAIL(CRYPT_TAG);
}

/* Under what an open key is remembered: its seal, and all that the seal must be bound to. A seal
 * brought with another binding is another entry, and fails to open. */
static cm_err cache_id(const cm_keyring *r, uint8_t id[32], const cm_held *kek,
                       const cm_key_binding *b, cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf all = {.max = CM_RSA_DER_MAX * 2 + BINDING_MAX};

    if (kek)
        CM_TRY(cm_buf_append(&all, CM_VIEW(kek->secret->b)));
    CM_TRY(key_aad(&all, b));
    CM_TRY(cm_buf_append(&all, sealed));
    return cm_hash_once(r->o.crypt, CM_SHA256, id, cm_buf_view(&all));
}

cm_err cm_ring_kek(cm_keyring *r, cm_held **out, const cm_key_binding *b, cm_view sealed)
{
    cm_key_binding only = {.tenant = b->tenant, .kek_version = b->kek_version};
    cm_held *h;
    uint8_t id[32];

    CM_TRY(cache_id(r, id, NULL, &only, sealed));
    h = cm_held_cache_get(r->cache, id);
    if (!h) {
        CM_TRY(open_kek(r, &h, b, sealed));
        cm_held_cache_put(r->cache, id, h);
    }
    *out = h;
    return CM_OKAY;
}

cm_err cm_ring_seal_key(const cm_keyring *r, cm_buf *out, const cm_held *kek,
                        const cm_key_binding *b, const cm_held *h)
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = BINDING_MAX};
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_SECRET_RAW_MAX};

    CM_TRY(key_aad(&aad, b));
    CM_TRY(cm_held_raw(&raw, h));
    return cm_box_seal(out, r->o.crypt, kek->secret, CM_LIT("key"), cm_buf_view(&aad),
                       cm_buf_view(&raw));
}

static cm_err open_key(const cm_keyring *r, cm_held **out, const cm_held *kek,
                       const cm_key_binding *b, cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = BINDING_MAX};
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_SECRET_RAW_MAX + 1};
    const cm_key_type_info *t = cm_key_type_of(b->type);

    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    CM_TRY(key_aad(&aad, b));
    CM_TRY(cm_box_open(&raw, r->o.crypt, kek->secret, CM_LIT("key"), cm_buf_view(&aad), sealed));
    return cm_held_from_raw(out, r->o.crypt, t, cm_buf_view(&raw));
}

cm_err cm_ring_key(cm_keyring *r, cm_held **out, const cm_held *kek, const cm_key_binding *b,
                   cm_view sealed)
{
    cm_held *h;
    uint8_t id[32];

    CM_TRY(cache_id(r, id, kek, b, sealed));
    h = cm_held_cache_get(r->cache, id);
    if (!h) {
        CM_TRY(open_key(r, &h, kek, b, sealed));
        cm_held_cache_put(r->cache, id, h);
    }
    *out = h;
    return CM_OKAY;
}
