/* Tenants' KEKs under devices of their own: KM-17 to KM-19. */
#include "codec/cbor.h"
#include "keys/ring_int.h"

enum { DEVICE_MAX = 32 };

/* ---- what a device is ---------------------------------------------------------------------- */

static const cm_cbor_field facts_fields[] = {
    {1, CM_CBOR_TEXT, true, 1, sizeof((cm_kek_facts *)0)->custody - 1},
    {2, CM_CBOR_TEXT, false, 1, sizeof((cm_kek_facts *)0)->provider - 1},
    {3, CM_CBOR_TEXT, false, 1, sizeof((cm_kek_facts *)0)->serial - 1},
};

static cm_cbor_value text(const char *s)
{
    return (cm_cbor_value){.present = s[0] != 0, .v = cm_view_str(s)};
}

cm_err cm_kek_facts_put(cm_buf *out, const cm_kek_facts *f)
{
    const cm_cbor_value v[] = {text(f->custody), text(f->provider), text(f->serial)};

    return cm_cbor_put_record(out, facts_fields, v, CM_COUNT(v));
}

cm_err cm_kek_facts_get(cm_kek_facts *f, cm_view v)
{
    cm_cbor_value got[CM_COUNT(facts_fields)] = {0};
    cm_kek_facts made = {.custody = {0}};

    if (cm_failed(cm_cbor_whole(v, facts_fields, got, CM_COUNT(got))))
        return CM_FAIL(KEYMSG_MALFORMED);
    memcpy(made.custody, got[0].v.p, got[0].v.n);
    if (got[1].present)
        memcpy(made.provider, got[1].v.p, got[1].v.n);
    if (got[2].present)
        memcpy(made.serial, got[2].v.p, got[2].v.n);
    *f = made;
    return CM_OKAY;
}

/* ---- wrapping ------------------------------------------------------------------------------ */

/* KM-18: what the device binds the KEK to. */
static cm_err device_context(const cm_keyring *r, cm_buf *out, const cm_key_binding *b)
{
    static const char label[] = "casemate-kek-device-v1";

    CM_TRY(cm_buf_append(out, CM_VIEW(label)));
    CM_TRY(cm_cbor_put_array(out, 3));
    CM_TRY(cm_cbor_put_bytes(out, CM_VIEW(r->id)));
    CM_TRY(cm_cbor_put_bytes(out, b->tenant));
    return cm_cbor_put_uint(out, b->kek_version);
}

static cm_err put_short(cm_buf *out, cm_view v)
{
    CM_TRY(cm_buf_byte(out, (uint8_t)v.n));
    return cm_buf_append(out, v);
}

static bool take_short(cm_view *out, cm_view *from, size_t max)
{
    size_t n = from->n ? from->p[0] : 0;

    if (n == 0 || n > max || n >= from->n)
        return false;
    *out = cm_view_sub(*from, 1, n);
    *from = cm_view_sub(*from, 1 + n, from->n - 1 - n);
    return true;
}

cm_err cm_ring_reach(const cm_keyring *r, cm_keyop *op, cm_view name)
{
    const cm_key_devices *d = r->o.devices;

    if (!d)
        return CM_FAIL(KEY_DEVICE_NONE);
    CM_TRY(d->find(d->self, &op->device, name));
    return op->patient ? CM_OKAY : CM_FAIL(KEY_DEVICE_WAIT);
}

static cm_err seal_under_device(const cm_keyring *r, cm_keyop *op, const cm_key_binding *b,
                                cm_view kek)
{
    CM_AUTO(cm_buf_free) cm_buf context = {.max = CM_BOUND_MAX};
    CM_AUTO(cm_buf_free) cm_buf inner = {.max = CM_KEK_INNER_MAX};
    const cm_key_devices *d = r->o.devices;
    cm_kek_facts facts = {.custody = {0}};

    CM_TRY(cm_ring_reach(r, op, op->context));
    CM_TRY(device_context(r, &context, b));
    CM_TRY(put_short(&inner, op->context));
    CM_TRY(put_short(&inner, op->data));
    CM_TRY(d->wrap(d->self, op->device, op->data, kek, cm_buf_view(&context), &inner, &facts));
    CM_TRY(cm_ring_seal_root(r, &op->out, b, CM_KEK_DEVICE, cm_buf_view(&inner)));
    return cm_kek_facts_put(&op->out2, &facts);
}

cm_err cm_ring_seal_kek(const cm_keyring *r, cm_keyop *op, const cm_key_binding *b, cm_view kek)
{
    if (op->context.n > DEVICE_MAX || op->data.n > CM_KEK_LABEL_MAX ||
        !op->context.n != !op->data.n)
        return CM_FAIL(KEY_FORM);
    if (op->context.n)
        return seal_under_device(r, op, b, kek);
    return cm_ring_seal_root(r, &op->out, b, CM_KEK_PLAIN, kek);
}

cm_err cm_ring_open_inner(const cm_keyring *r, cm_buf *kek, cm_keyop *op, const cm_key_binding *b,
                          cm_view inner)
{
    CM_AUTO(cm_buf_free) cm_buf context = {.max = CM_BOUND_MAX};
    const cm_key_devices *d = r->o.devices;
    cm_view name, label;

    if (!take_short(&name, &inner, DEVICE_MAX) || !take_short(&label, &inner, CM_KEK_LABEL_MAX))
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(cm_ring_reach(r, op, name));
    CM_TRY(device_context(r, &context, b));
    CM_TRY(d->unwrap(d->self, op->device, label, inner, cm_buf_view(&context), kek));
    return kek->n == CM_KEK ? CM_OKAY : CM_FAIL(KEY_DEVICE_OTHER);
}
