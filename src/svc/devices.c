#include "svc/devices.h"

#include "svc/svc_int.h"

enum { ARENA = 256 << 10, RECORD_MAX = 16 << 10, FORMAT = 1 };

const char *cm_migrate_step_name(unsigned step)
{
    static const char *const names[] = {"none", "asked", "both", "half", "all"};

    return step < CM_COUNT(names) ? names[step] : "unknown";
}

void cm_device_plan_path(cm_path *out)
{
    cm_path_init(out);
    cm_path_add_str(out, "");
    cm_path_add_str(out, "devices");
}

/* ---- out of a record ----------------------------------------------------------------------- */

static cm_err name_of(char out[CM_DEVICE_NAME_MAX + 1], const cm_msg *m, size_t field)
{
    cm_view v = cm_msg_view(m, field);

    if (v.n > CM_DEVICE_NAME_MAX || (v.n && memchr(v.p, 0, v.n)))
        return CM_FAIL(SVC_RECORD);
    if (v.n)
        memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return CM_OKAY;
}

static cm_err wants_of(cm_device_plan *p, const cm_msg_value *all)
{
    if (!all->set)
        return CM_OKAY;
    if (all->n > CM_DEVICES_MAX)
        return CM_FAIL(SVC_RECORD);
    for (; p->n < all->n; p->n++) {
        const cm_msg *m = all->msgs[p->n];
        cm_device_want *w = &p->of[p->n];

        CM_TRY(name_of(w->name, m, M_DeviceRecord_name));
        w->weight = cm_msg_number(m, M_DeviceRecord_weight, 0);
        w->retired = cm_msg_number(m, M_DeviceRecord_retired, 0) != 0;
        if (!w->name[0] || w->weight > CM_DEVICE_WEIGHT_MAX)
            return CM_FAIL(SVC_RECORD);
    }
    return CM_OKAY;
}

static cm_err plan_of(cm_device_plan *p, cm_view value)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_msg *m;

    CM_TRY(cm_arena_new(&a, ARENA));
    CM_TRY(cm_svc_record(&m, a, &cm_message_DevicesRecord, value));
    CM_TRY(wants_of(p, &m->v[M_DevicesRecord_devices]));
    CM_TRY(name_of(p->from, m, M_DevicesRecord_from));
    CM_TRY(name_of(p->to, m, M_DevicesRecord_to));
    p->step = (unsigned)cm_msg_number(m, M_DevicesRecord_step, 0);
    p->since_ms = cm_msg_number(m, M_DevicesRecord_since_ms, 0);
    p->pause_s = cm_msg_number(m, M_DevicesRecord_pause_seconds, 0);
    if (p->step >= CM_MIGRATE_STEPS || (p->step != CM_MIGRATE_NONE) != (p->from[0] && p->to[0]))
        return CM_FAIL(SVC_RECORD);
    return CM_OKAY;
}

cm_err cm_device_plan_read(cm_device_plan *out, cm_store *s)
{
    CM_AUTO(cm_buf_free) cm_buf value = {.max = RECORD_MAX};
    cm_device_plan p = {.n = 0};
    cm_path path;
    cm_err e;

    cm_device_plan_path(&path);
    e = cm_store_get(s, cm_path_view(&path), &value, &p.version);
    if (cm_is(e, CM_STORE_NO_ROW)) {
        *out = (cm_device_plan){.n = 0};
        return CM_OKAY;
    }
    CM_TRY(e);
    CM_TRY(plan_of(&p, cm_buf_view(&value)));
    *out = p;
    return CM_OKAY;
}

/* ---- into one ------------------------------------------------------------------------------ */

static cm_err record_of(cm_msg **out, cm_arena *a, const cm_device_plan *p)
{
    cm_msg *m, **list;

    CM_TRY(cm_msg_new(&m, a, &cm_message_DevicesRecord));
    CM_TRY(cm_arena_get(a, &list, CM_DEVICES_MAX * sizeof *list));
    for (size_t i = 0; i < p->n; i++) {
        CM_TRY(cm_msg_new(&list[i], a, &cm_message_DeviceRecord));
        cm_set_view(list[i], M_DeviceRecord_name, cm_view_str(p->of[i].name));
        cm_set_number(list[i], M_DeviceRecord_weight, p->of[i].weight);
        cm_set_number(list[i], M_DeviceRecord_retired, p->of[i].retired);
    }
    cm_set_msgs(m, M_DevicesRecord_devices, list, p->n);
    cm_set_view(m, M_DevicesRecord_from, cm_view_str(p->from));
    cm_set_view(m, M_DevicesRecord_to, cm_view_str(p->to));
    cm_set_number(m, M_DevicesRecord_step, p->step);
    cm_set_number(m, M_DevicesRecord_since_ms, p->since_ms);
    cm_set_number(m, M_DevicesRecord_pause_seconds, p->pause_s);
    cm_set_number(m, M_DevicesRecord_format, FORMAT);
    *out = m;
    return CM_OKAY;
}

cm_err cm_device_plan_put(cm_buf *out, const cm_device_plan *p)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_msg *m;

    CM_TRY(cm_arena_new(&a, ARENA));
    CM_TRY(record_of(&m, a, p));
    return cm_msg_to_proto(out, m);
}

/* ---- changes ------------------------------------------------------------------------------- */

const cm_device_want *cm_device_wanted(const cm_device_plan *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->of[i].name, name) == 0)
            return &p->of[i];
    return NULL;
}

cm_err cm_device_want_set(cm_device_plan *p, const char *name, uint64_t weight, bool retired)
{
    size_t i = 0, n = strlen(name);

    while (i < p->n && strcmp(p->of[i].name, name) != 0)
        i++;
    if (i == CM_DEVICES_MAX || n == 0 || n > CM_DEVICE_NAME_MAX || weight > CM_DEVICE_WEIGHT_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    p->of[i] = (cm_device_want){.weight = weight, .retired = retired};
    memcpy(p->of[i].name, name, n);
    p->n = CM_MAX(p->n, i + 1);
    return CM_OKAY;
}

/* H-62 */
cm_err cm_device_plan_step(cm_device_plan *p, unsigned step, uint64_t now_ms)
{
    static const struct {
        uint64_t from, to;
    } weights[CM_MIGRATE_STEPS] = {[CM_MIGRATE_ASKED] = {100, 0},
                                   [CM_MIGRATE_BOTH] = {90, 10},
                                   [CM_MIGRATE_HALF] = {50, 50},
                                   [CM_MIGRATE_ALL] = {0, 100}};

    if (step == CM_MIGRATE_NONE || step >= CM_MIGRATE_STEPS)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_device_want_set(p, p->from, weights[step].from, false));
    CM_TRY(cm_device_want_set(p, p->to, weights[step].to, false));
    p->step = step;
    p->since_ms = now_ms;
    return CM_OKAY;
}
