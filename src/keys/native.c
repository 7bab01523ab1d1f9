/* Keys that a device made and keeps: KM-60 to KM-64. What is sealed is where they are. */
#include "codec/cbor.h"
#include "crypt/box.h"
#include "keys/ring_int.h"

enum { FORM = 2, ID = 16, DEVICE_MAX = 32, RECORD_MAX = 64 + ID + DEVICE_MAX + CM_SIG_PK_MAX };

#define PURPOSE CM_LIT("native key")

/* Nothing here is secret. */
struct cm_held_native {
    uint8_t id[ID];
    size_t device_n, pub_n;
    uint8_t device[DEVICE_MAX], pub[CM_SIG_PK_MAX];
};

static const cm_cbor_field fields[] = {
    {1, CM_CBOR_BYTES, true, 1, DEVICE_MAX},
    {2, CM_CBOR_BYTES, true, ID, ID},
    {3, CM_CBOR_BYTES, true, 1, CM_SIG_PK_MAX},
};

/* ---- what is sealed ------------------------------------------------------------------------ */

static cm_err fill(struct cm_held_native *n, cm_view device, cm_view id, cm_view pub)
{
    if (!device.n || device.n > sizeof n->device || id.n != ID || pub.n > sizeof n->pub)
        return CM_FAIL(KEY_FORM);
    memcpy(n->device, device.p, device.n);
    memcpy(n->id, id.p, id.n);
    memcpy(n->pub, pub.p, pub.n);
    n->device_n = device.n;
    n->pub_n = pub.n;
    return CM_OKAY;
}

/* The public half, of whichever family: it verifies and encapsulates here. */
static cm_err open_public(cm_held *h, const cm_crypt *c)
{
    cm_view pub = cm_view_of(h->native->pub, h->native->pub_n);

    switch (h->info->family) {
    case CM_FAMILY_SIG:
        CM_TRY(cm_sig_from_public(&h->sig, c, (cm_sig_id)h->info->algorithm, pub));
        return cm_sig_prepare(h->sig);
    case CM_FAMILY_KEM:
        return cm_kem_from_public(&h->kem, c, (cm_kem_id)h->info->algorithm, pub);
    case CM_FAMILY_RSA:
        CM_TRY(cm_rsa_from_public(&h->rsa, c, pub));
        return cm_rsa_bits(h->rsa) == h->info->algorithm ? CM_OKAY : CM_FAIL(CRYPT_BAD_KEY);
    default:
        return CM_FAIL(KEY_UNSUPPORTED);
    }
}

static cm_err make_held(cm_held **out, const cm_crypt *c, const cm_key_type_info *t, cm_view device,
                        cm_view id, cm_view pub)
{
    CM_AUTO(cm_held_drop_ptr) cm_held *h = NULL;

    CM_TRY(cm_held_blank(&h, t));
    CM_TRY(cm_alloc(&h->native, sizeof *h->native));
    CM_TRY(fill(h->native, device, id, pub));
    CM_TRY(open_public(h, c));
    *out = h;
    h = NULL;
    return CM_OKAY;
}

/* KM-60 */
cm_err cm_native_seal(const cm_keyring *r, cm_buf *out, const cm_held *kek, cm_view aad,
                      const cm_held *h)
{
    const struct cm_held_native *n = h->native;
    CM_AUTO(cm_buf_free) cm_buf record = {.max = RECORD_MAX};
    const cm_cbor_value v[] = {{.present = true, .v = cm_view_of(n->device, n->device_n)},
                               {.present = true, .v = CM_VIEW(n->id)},
                               {.present = true, .v = cm_view_of(n->pub, n->pub_n)}};

    CM_TRY(cm_cbor_put_record(&record, fields, v, CM_COUNT(v)));
    CM_TRY(cm_buf_byte(out, FORM));
    return cm_box_seal(out, r->o.crypt, kek->secret, PURPOSE, aad, cm_buf_view(&record));
}

bool cm_native_is(cm_view sealed)
{
    return sealed.n > 0 && sealed.p[0] == FORM;
}

cm_err cm_native_open(const cm_keyring *r, cm_held **out, const cm_held *kek,
                      const cm_key_type_info *t, cm_view aad, cm_view sealed)
{
    CM_AUTO(cm_buf_free) cm_buf record = {.max = RECORD_MAX};
    cm_cbor_value v[CM_COUNT(fields)] = {0};

    if (sealed.n > 1 + CM_BOX_OVERHEAD + RECORD_MAX)
        return CM_FAIL(CRYPT_TAG);
    CM_TRY(cm_box_open(&record, r->o.crypt, kek->secret, PURPOSE, aad,
                       cm_view_sub(sealed, 1, sealed.n - 1)));
    if (cm_failed(cm_cbor_whole(cm_buf_view(&record), fields, v, CM_COUNT(v))))
        return CM_FAIL(CRYPT_TAG);
    return make_held(out, r->o.crypt, t, v[0].v, v[1].v, v[2].v);
}

/* ---- the device ---------------------------------------------------------------------------- */

static cm_device_key key_of(const cm_held *h)
{
    return (cm_device_key){.type = h->info->type,
                           .id = CM_VIEW(h->native->id),
                           .pub = cm_view_of(h->native->pub, h->native->pub_n),
                           .check = h->sig};
}

static cm_err reach(const cm_keyring *r, cm_keyop *op, const cm_held *h)
{
    return cm_ring_reach(r, op, cm_view_of(h->native->device, h->native->device_n));
}

/* KM-61: op's context names the device, its data is for people who look into it. */
cm_err cm_native_make(const cm_keyring *r, cm_keyop *op, cm_held **out)
{
    const cm_key_devices *d = r->o.devices;
    const cm_key_type_info *t = cm_key_type_of(op->bind.type);
    CM_AUTO(cm_buf_free) cm_buf pub = {.max = CM_SIG_PK_MAX};
    uint8_t id[ID];
    cm_err e;

    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    if (op->context.n > DEVICE_MAX || op->data.n > CM_KEK_LABEL_MAX)
        return CM_FAIL(KEY_FORM);
    CM_TRY(cm_ring_reach(r, op, op->context));
    CM_TRY(cm_random(r->o.crypt, id, sizeof id));
    CM_TRY(d->make(d->self, op->device, t->type, CM_VIEW(id), op->data, &pub));
    e = make_held(out, r->o.crypt, t, op->context, CM_VIEW(id), cm_buf_view(&pub));
    if (cm_failed(e)) {
        const cm_device_key k = {.type = t->type, .id = CM_VIEW(id)};
        cm_err gone = d->drop(d->self, op->device, &k);

        return cm_failed(gone) ? gone : e;
    }
    return CM_OKAY;
}

cm_err cm_native_decap(const cm_keyring *r, cm_keyop *op, const cm_held *k, uint8_t ss[32],
                       cm_view ct)
{
    const cm_key_devices *d = r->o.devices;
    CM_AUTO(cm_buf_free) cm_buf secret = {.max = 32};
    const cm_device_key key = key_of(k);

    if (ct.n != cm_kem_key_info(k->kem)->ct)
        return CM_FAIL(KEM_LENGTH);
    CM_TRY(reach(r, op, k));
    CM_TRY(d->decapsulate(d->self, op->device, &key, ct, &secret));
    if (secret.n != 32)
        return CM_FAIL(KEY_DEVICE_OTHER);
    memcpy(ss, secret.p, 32);
    return CM_OKAY;
}

/* KM-64 */
cm_err cm_exec_drop(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    const cm_key_devices *d = r->o.devices;
    cm_device_key key;

    if (!k->native)
        return CM_FAIL(KEY_USE);
    key = key_of(k);
    CM_TRY(reach(r, op, k));
    return d->drop(d->self, op->device, &key);
}

/* ---- signing ------------------------------------------------------------------------------- */

/* One operation on its way to a device. */
struct ask {
    cm_keyop *op;
    cm_held *kek, *k;
    cm_sign_input in;
    cm_buf sig;
};

static void ask_done(struct ask *a)
{
    cm_held_drop(a->k);
    cm_held_drop(a->kek);
    cm_buf_free(&a->sig);
}

/* Which of the four possible keys it is: the signature does not say. */
static cm_err with_recovery_id(const cm_keyring *r, const struct ask *a)
{
    cm_view pub = cm_view_of(a->k->native->pub, a->k->native->pub_n);
    uint8_t got[65];

    for (uint8_t id = 0; a->sig.n == 64 && id < 4; id++)
        if (cm_ok(cm_recover(r->o.crypt, got, a->sig.p, id, a->in.digest)) &&
            cm_view_eq(CM_VIEW(got), pub))
            return cm_buf_byte(&a->op->out, id);
    return CM_FAIL(KEY_DEVICE_OTHER);
}

static cm_err give(const cm_keyring *r, const struct ask *a)
{
    CM_TRY(cm_buf_append(&a->op->out, cm_buf_view(&a->sig)));
    return a->in.recoverable ? with_recovery_id(r, a) : CM_OKAY;
}

/* All are of the first one's key, and messages or digests as it is. */
static cm_err sign_all(const cm_keyring *r, struct ask *a, size_t n)
{
    const cm_key_devices *d = r->o.devices;
    cm_device_key key = key_of(a->k);
    cm_view msg[CM_KEYOPS_MANY] = {{.p = NULL}};
    cm_buf sig[CM_KEYOPS_MANY] = {{.p = NULL}};
    cm_err e;

    for (size_t i = 0; i < n; i++) {
        msg[i] = a[i].in.digested ? CM_VIEW(a[i].in.digest) : a[i].in.message;
        sig[i] = (cm_buf){.max = CM_SIG_MAX};
    }
    key.digest = a->in.digested && key.type == CM_KEY_P256;
    e = d->sign(d->self, a->op->device, &key, a->in.pkcs1, msg, n, sig);
    for (size_t i = 0; i < n; i++)
        a[i].sig = sig[i];
    return e;
}

/* KM-62 */
cm_err cm_native_sign(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    CM_AUTO(ask_done) struct ask a = {.op = op};

    CM_TRY(cm_exec_sign_input(r, &a.in, op, k));
    CM_TRY(reach(r, op, k));
    a.k = cm_held_ref((cm_held *)(uintptr_t)k);
    CM_TRY(sign_all(r, &a, 1));
    return give(r, &a);
}

/* Whether op goes along with others: a signature by a native key, but for RSA's two paddings. */
static bool begin(cm_keyring *r, struct ask *a, cm_keyop *op)
{
    *a = (struct ask){.op = op};
    if (op->code != CM_KEYOP_SIGN || !cm_native_is(op->key) || cm_failed(cm_keyop_fits(op)) ||
        cm_failed(cm_ring_kek(r, &a->kek, op, op->bind.kek_version, op->kek)) ||
        cm_failed(cm_ring_key(r, &a->k, a->kek, &op->bind, op->key)))
        return false;
    return !a->k->rsa && cm_ok(cm_exec_sign_input(r, &a->in, op, a->k)) &&
           cm_ok(reach(r, op, a->k));
}

static void finish(cm_keyring *r, struct ask *a, cm_err e)
{
    a->op->out = (cm_buf){.max = CM_KEYOP_OUT_MAX};
    a->op->out2 = (cm_buf){.max = CM_KEYOP_OUT_MAX};
    a->op->result = cm_ok(e) ? give(r, a) : e;
    if (cm_failed(a->op->result))
        cm_keyop_done_with(a->op);
}

/* KM-62: those of the first one's key in one request; whatever is not, or did not work, alone. */
void cm_keyring_exec_many(cm_keyring *r, cm_keyop *const *op, size_t n)
{
    struct ask a[CM_KEYOPS_MANY];
    cm_err e = CM_FAIL(KEY_USE);
    size_t together = 0;

    for (size_t i = 0; i < n; i++) {
        bool goes = together < CM_COUNT(a) && begin(r, &a[together], op[i]);

        if (goes && (together == 0 ||
                     (a[together].k == a[0].k && a[together].in.digested == a[0].in.digested))) {
            together++;
            continue;
        }
        if (together < CM_COUNT(a))
            ask_done(&a[together]);
        cm_keyring_exec(r, op[i]);
    }
    if (together > 1)
        e = sign_all(r, a, together);
    for (size_t i = 0; i < together; i++) {
        if (cm_ok(e))
            finish(r, &a[i], e);
        else
            cm_keyring_exec(r, a[i].op);
        ask_done(&a[i]);
    }
}
