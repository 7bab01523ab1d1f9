/* Sealing anew from what is sealed: plaintext passes through memory, a segment at a time. */
#include "sealed/extract_int.h"
#include "sealed/input.h"

/* Any thread may call: each call has its own cipher and buffer, so reading runs in parallel. */
static cm_err read_sealed(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    CM_AUTO(cm_floe_worker_done) cm_floe_worker w = {0};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SEGMENT_MAX + CM_FLOE_OVERHEAD};
    struct cm_sealed *s = self;
    size_t done = 0;

    if (off > s->manifest.size)
        return CM_FAIL(BAD_ARGUMENT);
    n = (size_t)CM_MIN((uint64_t)n, s->manifest.size - off);
    CM_TRY(cm_buf_reserve(&b, s->core.segment + CM_FLOE_OVERHEAD));
    b.n = b.cap; /* all of it is wiped */
    while (done < n) {
        uint64_t i = (off + done) / s->core.segment;
        size_t in = (size_t)((off + done) % s->core.segment);
        size_t take = CM_MIN(n - done, s->core.segment - in);

        CM_TRY(cm_sealed_fetch(s, &w, b.p, i));
        memcpy(p + done, b.p + CM_FLOE_HEAD + in, take);
        done += take;
    }
    *got = n;
    return CM_OKAY;
}

struct texts {
    char *name, *version, *licence, *publisher, *policy;
    cm_pair pairs[CM_SEALED_PAIRS];
};

static void texts_free(struct texts *t)
{
    cm_free(t->name);
    cm_free(t->version);
    cm_free(t->licence);
    cm_free(t->publisher);
    cm_free(t->policy);
    for (size_t i = 0; i < CM_SEALED_PAIRS; i++) {
        cm_free_ptr(&t->pairs[i].key);
        cm_free_ptr(&t->pairs[i].value);
    }
}

static cm_err inherit(const char **option, char **keep, cm_view old)
{
    if (*option || old.n == 0)
        return CM_OKAY;
    CM_TRY(cm_strdup(keep, old));
    *option = *keep;
    return CM_OKAY;
}

static cm_err inherit_pairs(cm_seal_options *o, struct texts *t, const cm_sealed_info *i)
{
    if (o->provenance)
        return CM_OKAY;
    for (size_t k = 0; k < i->provenance_n; k++) {
        char *key, *value;

        CM_TRY(cm_strdup(&key, i->provenance[k].key));
        t->pairs[k].key = key;
        CM_TRY(cm_strdup(&value, i->provenance[k].value));
        t->pairs[k].value = value;
    }
    o->provenance = t->pairs;
    o->provenance_n = i->provenance_n;
    return CM_OKAY;
}

static cm_err inherit_all(cm_seal_options *o, struct texts *t, const cm_sealed_info *i)
{
    CM_TRY(inherit(&o->name, &t->name, i->name));
    CM_TRY(inherit(&o->version, &t->version, i->version));
    CM_TRY(inherit(&o->licence, &t->licence, i->licence));
    CM_TRY(inherit(&o->publisher, &t->publisher, i->publisher));
    CM_TRY(inherit(&o->policy, &t->policy, i->policy));
    return inherit_pairs(o, t, i);
}

cm_err cm_sealed_upgrade(cm_seal_result *r, cm_sealed *s, const cm_seal_options *so,
                         const char *out)
{
    CM_AUTO(texts_free) struct texts texts = {0};
    cm_seal_options o = *so;
    cm_input in = {.fd = -1};

    CM_TRY(inherit_all(&o, &texts, &s->info));
    CM_TRY(cm_sealed_index(s, &in.index));
    in.src = (cm_source){.read = read_sealed, .self = s, .size = s->manifest.size};
    in.directory = s->core.directory;
    CM_TRY(cm_format_by_name(&in.format, s->manifest.format));
    o.resume_key = NULL; /* its input has no identity to go on from */
    return cm_seal_input(r, s->crypt, &o, &in, out, -1);
}
