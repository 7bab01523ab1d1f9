#include "attest_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

enum { PATHS = 4, PATH_MAX_SIZE = 1024 };

static void must(cm_err e, const char *what)
{
    if (cm_failed(e)) {
        fprintf(stderr, "%s: %s\n", what, cm_err_what(e));
        exit(1);
    }
}

const char *tee_path(const char *folder, const char *name)
{
    static char path[PATHS][PATH_MAX_SIZE];
    static unsigned turn;
    const char *root = getenv("CASEMATE_VECTORS");
    char *p = path[turn++ % PATHS];

    (void)snprintf(p, PATH_MAX_SIZE, "%s/tee/%s/%s", root ? root : "../shared/vectors", folder,
                   name);
    return p;
}

bool tee_exists(const char *folder, const char *name)
{
    return access(tee_path(folder, name), R_OK) == 0;
}

void tee_each(const char *folder, const char *pattern, void (*fn)(const char *path))
{
    char below[PATH_MAX_SIZE];

    (void)snprintf(below, sizeof below, "tee/%s", folder);
    t_each_file(below, pattern, fn);
}

uint64_t tee_time(const char *text)
{
    struct tm tm = {0};

    if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) {
        fprintf(stderr, "%s is no time\n", text);
        exit(1);
    }
    return (uint64_t)timegm(&tm);
}

tee *tee_new(const char *folder, const char *name, uint64_t now)
{
    tee *t = NULL;

    must(cm_alloc(&t, sizeof *t), "tee");
    must(cm_crypt_new(&t->c, CM_PROFILE_DEFAULT), "crypt");
    t->evidence = t_slurp(tee_path(folder, name));
    t->in.evidence = cm_buf_view(&t->evidence);
    t->in.certs = t->cert;
    t->in.crls = t->crl;
    t->p.now = now;
    return t;
}

void tee_done(tee *t)
{
    for (size_t i = 0; i < t->n_files; i++)
        cm_buf_free(&t->file[i]);
    cm_buf_free(&t->evidence);
    cm_attest_result_done(&t->r);
    cm_crypt_free(t->c);
    cm_free(t);
}

cm_view tee_file(tee *t, const char *folder, const char *name)
{
    if (t->n_files == TEE_FILES)
        exit(1);
    t->file[t->n_files] = t_slurp(tee_path(folder, name));
    return cm_buf_view(&t->file[t->n_files++]);
}

void tee_cert(tee *t, const char *folder, const char *name)
{
    t->cert[t->in.n_certs++] = tee_file(t, folder, name);
}

void tee_crl(tee *t, const char *folder, const char *name)
{
    t->crl[t->in.n_crls++] = tee_file(t, folder, name);
}

void tee_part(tee *t, cm_attest_part part, const char *folder, const char *name)
{
    t->in.part[part] = tee_file(t, folder, name);
}

const char *tee_last(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void tee_lengths(tee *t, cm_view *v, size_t stride)
{
    cm_view whole = *v;
    CM_AUTO(cm_buf_free) cm_buf longer = {.max = whole.n + 1};
    cm_attest_kind kind = t->in.kind;

    t->in.kind = t->r.kind;
    for (size_t n = 1; n < whole.n; n += stride) {
        t_case("length", n);
        *v = cm_view_sub(whole, 0, n);
        T_CHECK(cm_failed(tee_run(t, UINT32_MAX)));
    }
    must(cm_buf_append(&longer, whole), "longer");
    must(cm_buf_byte(&longer, 0), "longer");
    *v = cm_buf_view(&longer);
    T_CHECK(cm_failed(tee_run(t, UINT32_MAX)));
    *v = whole;
    t->in.kind = kind;
}

void tee_measured(tee *t, cm_view v)
{
    if (v.n > sizeof t->digest)
        exit(1);
    memcpy(t->digest, v.p, v.n);
    t->measured = cm_view_of(t->digest, v.n);
    t->p.measurements = &t->measured;
    t->p.n_measurements = 1;
}

static cm_err verify(cm_attest_result *r, const tee *t, const cm_attest_input *in)
{
    if (t->roots.n)
        return cm_attest_verify_under(r, t->c, t->roots, in, &t->p);
    return cm_attest_verify(r, t->c, in, &t->p);
}

static bool same_verdicts(const cm_attest_result *a, const cm_attest_result *b)
{
    for (size_t i = 0; i < CM_CHECK_COUNT; i++)
        if (a->check[i].verdict != b->check[i].verdict || a->check[i].why != b->check[i].why)
            return false;
    return a->tcb == b->tcb && a->n_claims == b->n_claims && a->kind == b->kind;
}

/* AT-12: with what all runs of this process have verified before, the same. */
cm_err tee_run(tee *t, uint32_t may_skip)
{
    static cm_attest_cache *cache;
    CM_AUTO(cm_attest_result_done) cm_attest_result with = {.data = {.max = 0}};
    cm_attest_input in = t->in;
    cm_err e, cached;

    if (!cache)
        must(cm_attest_cache_new(&cache), "a cache");
    in.cache = cache;
    e = verify(&t->r, t, &t->in);
    cached = verify(&with, t, &in);
    T_CHECK(e.v == cached.v && (cm_failed(e) || same_verdicts(&t->r, &with)));
    CM_TRY(e);
    return cm_attest_decide(&t->r, may_skip);
}

bool tee_is(const tee *t, cm_attest_check id, cm_verdict v)
{
    if (t->r.check[id].verdict == v)
        return true;
    fprintf(stderr, "%s is %s (%s), not %s\n", cm_attest_check_name(id),
            cm_verdict_name(t->r.check[id].verdict), t->r.check[id].why ? t->r.check[id].why : "",
            cm_verdict_name(v));
    return false;
}

void tee_mutate(tee *t, uint8_t *p, size_t n, size_t stride)
{
    const char *mutate = getenv("CASEMATE_MUTATE");

    if (mutate && strcmp(mutate, "sets") != 0)
        stride = 1;
    for (size_t i = 0; i < n; i += stride) {
        uint8_t bit = (uint8_t)(1u << (i * 5 & 7));

        t_case("byte", i);
        p[i] ^= bit;
        T_CHECK(cm_failed(tee_run(t, UINT32_MAX)));
        p[i] ^= bit;
        t_ran();
    }
}
