#include "keys/attested.h"

#include "codec/cbor.h"

enum { INFO_MAX = 64, NAME_MAX_BYTES = 2048, ALL_PCRS = 0xffffff };

/* The id of the stanza is the digest of fields 1 to 7; the body is all eight (U-13). */
static const cm_cbor_field fields[] = {
    {1, CM_CBOR_TEXT, true, 1, CM_KEY_NAME_MAX},     /* tenant */
    {2, CM_CBOR_TEXT, true, 0, CM_KEY_NAME_MAX},     /* keyspace */
    {3, CM_CBOR_TEXT, true, 1, CM_KEY_NAME_MAX},     /* key */
    {4, CM_CBOR_UINT, true, 1, UINT64_MAX},          /* version */
    {5, CM_CBOR_TEXT, true, 1, CM_ATTESTED_POLICY},  /* policy */
    {6, CM_CBOR_BYTES, true, 32, 32},                /* its file's digest */
    {7, CM_CBOR_UINT, true, 0, ALL_PCRS},            /* registers */
    {8, CM_CBOR_BYTES, true, 1, CM_KMS_WRAPPED_MAX}, /* wrapped */
};
enum { NAME_FIELDS = 7 };

static void values(cm_cbor_value *v, const cm_attested_name *n, cm_view wrapped)
{
    v[0] = (cm_cbor_value){.present = true, .v = n->name.tenant};
    v[1] = (cm_cbor_value){.present = true, .v = n->name.keyspace};
    v[2] = (cm_cbor_value){.present = true, .v = n->name.key};
    v[3] = (cm_cbor_value){.present = true, .u = n->name.version};
    v[4] = (cm_cbor_value){.present = true, .v = n->policy};
    v[5] = (cm_cbor_value){.present = true, .v = n->sha256};
    v[6] = (cm_cbor_value){.present = true, .u = n->pcrs};
    v[7] = (cm_cbor_value){.present = true, .v = wrapped};
}

static cm_err id_of(const cm_crypt *c, uint8_t id[16], const cm_attested_name *n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = NAME_MAX_BYTES};
    cm_cbor_value v[CM_COUNT(fields)];
    uint8_t h[32];

    values(v, n, (cm_view){0});
    CM_TRY(cm_buf_append(&b, CM_LIT("casemate-attested-v1")));
    CM_TRY(cm_cbor_put_record(&b, fields, v, NAME_FIELDS));
    CM_TRY(cm_hash_once(c, CM_SHA256, h, cm_buf_view(&b)));
    memcpy(id, h, 16);
    return CM_OKAY;
}

static cm_err wrap(void *self, const cm_crypt *c, cm_stanza *st, cm_buf *id, cm_buf *body,
                   const cm_key32 *key, cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = INFO_MAX};
    CM_AUTO(cm_buf_free) cm_buf wrapped = {.max = CM_KMS_WRAPPED_MAX};
    const cm_attested_key *k = self;
    cm_attested_name name = k->name;
    cm_cbor_value v[CM_COUNT(fields)];
    uint8_t hash[16];

    st->kind = CM_STANZA_EXTERNAL;
    st->number = CM_RECIPIENT_ATTESTED;
    CM_TRY(cm_envelope_info(c, &info, CM_STANZA_EXTERNAL, context));
    CM_TRY(k->wrap(k->arg, &wrapped, &name.name.version, &k->name.name, key, cm_buf_view(&info)));
    CM_TRY(id_of(c, hash, &name));
    values(v, &name, cm_buf_view(&wrapped));
    CM_TRY(cm_cbor_put_record(body, fields, v, CM_COUNT(v)));
    return cm_buf_append(id, CM_VIEW(hash));
}

cm_err cm_attested_stanza_name(cm_attested_name *out, cm_view *wrapped, const cm_crypt *c,
                               const cm_stanza *st)
{
    cm_cbor_value v[CM_COUNT(fields)] = {0};
    cm_attested_name n;
    uint8_t id[16];
    cm_cbor at;

    if (st->kind != CM_STANZA_EXTERNAL || st->number != CM_RECIPIENT_ATTESTED ||
        cm_failed(cm_cbor_open(&at, st->body, NULL)) ||
        cm_failed(cm_cbor_record(&at, fields, v, CM_COUNT(v), NULL)) || cm_failed(cm_cbor_end(&at)))
        return CM_FAIL(ENVELOPE_MALFORMED);
    n = (cm_attested_name){.name = {v[0].v, v[1].v, v[2].v, v[3].u},
                           .policy = v[4].v,
                           .sha256 = v[5].v,
                           .pcrs = (uint32_t)v[6].u};
    CM_TRY(id_of(c, id, &n));
    if (!cm_view_eq(st->id, CM_VIEW(id))) /* U-13 */
        return CM_FAIL(ENVELOPE_MALFORMED);
    *out = n;
    *wrapped = v[7].v;
    return CM_OKAY;
}

static cm_err claims(void *self, const cm_crypt *c, const cm_stanza *st, bool *yes)
{
    cm_attested_name n;
    cm_view wrapped;

    (void)self;
    *yes = false;
    if (st->kind != CM_STANZA_EXTERNAL || st->number != CM_RECIPIENT_ATTESTED)
        return CM_OKAY;
    CM_TRY(cm_attested_stanza_name(&n, &wrapped, c, st));
    *yes = true;
    return CM_OKAY;
}

static cm_err unwrap(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                     cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = INFO_MAX};
    CM_AUTO(cm_key32_wipe) cm_key32 got = {{0}};
    const cm_attested_key *k = self;
    cm_attested_name n;
    cm_view wrapped;

    CM_TRY(cm_attested_stanza_name(&n, &wrapped, c, st));
    CM_TRY(cm_envelope_info(c, &info, CM_STANZA_EXTERNAL, context));
    CM_TRY(k->release(k->arg, &got, &n, wrapped, cm_buf_view(&info)));
    *key = got;
    return CM_OKAY;
}

cm_recipient cm_recipient_attested(cm_attested_key *k)
{
    return (cm_recipient){.strength = CM_STRENGTH_SYMMETRIC, .level = 5, .wrap = wrap, .self = k};
}

cm_opener cm_opener_attested(cm_attested_key *k)
{
    return (cm_opener){.claims = claims, .unwrap = unwrap, .self = k};
}
