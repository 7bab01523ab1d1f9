/* The set of collateral: what its files are, which of them count, and whether it may take the place
 * of the one in use. */
#include <stdio.h>

#include "svc/collateral_int.h"

cm_err cm_svc_collateral_new(cm_svc_collateral **out, const cm_crypt *c)
{
    cm_svc_collateral *s;

    CM_TRY(cm_alloc(&s, sizeof *s));
    s->c = c;
    atomic_store(&s->holders, 1);
    *out = s;
    return CM_OKAY;
}

cm_svc_collateral *cm_svc_collateral_hold(cm_svc_collateral *s)
{
    if (s)
        (void)atomic_fetch_add(&s->holders, 1);
    return s;
}

void cm_svc_collateral_free(cm_svc_collateral *s)
{
    if (!s || atomic_fetch_sub(&s->holders, 1) > 1)
        return;
    for (size_t i = 0; i < s->n; i++) {
        cm_buf_free(&s->v[i].bytes);
        cm_reference_free(s->v[i].manifest);
    }
    cm_attest_bundle_free(s->bundle);
    cm_free(s);
}

void cm_svc_collateral_free_ptr(cm_svc_collateral **s)
{
    cm_svc_collateral_free(*s);
}

cm_err cm_svc_collateral_add(cm_svc_collateral *s, cm_view name, cm_view file, uint64_t when)
{
    cm_svc_collateral_item *it = &s->v[s->n];

    if (s->n == CM_SVC_COLLATERAL_FILES)
        return CM_FAIL(ATTEST_BUNDLE);
    if (name.n == 0 || name.n >= sizeof it->name || file.n > CM_BUNDLE_FILE_MAX)
        return CM_FAIL(TOO_BIG);
    *it = (cm_svc_collateral_item){
        .bytes = {.max = CM_BUNDLE_FILE_MAX}, .when = when, .about = {.kind = ""}};
    memcpy(it->name, name.p, name.n);
    CM_TRY(cm_hash_once(s->c, CM_SHA256, it->hash, file));
    CM_TRY(cm_buf_append(&it->bytes, file));
    s->n++;
    return CM_OKAY;
}

/* ---- what a file is -------------------------------------------------------------------------- */

/* AP-48: known by name and signer, and newer by its version. */
static cm_err describe_manifest(cm_svc_collateral *s, cm_svc_collateral_item *it)
{
    CM_AUTO(cm_buf_free) cm_buf about = {.max = CM_REFERENCE_NAME + 64};
    uint8_t digest[32];

    CM_TRY(cm_manifest_read(&it->manifest, s->c, cm_buf_view(&it->bytes)));
    CM_TRY(cm_buf_append(&about, CM_VIEW(it->manifest->signer)));
    CM_TRY(cm_buf_append(&about, cm_view_str(it->manifest->name)));
    CM_TRY(cm_hash_once(s->c, CM_SHA256, digest, cm_buf_view(&about)));
    it->about = (cm_collateral){
        .kind = "reference", .issued = it->manifest->version, .next = it->manifest->expires};
    (void)snprintf(it->about.slot, sizeof it->about.slot, "reference-%016llx%016llx",
                   (unsigned long long)cm_get_be64(digest),
                   (unsigned long long)cm_get_be64(digest + 8));
    it->as = "reference values";
    return CM_OKAY;
}

static cm_err describe(cm_svc_collateral *s, cm_svc_collateral_item *it)
{
    cm_err e;

    if (cm_manifest_is(cm_buf_view(&it->bytes)))
        return describe_manifest(s, it);
    e = cm_collateral_describe(&it->about, s->c, cm_buf_view(&it->bytes), it->when);
    if (cm_is(e, CM_COLLATERAL_KIND)) { /* what a bundle takes has not always a date */
        it->about = (cm_collateral){.kind = ""};
        return CM_OKAY;
    }
    /* A certificate stands for itself, and beside others in a file. */
    if (cm_ok(e) && strcmp(it->about.kind, "certificate") == 0)
        it->about.slot[0] = 0;
    return e;
}

static const cm_svc_collateral_item *counted(const cm_svc_collateral *s, const char *slot)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].as && !s->v[i].superseded && strcmp(s->v[i].about.slot, slot) == 0)
            return &s->v[i];
    return NULL;
}

/* V-121: of files about the same the newest counts, wherever it stands. */
static void choose(cm_svc_collateral *s)
{
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < i; k++) {
            cm_svc_collateral_item *a = &s->v[k], *b = &s->v[i];

            if (!a->about.slot[0] || a->superseded || strcmp(a->about.slot, b->about.slot) != 0)
                continue;
            a->superseded = cm_collateral_newer(&a->about, &b->about);
            b->superseded = !a->superseded;
        }
}

static cm_err collect(cm_svc_collateral *s, cm_svc_collateral_item *it)
{
    if (it->superseded)
        return CM_OKAY;
    if (it->manifest) {
        if (s->n_manifests == CM_SVC_MANIFESTS)
            return CM_FAIL(ATTEST_BUNDLE);
        s->manifest[s->n_manifests++] = it->manifest;
        return CM_OKAY;
    }
    CM_TRY(
        cm_attest_bundle_add(s->bundle, cm_view_str(it->name), cm_buf_view(&it->bytes), &it->as));
    if (strcmp(it->about.kind, "status-list") == 0)
        cm_attest_bundle_status_time(s->bundle, it->when);
    cm_buf_free(&it->bytes);
    return CM_OKAY;
}

/* ---- whether it may come in ------------------------------------------------------------------ */

static bool unknown_before(const cm_svc_collateral *before, const char *name)
{
    for (size_t i = 0; i < before->n; i++)
        if (!before->v[i].as && !before->v[i].superseded && strcmp(before->v[i].name, name) == 0)
            return true;
    return false;
}

/* V-120 */
static cm_err fits(const cm_svc_collateral *before, const cm_svc_collateral_item *it)
{
    const cm_svc_collateral_item *old;

    if (it->superseded)
        return CM_OKAY;
    if (!it->as)
        return unknown_before(before, it->name) ? CM_OKAY : CM_FAIL(COLLATERAL_KIND);
    old = it->about.slot[0] ? counted(before, it->about.slot) : NULL;
    if (old && !cm_collateral_newer(&old->about, &it->about))
        return CM_FAIL(COLLATERAL_OLD);
    return CM_OKAY;
}

static cm_err take(cm_svc_collateral *s, cm_svc_collateral_item *it,
                   const cm_svc_collateral *before)
{
    CM_TRY(collect(s, it));
    return before ? fits(before, it) : CM_OKAY;
}

static cm_err digest(cm_svc_collateral *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = sizeof s->v};

    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].superseded || !s->v[i].as)
            continue;
        CM_TRY(cm_buf_append(&b, cm_view_str(s->v[i].name)));
        CM_TRY(cm_buf_byte(&b, 0));
        CM_TRY(cm_buf_append(&b, CM_VIEW(s->v[i].hash)));
    }
    return cm_hash_once(s->c, CM_SHA256, s->digest, cm_buf_view(&b));
}

static cm_err say(char *why, const cm_svc_collateral_item *it, cm_err e)
{
    (void)snprintf(why, CM_SVC_COLLATERAL_WHY, "%s: %s", it->name, cm_err_what(e));
    return e;
}

cm_err cm_svc_collateral_finish(cm_svc_collateral *s, const cm_svc_collateral *before,
                                char why[CM_SVC_COLLATERAL_WHY])
{
    why[0] = 0;
    CM_TRY(cm_attest_bundle_new(&s->bundle, s->c));
    for (size_t i = 0; i < s->n; i++) {
        cm_err e = describe(s, &s->v[i]);

        if (cm_failed(e) && (before || cm_is(e, CM_NO_MEMORY)))
            return say(why, &s->v[i], e);
    }
    choose(s);
    for (size_t i = 0; i < s->n; i++) {
        cm_err e = take(s, &s->v[i], before);

        if (cm_failed(e))
            return say(why, &s->v[i], e);
    }
    return digest(s);
}

/* ---- looking --------------------------------------------------------------------------------- */

bool cm_svc_collateral_at(const cm_svc_collateral *s, size_t i, cm_svc_collateral_file *out)
{
    if (i >= s->n)
        return false;
    *out = (cm_svc_collateral_file){.name = s->v[i].name,
                                    .as = s->v[i].as,
                                    .superseded = s->v[i].superseded,
                                    .next = s->v[i].about.next};
    return true;
}

cm_view cm_svc_collateral_digest(const cm_svc_collateral *s)
{
    return CM_VIEW(s->digest);
}

size_t cm_svc_collateral_expired(const cm_svc_collateral *s, uint64_t now)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += s->v[i].as && !s->v[i].superseded && s->v[i].about.next && s->v[i].about.next <= now;
    return n;
}
