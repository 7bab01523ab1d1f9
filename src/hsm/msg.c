#include "hsm/msg.h"

#include "codec/cbor.h"
#include "hsm/hsm_int.h"

/* Whatever is wrong with a message, its sender is to blame: one reason for all. */
static cm_err malformed(cm_err e)
{
    return cm_failed(e) && cm_err_class(e) == CM_CLASS_MALFORMED ? CM_FAIL(HSM_MESSAGE) : e;
}

static cm_err read_record(cm_view body, const cm_cbor_field *f, cm_cbor_value *v, size_t n)
{
    return malformed(cm_cbor_whole(body, f, v, n));
}

/* Absent rather than empty or zero: one encoding for each meaning. */
static cm_cbor_value bytes(cm_view v)
{
    return (cm_cbor_value){.present = v.n > 0, .v = v};
}

static cm_cbor_value number(uint64_t u)
{
    return (cm_cbor_value){.present = u > 0, .u = u};
}

/* ---- requests ------------------------------------------------------------------------------ */

static const cm_cbor_field request_fields[] = {
    {1, CM_CBOR_UINT, true, CM_HSM_STATUS, CM_HSM_OPS},
    {2, CM_CBOR_UINT, false, 1, CM_HSM_ALGS},
    {3, CM_CBOR_BYTES, false, 1, CM_HSM_ID_MAX},
    {4, CM_CBOR_BYTES, false, 32, 32}, /* hash of the public key */
    {5, CM_CBOR_BYTES, false, 1, CM_HSM_LABEL_MAX},
    {6, CM_CBOR_BYTES, false, 1, CM_HSM_DATA_MAX},
    {7, CM_CBOR_BYTES, false, 1, CM_HSM_AAD_MAX},
    {8, CM_CBOR_UINT, false, 1, CM_HSM_RANDOM_MAX},
    {9, CM_CBOR_UINT, false, 1, 1},  /* temporary */
    {10, CM_CBOR_UINT, false, 1, 1}, /* many */
    {11, CM_CBOR_UINT, false, 1, 1}, /* pkcs1 */
    {12, CM_CBOR_UINT, false, 1, 1}, /* digest */
};

cm_err cm_hsm_put_request(cm_buf *packet, uint64_t id, const cm_hsm_request *r)
{
    cm_cbor_value v[CM_COUNT(request_fields)] = {
        number(r->op),        number(r->alg),  bytes(r->id),     bytes(r->hash),
        bytes(r->label),      bytes(r->data),  bytes(r->aad),    number(r->n),
        number(r->temporary), number(r->many), number(r->pkcs1), number(r->digest),
    };

    CM_TRY(cm_buf_be64(packet, id));
    return cm_cbor_put_record(packet, request_fields, v, CM_COUNT(v));
}

/* H-11 */
cm_err cm_hsm_get_request(cm_hsm_request *r, uint64_t *id, cm_view packet)
{
    cm_cbor_value v[CM_COUNT(request_fields)] = {0};
    cm_hsm_request got;

    *id = 0;
    if (packet.n <= CM_HSM_MSG_ID || packet.n > CM_HSM_PACKET)
        return CM_FAIL(HSM_MESSAGE);
    *id = cm_get_be64(packet.p);
    CM_TRY(read_record(cm_view_sub(packet, CM_HSM_MSG_ID, packet.n - CM_HSM_MSG_ID), request_fields,
                       v, CM_COUNT(v)));
    got = (cm_hsm_request){.op = (cm_hsm_op)v[0].u,
                           .alg = (uint32_t)v[1].u,
                           .id = v[2].v,
                           .hash = v[3].v,
                           .label = v[4].v,
                           .data = v[5].v,
                           .aad = v[6].v,
                           .n = v[7].u,
                           .temporary = v[8].u != 0,
                           .many = v[9].u != 0,
                           .pkcs1 = v[10].u != 0,
                           .digest = v[11].u != 0};
    CM_TRY(cm_hsm_request_check(&got));
    *r = got;
    return CM_OKAY;
}

/* ---- answers ------------------------------------------------------------------------------- */

enum { KEY_FIELDS = 5, STATUS_FIELDS = 13 };

static const cm_cbor_field data_fields[] = {
    {1, CM_CBOR_BYTES, true, 1, CM_HSM_DATA_MAX},
};

static const cm_cbor_field key_fields[KEY_FIELDS] = {
    {1, CM_CBOR_UINT, true, 1, CM_HSM_ALGS},
    {2, CM_CBOR_UINT, true, CM_HSM_NATIVE, CM_HSM_CUSTODIES},
    {3, CM_CBOR_BYTES, true, 1, CM_HSM_ID_MAX},
    {4, CM_CBOR_BYTES, false, 32, 32},
    {5, CM_CBOR_BYTES, false, 1, CM_SIG_PK_MAX},
};

static const cm_cbor_field status_fields[STATUS_FIELDS] = {
    {1, CM_CBOR_UINT, true, CM_HSM_NATIVE, CM_HSM_CUSTODIES},
    {2, CM_CBOR_TEXT, true, 1, 63},
    {3, CM_CBOR_TEXT, false, 1, 19},
    {4, CM_CBOR_TEXT, false, 1, 35},
    {5, CM_CBOR_TEXT, false, 1, 63},
    {6, CM_CBOR_TEXT, false, 1, CM_HSM_PATH_MAX - 1},
    {7, CM_CBOR_BYTES, true, 32, 32},
    {8, CM_CBOR_UINT, false, 1, UINT16_MAX},
    {9, CM_CBOR_UINT, false, 1, UINT16_MAX},
    {10, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {11, CM_CBOR_UINT, false, 1, UINT16_MAX},
    {12, CM_CBOR_UINT, false, 1, 1},
    {13, CM_CBOR_UINT, false, 1, UINT16_MAX},
};

typedef enum { NOTHING, DATA, KEY, STATUS } shape;

static shape shape_of(cm_hsm_op op)
{
    switch (op) {
    case CM_HSM_STATUS:
        return STATUS;
    case CM_HSM_GENERATE:
    case CM_HSM_FIND:
        return KEY;
    case CM_HSM_DESTROY:
        return NOTHING;
    default:
        return DATA;
    }
}

static cm_err put_key(cm_buf *out, const cm_hsm_key *k)
{
    cm_cbor_value v[KEY_FIELDS] = {
        number(k->alg),
        number(k->custody),
        bytes(cm_view_of(k->id, k->id_n)),
        bytes(cm_view_of(k->hash, k->pub_n ? sizeof k->hash : 0)),
        bytes(cm_view_of(k->pub, k->pub_n)),
    };

    return cm_cbor_put_record(out, key_fields, v, KEY_FIELDS);
}

static cm_err put_status(cm_buf *out, const cm_hsm_status *s)
{
    cm_cbor_value v[STATUS_FIELDS] = {
        number(s->custody),
        bytes(cm_view_str(s->provider)),
        bytes(cm_view_str(s->serial)),
        bytes(cm_view_str(s->label)),
        bytes(cm_view_str(s->quirks)),
        bytes(cm_view_str(s->module)),
        {.present = true, .v = CM_VIEW(s->module_hash)},
        number(s->version),
        number(s->sessions),
        number(s->opened),
        number(s->sandbox),
        number(s->quarantined),
        number(s->at_once),
    };

    return cm_cbor_put_record(out, status_fields, v, STATUS_FIELDS);
}

static cm_err put_body(cm_buf *packet, cm_hsm_op op, const cm_hsm_answer *a)
{
    cm_cbor_value v = bytes(cm_buf_view(&a->data));

    switch (shape_of(op)) {
    case DATA:
        return cm_cbor_put_record(packet, data_fields, &v, 1);
    case KEY:
        return put_key(packet, &a->key);
    case STATUS:
        return put_status(packet, &a->status);
    default:
        return CM_OKAY;
    }
}

cm_err cm_hsm_put_answer(cm_buf *packet, uint64_t id, cm_err result, cm_hsm_op op,
                         const cm_hsm_answer *a)
{
    CM_TRY(cm_buf_be64(packet, id));
    CM_TRY(cm_buf_be32(packet, result.v));
    return cm_ok(result) ? put_body(packet, op, a) : CM_OKAY;
}

static cm_err get_key(cm_hsm_key *k, cm_view body)
{
    cm_cbor_value v[KEY_FIELDS] = {0};

    CM_TRY(read_record(body, key_fields, v, KEY_FIELDS));
    if (v[3].present != v[4].present)
        return CM_FAIL(HSM_MESSAGE);
    *k = (cm_hsm_key){
        .alg = (uint32_t)v[0].u, .custody = (uint32_t)v[1].u, .id_n = v[2].v.n, .pub_n = v[4].v.n};
    memcpy(k->id, v[2].v.p, k->id_n);
    if (k->pub_n) {
        memcpy(k->hash, v[3].v.p, sizeof k->hash);
        memcpy(k->pub, v[4].v.p, k->pub_n);
    }
    return CM_OKAY;
}

/* The field's bound is the room less one; a NUL inside would end it early. */
static bool text(char *out, const cm_cbor_value *v)
{
    if (v->v.n && memchr(v->v.p, 0, v->v.n))
        return false;
    if (v->v.n)
        memcpy(out, v->v.p, v->v.n);
    out[v->v.n] = 0;
    return true;
}

static cm_err get_status(cm_hsm_status *s, cm_view body)
{
    cm_cbor_value v[STATUS_FIELDS] = {0};

    CM_TRY(read_record(body, status_fields, v, STATUS_FIELDS));
    *s = (cm_hsm_status){.custody = v[0].u,
                         .version = v[7].u,
                         .sessions = v[8].u,
                         .opened = v[9].u,
                         .sandbox = v[10].u,
                         .quarantined = v[11].u != 0,
                         .at_once = v[12].u};
    memcpy(s->module_hash, v[6].v.p, sizeof s->module_hash);
    return text(s->provider, &v[1]) && text(s->serial, &v[2]) && text(s->label, &v[3]) &&
                   text(s->quirks, &v[4]) && text(s->module, &v[5])
               ? CM_OKAY
               : CM_FAIL(HSM_MESSAGE);
}

static cm_err get_data(cm_hsm_answer *a, cm_view body)
{
    cm_cbor_value v = {.present = false};

    CM_TRY(read_record(body, data_fields, &v, 1));
    CM_TRY(cm_hsm_answer_room(a, v.v.n));
    return cm_buf_append(&a->data, v.v);
}

cm_err cm_hsm_get_answer_id(uint64_t *id, cm_view packet)
{
    if (packet.n < CM_HSM_MSG_ANSWER || packet.n > CM_HSM_PACKET)
        return CM_FAIL(HSM_MESSAGE);
    *id = cm_get_be64(packet.p);
    return CM_OKAY;
}

/* H-11 */
cm_err cm_hsm_get_answer(cm_err *result, cm_hsm_answer *a, cm_hsm_op op, cm_view packet)
{
    cm_view body;
    uint64_t id;

    CM_TRY(cm_hsm_get_answer_id(&id, packet));
    body = cm_view_sub(packet, CM_HSM_MSG_ANSWER, packet.n - CM_HSM_MSG_ANSWER);
    *result = (cm_err){cm_get_be32(packet.p + CM_HSM_MSG_ID)};
    if (cm_failed(*result) || shape_of(op) == NOTHING)
        return body.n ? CM_FAIL(HSM_MESSAGE) : CM_OKAY;
    switch (shape_of(op)) {
    case KEY:
        return get_key(&a->key, body);
    case STATUS:
        return get_status(&a->status, body);
    default:
        return get_data(a, body);
    }
}
