/* casemate hsm bench: how fast a device of one's own is, asked as a key server asks it. */
#include <stdlib.h>

#include "base/os.h"
#include "device.h"

enum { SAMPLES = 1 << 17, SEED = 64, MANY = 16, ROOM = 8192 };

struct run {
    cm_cli *cli;
    const cm_hsm *h;
    uint64_t ns; /* for each measurement */
    uint64_t *took;
    size_t n;
    bool temporary;
    cm_hsm_key key;
    cm_buf blob;
    uint8_t seed[SEED];
};

static cm_view id(void)
{
    return CM_LIT("casemate-bench");
}

/* ---- what is measured ----------------------------------------------------------------------- */

static cm_err random_once(struct run *r)
{
    return cm_hsm_random(r->h, r->seed, 32);
}

static cm_err wrap_once(struct run *r)
{
    CM_AUTO(cm_buf_free) cm_buf blob = {.max = ROOM};

    return cm_hsm_wrap(r->h, id(), CM_VIEW(r->seed), CM_LIT("bench"), &blob);
}

static cm_err unwrap_once(struct run *r)
{
    CM_AUTO(cm_buf_free) cm_buf seed = {.max = SEED};

    return cm_hsm_unwrap(r->h, id(), cm_buf_view(&r->blob), CM_LIT("bench"), &seed);
}

static cm_err unwrap_many(struct run *r)
{
    cm_hsm_item item[MANY];
    cm_buf seed[MANY];
    cm_err e;

    for (size_t i = 0; i < MANY; i++) {
        item[i] = (cm_hsm_item){.aad = CM_LIT("bench"), .blob = cm_buf_view(&r->blob)};
        seed[i] = (cm_buf){.max = SEED};
    }
    e = cm_hsm_unwrap_many(r->h, id(), item, MANY, seed);
    for (size_t i = 0; i < MANY; i++)
        cm_buf_free(&seed[i]);
    return e;
}

static cm_err sign_once(struct run *r)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = ROOM};

    return cm_hsm_sign(r->h, &r->key, cm_view_of(r->seed, 32), &sig);
}

/* ---- measuring ------------------------------------------------------------------------------ */

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void say(struct run *r, const char *what, size_t each, double seconds)
{
    double rate = seconds > 0 ? (double)(r->n * each) / seconds : 0;
    cm_cli_event e;

    qsort(r->took, r->n, sizeof *r->took, by_time);
    cm_cli_event_begin(r->cli, &e, "hsm-bench");
    cm_json_put_text(&e.w, "what", cm_view_str(what));
    cm_json_put_fixed(&e.w, "per_second", rate);
    cm_json_put_fixed(&e.w, "p50_us", 1e-3 * (double)r->took[r->n / 2]);
    cm_json_put_fixed(&e.w, "p99_us", 1e-3 * (double)r->took[r->n * 99 / 100]);
    cm_cli_event_end(r->cli, &e);
    cm_cli_say(r->cli, "%-26s %10.0f %10.0f %10.0f\n", what, rate, 1e-3 * (double)r->took[r->n / 2],
               1e-3 * (double)r->took[r->n * 99 / 100]);
}

static cm_err measure(struct run *r, const char *what, size_t each, cm_err (*once)(struct run *r))
{
    uint64_t from, at, next;
    cm_err e = once(r); /* what is made at the first time is not measured */

    if (cm_is(e, CM_HSM_MECHANISM)) {
        cm_cli_say(r->cli, "%-26s %10s\n", what, "no");
        return CM_OKAY;
    }
    CM_TRY(e);
    from = at = cm_os_monotonic_ns();
    for (r->n = 0; r->n < SAMPLES && at - from < r->ns; at = next) {
        if (atomic_load(&r->cli->cancel))
            return CM_FAIL(CANCELLED);
        CM_TRY(once(r));
        next = cm_os_monotonic_ns();
        r->took[r->n++] = next - at;
    }
    say(r, what, each, 1e-9 * (double)(at - from));
    return CM_OKAY;
}

/* A key of its own for each, which is gone again afterwards. */
static cm_err with_key(struct run *r, cm_hsm_alg alg)
{
    cm_err e = cm_hsm_generate(r->h, &r->key, alg, id(), id(), r->temporary), gone;
    char what[64] = "sign ";

    if (cm_is(e, CM_HSM_MECHANISM))
        return CM_OKAY;
    CM_TRY(e);
    if (alg == CM_HSM_AES256) {
        e = measure(r, "wrap a seed", 1, wrap_once);
        if (cm_ok(e))
            e = cm_hsm_wrap(r->h, id(), CM_VIEW(r->seed), CM_LIT("bench"), &r->blob);
        if (cm_ok(e))
            e = measure(r, "open a seed", 1, unwrap_once);
        if (cm_ok(e))
            e = measure(r, "open seeds, 16 at a time", MANY, unwrap_many);
    } else {
        memcpy(what + 5, cm_hsm_alg_name(alg), strlen(cm_hsm_alg_name(alg)) + 1);
        e = measure(r, what, 1, sign_once);
    }
    gone = cm_hsm_destroy(r->h, alg, id());
    return cm_failed(e) ? e : gone;
}

static void free_run(struct run *r)
{
    cm_free(r->took);
    cm_buf_free(&r->blob);
}

cm_err cm_cli_hsm_bench(cm_cli *cli)
{
    static const cm_hsm_alg algs[] = {CM_HSM_AES256,  CM_HSM_P256,    CM_HSM_SECP256K1,
                                      CM_HSM_ED25519, CM_HSM_MLDSA44, CM_HSM_MLDSA65,
                                      CM_HSM_MLDSA87};
    CM_AUTO(cm_cli_device_done) cm_cli_device d = {.n = 0};
    CM_AUTO(free_run) struct run r = {.cli = cli, .h = &d.h, .blob = {.max = ROOM}};
    uint64_t ms = 1000;
    cm_hsm_status s;

    CM_TRY(cm_cli_number(cli, "milliseconds", 10, 60000, &ms));
    r.ns = ms * 1000000;
    r.temporary = !cm_cli_has(cli, "cloud"); /* a key service has no keys of a session */
    CM_TRY(cm_alloc_array(&r.took, SAMPLES, sizeof *r.took));
    CM_TRY(cm_cli_device_open(cli, &d));
    CM_TRY(cm_hsm_status_of(&d.h, &s));
    cm_cli_say(cli,
               "%s, token %s; one request at a time, through casemate-p11d\n%-26s %10s %10s "
               "%10s\n",
               s.provider, s.label, "", "a second", "p50 \302\265s", "p99 \302\265s");
    CM_TRY(measure(&r, "32 random bytes", 1, random_once));
    for (size_t i = 0; i < CM_COUNT(algs); i++)
        CM_TRY(with_key(&r, algs[i]));
    return CM_OKAY;
}
