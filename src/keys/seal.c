/* Root over tenants' KEKs over keys: every seal is bound to its parent, tenant, path and version.
 */
#include "codec/cbor.h"
#include "crypt/box.h"
#include "keys/ring_int.h"

enum { KEK_HEAD = 9 };

#define KEY_PURPOSE CM_LIT("key")

/* KM-11, KM-17: label, [root, tenant, KEK version]. */
static cm_err kek_info(const cm_keyring *r, cm_buf *out, cm_kek_form form, const cm_key_binding *b)
{
    static const char plain[] = "casemate-kek-v1", device[] = "casemate-kek-v2";

    CM_TRY(cm_buf_append(out, form == CM_KEK_PLAIN ? CM_VIEW(plain) : CM_VIEW(device)));
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
cm_err cm_ring_seal_root(const cm_keyring *r, cm_buf *out, const cm_key_binding *b,
                         cm_kek_form form, cm_view plain)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = CM_BOUND_MAX};
    size_t last = r->n - 1;

    CM_TRY(kek_info(r, &info, form, b));
    CM_TRY(cm_buf_byte(out, (uint8_t)form));
    CM_TRY(cm_buf_be64(out, r->root[last].number));
    return cm_hpke_seal(out, r->root[last].key, cm_hpke_default, cm_buf_view(&info), CM_LIT(""),
                        plain);
}

/* KM-12: the generation that it names and no other. */
static const cm_kem_key *root_of(const cm_keyring *r, cm_view sealed)
{
    if (sealed.n < KEK_HEAD || (sealed.p[0] != CM_KEK_PLAIN && sealed.p[0] != CM_KEK_DEVICE))
        return NULL;
    for (size_t i = 0; i < r->n; i++)
        if (r->root[i].number == cm_get_be64(sealed.p + 1))
            return r->root[i].key;
    return NULL;
}

/* Of the length that its form has. */
static bool kek_fits(const cm_kem_key *root, cm_view sealed)
{
    size_t beyond = KEK_HEAD + cm_kem_key_info(root)->ct + CM_HPKE_TAG;

    if (sealed.p[0] == CM_KEK_PLAIN)
        return sealed.n == beyond + CM_KEK;
    return sealed.n > beyond && sealed.n <= beyond + CM_KEK_INNER_MAX;
}

cm_err cm_ring_open_root(const cm_keyring *r, cm_buf *plain, cm_kek_form *form,
                         const cm_key_binding *b, cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = CM_BOUND_MAX};
    const cm_kem_key *root = root_of(r, sealed);

    if (!root || !kek_fits(root, sealed))
        return CM_FAIL(CRYPT_TAG);
    *form = (cm_kek_form)sealed.p[0];
    CM_TRY(kek_info(r, &info, *form, b));
    return cm_hpke_open(plain, root, cm_hpke_default, cm_buf_view(&info), CM_LIT(""),
                        cm_view_sub(sealed, KEK_HEAD, sealed.n - KEK_HEAD));
}

static cm_err open_kek(const cm_keyring *r, cm_held **out, cm_keyop *op, const cm_key_binding *b,
                       cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_KEK_INNER_MAX};
    CM_AUTO(cm_buf_free) cm_buf kek = {.max = CM_KEK};
    const cm_key_devices *d = r->o.devices;
    cm_kek_form form;

    CM_TRY(cm_ring_open_root(r, &plain, &form, b, sealed));
    if (form == CM_KEK_PLAIN)
        return cm_held_kek(out, cm_buf_view(&plain));
    CM_TRY(cm_ring_open_inner(r, &kek, op, b, cm_buf_view(&plain)));
    CM_TRY(cm_held_kek(out, cm_buf_view(&kek)));
    (*out)->until_ms = d->now_ms(d->self) + d->hold_ms; /* KM-19 */
    return CM_OKAY;
}

/* KM-19: what was held long enough has to be opened again. */
static cm_held *cached_kek(cm_keyring *r, const cm_held_name *name)
{
    const cm_key_devices *d = r->o.devices;
    cm_held *h = cm_held_cache_get(r->keks, name);

    if (!h || !h->until_ms || h->until_ms > d->now_ms(d->self))
        return h;
    cm_held_drop(h);
    cm_keyring_expire(r);
    return NULL;
}

cm_err cm_ring_kek(cm_keyring *r, cm_held **out, cm_keyop *op, uint64_t version, cm_view sealed)
{
    cm_key_binding only = {.tenant = op->bind.tenant, .kek_version = version};
    cm_held_name name = {.bind = &only, .sealed = sealed};
    cm_held *h = cached_kek(r, &name);

    if (!h) {
        CM_TRY(open_kek(r, &h, op, &only, sealed));
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
    if (h->native)
        return cm_native_seal(r, out, kek, cm_buf_view(&aad), h);
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
    CM_TRY(key_aad(&aad, b));
    if (cm_native_is(sealed))
        return cm_native_open(r, out, kek, t, cm_buf_view(&aad), sealed);
    if (sealed.n > CM_BOX_OVERHEAD + CM_RAW_MAX)
        return CM_FAIL(CRYPT_TAG);
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
