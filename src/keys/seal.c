/* Root over tenants' KEKs over keys: every seal is bound to its parent, tenant, path and version.
 */
#include "codec/cbor.h"
#include "crypt/box.h"
#include "keys/ring_int.h"

enum { KEK_FORM = 1, KEK_HEAD = 9, KEK = 32, KEK_BEYOND_CT = KEK_HEAD + KEK + CM_HPKE_TAG };

#define KEY_PURPOSE CM_LIT("key")

/* KM-11: label, [root, tenant, KEK version]. */
static cm_err kek_info(const cm_keyring *r, cm_buf *out, const cm_key_binding *b)
{
    static const char label[] = "casemate-kek-v1";

    CM_TRY(cm_buf_append(out, CM_VIEW(label)));
    CM_TRY(cm_cbor_put_array(out, 3));
    CM_TRY(cm_cbor_put_bytes(out, CM_VIEW(r->id)));
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

/* KM-10 */
cm_err cm_ring_seal_kek(const cm_keyring *r, cm_buf *out, const cm_key_binding *b, cm_view kek)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = CM_BOUND_MAX};
    size_t last = r->n - 1;

    CM_TRY(kek_info(r, &info, b));
    CM_TRY(cm_buf_byte(out, KEK_FORM));
    CM_TRY(cm_buf_be64(out, r->root[last].number));
    return cm_hpke_seal(out, r->root[last].key, cm_hpke_default, cm_buf_view(&info), CM_LIT(""),
                        kek);
}

/* KM-12: the generation that it names and no other. */
static const cm_kem_key *root_of(const cm_keyring *r, cm_view sealed)
{
    if (sealed.n < KEK_HEAD || sealed.p[0] != KEK_FORM)
        return NULL;
    for (size_t i = 0; i < r->n; i++)
        if (r->root[i].number == cm_get_be64(sealed.p + 1))
            return r->root[i].key;
    return NULL;
}

static cm_err open_kek(const cm_keyring *r, cm_held **out, const cm_key_binding *b, cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = CM_BOUND_MAX};
    CM_AUTO(cm_buf_free) cm_buf kek = {.max = KEK};
    const cm_kem_key *root = root_of(r, sealed);

    if (!root || sealed.n != (size_t)KEK_BEYOND_CT + cm_kem_key_info(root)->ct)
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(kek_info(r, &info, b));
    CM_TRY(cm_hpke_open(&kek, root, cm_hpke_default, cm_buf_view(&info), CM_LIT(""),
                        cm_view_sub(sealed, KEK_HEAD, sealed.n - KEK_HEAD)));
    return cm_held_kek(out, cm_buf_view(&kek));
}

cm_err cm_ring_kek(cm_keyring *r, cm_held **out, const cm_key_binding *b, cm_view sealed)
{
    cm_key_binding only = {.tenant = b->tenant, .kek_version = b->kek_version};
    cm_held_name name = {.bind = &only, .sealed = sealed};
    cm_held *h = cm_held_cache_get(r->keks, &name);

    if (!h) {
        CM_TRY(open_kek(r, &h, b, sealed));
        cm_held_cache_put(r->keks, &name, h);
    }
    *out = h;
    return CM_OKAY;
}

cm_err cm_ring_seal_key(const cm_keyring *r, cm_buf *out, const cm_held *kek,
                        const cm_key_binding *b, const cm_held *h)
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = CM_BOUND_MAX};
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_RAW_MAX};

    CM_TRY(key_aad(&aad, b));
    CM_TRY(cm_held_raw(&raw, h));
    return cm_box_seal(out, r->o.crypt, kek->secret, KEY_PURPOSE, cm_buf_view(&aad),
                       cm_buf_view(&raw));
}

static cm_err open_key(const cm_keyring *r, cm_held **out, const cm_held *kek,
                       const cm_key_binding *b, cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = CM_BOUND_MAX};
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_RAW_MAX + 1};
    const cm_key_type_info *t = cm_key_type_of(b->type);

    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    if (sealed.n > CM_BOX_OVERHEAD + CM_RAW_MAX)
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(key_aad(&aad, b));
    CM_TRY(cm_box_open(&raw, r->o.crypt, kek->secret, KEY_PURPOSE, cm_buf_view(&aad), sealed));
    return cm_held_from_raw(out, r->o.crypt, t, cm_buf_view(&raw));
}

cm_err cm_ring_key(cm_keyring *r, cm_held **out, cm_held *kek, const cm_key_binding *b,
                   cm_view sealed)
{
    cm_held_name name = {.parent = kek, .bind = b, .sealed = sealed};
    cm_held *h = cm_held_cache_get(r->keys, &name);

    if (!h) {
        CM_TRY(open_key(r, &h, kek, b, sealed));
        cm_held_cache_put(r->keys, &name, h);
    }
    *out = h;
    return CM_OKAY;
}
