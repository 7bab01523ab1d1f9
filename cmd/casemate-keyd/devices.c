/*
 * Several devices behind the root: H-30 to H-37. A process that is lost is started again by the one
 * that started keyd, which is asked for it over a socket: one byte, the device's place, and back
 * comes one byte, 0, with a connected socket, or anything else.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/json.h"
#include "codec/text.h"
#include "keyd.h"

enum { BROKER_MS = 10000, FIELDS = 5 };

struct link {
    struct devices *d;
    uint8_t place;
};

struct devices {
    int broker;
    pthread_mutex_t lock; /* the broker: a question and its answer at a time */
    struct link link[CM_FLEET_MAX];
    cm_hsm_remote *remote[CM_FLEET_MAX];
    size_t n;
    cm_hsm_set *set;
};

/* ---- what it was told ---------------------------------------------------------------------- */

/* The text in front of the next comma, which is stepped over; all of it where there is none. */
static cm_view field(const char **text)
{
    size_t n = strcspn(*text, ",");
    cm_view v = cm_view_of(*text, n);

    *text += n + ((*text)[n] == ',');
    return v;
}

static bool number(uint64_t *out, cm_view v, uint64_t max)
{
    return cm_ok(cm_dec_u64(out, v)) && *out <= max;
}

static bool copy(char out[CM_FLEET_NAME_MAX + 1], cm_view v)
{
    if (v.n > CM_FLEET_NAME_MAX)
        return false;
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return true;
}

bool cm_kd_plan_provider(struct device_plan *p, const char *text)
{
    size_t i = p->n;

    if (i == CM_FLEET_MAX || !number(&p->weight[i], field(&text), CM_FLEET_WEIGHT_MAX) ||
        !copy(p->region[i], field(&text)) || !copy(p->name[i], cm_view_str(text)))
        return false;
    p->n++;
    return true;
}

bool cm_kd_plan_fleet(struct device_plan *p, const char *text)
{
    uint64_t mode;

    if (!number(&mode, field(&text), CM_FLEET_LATENCY) ||
        !number(&p->fleet.check_ms, field(&text), UINT32_MAX) ||
        !number(&p->fleet.threshold, field(&text), UINT32_MAX) ||
        !number(&p->fleet.ramp_ms, field(&text), UINT32_MAX))
        return false;
    p->fleet.mode = (cm_fleet_mode)mode;
    return copy(p->fleet.region, cm_view_str(text));
}

/* ---- processes ----------------------------------------------------------------------------- */

static cm_err receive(int broker, int *fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    uint8_t byte = 1;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof control.room};
    struct pollfd p = {.fd = broker, .events = POLLIN};
    struct cmsghdr *c;
    ssize_t n;

    if (poll(&p, 1, BROKER_MS) != 1)
        return CM_FAIL(HSM_SPAWN);
    do
        n = recvmsg(broker, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    c = n == 1 ? CMSG_FIRSTHDR(&m) : NULL;
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
        return CM_FAIL(HSM_SPAWN);
    memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return CM_OKAY;
}

/* H-12 */
static cm_err connect_device(void *arg, int *fd)
{
    const struct link *l = arg;
    cm_err e = CM_FAIL(HSM_SPAWN);

    pthread_mutex_lock(&l->d->lock);
    if (send(l->d->broker, &l->place, 1, MSG_NOSIGNAL) == 1)
        e = receive(l->d->broker, fd);
    pthread_mutex_unlock(&l->d->lock);
    return e;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void free_devices_ptr(struct devices **d)
{
    cm_kd_devices_free(*d);
}

static cm_err fill(struct devices *d, const cm_crypt *c, const struct device_plan *p)
{
    cm_hsm_set_options o = {.crypt = c, .fleet = p->fleet, .probe = CM_LIT(CM_HSM_ROOT_ID)};
    cm_hsm_set_member m[CM_FLEET_MAX];

    for (size_t i = 0; i < p->n; i++) {
        cm_hsm_remote_options r = {.connect = connect_device, .arg = &d->link[i], .fd = -1};

        d->link[i] = (struct link){.d = d, .place = (uint8_t)i};
        CM_TRY(cm_hsm_remote_new(&d->remote[i], &r));
        d->n++;
        m[i] = (cm_hsm_set_member){.name = p->name[i],
                                   .region = p->region[i],
                                   .weight = p->weight[i],
                                   .hsm = cm_hsm_remote_of(d->remote[i])};
    }
    return cm_hsm_set_new(&d->set, &o, m, p->n);
}

cm_err cm_kd_devices_new(struct devices **out, const cm_crypt *c, const struct device_plan *p,
                         int broker)
{
    CM_AUTO(free_devices_ptr) struct devices *d = NULL;
    cm_err e = cm_alloc(&d, sizeof *d);

    if (cm_failed(e)) {
        cm_os_close_fd(&broker);
        return e;
    }
    d->broker = broker;
    pthread_mutex_init(&d->lock, NULL);
    CM_TRY(fill(d, c, p));
    *out = d;
    d = NULL;
    return CM_OKAY;
}

void cm_kd_devices_free(struct devices *d)
{
    if (!d)
        return;
    cm_hsm_set_free(d->set);
    for (size_t i = 0; i < d->n; i++)
        cm_hsm_remote_free(d->remote[i]);
    cm_os_close_fd(&d->broker);
    pthread_mutex_destroy(&d->lock);
    cm_free(d);
}

cm_hsm_set *cm_kd_devices_set(struct devices *d)
{
    return d->set;
}

/* ---- what there is to see ------------------------------------------------------------------ */

static void show_token(cm_json_writer *w, const cm_hsm_status *s)
{
    cm_json_put_text(w, "provider", cm_view_str(s->provider));
    cm_json_put_text(w, "token", cm_view_str(s->label));
    cm_json_put_text(w, "serial", cm_view_str(s->serial));
    cm_json_put_text(w, "module", cm_view_str(s->module));
    cm_json_put_hex(w, "module_sha256", CM_VIEW(s->module_hash));
}

cm_err cm_kd_devices_show(cm_buf *out, struct devices *d)
{
    cm_json_writer w = {.out = out};
    cm_hsm_status s;
    cm_fleet f;

    cm_hsm_set_fleet(d->set, &f);
    cm_json_begin_array(&w, NULL);
    for (size_t i = 0; i < f.n; i++) {
        cm_json_begin_object(&w, NULL);
        cm_json_put_text(&w, "name", cm_view_str(f.m[i].name));
        cm_json_put_text(&w, "region", cm_view_str(f.m[i].region));
        cm_json_put_text(&w, "state", cm_view_str(cm_fleet_state_name(f.m[i].state)));
        cm_json_put_u64(&w, "weight", f.m[i].weight);
        cm_json_put_u64(&w, "requests", f.m[i].calls);
        cm_json_put_u64(&w, "failures", f.m[i].failures);
        cm_json_put_u64(&w, "microseconds", f.m[i].us);
        if (cm_hsm_set_status(d->set, i, &s))
            show_token(&w, &s);
        cm_json_end_object(&w);
    }
    cm_json_end_array(&w);
    return cm_json_finish(&w);
}
