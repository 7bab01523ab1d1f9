/* Key devices behind the root: what people want of them. Whoever talks to them sees to it. */
#include "svc/devices.h"
#include "svc/svc_int.h"

static cm_err named(cm_call *c, char out[CM_DEVICE_NAME_MAX + 1], size_t field)
{
    cm_view v = cm_msg_view(c->request, field);

    for (size_t i = 0; i < c->svc->o.devices_n; i++)
        if (cm_view_eq(v, cm_view_str(c->svc->o.devices[i]))) {
            memcpy(out, v.p, v.n);
            out[v.n] = 0;
            return CM_OKAY;
        }
    return cm_svc_wrong(c, CM_FAIL(SVC_NO_ROW), "no device of that name is in the configuration");
}

static cm_err plan(cm_call *c, cm_device_plan *p, cm_view *path)
{
    cm_path at;

    /* Each node holds the record that opens the root: it would not hear of the new one. */
    if (cm_store_shared(c->svc->o.store))
        return CM_FAIL(KMSD_ROOT_SHARED);
    cm_device_plan_path(&at);
    CM_TRY(cm_arena_copy(c->arena, path, cm_path_view(&at)));
    CM_TRY(cm_device_plan_read(p, c->svc->o.store));
    c->state->resource = *path;
    return cm_svc_expect(c, *path, p->version);
}

static cm_err write(cm_call *c, const cm_device_plan *p, cm_view path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 16 << 10};
    cm_view kept;

    CM_TRY(cm_device_plan_put(&b, p));
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&b)));
    return cm_svc_write_bytes(c, path, p->version + 1, kept);
}

cm_err cm_do_set_device_weight(cm_call *c)
{
    uint64_t weight = cm_msg_number(c->request, M_SetDeviceWeightRequest_weight, 0);
    char name[CM_DEVICE_NAME_MAX + 1];
    const cm_device_want *now;
    cm_device_plan p;
    cm_view path;

    CM_TRY(named(c, name, M_SetDeviceWeightRequest_device));
    CM_TRY(plan(c, &p, &path));
    if (p.step != CM_MIGRATE_NONE && (strcmp(name, p.from) == 0 || strcmp(name, p.to) == 0))
        return cm_svc_wrong(c, CM_FAIL(SVC_EXISTS), "a migration sets this device's weight");
    now = cm_device_wanted(&p, name);
    CM_TRY(cm_device_want_set(&p, name, weight, now && now->retired));
    CM_TRY(write(c, &p, path));
    cm_set_same(c->answer, M_DeviceWeight_device, c->request, M_SetDeviceWeightRequest_device);
    cm_set_number(c->answer, M_DeviceWeight_weight, weight);
    return CM_OKAY;
}

/* H-61: of what is under way only the way back can be asked for. */
static cm_err free_to_go(cm_call *c, const cm_device_plan *p, const char *from, const char *to)
{
    const cm_device_want *w = cm_device_wanted(p, from);

    if (strcmp(from, to) == 0)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "to: the same device");
    if (p->step != CM_MIGRATE_NONE && (strcmp(p->from, to) != 0 || strcmp(p->to, from) != 0))
        return cm_svc_wrong(c, CM_FAIL(SVC_EXISTS), "another migration is under way");
    if (p->step == CM_MIGRATE_NONE && w && w->retired)
        return cm_svc_wrong(c, CM_FAIL(SVC_EXISTS), "from: it is retired already");
    return CM_OKAY;
}

cm_err cm_do_migrate_device(cm_call *c)
{
    char from[CM_DEVICE_NAME_MAX + 1], to[CM_DEVICE_NAME_MAX + 1];
    cm_device_plan p;
    cm_view path;

    CM_TRY(named(c, from, M_MigrateDeviceRequest_from));
    CM_TRY(named(c, to, M_MigrateDeviceRequest_to));
    CM_TRY(plan(c, &p, &path));
    CM_TRY(free_to_go(c, &p, from, to));
    memcpy(p.from, from, sizeof from);
    memcpy(p.to, to, sizeof to);
    p.pause_s = cm_msg_number(c->request, M_MigrateDeviceRequest_pause_seconds, 0);
    CM_TRY(cm_device_plan_step(&p, CM_MIGRATE_ASKED, c->state->now));
    CM_TRY(write(c, &p, path));
    cm_set_same(c->answer, M_DeviceMigration_from, c->request, M_MigrateDeviceRequest_from);
    cm_set_same(c->answer, M_DeviceMigration_to, c->request, M_MigrateDeviceRequest_to);
    cm_set_view(c->answer, M_DeviceMigration_step, cm_view_str(cm_migrate_step_name(p.step)));
    return CM_OKAY;
}

cm_err cm_do_get_migration(cm_call *c)
{
    cm_device_plan p;
    cm_view path;

    CM_TRY(plan(c, &p, &path));
    cm_set_view(c->answer, M_DeviceMigration_from, cm_view_str(p.from));
    cm_set_view(c->answer, M_DeviceMigration_to, cm_view_str(p.to));
    CM_TRY(cm_svc_keep(c, &c->answer->v[M_DeviceMigration_from].view));
    CM_TRY(cm_svc_keep(c, &c->answer->v[M_DeviceMigration_to].view));
    cm_set_view(c->answer, M_DeviceMigration_step, cm_view_str(cm_migrate_step_name(p.step)));
    return CM_OKAY;
}
