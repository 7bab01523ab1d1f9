/* Several devices behind the root: H-30 to H-37; and tenants' devices: KM-17 to KM-19. */
#include "base/os.h"
#include "codec/json.h"
#include "codec/text.h"
#include "keyd.h"

enum { HOLD_MS = 300000, PLACES = CM_FLEET_MAX + TENANT_DEVICES };

struct link {
    struct devices *d;
    uint8_t place;
    _Atomic uint64_t starts; /* of its process, so far */
    cm_hsm_set *set;         /* that it is in, once that is there */
    size_t member;
};

/* One that tenants' KEKs are kept under: a fleet of one, for its checks and its health. */
struct tenants_device {
    const char *name;
    cm_hsm_set *set;
    cm_hsm hsm;
    struct slow *queue;
    _Atomic uint32_t said; /* what it failed with last, in the log */
};

struct devices {
    const cm_crypt *crypt;
    int broker;
    pthread_mutex_t lock; /* the broker: a question and its answer at a time */
    struct link link[PLACES];
    cm_hsm_remote *remote[PLACES];
    size_t n; /* of both kinds; the root's come first */
    cm_hsm_set *set;
    struct device_plan plan;
    struct tenants_device tenant[TENANT_DEVICES];
    cm_key_devices tenants;
    cm_log *log;
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

bool cm_kd_plan_tenant(struct device_plan *p, const char *text)
{
    if (p->tenants == TENANT_DEVICES || !*text || !copy(p->tenant[p->tenants], cm_view_str(text)))
        return false;
    p->tenants++;
    return true;
}

/* ---- processes ----------------------------------------------------------------------------- */

/* H-12 */
static cm_err connect_device(void *arg, int *fd)
{
    struct link *l = arg;
    cm_err e;

    pthread_mutex_lock(&l->d->lock);
    e = cm_kd_broker_ask(l->d->broker, l->place, fd);
    pthread_mutex_unlock(&l->d->lock);
    if (cm_failed(e))
        return e;
    atomic_fetch_add(&l->starts, 1);
    cm_hsm_set_renewed(l->set, l->member);
    return e;
}

/* ---- tenants' KEKs ------------------------------------------------------------------------- */

static cm_err find_tenants(void *self, unsigned *number, cm_view name)
{
    const struct devices *d = self;

    for (unsigned i = 0; i < d->plan.tenants; i++)
        if (cm_view_eq(name, cm_view_str(d->tenant[i].name))) {
            *number = i;
            return CM_OKAY;
        }
    return CM_FAIL(KEY_DEVICE_NONE);
}

/* What a caller needs to know of a device's failure; the log has the rest. */
static cm_err say(const struct devices *d, struct tenants_device *t, cm_err e)
{
    bool same = atomic_exchange(&t->said, e.v) == e.v;

    if (cm_ok(e) || cm_is(e, CM_NO_MEMORY) || cm_is(e, CM_NO_LOCKED_MEMORY))
        return e;
    if (!same)
        CM_LOG(d->log, WARNING, "tenant_device", cm_log_str("device", t->name), cm_log_err(e));
    if (cm_is(e, CM_HSM_BLOB) || cm_is(e, CM_HSM_NO_KEY) || cm_is(e, CM_HSM_OTHER_TOKEN) ||
        cm_is(e, CM_HSM_KEYS) || cm_is(e, CM_HSM_EXPORTABLE) || cm_is(e, CM_HSM_KEY_CLASSICAL) ||
        cm_is(e, CM_HSM_KEY_SYMMETRIC))
        return CM_FAIL(KEY_DEVICE_OTHER);
    return cm_is(e, CM_HSM_REQUEST) || cm_is(e, CM_HSM_MECHANISM) ? CM_FAIL(KEY_FORM)
                                                                  : CM_FAIL(KEY_DEVICE_AWAY);
}

static const char *custody_of(const cm_hsm_status *s)
{
    bool own = s->custody == CM_HSM_CLASSICAL || s->custody == CM_HSM_SOFTWARE;

    return cm_hsm_custody_name(own ? s->custody : CM_HSM_WRAPPED);
}

static void facts_of(cm_kek_facts *f, const cm_hsm_status *s)
{
    *f = (cm_kek_facts){.custody = {0}};
    memcpy(f->custody, custody_of(s), strlen(custody_of(s)));
    memcpy(f->provider, s->provider, strnlen(s->provider, sizeof f->provider - 1));
    memcpy(f->serial, s->serial, strnlen(s->serial, sizeof f->serial - 1));
}

/* A wrapped KEK names its token: one that was put into another's place must not bar the way to the
 * right one for good. */
static bool may_be_back(const struct tenants_device *t, cm_err e)
{
    if (!cm_is(e, CM_HSM_BLOB) && !cm_is(e, CM_HSM_OTHER_TOKEN))
        return false;
    cm_hsm_set_forget(t->set);
    return true;
}

/* A label's first use makes its key. */
static cm_err wrap_under(const struct tenants_device *t, cm_view label, cm_view kek,
                         cm_view context, cm_buf *blob)
{
    cm_hsm_key made;
    cm_err e = cm_hsm_wrap(&t->hsm, label, kek, context, blob);

    if (may_be_back(t, e))
        e = cm_hsm_wrap(&t->hsm, label, kek, context, blob);
    if (!cm_is(e, CM_HSM_NO_KEY))
        return e;
    e = cm_hsm_generate(&t->hsm, &made, CM_HSM_AES256, label, label, false);
    if (!cm_is(e, CM_HSM_KEYS)) /* somebody else's first use, at the same time */
        CM_TRY(e);
    return cm_hsm_wrap(&t->hsm, label, kek, context, blob);
}

static cm_err wrap_tenants(void *self, unsigned number, cm_view label, cm_view kek, cm_view context,
                           cm_buf *blob, cm_kek_facts *facts)
{
    struct devices *d = self;
    struct tenants_device *t = &d->tenant[number];
    cm_hsm_status s;
    cm_err e;

    if (cm_view_eq(label, CM_LIT(CM_HSM_ROOT_ID)))
        return CM_FAIL(KEY_FORM);
    e = wrap_under(t, label, kek, context, blob);
    if (cm_ok(e) && !cm_hsm_set_status(t->set, 0, &s))
        e = CM_FAIL(HSM_GONE);
    CM_TRY(say(d, t, e));
    facts_of(facts, &s);
    return CM_OKAY;
}

static cm_err unwrap_tenants(void *self, unsigned number, cm_view label, cm_view blob,
                             cm_view context, cm_buf *kek)
{
    struct devices *d = self;
    struct tenants_device *t = &d->tenant[number];
    cm_err e = cm_hsm_unwrap(&t->hsm, label, blob, context, kek);

    if (may_be_back(t, e))
        e = cm_hsm_unwrap(&t->hsm, label, blob, context, kek);
    return say(d, t, e);
}

/* ---- tenants' keys that stay in their device ----------------------------------------------- */

static cm_hsm_alg alg_of(cm_key_type type)
{
    static const struct {
        cm_key_type type;
        cm_hsm_alg alg;
    } table[] = {{CM_KEY_P256, CM_HSM_P256},           {CM_KEY_SECP256K1, CM_HSM_SECP256K1},
                 {CM_KEY_ED25519, CM_HSM_ED25519},     {CM_KEY_ML_DSA_44, CM_HSM_MLDSA44},
                 {CM_KEY_ML_DSA_65, CM_HSM_MLDSA65},   {CM_KEY_ML_DSA_87, CM_HSM_MLDSA87},
                 {CM_KEY_RSA_2048, CM_HSM_RSA2048},    {CM_KEY_RSA_4096, CM_HSM_RSA4096},
                 {CM_KEY_ML_KEM_768, CM_HSM_MLKEM768}, {CM_KEY_ML_KEM_1024, CM_HSM_MLKEM1024}};

    for (size_t i = 0; i < CM_COUNT(table); i++)
        if (table[i].type == type)
            return table[i].alg;
    return (cm_hsm_alg)0;
}

/* The key as the device knows it; its public half is named by its hash. */
static cm_err device_key(const struct devices *d, cm_hsm_key *out, const cm_device_key *k)
{
    *out = (cm_hsm_key){.alg = alg_of(k->type), .id_n = k->id.n};
    if (!out->alg || k->id.n > sizeof out->id)
        return CM_FAIL(KEY_DEVICE_KIND);
    memcpy(out->id, k->id.p, k->id.n);
    return k->pub.n ? cm_hash_once(d->crypt, CM_SHA256, out->hash, k->pub) : CM_OKAY;
}

/* KM-61: one that could leave the device is destroyed again. */
static cm_err make_key(void *self, unsigned number, cm_key_type type, cm_view id, cm_view label,
                       cm_buf *pub)
{
    struct devices *d = self;
    struct tenants_device *t = &d->tenant[number];
    cm_hsm_alg alg = alg_of(type);
    cm_hsm_key made;
    cm_err e;

    if (!alg)
        return CM_FAIL(KEY_DEVICE_KIND);
    e = cm_hsm_generate(&t->hsm, &made, alg, id, label, false);
    if (cm_is(e, CM_HSM_MECHANISM))
        return CM_FAIL(KEY_DEVICE_KIND);
    CM_TRY(say(d, t, e));
    if (made.custody == CM_HSM_NATIVE)
        return cm_buf_append(pub, cm_view_of(made.pub, made.pub_n));
    CM_TRY(say(d, t, cm_hsm_destroy(&t->hsm, alg, id)));
    return CM_FAIL(KEY_DEVICE_KIND);
}

static cm_err sign_by(const struct tenants_device *t, const cm_hsm_key *key, const cm_device_key *k,
                      bool pkcs1, const cm_view *msg, size_t n, cm_buf *sig)
{
    if (k->digest)
        return cm_hsm_sign_digests(&t->hsm, key, k->check, msg, n, sig);
    if (!cm_hsm_alg_rsa(key->alg))
        return cm_hsm_sign_many(&t->hsm, key, k->check, msg, n, sig);
    for (size_t i = 0; i < n; i++)
        CM_TRY(pkcs1 ? cm_hsm_sign_pkcs1(&t->hsm, key, msg[i], &sig[i])
                     : cm_hsm_sign(&t->hsm, key, msg[i], &sig[i]));
    return CM_OKAY;
}

static cm_err sign(void *self, unsigned number, const cm_device_key *k, bool pkcs1,
                   const cm_view *msg, size_t n, cm_buf *sig)
{
    struct devices *d = self;
    struct tenants_device *t = &d->tenant[number];
    cm_hsm_key key;
    cm_err e;

    CM_TRY(device_key(d, &key, k));
    e = sign_by(t, &key, k, pkcs1, msg, n, sig);
    if (may_be_back(t, e)) {
        for (size_t i = 0; i < n; i++)
            sig[i].n = 0;
        e = sign_by(t, &key, k, pkcs1, msg, n, sig);
    }
    return say(d, t, e);
}

static cm_err decapsulate(void *self, unsigned number, const cm_device_key *k, cm_view ct,
                          cm_buf *secret)
{
    struct devices *d = self;
    struct tenants_device *t = &d->tenant[number];
    cm_hsm_key key;

    CM_TRY(device_key(d, &key, k));
    return say(d, t, cm_hsm_decapsulate(&t->hsm, &key, ct, secret));
}

static cm_err drop(void *self, unsigned number, const cm_device_key *k)
{
    struct devices *d = self;
    struct tenants_device *t = &d->tenant[number];
    cm_hsm_key key;
    cm_err e;

    CM_TRY(device_key(d, &key, k));
    e = cm_hsm_destroy(&t->hsm, (cm_hsm_alg)key.alg, k->id);
    return cm_is(e, CM_HSM_NO_KEY) ? CM_OKAY : say(d, t, e);
}

static uint64_t now_ms(void *self)
{
    (void)self;
    return cm_os_monotonic_ns() / 1000000;
}

static cm_key_devices tenants_of(struct devices *d)
{
    return (cm_key_devices){.find = find_tenants,
                            .wrap = wrap_tenants,
                            .unwrap = unwrap_tenants,
                            .make = make_key,
                            .sign = sign,
                            .decapsulate = decapsulate,
                            .drop = drop,
                            .now_ms = now_ms,
                            .hold_ms = d->plan.hold_ms ? d->plan.hold_ms : HOLD_MS,
                            .self = d};
}

const cm_key_devices *cm_kd_devices_tenants(const struct devices *d)
{
    return d->plan.tenants ? &d->tenants : NULL;
}

struct slow *cm_kd_devices_queue(struct devices *d, unsigned device)
{
    return d->tenant[device].queue;
}

/* ---- life ---------------------------------------------------------------------------------- */

static void free_devices_ptr(struct devices **d)
{
    cm_kd_devices_free(*d);
}

/* The next device's process, started when it is first asked. */
static cm_err add_remote(struct devices *d, cm_hsm *out)
{
    struct link *l = &d->link[d->n];
    cm_hsm_remote_options r = {.connect = connect_device, .arg = l, .fd = -1};

    l->d = d;
    l->place = (uint8_t)d->n;
    CM_TRY(cm_hsm_remote_new(&d->remote[d->n], &r));
    *out = cm_hsm_remote_of(d->remote[d->n++]);
    return CM_OKAY;
}

static cm_err fill_root(struct devices *d, const cm_crypt *c)
{
    const struct device_plan *p = &d->plan;
    cm_hsm_set_options o = {.crypt = c, .fleet = p->fleet, .probe = CM_LIT(CM_HSM_ROOT_ID)};
    cm_hsm_set_member m[CM_FLEET_MAX];

    for (size_t i = 0; i < p->n; i++) {
        m[i] =
            (cm_hsm_set_member){.name = p->name[i], .region = p->region[i], .weight = p->weight[i]};
        CM_TRY(add_remote(d, &m[i].hsm));
    }
    if (!p->n)
        return CM_OKAY;
    CM_TRY(cm_hsm_set_new(&d->set, &o, m, p->n));
    for (size_t i = 0; i < p->n; i++) {
        d->link[i].set = d->set;
        d->link[i].member = i;
    }
    return CM_OKAY;
}

/* Which key to ask for is a tenant's affair: health is that the device answers. */
static cm_err fill_tenants(struct devices *d, const cm_crypt *c)
{
    for (size_t i = 0; i < d->plan.tenants; i++) {
        struct tenants_device *t = &d->tenant[i];
        cm_hsm_set_options o = {.crypt = c, .fleet = d->plan.fleet};
        cm_hsm_set_member m = {.name = d->plan.tenant[i], .weight = 100};

        t->name = d->plan.tenant[i];
        CM_TRY(add_remote(d, &m.hsm));
        CM_TRY(cm_hsm_set_new(&t->set, &o, &m, 1));
        d->link[d->n - 1].set = t->set;
        t->hsm = cm_hsm_set_of(t->set);
    }
    return CM_OKAY;
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
    d->crypt = c;
    d->broker = broker;
    pthread_mutex_init(&d->lock, NULL);
    d->plan = *p;
    d->tenants = tenants_of(d);
    CM_TRY(fill_root(d, c));
    CM_TRY(fill_tenants(d, c));
    *out = d;
    d = NULL;
    return CM_OKAY;
}

void cm_kd_devices_free(struct devices *d)
{
    if (!d)
        return;
    cm_hsm_set_free(d->set);
    for (size_t i = 0; i < TENANT_DEVICES; i++)
        cm_hsm_set_free(d->tenant[i].set);
    for (size_t i = 0; i < d->n; i++)
        cm_hsm_remote_free(d->remote[i]);
    cm_os_close_fd(&d->broker);
    pthread_mutex_destroy(&d->lock);
    cm_free(d);
}

/* All are met at once: the log says which they are (H-8). */
static void meet_all(struct devices *d)
{
    for (size_t i = 0; i < d->n; i++)
        cm_hsm_set_renewed(d->link[i].set, d->link[i].member);
}

cm_err cm_kd_devices_start(struct devices *d, struct keyd *k)
{
    d->log = k->log;
    meet_all(d);
    if (d->set)
        CM_TRY(cm_hsm_set_watch(d->set));
    for (size_t i = 0; i < d->plan.tenants; i++) {
        CM_TRY(cm_hsm_set_watch(d->tenant[i].set));
        CM_TRY(cm_kd_slow_new(&d->tenant[i].queue, k, 1, d->remote[d->plan.n + i]));
    }
    return CM_OKAY;
}

void cm_kd_devices_stop(struct devices *d)
{
    for (size_t i = 0; i < d->plan.tenants; i++) {
        cm_kd_slow_free(d->tenant[i].queue);
        d->tenant[i].queue = NULL;
    }
}

cm_hsm_set *cm_kd_devices_set(struct devices *d)
{
    return d->set;
}

/* ---- what there is to see ------------------------------------------------------------------ */

static void show_token(cm_json_writer *w, const cm_hsm_status *s)
{
    cm_json_put_text(w, "provider", cm_view_str(s->provider));
    cm_json_put_text(w, "custody", cm_view_str(cm_hsm_custody_name(s->custody)));
    cm_json_put_text(w, "token", cm_view_str(s->label));
    cm_json_put_text(w, "serial", cm_view_str(s->serial));
    cm_json_put_text(w, "module", cm_view_str(s->module));
    cm_json_put_hex(w, "module_sha256", CM_VIEW(s->module_hash));
}

/* Of its weight, in thousandths: less than all while it ramps. */
static uint64_t takes(const cm_fleet *f, size_t i)
{
    uint64_t share = cm_fleet_share(f, i, cm_os_monotonic_ns() / 1000000);

    return f->m[i].weight ? share / f->m[i].weight : 0;
}

/* The members of a set, whose places begin at first. */
static void show_set(cm_json_writer *w, struct devices *d, cm_hsm_set *set, size_t first,
                     const char *use)
{
    cm_hsm_status s;
    cm_fleet f;

    cm_hsm_set_fleet(set, &f);
    for (size_t i = 0; i < f.n; i++) {
        cm_json_begin_object(w, NULL);
        cm_json_put_text(w, "name", cm_view_str(f.m[i].name));
        cm_json_put_text(w, "region", cm_view_str(f.m[i].region));
        cm_json_put_text(w, "state", cm_view_str(cm_fleet_state_name(f.m[i].state)));
        cm_json_put_text(w, "use", cm_view_str(use));
        cm_json_put_u64(w, "weight", f.m[i].weight);
        cm_json_put_u64(w, "takes_permille", takes(&f, i));
        cm_json_put_u64(w, "failed_in_row", f.m[i].failed);
        cm_json_put_u64(w, "requests", f.m[i].calls);
        cm_json_put_u64(w, "failures", f.m[i].failures);
        cm_json_put_u64(w, "microseconds", f.m[i].us);
        cm_json_put_u64(w, "starts", atomic_load(&d->link[first + i].starts));
        if (!cm_hsm_set_is_stale(set, i) && cm_hsm_set_status(set, i, &s))
            show_token(w, &s);
        cm_json_end_object(w);
    }
}

cm_err cm_kd_devices_show(cm_buf *out, struct devices *d)
{
    cm_json_writer w = {.out = out};

    cm_json_begin_array(&w, NULL);
    if (d->set)
        show_set(&w, d, d->set, 0, "root");
    for (size_t i = 0; i < d->plan.tenants; i++)
        show_set(&w, d, d->tenant[i].set, d->plan.n + i, "tenants");
    cm_json_end_array(&w);
    return cm_json_finish(&w);
}

cm_err cm_kd_device_show(cm_buf *out, const cm_hsm_status *s)
{
    cm_json_writer w = {.out = out};

    cm_json_begin_array(&w, NULL);
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "name", CM_LIT("hsm"));
    cm_json_put_text(&w, "region", CM_LIT(""));
    cm_json_put_text(&w, "state", CM_LIT("serves"));
    cm_json_put_text(&w, "use", CM_LIT("root"));
    cm_json_put_u64(&w, "weight", 100);
    cm_json_put_u64(&w, "requests", 1);
    cm_json_put_u64(&w, "failures", 0);
    cm_json_put_u64(&w, "microseconds", 0);
    cm_json_put_u64(&w, "starts", 1);
    show_token(&w, s);
    cm_json_end_object(&w);
    cm_json_end_array(&w);
    return cm_json_finish(&w);
}
