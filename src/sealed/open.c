/* Reading a container: load, trust, unlock, read. */
#include <sys/stat.h>

#include "base/os.h"
#include "base/secret.h"
#include "crypt/merkle.h"
#include "sealed/extract_int.h"

enum { FRONT_MAX = CM_PRELUDE + CM_CORE_MAX + CM_SLOT_ALIGN };

static const uint64_t no_segment = UINT64_MAX;

cm_envelope_policy cm_tier_policy(unsigned tier, bool allow_classical)
{
    cm_envelope_policy p = cm_envelope_policy_default;

    p.min_level = cm_tier_level(tier);
    p.allow_classical = allow_classical && p.min_level < 5;
    p.allow_passphrase = p.min_level < 5; /* S-14 */
    return p;
}

cm_err cm_segment_root(uint8_t root[32], cm_view salt, const uint8_t *p, size_t n, uint32_t leaf)
{
    CM_AUTO(cm_free_ptr) uint8_t(*leaves)[32] = NULL;
    size_t count;

    CM_TRY(cm_alloc_array(&leaves, (size_t)cm_merkle_leaf_count(n, leaf), sizeof *leaves));
    cm_merkle_leaves(leaves, salt, p, n, leaf, &count);
    cm_merkle_root(root, leaves, count);
    return CM_OKAY;
}

/* ---- load ---------------------------------------------------------------------------------- */

cm_err cm_front_read(cm_buf *b, cm_core *h, const cm_crypt *c, int fd)
{
    size_t got, need, slots;
    cm_err e;

    CM_TRY(cm_buf_reserve(b, FRONT_MAX));
    CM_TRY(cm_os_pread(fd, b->p, FRONT_MAX, 0, &got));
    e = cm_core_decode(h, &need, c, cm_view_of(b->p, got));
    if (cm_is(e, CM_IO_SHORT))
        return CM_FAIL(SEALED_NOT);
    CM_TRY(e);
    slots = 2 * (size_t)h->slot;
    b->n = (size_t)h->slots_at;
    CM_TRY(cm_buf_reserve(b, slots));
    e = cm_os_pread_all(fd, b->p + b->n, slots, h->slots_at);
    if (cm_is(e, CM_IO_SHORT))
        return CM_FAIL(SEALED_FOOTER);
    CM_TRY(e);
    b->n += slots;
    return CM_OKAY;
}

static cm_err load_slots(struct cm_sealed *s)
{
    cm_view both =
        cm_view_sub(cm_buf_view(&s->front), (size_t)s->core.slots_at, 2 * (size_t)s->core.slot);

    CM_TRY(cm_slots_decode(&s->slots, s->crypt, &s->core, both));
    CM_TRY(cm_alloc_array(&s->stanzas, CM_STANZAS_MAX, sizeof *s->stanzas));
    return cm_envelope_list(s->stanzas, CM_STANZAS_MAX, &s->info.stanzas_n, s->slots.envelope);
}

/* Footer, then manifest and signatures before it. */
static cm_err load_back(struct cm_sealed *s)
{
    uint8_t last[CM_FOOTER];
    struct stat st;
    uint64_t at;
    size_t n;

    if (fstat(s->fd, &st) != 0)
        return CM_FAIL(IO_READ);
    if (!S_ISREG(st.st_mode))
        return CM_FAIL(SEALED_NEEDS_FILE);
    s->info.file_size = (uint64_t)st.st_size;
    if (s->info.file_size < s->core.body_at + CM_FOOTER)
        return CM_FAIL(SEALED_FOOTER);
    CM_TRY(cm_os_pread_all(s->fd, last, sizeof last, s->info.file_size - CM_FOOTER));
    CM_TRY(cm_footer_decode(&s->footer, s->crypt, &s->core, last, s->info.file_size));
    n = (size_t)s->footer.manifest + s->footer.signatures;
    at = s->info.file_size - CM_FOOTER - n;
    CM_TRY(cm_buf_reserve(&s->back, n));
    CM_TRY(cm_os_pread_all(s->fd, s->back.p, n, at));
    s->back.n = n;
    return CM_OKAY;
}

static cm_err load_detached(struct cm_sealed *s, cm_view manifest)
{
    cm_view signatures;

    if (!s->o.signature_file)
        return CM_OKAY;
    CM_TRY(cm_os_slurp(&s->detached, s->o.signature_file, CM_SIGNATURES_MAX));
    CM_TRY(cm_detached_decode(&signatures, s->crypt, cm_buf_view(&s->detached), manifest));
    return cm_signatures_decode(s->info.signatures, &s->info.signatures_n, s->crypt, signatures,
                                manifest, s->o.trusted, s->o.trusted_n, true);
}

cm_err cm_sealed_load_manifest(struct cm_sealed *s)
{
    cm_view manifest = cm_view_of(s->back.p, s->footer.manifest);
    cm_view signatures = cm_view_of(s->back.p + s->footer.manifest, s->footer.signatures);

    CM_TRY(cm_manifest_decode(&s->manifest, manifest));
    CM_TRY(cm_manifest_check(&s->manifest, &s->core, &s->footer));
    CM_TRY(cm_signatures_decode(s->info.signatures, &s->info.signatures_n, s->crypt, signatures,
                                manifest, s->o.trusted, s->o.trusted_n, false));
    return load_detached(s, manifest);
}

static void fill_info(struct cm_sealed *s)
{
    const cm_manifest *m = &s->manifest;
    cm_sealed_info *i = &s->info;

    memcpy(i->container, s->core.container, sizeof i->container);
    memcpy(i->hd, s->core.hd, sizeof i->hd);
    memcpy(i->digest, m->digest, sizeof i->digest);
    memcpy(i->index_digest, m->index_digest, sizeof i->index_digest);
    memcpy(i->sealed_root, m->sealed_root, sizeof i->sealed_root);
    memcpy(i->provenance, m->provenance, sizeof i->provenance);
    i->provenance_n = m->provenance_n;
    i->tier = s->core.tier;
    i->directory = s->core.directory;
    i->salted = s->core.salted;
    i->segment = s->core.segment;
    i->leaf = s->core.leaf;
    i->policy = cm_view_of(s->core.policy, s->core.policy_n);
    i->has_sealed_root = m->has_sealed_root;
    i->leaves = m->leaves;
    i->size = m->size;
    i->created = m->created;
    i->segments = cm_sealed_last(s) + 1;
    i->name = m->name;
    i->version = m->version;
    i->format = m->format;
    i->licence = m->licence;
    i->publisher = m->publisher;
    i->stanzas = s->stanzas;
    i->body_size = s->footer.body;
    i->slot_size = s->core.slot;
    i->slot_torn = s->slots.other_torn;
}

static cm_err load(struct cm_sealed *s)
{
    CM_TRY(cm_front_read(&s->front, &s->core, s->crypt, s->fd));
    CM_TRY(load_back(s));
    CM_TRY(load_slots(s));
    CM_TRY(cm_sealed_load_manifest(s));
    fill_info(s);
    return CM_OKAY;
}

cm_err cm_sealed_alloc(struct cm_sealed **out, const cm_crypt *c, int fd, const cm_open_options *o)
{
    struct cm_sealed *s;

    CM_TRY(cm_secret_new(&s, sizeof *s));
    s->crypt = c;
    s->o = *o;
    s->fd = fd;
    s->seg_i = no_segment;
    s->front.max = FRONT_MAX + 2ull * CM_SLOT_MAX;
    s->back.max = CM_MANIFEST_MAX + CM_SIGNATURES_MAX;
    s->detached.max = CM_SIGNATURES_MAX;
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return CM_OKAY;
}

cm_err cm_sealed_load(cm_sealed **out, const cm_crypt *c, int fd, const cm_open_options *o)
{
    struct cm_sealed *s;
    cm_err e;

    CM_TRY(cm_sealed_alloc(&s, c, fd, o));
    e = load(s);
    if (cm_failed(e)) {
        cm_sealed_free(s);
        return e;
    }
    *out = s;
    return CM_OKAY;
}

void cm_sealed_free(cm_sealed *s)
{
    if (!s)
        return;
    cm_tree_reader_free(s->tree);
    cm_floe_worker_done(&s->worker);
    if (s->seg)
        cm_wipe(s->seg, s->core.segment + CM_FLOE_OVERHEAD);
    cm_free(s->seg);
    cm_index_free(&s->index);
    cm_dir_free(&s->dir);
    cm_free(s->stanzas);
    cm_buf_free(&s->front);
    cm_buf_free(&s->back);
    cm_buf_free(&s->detached);
    pthread_mutex_destroy(&s->lock);
    cm_secret_free(s, sizeof *s);
}

void cm_sealed_free_ptr(cm_sealed **s)
{
    cm_sealed_free(*s);
}

const cm_sealed_info *cm_sealed_get(const cm_sealed *s)
{
    return &s->info;
}

/* ---- trust --------------------------------------------------------------------------------- */

/* S-13, S-14 */
cm_err cm_sealed_trust(const cm_sealed *s)
{
    const cm_sealed_info *i = &s->info;
    bool good = false, weak = false;

    if (i->signatures_n == 0)
        return s->o.no_signature ? CM_OKAY : CM_FAIL(SEALED_UNSIGNED);
    for (size_t k = 0; k < i->signatures_n; k++) {
        const cm_sealed_signature *g = &i->signatures[k];

        if (!g->info || (!g->trusted && !s->o.any_publisher))
            continue; /* of an algorithm to come, or of no concern: counts for nothing */
        if (!g->valid)
            return CM_FAIL(SEALED_SIGNATURE);
        if (cm_sig_level(g->alg) >= cm_tier_level(i->tier))
            good = true;
        else
            weak = true;
    }
    if (good)
        return CM_OKAY;
    return weak ? CM_FAIL(SEALED_WEAK_SIGNATURE) : CM_FAIL(SEALED_UNTRUSTED);
}

/* ---- unlock -------------------------------------------------------------------------------- */

cm_err cm_sealed_open_envelope(struct cm_sealed *s)
{
    CM_AUTO(cm_buf_free) cm_buf context = {.max = 64};
    cm_envelope_policy policy = cm_tier_policy(s->core.tier, s->o.allow_classical);

    CM_TRY(cm_sealed_context(&context, &s->core));
    CM_TRY(cm_envelope_open(&s->content, s->crypt, s->slots.envelope, s->o.openers, s->o.openers_n,
                            &policy, cm_buf_view(&context)));
    CM_TRY(cm_sealed_keys_derive(&s->keys, s->crypt, &s->core, &s->content));
    return s->core.salted ? cm_salt_open(s->salt, s->crypt, &s->content, &s->core) : CM_OKAY;
}

static cm_err start_body(struct cm_sealed *s)
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 128};
    uint8_t header[CM_FLOE_HEADER];

    CM_TRY(cm_os_pread_all(s->fd, header, sizeof header, s->core.body_at));
    CM_TRY(cm_sealed_aad(&aad, &s->core, "body"));
    return cm_floe_open_start(&s->body, header, s->crypt, &s->keys.body, cm_buf_view(&aad),
                              s->core.segment + CM_FLOE_OVERHEAD);
}

static cm_err start_tree(struct cm_sealed *s)
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 128};
    uint64_t nodes = cm_merkle_leaf_count(s->manifest.size, s->core.segment);

    CM_TRY(cm_sealed_aad(&aad, &s->core, "tree"));
    cm_tree_reader_free(s->tree); /* of an unlocking that failed further on */
    s->tree = NULL;
    return cm_tree_reader_new(&s->tree, s->crypt, &s->keys.tree, cm_buf_view(&aad), s->fd,
                              s->core.body_at + s->footer.body, s->footer.tree, nodes,
                              s->manifest.digest);
}

/* An empty last segment has no node, but its tag still says that the body ends here. */
static cm_err check_empty_last(struct cm_sealed *s)
{
    CM_AUTO(cm_floe_worker_done) cm_floe_worker w = {0};
    uint8_t seg[CM_FLOE_OVERHEAD];

    if (cm_sealed_plain(s, cm_sealed_last(s)) > 0)
        return CM_OKAY;
    CM_TRY(cm_os_pread_all(s->fd, seg, sizeof seg, cm_sealed_at(s, cm_sealed_last(s))));
    return cm_floe_open(&s->body, &w, seg, sizeof seg, cm_sealed_last(s), true);
}

cm_err cm_sealed_unlock(cm_sealed *s)
{
    if (s->unlocked)
        return CM_OKAY;
    CM_TRY(cm_sealed_trust(s));
    CM_TRY(cm_sealed_open_envelope(s));
    CM_TRY(start_body(s));
    CM_TRY(start_tree(s));
    CM_TRY(check_empty_last(s));
    CM_TRY(cm_alloc(&s->seg, s->core.segment + CM_FLOE_OVERHEAD));
    s->unlocked = true;
    return CM_OKAY;
}

/* ---- read ---------------------------------------------------------------------------------- */

cm_err cm_sealed_fetch(struct cm_sealed *s, cm_floe_worker *w, uint8_t *buf, uint64_t i)
{
    size_t n = cm_sealed_plain(s, i);
    uint8_t want[32], root[32];

    CM_TRY(cm_os_pread_all(s->fd, buf, n + CM_FLOE_OVERHEAD, cm_sealed_at(s, i)));
    CM_TRY(cm_floe_open(&s->body, w, buf, n + CM_FLOE_OVERHEAD, i, i == cm_sealed_last(s)));
    atomic_fetch_add_explicit(&s->segments_read, 1, memory_order_relaxed);
    if (n == 0)
        return CM_OKAY;
    CM_TRY(cm_segment_root(root, cm_sealed_salt(s), buf + CM_FLOE_HEAD, n, s->core.leaf));
    CM_TRY(cm_tree_reader_node(s->tree, want, i));
    if (!cm_view_eq(CM_VIEW(root), CM_VIEW(want))) { /* S-9 */
        cm_wipe(buf, n + CM_FLOE_OVERHEAD);
        return CM_FAIL(SEALED_DIGEST);
    }
    return CM_OKAY;
}

/* Under lock: make segment i the one at hand. */
static cm_err at_hand(struct cm_sealed *s, uint64_t i)
{
    if (s->seg_i == i)
        return CM_OKAY;
    s->seg_i = no_segment;
    CM_TRY(cm_sealed_fetch(s, &s->worker, s->seg, i));
    s->seg_i = i;
    return CM_OKAY;
}

static cm_err read_locked(struct cm_sealed *s, uint8_t *p, size_t n, uint64_t off)
{
    while (n) {
        uint64_t i = off / s->core.segment;
        size_t in = (size_t)(off % s->core.segment);
        size_t take = CM_MIN(n, s->core.segment - in);

        CM_TRY(at_hand(s, i));
        memcpy(p, s->seg + CM_FLOE_HEAD + in, take);
        p += take;
        off += take;
        n -= take;
    }
    return CM_OKAY;
}

struct span {
    uint8_t *p;
    uint64_t off;
};

static cm_err put_span(void *arg, uint64_t off, const uint8_t *p, size_t n)
{
    const struct span *d = arg;

    memcpy(d->p + (off - d->off), p, n);
    return CM_OKAY;
}

/* Small reads share the segment at hand; large ones go to all threads. */
cm_err cm_sealed_read(cm_sealed *s, void *p, size_t n, uint64_t off)
{
    struct span d = {p, off};
    cm_err e;

    if (!s->unlocked)
        return CM_FAIL(SEALED_LOCKED);
    if (off > s->manifest.size || n > s->manifest.size - off)
        return CM_FAIL(BAD_ARGUMENT);
    if (n > 2 * (size_t)s->core.segment) {
        e = cm_sealed_each(s, off, off + n, false, put_span, &d);
    } else {
        pthread_mutex_lock(&s->lock);
        e = read_locked(s, p, n, off);
        pthread_mutex_unlock(&s->lock);
    }
    if (cm_failed(e))
        cm_wipe(p, n);
    return e;
}

uint64_t cm_sealed_segments_read(const cm_sealed *s)
{
    return atomic_load(&s->segments_read);
}

/* ---- index and table ----------------------------------------------------------------------- */

static cm_err load_index(struct cm_sealed *s)
{
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = CM_INDEX_MAX + (1 << 20)};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_INDEX_MAX};
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 128};
    uint8_t h[32];

    if (s->footer.index > sealed.max)
        return CM_FAIL(SEALED_INDEX);
    CM_TRY(cm_buf_reserve(&sealed, (size_t)s->footer.index));
    CM_TRY(cm_os_pread_all(s->fd, sealed.p, (size_t)s->footer.index,
                           s->core.body_at + s->footer.body + s->footer.tree));
    sealed.n = (size_t)s->footer.index;
    CM_TRY(cm_sealed_aad(&aad, &s->core, "index"));
    CM_TRY(cm_floe_open_all(&plain, s->crypt, &s->keys.index, cm_buf_view(&aad),
                            CM_INDEX_SEGMENT + CM_FLOE_OVERHEAD, cm_buf_view(&sealed)));
    CM_TRY(cm_hash_once(s->crypt, CM_SHA256, h, cm_buf_view(&plain)));
    if (!cm_view_eq(CM_VIEW(h), CM_VIEW(s->manifest.index_digest))) /* S-11 */
        return CM_FAIL(SEALED_INDEX);
    return cm_index_decode(&s->index, cm_buf_view(&plain), s->manifest.size);
}

static cm_err read_source(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    struct cm_sealed *s = self;

    if (off > s->manifest.size)
        return CM_FAIL(BAD_ARGUMENT);
    *got = (size_t)CM_MIN((uint64_t)n, s->manifest.size - off);
    return read_locked(s, p, *got, off);
}

static cm_err load_dir(struct cm_sealed *s)
{
    cm_source src = {.read = read_source, .self = s, .size = s->manifest.size};

    return cm_dir_decode(&s->dir, &src);
}

static cm_err once(struct cm_sealed *s, bool *loaded, cm_err (*load_it)(struct cm_sealed *))
{
    cm_err e = CM_OKAY;

    if (!s->unlocked)
        return CM_FAIL(SEALED_LOCKED);
    pthread_mutex_lock(&s->lock);
    if (!*loaded)
        e = load_it(s);
    *loaded = cm_ok(e);
    pthread_mutex_unlock(&s->lock);
    return e;
}

cm_err cm_sealed_index(cm_sealed *s, const cm_index **x)
{
    CM_TRY(once(s, &s->index_loaded, load_index));
    *x = &s->index;
    return CM_OKAY;
}

cm_err cm_sealed_dir(cm_sealed *s, const cm_dir **d)
{
    if (!s->core.directory)
        return CM_FAIL(SEALED_NOT_DIRECTORY);
    CM_TRY(once(s, &s->dir_loaded, load_dir));
    *d = &s->dir;
    return CM_OKAY;
}
