#include "keys/wirefmt.h"

enum { VERSION = 1, OP_FIXED = 1 + 1 + 4 + 4 + 8 + 8 + 8 };

/* ---- frames -------------------------------------------------------------------------------- */

cm_err cm_keymsg_next(cm_keymsg *m, cm_view *packet)
{
    const uint8_t *p = packet->p;
    size_t n;

    if (packet->n < CM_KEYMSG_HEAD)
        return CM_FAIL(KEYMSG_MALFORMED);
    n = cm_get_be32(p);
    if (n < CM_KEYMSG_HEAD - 4 || n > packet->n - 4) /* KD-1 */
        return CM_FAIL(KEYMSG_MALFORMED);
    if (p[4] != VERSION)
        return CM_FAIL(KEYMSG_VERSION);
    *m = (cm_keymsg){.kind = p[5],
                     .id = cm_get_be64(p + 6),
                     .body = cm_view_of(p + CM_KEYMSG_HEAD, n + 4 - CM_KEYMSG_HEAD)};
    *packet = cm_view_sub(*packet, n + 4, packet->n - n - 4);
    return CM_OKAY;
}

/* Room for a frame with n bytes of body; where they go. */
static cm_err begin(uint8_t **body, cm_buf *packet, uint64_t id, unsigned kind, size_t n)
{
    uint8_t *p;

    CM_TRY(cm_buf_reserve(packet, CM_KEYMSG_HEAD + n));
    p = packet->p + packet->n;
    cm_put_be32(p, (uint32_t)(CM_KEYMSG_HEAD - 4 + n));
    p[4] = VERSION;
    p[5] = (uint8_t)kind;
    cm_put_be64(p + 6, id);
    packet->n += CM_KEYMSG_HEAD + n;
    *body = p + CM_KEYMSG_HEAD;
    return CM_OKAY;
}

static uint8_t *put_part(uint8_t *p, cm_view v)
{
    cm_put_be32(p, (uint32_t)v.n);
    if (v.n)
        memcpy(p + 4, v.p, v.n);
    return p + 4 + v.n;
}

static bool get_part(cm_view *out, cm_view *from, size_t max)
{
    size_t n;

    if (from->n < 4)
        return false;
    n = cm_get_be32(from->p);
    if (n > max || n > from->n - 4)
        return false;
    *out = cm_view_sub(*from, 4, n);
    *from = cm_view_sub(*from, 4 + n, from->n - 4 - n);
    return true;
}

cm_err cm_keymsg_put(cm_buf *packet, uint64_t id, cm_keymsg_kind kind, cm_view body)
{
    uint8_t *p;

    CM_TRY(begin(&p, packet, id, kind, body.n));
    if (body.n)
        memcpy(p, body.p, body.n);
    return CM_OKAY;
}

cm_err cm_keymsg_put_answer(cm_buf *packet, uint64_t id, cm_keymsg_kind kind, cm_err e,
                            cm_view body)
{
    size_t n = cm_failed(e) ? 0 : body.n;
    uint8_t *p;

    CM_TRY(begin(&p, packet, id, kind | CM_KEYMSG_ANSWER, 4 + n));
    cm_put_be32(p, e.v);
    if (n)
        memcpy(p + 4, body.p, n);
    return CM_OKAY;
}

cm_err cm_keymsg_get_answer(cm_err *result, cm_view *rest, cm_view body)
{
    if (body.n < 4 || (cm_get_be32(body.p) != 0 && body.n != 4))
        return CM_FAIL(KEYMSG_MALFORMED);
    result->v = cm_get_be32(body.p);
    *rest = cm_view_sub(body, 4, body.n - 4);
    return CM_OKAY;
}

/* ---- key operations ------------------------------------------------------------------------ */

enum { PARTS = 7 };

static const size_t part_max[PARTS] = {CM_KEYOP_TENANT_MAX, CM_KEYOP_PATH_MAX, CM_KEYOP_KEK_MAX,
                                       CM_KEYOP_KEY_MAX,    CM_KEYOP_DATA_MAX, CM_KEYOP_CONTEXT_MAX,
                                       CM_KEYOP_MORE_MAX};

cm_err cm_keymsg_put_op(cm_buf *packet, uint64_t id, const cm_keyop *op)
{
    const cm_view part[PARTS] = {op->bind.tenant, op->bind.path, op->kek, op->key,
                                 op->data,        op->context,   op->more};
    size_t n = OP_FIXED;
    uint8_t *p;

    for (size_t i = 0; i < PARTS; i++) {
        if (part[i].n > part_max[i])
            return CM_FAIL(KEYOP_SIZE);
        n += 4 + part[i].n;
    }
    CM_TRY(begin(&p, packet, id, CM_KEYMSG_OP, n));
    p[0] = (uint8_t)op->code;
    p[1] = (uint8_t)op->form;
    cm_put_be32(p + 2, (uint32_t)op->bind.type);
    cm_put_be32(p + 6, (uint32_t)op->type2);
    cm_put_be64(p + 10, op->bind.version);
    cm_put_be64(p + 18, op->bind.kek_version);
    cm_put_be64(p + 26, op->n);
    p += OP_FIXED;
    for (size_t i = 0; i < PARTS; i++)
        p = put_part(p, part[i]);
    return CM_OKAY;
}

cm_err cm_keymsg_get_op(cm_keyop *op, cm_view body)
{
    const uint8_t *p = body.p;
    cm_view part[PARTS];
    cm_keyop got = {0};

    if (body.n < OP_FIXED || p[0] < CM_KEYOP_CREATE || p[0] >= CM_KEYOP_END ||
        p[1] > CM_FORM_SEALED_ONLY || cm_get_be32(p + 2) >= CM_KEY_TYPE_END ||
        cm_get_be32(p + 6) >= CM_KEY_TYPE_END)
        return CM_FAIL(KEYMSG_MALFORMED); /* KD-2 */
    got.code = (cm_keyop_code)p[0];
    got.form = (cm_keyop_form)p[1];
    got.bind.type = (cm_key_type)cm_get_be32(p + 2);
    got.type2 = (cm_key_type)cm_get_be32(p + 6);
    got.bind.version = cm_get_be64(p + 10);
    got.bind.kek_version = cm_get_be64(p + 18);
    got.n = cm_get_be64(p + 26);
    body = cm_view_sub(body, OP_FIXED, body.n - OP_FIXED);
    for (size_t i = 0; i < PARTS; i++)
        if (!get_part(&part[i], &body, part_max[i])) /* KD-2 */
            return CM_FAIL(KEYMSG_MALFORMED);
    if (body.n != 0)
        return CM_FAIL(KEYMSG_MALFORMED);
    got.bind.tenant = part[0];
    got.bind.path = part[1];
    got.kek = part[2];
    got.key = part[3];
    got.data = part[4];
    got.context = part[5];
    got.more = part[6];
    *op = got;
    return CM_OKAY;
}

cm_err cm_keymsg_put_op_answer(cm_buf *packet, uint64_t id, const cm_keyop *op)
{
    bool bad = cm_failed(op->result);
    uint8_t *p;

    if (!bad && (op->out.n > CM_KEYOP_OUT_MAX || op->out2.n > CM_KEYOP_OUT_MAX))
        return CM_FAIL(KEYOP_SIZE);
    CM_TRY(begin(&p, packet, id, CM_KEYMSG_OP | CM_KEYMSG_ANSWER,
                 bad ? 4 : 12 + op->out.n + op->out2.n));
    cm_put_be32(p, op->result.v);
    if (!bad)
        put_part(put_part(p + 4, cm_buf_view(&op->out)), cm_buf_view(&op->out2));
    return CM_OKAY;
}

static cm_err copy_part(cm_buf *out, cm_view v)
{
    out->max = v.n;
    return v.n ? cm_buf_append(out, v) : CM_OKAY;
}

cm_err cm_keymsg_get_op_answer(cm_keyop *op, cm_view body)
{
    CM_AUTO(cm_buf_free) cm_buf out = {0};
    CM_AUTO(cm_buf_free) cm_buf out2 = {0};
    cm_view a = {0}, b = {0}, rest;
    cm_err result;

    CM_TRY(cm_keymsg_get_answer(&result, &rest, body));
    if (cm_ok(result) && (!get_part(&a, &rest, CM_KEYOP_OUT_MAX) ||
                          !get_part(&b, &rest, CM_KEYOP_OUT_MAX) || rest.n != 0))
        return CM_FAIL(KEYMSG_MALFORMED);
    CM_TRY(copy_part(&out, a));
    CM_TRY(copy_part(&out2, b));
    cm_buf_free(&op->out);
    cm_buf_free(&op->out2);
    op->result = result;
    op->out = cm_buf_take(&out);
    op->out2 = cm_buf_take(&out2);
    return CM_OKAY;
}
