#include "keys/keyctl.h"

#include "codec/cbor.h"

enum { SHARE_TEXT_MAX = CM_SHARE_CHARS, BODY_MAX = 96 << 10, LIST_MAX = 80 << 10 };

/* Whatever is wrong with a message, its sender is to blame: one reason for all. */
static cm_err malformed(cm_err e)
{
    return cm_failed(e) && cm_err_class(e) == CM_CLASS_MALFORMED ? CM_FAIL(KEYMSG_MALFORMED) : e;
}

static cm_err read_record(cm_view body, const cm_cbor_field *f, cm_cbor_value *v, size_t n)
{
    return malformed(cm_cbor_whole(body, f, v, n));
}

static cm_cbor_value uint_value(uint64_t u)
{
    return (cm_cbor_value){.present = true, .u = u};
}

static cm_cbor_value view_value(cm_view v)
{
    return (cm_cbor_value){.present = true, .v = v};
}

/* Absent rather than empty: one encoding for each meaning. */
static cm_cbor_value optional_view(cm_view v)
{
    return (cm_cbor_value){.present = v.n > 0, .v = v};
}

static cm_cbor_value optional_uint(uint64_t u)
{
    return (cm_cbor_value){.present = u > 0, .u = u};
}

/* ---- STATUS -------------------------------------------------------------------------------- */

enum { LOG_KEYS_MAX = 8192, DEVICES_MAX = CM_KEYCTL_DEVICES_MAX };

static const cm_cbor_field status_fields[] = {
    {1, CM_CBOR_UINT, true, CM_KEYD_SEALED, CM_KEYD_UNSEALED},
    {2, CM_CBOR_TEXT, true, 1, 64},
    {3, CM_CBOR_BYTES, false, 16, 16},
    {4, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {5, CM_CBOR_TEXT, false, 1, CM_ORIGIN_MAX},
    {6, CM_CBOR_TEXT, false, 1, LOG_KEYS_MAX},
    {7, CM_CBOR_UINT, false, 1, CM_SHARE_MAX},
    {8, CM_CBOR_UINT, false, 1, CM_SHARE_MAX},
    {9, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {10, CM_CBOR_UINT, true, 0, 16},
    {11, CM_CBOR_UINT, true, 0, 65535},
    {12, CM_CBOR_UINT, true, 0, UINT64_MAX},
    {13, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {14, CM_CBOR_BOOL, true, 0, 0},
    {15, CM_CBOR_TEXT, false, 1, DEVICES_MAX},
};

cm_err cm_keyctl_put_status(cm_buf *body, const cm_keyctl_status *s)
{
    cm_cbor_value v[CM_COUNT(status_fields)] = {
        uint_value(s->state),         view_value(s->version),    optional_view(s->root),
        optional_uint(s->generation), optional_view(s->origin),  optional_view(s->log_keys),
        optional_uint(s->have),       optional_uint(s->need),    uint_value(s->sandbox),
        uint_value(s->arena),         uint_value(s->workers),    uint_value(s->served),
        uint_value(s->pid),           uint_value(s->credential), optional_view(s->devices),
    };

    return cm_cbor_put_record(body, status_fields, v, CM_COUNT(v));
}

cm_err cm_keyctl_get_status(cm_keyctl_status *s, cm_view body)
{
    cm_cbor_value v[CM_COUNT(status_fields)] = {0};

    CM_TRY(read_record(body, status_fields, v, CM_COUNT(v)));
    *s = (cm_keyctl_status){
        .state = (cm_keyd_state)v[0].u,
        .version = v[1].v,
        .root = v[2].v,
        .generation = v[3].u,
        .origin = v[4].v,
        .log_keys = v[5].v,
        .have = v[6].u,
        .need = v[7].u,
        .sandbox = v[8].u,
        .arena = v[9].u,
        .workers = v[10].u,
        .served = v[11].u,
        .pid = v[12].u,
        .credential = v[13].u != 0,
        .devices = v[14].v,
    };
    return CM_OKAY;
}

/* ---- methods ------------------------------------------------------------------------------- */

static const cm_cbor_field method_fields[] = {
    {1, CM_CBOR_UINT, true, CM_UNSEAL_PASSPHRASE, CM_UNSEAL_BACKEND},
    {2, CM_CBOR_TEXT, false, 1, CM_BOOT_LABEL_MAX},
    {3, CM_CBOR_BYTES, false, 1, CM_UNSEAL_SECRET_MAX},
    {4, CM_CBOR_UINT, false, 1, UINT32_MAX}, /* memory, passes, lanes */
    {5, CM_CBOR_UINT, false, 1, UINT32_MAX},
    {6, CM_CBOR_UINT, false, 1, UINT32_MAX},
    {7, CM_CBOR_UINT, false, 1, CM_SHARE_MAX}, /* need, of */
    {8, CM_CBOR_UINT, false, 1, CM_SHARE_MAX},
    {9, CM_CBOR_UINT, false, 1, UINT32_MAX},
};

static cm_err put_methods(cm_buf *out, const cm_keyctl_methods *m)
{
    CM_TRY(cm_cbor_put_array(out, m->n));
    for (size_t i = 0; i < m->n; i++) {
        const cm_unseal_method *x = &m->method[i];
        cm_cbor_value v[CM_COUNT(method_fields)] = {
            uint_value(x->kind),           optional_view(x->label),
            optional_view(x->secret),      optional_uint(x->cost.memory_kib),
            optional_uint(x->cost.passes), optional_uint(x->cost.lanes),
            optional_uint(x->need),        optional_uint(x->shares),
            optional_uint(m->device[i]),
        };

        CM_TRY(cm_cbor_put_record(out, method_fields, v, CM_COUNT(v)));
    }
    return CM_OKAY;
}

static cm_err get_methods(cm_keyctl_methods *m, cm_view array)
{
    cm_cbor c;
    uint64_t n;

    CM_TRY(cm_cbor_open(&c, array, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    if (n > CM_BOOT_SLOTS)
        return CM_FAIL(KEYMSG_MALFORMED);
    for (size_t i = 0; i < n; i++) {
        cm_cbor_value v[CM_COUNT(method_fields)] = {0};

        CM_TRY(cm_cbor_record(&c, method_fields, v, CM_COUNT(v), NULL));
        m->method[i] = (cm_unseal_method){
            .kind = (cm_unseal_kind)v[0].u,
            .label = v[1].v,
            .secret = v[2].v,
            .cost = {(uint32_t)v[3].u, (uint32_t)v[4].u, (uint32_t)v[5].u},
            .need = (uint8_t)v[6].u,
            .shares = (uint8_t)v[7].u,
        };
        m->device[i] = (uint32_t)v[8].u;
    }
    m->n = n;
    return CM_OKAY;
}

static const cm_cbor_field init_fields[] = {
    {1, CM_CBOR_TEXT, true, 1, CM_ORIGIN_MAX},
    {2, CM_CBOR_ARRAY, true, 1, LIST_MAX},
};

cm_err cm_keyctl_put_init(cm_buf *body, const cm_keyctl_init *i)
{
    CM_AUTO(cm_buf_free) cm_buf methods = {.max = LIST_MAX};

    CM_TRY(put_methods(&methods, &i->methods));
    cm_cbor_value v[] = {view_value(i->origin), view_value(cm_buf_view(&methods))};

    return cm_cbor_put_record(body, init_fields, v, CM_COUNT(v));
}

cm_err cm_keyctl_get_init(cm_keyctl_init *i, cm_view body)
{
    cm_cbor_value v[CM_COUNT(init_fields)] = {0};
    cm_keyctl_init got = {0};

    CM_TRY(read_record(body, init_fields, v, CM_COUNT(v)));
    got.origin = v[0].v;
    CM_TRY(malformed(get_methods(&got.methods, v[1].v)));
    *i = got;
    return CM_OKAY;
}

/* ---- lists --------------------------------------------------------------------------------- */

static cm_err put_texts(cm_buf *out, const cm_view *list, size_t n)
{
    CM_TRY(cm_cbor_put_array(out, n));
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_cbor_put_text(out, list[i]));
    return CM_OKAY;
}

static cm_err get_texts(cm_view *list, size_t *count, cm_view array)
{
    cm_cbor c;
    uint64_t n;

    CM_TRY(cm_cbor_open(&c, array, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    if (n > CM_SHARE_MAX)
        return CM_FAIL(KEYMSG_MALFORMED);
    for (size_t i = 0; i < n; i++) {
        CM_TRY(cm_cbor_text(&c, &list[i]));
        if (list[i].n > SHARE_TEXT_MAX)
            return CM_FAIL(KEYMSG_MALFORMED);
    }
    *count = n;
    return CM_OKAY;
}

static cm_err put_ids(cm_buf *out, const uint64_t *list, size_t n)
{
    CM_TRY(cm_cbor_put_array(out, n));
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_cbor_put_uint(out, list[i]));
    return CM_OKAY;
}

static cm_err get_ids(uint64_t *list, size_t *count, cm_view array)
{
    cm_cbor c;
    uint64_t n;

    CM_TRY(cm_cbor_open(&c, array, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    if (n > CM_BOOT_SLOTS)
        return CM_FAIL(KEYMSG_MALFORMED);
    for (size_t i = 0; i < n; i++)
        CM_TRY(cm_cbor_uint(&c, &list[i]));
    *count = n;
    return CM_OKAY;
}

/* ---- boot record and shares ---------------------------------------------------------------- */

static const cm_cbor_field boot_fields[] = {
    {1, CM_CBOR_BYTES, true, 1, CM_BOOT_MAX},
    {2, CM_CBOR_ARRAY, true, 1, LIST_MAX},
};

cm_err cm_keyctl_put_boot(cm_buf *body, const cm_keyctl_boot *b)
{
    CM_AUTO(cm_buf_free) cm_buf texts = {.max = LIST_MAX};

    CM_TRY(put_texts(&texts, b->shares, b->shares_n));
    cm_cbor_value v[] = {view_value(b->boot), view_value(cm_buf_view(&texts))};

    return cm_cbor_put_record(body, boot_fields, v, CM_COUNT(v));
}

cm_err cm_keyctl_get_boot(cm_keyctl_boot *b, cm_view body)
{
    cm_cbor_value v[CM_COUNT(boot_fields)] = {0};
    cm_keyctl_boot got = {0};

    CM_TRY(read_record(body, boot_fields, v, CM_COUNT(v)));
    got.boot = v[0].v;
    CM_TRY(malformed(get_texts(got.shares, &got.shares_n, v[1].v)));
    *b = got;
    return CM_OKAY;
}

/* ---- UNSEAL and ALTER ---------------------------------------------------------------------- */

static const cm_cbor_field unseal_fields[] = {
    {1, CM_CBOR_BYTES, true, 1, CM_BOOT_MAX},
    {2, CM_CBOR_UINT, true, CM_UNSEAL_PASSPHRASE, CM_UNSEAL_BACKEND},
    {3, CM_CBOR_BYTES, false, 1, CM_UNSEAL_SECRET_MAX},
    {4, CM_CBOR_ARRAY, true, 1, LIST_MAX},
    {5, CM_CBOR_UINT, false, 1, UINT32_MAX},
};

cm_err cm_keyctl_put_unseal(cm_buf *body, const cm_keyctl_unseal *u)
{
    CM_AUTO(cm_buf_free) cm_buf texts = {.max = LIST_MAX};

    CM_TRY(put_texts(&texts, u->shares, u->shares_n));
    cm_cbor_value v[] = {
        view_value(u->boot),      uint_value(u->kind),
        optional_view(u->secret), view_value(cm_buf_view(&texts)),
        optional_uint(u->device),
    };

    return cm_cbor_put_record(body, unseal_fields, v, CM_COUNT(v));
}

cm_err cm_keyctl_get_unseal(cm_keyctl_unseal *u, cm_view body)
{
    cm_cbor_value v[CM_COUNT(unseal_fields)] = {0};
    cm_keyctl_unseal got = {0};

    CM_TRY(read_record(body, unseal_fields, v, CM_COUNT(v)));
    got.boot = v[0].v;
    got.kind = (cm_unseal_kind)v[1].u;
    got.secret = v[2].v;
    CM_TRY(malformed(get_texts(got.shares, &got.shares_n, v[3].v)));
    got.device = (uint32_t)v[4].u;
    *u = got;
    return CM_OKAY;
}

static const cm_cbor_field alter_fields[] = {
    {1, CM_CBOR_MAP, true, 1, BODY_MAX},   /* UNSEAL's record */
    {2, CM_CBOR_ARRAY, true, 1, LIST_MAX}, /* methods to add */
    {3, CM_CBOR_ARRAY, true, 1, 256},      /* slots to drop */
    {4, CM_CBOR_BOOL, true, 0, 0},         {5, CM_CBOR_UINT, false, 1, UINT64_MAX},
};

cm_err cm_keyctl_put_alter(cm_buf *body, const cm_keyctl_alter *a)
{
    CM_AUTO(cm_buf_free) cm_buf with = {.max = BODY_MAX};
    CM_AUTO(cm_buf_free) cm_buf add = {.max = LIST_MAX};
    CM_AUTO(cm_buf_free) cm_buf drop = {.max = 256};

    CM_TRY(cm_keyctl_put_unseal(&with, &a->with));
    CM_TRY(put_methods(&add, &a->add));
    CM_TRY(put_ids(&drop, a->drop, a->drop_n));
    cm_cbor_value v[] = {
        view_value(cm_buf_view(&with)), view_value(cm_buf_view(&add)),
        view_value(cm_buf_view(&drop)), uint_value(a->rotate),
        optional_uint(a->retire),
    };

    return cm_cbor_put_record(body, alter_fields, v, CM_COUNT(v));
}

cm_err cm_keyctl_get_alter(cm_keyctl_alter *a, cm_view body)
{
    cm_cbor_value v[CM_COUNT(alter_fields)] = {0};
    cm_keyctl_alter got = {0};

    CM_TRY(read_record(body, alter_fields, v, CM_COUNT(v)));
    CM_TRY(cm_keyctl_get_unseal(&got.with, v[0].v));
    CM_TRY(malformed(get_methods(&got.add, v[1].v)));
    CM_TRY(malformed(get_ids(got.drop, &got.drop_n, v[2].v)));
    got.rotate = v[3].u != 0;
    got.retire = v[4].u;
    *a = got;
    return CM_OKAY;
}

/* ---- DEVICES ------------------------------------------------------------------------------- */

static const cm_cbor_field devices_fields[] = {{1, CM_CBOR_ARRAY, true, 1, 1024}};
static const cm_cbor_field device_fields[] = {
    {1, CM_CBOR_TEXT, true, 1, CM_KEYCTL_DEVICE_NAME},
    {2, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {3, CM_CBOR_BOOL, true, 0, 0},
    {4, CM_CBOR_BOOL, true, 0, 0},
};

cm_err cm_keyctl_put_devices(cm_buf *body, const cm_keyctl_devices *d)
{
    CM_AUTO(cm_buf_free) cm_buf list = {.max = 1024};

    CM_TRY(cm_cbor_put_array(&list, d->n));
    for (size_t i = 0; i < d->n; i++) {
        cm_cbor_value v[CM_COUNT(device_fields)] = {
            view_value(d->of[i].name),
            uint_value(d->of[i].weight),
            uint_value(d->of[i].retired),
            uint_value(d->of[i].make),
        };

        CM_TRY(cm_cbor_put_record(&list, device_fields, v, CM_COUNT(v)));
    }
    cm_cbor_value all[] = {view_value(cm_buf_view(&list))};

    return cm_cbor_put_record(body, devices_fields, all, CM_COUNT(all));
}

static cm_err get_devices(cm_keyctl_devices *d, cm_view array)
{
    cm_cbor c;
    uint64_t n;

    CM_TRY(cm_cbor_open(&c, array, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    if (n > CM_KEYCTL_DEVICES)
        return CM_FAIL(KEYMSG_MALFORMED);
    for (; d->n < n; d->n++) {
        cm_cbor_value v[CM_COUNT(device_fields)] = {0};

        CM_TRY(cm_cbor_record(&c, device_fields, v, CM_COUNT(v), NULL));
        d->of[d->n].name = v[0].v;
        d->of[d->n].weight = v[1].u;
        d->of[d->n].retired = v[2].u != 0;
        d->of[d->n].make = v[3].u != 0;
    }
    return CM_OKAY;
}

cm_err cm_keyctl_get_devices(cm_keyctl_devices *d, cm_view body)
{
    cm_cbor_value v[CM_COUNT(devices_fields)] = {0};
    cm_keyctl_devices got = {.n = 0};

    CM_TRY(read_record(body, devices_fields, v, CM_COUNT(v)));
    CM_TRY(malformed(get_devices(&got, v[0].v)));
    *d = got;
    return CM_OKAY;
}
