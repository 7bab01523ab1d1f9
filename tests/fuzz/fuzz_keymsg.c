/*
 * Packets between kmsd and keyd, from both sides: whatever decodes must encode to the same bytes,
 * so that one message has one form. The first byte picks what a body is taken for.
 */
#include <stdlib.h>

#include "keys/keyctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void same(cm_buf *b, cm_view v, cm_err e)
{
    must(cm_ok(e) && cm_view_eq(cm_buf_view(b), v));
    b->n = 0;
}

static void packet(cm_view v)
{
    cm_buf b = {.max = CM_KEYMSG_PACKET};
    cm_keymsg m;
    cm_view whole = v;

    while (v.n > 0 && cm_ok(cm_keymsg_next(&m, &v)))
        same(&b,
             cm_view_sub(whole, (size_t)(m.body.p - CM_KEYMSG_HEAD - whole.p),
                         CM_KEYMSG_HEAD + m.body.n),
             cm_keymsg_put(&b, m.id, (cm_keymsg_kind)m.kind, m.body));
    cm_buf_free(&b);
}

static void op(cm_view v)
{
    cm_buf b = {.max = CM_KEYMSG_PACKET};
    cm_keyop got;

    if (cm_ok(cm_keymsg_get_op(&got, v))) {
        must(cm_ok(cm_keymsg_put_op(&b, 1, &got)));
        must(cm_view_eq(cm_view_of(b.p + CM_KEYMSG_HEAD, b.n - CM_KEYMSG_HEAD), v));
    }
    cm_buf_free(&b);
}

static void op_answer(cm_view v)
{
    cm_buf b = {.max = CM_KEYMSG_PACKET};
    cm_keyop got = {0};

    if (cm_ok(cm_keymsg_get_op_answer(&got, v))) {
        must(cm_ok(cm_keymsg_put_op_answer(&b, 1, &got)));
        must(cm_view_eq(cm_view_of(b.p + CM_KEYMSG_HEAD, b.n - CM_KEYMSG_HEAD), v));
    }
    cm_keyop_done_with(&got);
    cm_buf_free(&b);
}

static void control(unsigned kind, cm_view v)
{
    static union {
        cm_keyctl_status status;
        cm_keyctl_init init;
        cm_keyctl_boot boot;
        cm_keyctl_unseal unseal;
        cm_keyctl_alter alter;
        cm_keyctl_devices devices;
    } u;
    cm_buf b = {.max = 1 << 18};

    if (kind == 3 && cm_ok(cm_keyctl_get_status(&u.status, v)))
        same(&b, v, cm_keyctl_put_status(&b, &u.status));
    if (kind == 4 && cm_ok(cm_keyctl_get_init(&u.init, v)))
        same(&b, v, cm_keyctl_put_init(&b, &u.init));
    if (kind == 5 && cm_ok(cm_keyctl_get_boot(&u.boot, v)))
        same(&b, v, cm_keyctl_put_boot(&b, &u.boot));
    if (kind == 6 && cm_ok(cm_keyctl_get_unseal(&u.unseal, v)))
        same(&b, v, cm_keyctl_put_unseal(&b, &u.unseal));
    if (kind == 7 && cm_ok(cm_keyctl_get_alter(&u.alter, v)))
        same(&b, v, cm_keyctl_put_alter(&b, &u.alter));
    if (kind == 8 && cm_ok(cm_keyctl_get_devices(&u.devices, v)))
        same(&b, v, cm_keyctl_put_devices(&b, &u.devices));
    cm_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view v;

    if (n < 1 || n > CM_KEYMSG_PACKET)
        return 0;
    v = cm_view_of(p + 1, n - 1);
    switch (p[0] % 9) {
    case 0:
        packet(v);
        break;
    case 1:
        op(v);
        break;
    case 2:
        op_answer(v);
        break;
    default:
        control(p[0] % 9, v);
    }
    return 0;
}
