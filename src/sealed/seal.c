/* Making a container: spec/sealed.md from front to end. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/secret.h"
#include "codec/text.h"
#include "crypt/merkle.h"
#include "sealed/input.h"
#include "sealed/journal.h"
#include "sealed/line.h"
#include "sealed/manifest.h"
#include "sealed/open_int.h"
#include "sealed/tree.h"

enum {
    SEGMENT = 1 << 20,
    LEAF = 64 << 10,
    ROOM = 8,
    STANZA_ROOM = 1792, /* an ML-KEM-1024 stanza with its heads */
    TREE_SEG = CM_TREE_SEGMENT + CM_FLOE_OVERHEAD,
};

/* One sealing. Workers read everything and change only what settle() does. */
struct sealer {
    const cm_crypt *crypt;
    const cm_seal_options *o;
    cm_input *in;
    cm_core core;
    cm_key32 content;
    cm_sealed_keys keys;
    uint8_t salt[32];
    cm_floe body, tree;
    uint8_t body_header[CM_FLOE_HEADER];
    cm_tree_writer nodes;
    cm_journal journal;
    cm_merkle_acc cipher; /* sealed root, where asked for */
    int out;
    cm_direct direct; /* to the same, when it is a file */
    bool ordered_out;
    uint64_t out_at; /* ordered: what went out; else where the body ends */
    uint64_t first, done, total;
    bool journaled;
    cm_seal_result r;
};

static cm_view salt_of(const struct sealer *s)
{
    return cm_view_of(s->salt, s->core.salted ? sizeof s->salt : 0);
}

static uint64_t segment_at(const struct sealer *s, uint64_t i)
{
    return s->core.body_at + CM_FLOE_HEADER + i * (s->core.segment + (uint64_t)CM_FLOE_OVERHEAD);
}

/* ---- options ------------------------------------------------------------------------------- */

static cm_err check_text(const char *t, size_t max, bool required)
{
    size_t n = t ? strlen(t) : 0;

    if (n > max || (required && n == 0) || (t && n == 0))
        return CM_FAIL(SEALED_NAME);
    return n == 0 || cm_utf8_valid(cm_view_of(t, n)) ? CM_OKAY : CM_FAIL(SEALED_NAME);
}

static cm_err check_signers(const cm_seal_options *o)
{
    if (o->signers_n == 0 && !o->no_signature)
        return CM_FAIL(SEALED_NO_SIGNER);
    for (size_t i = 0; i < o->signers_n; i++) {
        if (!cm_sig_has_private(o->signers[i]))
            return CM_FAIL(CRYPT_NO_PRIVATE);
        if (cm_sig_level(cm_sig_key_info(o->signers[i])->id) < cm_tier_level(o->tier)) /* S-14 */
            return CM_FAIL(SEALED_WEAK_SIGNATURE);
    }
    return CM_OKAY;
}

static void describe(cm_manifest *m, const cm_seal_options *o)
{
    m->created = o->created;
    m->name = cm_view_str(o->name);
    m->version = cm_view_str(o->version);
    m->licence = cm_view_str(o->licence ? o->licence : "");
    m->publisher = cm_view_str(o->publisher ? o->publisher : "");
    m->has_sealed_root = o->sealed_root;
    m->provenance_n = o->provenance_n;
    for (size_t i = 0; i < o->provenance_n; i++) {
        m->provenance[i].key = cm_view_str(o->provenance[i].key);
        m->provenance[i].value = cm_view_str(o->provenance[i].value);
    }
}

/* What could not be written at the end is refused before the work begins: a trial with the longest
 * numbers. */
static cm_err check_manifest(const cm_seal_options *o)
{
    CM_AUTO(cm_buf_free) cm_buf trial = {.max = CM_MANIFEST_MAX};
    cm_manifest m = {.leaves = UINT64_MAX, .size = CM_MODEL_MAX, .format = CM_LIT("safetensors")};

    for (size_t i = 0; i < o->provenance_n; i++)
        if (!o->provenance[i].key || !o->provenance[i].value)
            return CM_FAIL(BAD_ARGUMENT);
    describe(&m, o);
    return cm_manifest_encode(&trial, &m);
}

static cm_err check_options(const cm_seal_options *o)
{
    if (o->tier > CM_TIER_MAX || o->provenance_n > CM_SEALED_PAIRS)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(check_text(o->name, 256, true));
    CM_TRY(check_text(o->version, 128, true));
    CM_TRY(check_text(o->licence, 128, false));
    CM_TRY(check_text(o->publisher, 256, false));
    CM_TRY(check_text(o->policy, CM_POLICY_MAX, false));
    CM_TRY(check_signers(o));
    return check_manifest(o);
}

/* ---- front: header and recipients ---------------------------------------------------------- */

static cm_err make_envelope(struct sealer *s, cm_buf *env)
{
    CM_AUTO(cm_buf_free) cm_buf context = {.max = 64};
    cm_envelope_policy policy = cm_tier_policy(s->o->tier, s->o->allow_classical);

    CM_TRY(cm_sealed_context(&context, &s->core));
    return cm_envelope_seal(env, s->crypt, &s->content, s->o->to, s->o->to_n, &policy,
                            cm_buf_view(&context));
}

static cm_err make_core(struct sealer *s)
{
    const cm_seal_options *o = s->o;
    cm_core *h = &s->core;

    *h = (cm_core){
        .tier = o->tier,
        .segment = o->segment ? o->segment : SEGMENT,
        .leaf = o->leaf ? o->leaf : LEAF,
        .directory = s->in->directory,
        .salted = o->private_digest,
        .policy_n = o->policy ? strlen(o->policy) : 0,
    };
    if (h->policy_n)
        memcpy(h->policy, o->policy, h->policy_n);
    CM_TRY(cm_random(s->crypt, h->container, sizeof h->container));
    CM_TRY(cm_random(s->crypt, s->content.b, sizeof s->content.b));
    if (h->salted) {
        CM_TRY(cm_random(s->crypt, s->salt, sizeof s->salt));
        CM_TRY(cm_salt_seal(h->sealed_salt, s->crypt, &s->content, h->container, s->salt));
    }
    h->slot = cm_slot_size(STANZA_ROOM * CM_MAX(o->room ? o->room : ROOM, 2 * o->to_n));
    return CM_OKAY;
}

/* Everything before the body. Encoding also tells hd, so the envelope comes after the core; where
 * it is longer than what was foreseen (devices write up to 8 KiB), the slots grow, which hd does
 * not cover. */
static cm_err write_front(struct sealer *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CORE_MAX + 4096 + 2ull * CM_SLOT_MAX};
    CM_AUTO(cm_buf_free) cm_buf env = {.max = CM_ENVELOPE_MAX};

    CM_TRY(cm_core_encode(&b, s->crypt, &s->core));
    CM_TRY(make_envelope(s, &env));
    if (env.n > s->core.slot - CM_SLOT_HEAD) {
        s->core.slot = cm_slot_size(2 * env.n);
        b.n = 0;
        CM_TRY(cm_core_encode(&b, s->crypt, &s->core));
    }
    CM_TRY(cm_slots_encode(&b, s->crypt, &s->core, 1, cm_buf_view(&env)));
    s->out_at = b.n;
    return s->ordered_out ? cm_os_write(s->out, b.p, b.n) : cm_os_pwrite(s->out, b.p, b.n, 0);
}

static cm_err start_floe(struct sealer *s, uint8_t tree_header[CM_FLOE_HEADER])
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 128};

    CM_TRY(cm_sealed_keys_derive(&s->keys, s->crypt, &s->core, &s->content));
    CM_TRY(cm_sealed_aad(&aad, &s->core, "body"));
    CM_TRY(cm_floe_seal_start(&s->body, s->body_header, s->crypt, &s->keys.body, cm_buf_view(&aad),
                              s->core.segment + CM_FLOE_OVERHEAD));
    cm_buf_free(&aad);
    CM_TRY(cm_sealed_aad(&aad, &s->core, "tree"));
    return cm_floe_seal_start(&s->tree, tree_header, s->crypt, &s->keys.tree, cm_buf_view(&aad),
                              TREE_SEG);
}

/* ---- the tree's way out -------------------------------------------------------------------- */

/* What the journal says is done must be on disk first. */
static cm_err sink(void *arg, cm_view bytes)
{
    struct sealer *s = arg;

    if (s->journaled && fdatasync(s->out) != 0)
        return cm_os_err(errno, CM_IO_SYNC);
    return cm_journal_append(&s->journal, bytes);
}

static cm_err start_journal(struct sealer *s, const char *part,
                            const uint8_t header[CM_FLOE_HEADER])
{
    uint8_t identity[32];
    cm_journal_id id = {s->crypt, s->o->resume_key, identity, s->core.hd};

    CM_TRY(cm_input_identity(s->in, s->crypt, identity, &s->journaled));
    s->journaled = s->journaled && part && s->o->resume_key;
    return cm_journal_new(&s->journal, s->journaled ? part : NULL, &id, &s->content, header);
}

static cm_err start_fresh(struct sealer *s, const char *part)
{
    uint8_t header[CM_FLOE_HEADER];
    cm_view h = CM_VIEW(s->body_header);

    CM_TRY(make_core(s));
    CM_TRY(write_front(s));
    CM_TRY(start_floe(s, header));
    CM_TRY(s->ordered_out ? cm_os_write(s->out, h.p, h.n)
                          : cm_os_pwrite(s->out, h.p, h.n, s->core.body_at));
    CM_TRY(start_journal(s, part, header));
    return cm_tree_writer_init(&s->nodes, &s->tree, sink, s);
}

/* ---- going on where an earlier run stopped ------------------------------------------------- */

static bool core_fits(const struct sealer *s, const cm_core *h)
{
    const cm_seal_options *o = s->o;

    return h->tier == o->tier && h->segment == (o->segment ? o->segment : SEGMENT) &&
           h->leaf == (o->leaf ? o->leaf : LEAF) && h->directory == s->in->directory &&
           h->salted == o->private_digest && h->policy_n == (o->policy ? strlen(o->policy) : 0) &&
           (h->policy_n == 0 ||
            cm_view_eq(cm_view_of(h->policy, h->policy_n), cm_view_str(o->policy)));
}

static cm_err read_core(struct sealer *s, cm_core *h)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_PRELUDE + CM_CORE_MAX + CM_SLOT_ALIGN};
    size_t got, need;

    CM_TRY(cm_buf_reserve(&b, b.max));
    CM_TRY(cm_os_pread(s->out, b.p, b.max, 0, &got));
    CM_TRY(cm_core_decode(h, &need, s->crypt, cm_view_of(b.p, got)));
    return core_fits(s, h) ? CM_OKAY : CM_FAIL(SEALED_JOURNAL);
}

static cm_err resume_floe(struct sealer *s)
{
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 128};
    uint8_t header[CM_FLOE_HEADER];

    CM_TRY(cm_sealed_keys_derive(&s->keys, s->crypt, &s->core, &s->content));
    CM_TRY(cm_os_pread_all(s->out, s->body_header, CM_FLOE_HEADER, s->core.body_at));
    CM_TRY(cm_sealed_aad(&aad, &s->core, "body"));
    CM_TRY(cm_floe_open_start(&s->body, s->body_header, s->crypt, &s->keys.body, cm_buf_view(&aad),
                              s->core.segment + CM_FLOE_OVERHEAD));
    cm_buf_free(&aad);
    CM_TRY(cm_sealed_aad(&aad, &s->core, "tree"));
    CM_TRY(cm_journal_read(&s->journal, header, sizeof header, 0));
    return cm_floe_open_start(&s->tree, header, s->crypt, &s->keys.tree, cm_buf_view(&aad),
                              TREE_SEG);
}

static cm_err resume_runs(struct sealer *s, uint64_t runs)
{
    CM_AUTO(cm_floe_worker_done) cm_floe_worker w = {0};
    CM_AUTO(cm_buf_free) cm_buf seg = {.max = TREE_SEG};

    CM_TRY(cm_buf_reserve(&seg, TREE_SEG));
    for (uint64_t i = 0; i < runs; i++) {
        uint8_t(*nodes)[32] = (uint8_t(*)[32])(seg.p + CM_FLOE_HEAD);

        CM_TRY(cm_journal_read(&s->journal, seg.p, TREE_SEG, CM_FLOE_HEADER + i * TREE_SEG));
        CM_TRY(cm_floe_open(&s->tree, &w, seg.p, TREE_SEG, i, false));
        CM_TRY(cm_tree_writer_skip_run(&s->nodes, nodes));
    }
    return CM_OKAY;
}

/* The sealed root covers ciphertext, so what is there already is read once more. */
static cm_err resume_cipher(struct sealer *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SEGMENT_MAX + CM_FLOE_OVERHEAD};
    size_t n = s->core.segment + CM_FLOE_OVERHEAD;
    uint8_t leaf[32];

    CM_TRY(cm_buf_reserve(&b, n));
    for (uint64_t i = 0; i < s->first; i++) {
        CM_TRY(cm_os_pread_all(s->out, b.p, n, segment_at(s, i)));
        cm_merkle_leaf(leaf, (cm_view){0}, cm_view_of(b.p, n));
        cm_merkle_acc_push(&s->cipher, leaf);
    }
    return CM_OKAY;
}

static void start_cipher(struct sealer *s)
{
    uint8_t leaf[32];

    cm_merkle_acc_init(&s->cipher);
    cm_merkle_leaf(leaf, (cm_view){0}, CM_VIEW(s->body_header));
    cm_merkle_acc_push(&s->cipher, leaf);
}

/* Runs of segments that are done and leave something to do. A run that got as far as the end left
 * padded and upper ones behind them in the journal, which say nothing about the body. */
static uint64_t runs_done(const struct sealer *s)
{
    return CM_MIN((s->journal.size - CM_FLOE_HEADER) / TREE_SEG,
                  s->in->src.size / s->core.segment / CM_TREE_RUN);
}

static cm_err resume(struct sealer *s, const char *part)
{
    CM_AUTO(cm_buf_free) cm_buf env = {.max = CM_ENVELOPE_MAX};
    CM_AUTO(cm_buf_free) cm_buf slots = {.max = 2ull * CM_SLOT_MAX};
    uint8_t identity[32];
    cm_journal_id id = {s->crypt, s->o->resume_key, identity, s->core.hd};
    uint64_t runs;

    CM_TRY(read_core(s, &s->core));
    CM_TRY(cm_input_identity(s->in, s->crypt, identity, &s->journaled));
    CM_TRY(cm_journal_open(&s->journal, part, &id, &s->content));
    runs = runs_done(s);
    CM_TRY(cm_journal_cut(&s->journal, CM_FLOE_HEADER + runs * TREE_SEG));
    CM_TRY(resume_floe(s));
    if (s->core.salted)
        CM_TRY(cm_salt_open(s->salt, s->crypt, &s->content, &s->core));
    CM_TRY(make_envelope(s, &env)); /* for today's recipients */
    CM_TRY(cm_slots_encode(&slots, s->crypt, &s->core, 1, cm_buf_view(&env)));
    CM_TRY(cm_os_pwrite(s->out, slots.p, slots.n, s->core.slots_at));
    CM_TRY(cm_tree_writer_init(&s->nodes, &s->tree, sink, s));
    CM_TRY(resume_runs(s, runs));
    s->first = runs * CM_TREE_RUN;
    s->done = s->r.resumed = s->first * s->core.segment;
    return CM_OKAY;
}

static void forget(struct sealer *s)
{
    cm_tree_writer_done(&s->nodes);
    cm_floe_done(&s->body);
    cm_floe_done(&s->tree);
    cm_sealed_keys_wipe(&s->keys);
    cm_key32_wipe(&s->content);
    cm_wipe(s->salt, sizeof s->salt);
    cm_journal_close(&s->journal);
    cm_direct_done(&s->direct);
    s->first = s->done = s->r.resumed = 0;
}

/* Anything that keeps an earlier run from going on is a reason to start afresh, not to fail. */
static cm_err start(struct sealer *s, const char *part)
{
    struct stat st;
    bool again = part && s->o->resume_key && !s->o->no_resume && !s->in->stream &&
                 fstat(s->out, &st) == 0 && st.st_size > 0;

    if (again && cm_failed(resume(s, part))) {
        forget(s);
        again = false;
    }
    if (!again) {
        if (part && ftruncate(s->out, 0) != 0)
            return cm_os_err(errno, CM_IO_WRITE);
        CM_TRY(start_fresh(s, part));
    }
    start_cipher(s);
    return again && s->o->sealed_root ? resume_cipher(s) : CM_OKAY;
}

/* ---- the line ------------------------------------------------------------------------------ */

static uint8_t *plain_of(const cm_item *it)
{
    return it->buf + CM_FLOE_HEAD;
}

static cm_err take(void *arg, cm_item *it)
{
    struct sealer *s = arg;
    uint64_t off = it->i * s->core.segment;
    size_t want = s->core.segment;

    if (s->direct.direct >= 0)
        it->buf = it->mem + segment_at(s, it->i) % CM_DIRECT_ALIGN;
    if (!s->in->stream)
        want = (size_t)CM_MIN((uint64_t)want, s->in->src.size - off);
    CM_TRY(cm_input_take(s->in, plain_of(it), want, off, &it->n));
    if (s->in->stream)
        it->last = it->n < want;
    else if (it->n < want)
        return CM_FAIL(SEALED_CHANGED);
    return CM_OKAY;
}

static cm_err work(void *arg, cm_item *it)
{
    struct sealer *s = arg;

    if (it->n)
        CM_TRY(cm_segment_root(it->node, salt_of(s), plain_of(it), it->n, s->core.leaf));
    CM_TRY(cm_floe_seal(&s->body, it->worker, it->buf, it->n, it->i, it->last));
    if (s->o->sealed_root)
        cm_merkle_leaf(it->cipher, (cm_view){0}, cm_view_of(it->buf, it->n + CM_FLOE_OVERHEAD));
    return CM_OKAY;
}

static cm_err give(void *arg, cm_item *it)
{
    struct sealer *s = arg;
    size_t n = it->n + CM_FLOE_OVERHEAD;

    if (s->ordered_out)
        return cm_os_write(s->out, it->buf, n);
    return cm_direct_write(&s->direct, it->buf, n, segment_at(s, it->i));
}

static cm_err settle(void *arg, const cm_item *it)
{
    struct sealer *s = arg;

    if (it->n)
        CM_TRY(cm_tree_writer_push(&s->nodes, it->node, NULL));
    if (s->o->sealed_root)
        cm_merkle_acc_push(&s->cipher, it->cipher);
    s->done += it->n;
    s->out_at = segment_at(s, it->i) + it->n + CM_FLOE_OVERHEAD;
    if (s->o->watch.fn)
        s->o->watch.fn(s->o->watch.arg, s->done, s->total);
    return CM_OKAY;
}

static void worker_done(void *w)
{
    cm_floe_worker_done(w);
}

static cm_err run(struct sealer *s)
{
    static const cm_line_ops ops = {take, work, give, settle, worker_done};
    cm_line line = {
        .ops = &ops,
        .arg = s,
        .first = s->first,
        .total = s->in->stream ? UINT64_MAX : s->in->src.size / s->core.segment + 1, /* S-5 */
        .ordered_in = s->in->stream,
        .ordered_out = s->ordered_out,
        .threads = s->o->threads,
        .buf = s->core.segment + CM_FLOE_OVERHEAD,
        .worker = sizeof(cm_floe_worker),
        .cancel = s->o->watch.cancel,
    };

    s->total = s->in->stream ? 0 : s->in->src.size;
    cm_direct_start(&s->direct, s->out,
                    s->ordered_out || s->in->stream ? 0 : segment_at(s, line.total));
    CM_TRY(cm_line_run(&line));
    return cm_input_unchanged(s->in);
}

/* ---- back: tree, index, manifest, signatures, footer ---------------------------------------- */

static cm_err put(struct sealer *s, cm_view v)
{
    CM_TRY(s->ordered_out ? cm_os_write(s->out, v.p, v.n)
                          : cm_os_pwrite(s->out, v.p, v.n, s->out_at));
    s->out_at += v.n;
    return CM_OKAY;
}

static cm_err put_tree(struct sealer *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 1 << 18};

    CM_TRY(cm_buf_reserve(&b, b.max));
    for (uint64_t at = 0; at < s->journal.size;) {
        size_t n = (size_t)CM_MIN((uint64_t)b.max, s->journal.size - at);

        CM_TRY(cm_journal_read(&s->journal, b.p, n, at));
        CM_TRY(put(s, cm_view_of(b.p, n)));
        at += n;
    }
    return CM_OKAY;
}

static cm_err put_index(struct sealer *s, cm_footer *f, uint8_t digest[32])
{
    CM_AUTO(cm_index_free) cm_index own = {0};
    const cm_index *x = s->in->index ? s->in->index : &own;
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = CM_INDEX_MAX};
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = CM_INDEX_MAX + (1 << 20)};
    CM_AUTO(cm_buf_free) cm_buf aad = {.max = 128};
    uint8_t nonce[32];

    s->r.format = s->in->format;
    if (!s->in->index)
        CM_TRY(cm_input_index(s->in, s->done, &s->r.format, &own));
    s->r.tensors = x->tensors.n;
    CM_TRY(cm_random(s->crypt, nonce, sizeof nonce));
    CM_TRY(cm_index_encode(&plain, x, nonce));
    CM_TRY(cm_hash_once(s->crypt, CM_SHA256, digest, cm_buf_view(&plain)));
    CM_TRY(cm_sealed_aad(&aad, &s->core, "index"));
    CM_TRY(cm_floe_seal_all(&sealed, s->crypt, &s->keys.index, cm_buf_view(&aad),
                            CM_INDEX_SEGMENT + CM_FLOE_OVERHEAD, cm_buf_view(&plain)));
    f->index = sealed.n;
    return put(s, cm_buf_view(&sealed));
}

static void fill_manifest(const struct sealer *s, cm_manifest *m)
{
    describe(m, s->o);
    m->leaves = cm_merkle_leaf_count(s->done, s->core.leaf);
    m->size = s->done;
    m->format = cm_view_str(cm_format_name(s->r.format));
    memcpy(m->hd, s->core.hd, sizeof m->hd);
    if (m->has_sealed_root)
        cm_merkle_acc_root(m->sealed_root, &s->cipher);
}

static cm_err put_back(struct sealer *s)
{
    CM_AUTO(cm_buf_free) cm_buf manifest = {.max = CM_MANIFEST_MAX};
    CM_AUTO(cm_buf_free) cm_buf signatures = {.max = CM_SIGNATURES_MAX};
    cm_footer f = {.body = s->out_at - s->core.body_at};
    uint8_t last[CM_FOOTER];
    cm_manifest m = {0};

    CM_TRY(cm_tree_writer_finish(&s->nodes, m.digest));
    f.tree = s->journal.size;
    CM_TRY(put_tree(s));
    CM_TRY(put_index(s, &f, m.index_digest));
    fill_manifest(s, &m);
    CM_TRY(cm_manifest_encode(&manifest, &m));
    CM_TRY(
        cm_signatures_encode(&signatures, cm_buf_view(&manifest), s->o->signers, s->o->signers_n));
    f.manifest = (uint32_t)manifest.n;
    f.signatures = (uint32_t)signatures.n;
    CM_TRY(cm_footer_encode(last, s->crypt, &f));
    CM_TRY(put(s, cm_buf_view(&manifest)));
    CM_TRY(put(s, cm_buf_view(&signatures)));
    CM_TRY(put(s, CM_VIEW(last)));
    memcpy(s->r.digest, m.digest, sizeof s->r.digest);
    s->r.leaves = m.leaves;
    return CM_OKAY;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static cm_err seal_to_fd(struct sealer *s, const char *part)
{
    CM_TRY(start(s, part));
    CM_TRY(run(s));
    CM_TRY(put_back(s));
    memcpy(s->r.container, s->core.container, sizeof s->r.container);
    s->r.size = s->done;
    s->r.sealed_size = s->out_at;
    return CM_OKAY;
}

/* What cannot be gone on with is removed; a journal and what it stands for stay, unless the model
 * is another one by now. */
static void leave(struct sealer *s, cm_os_out *o, cm_err why)
{
    if (s->journaled && s->journal.size > CM_FLOE_HEADER && runs_done(s) > 0 &&
        cm_err_class(why) != CM_CLASS_CONFLICT) {
        cm_journal_close(&s->journal);
        cm_os_out_close(o);
        return;
    }
    cm_journal_drop(&s->journal);
    cm_os_out_drop(o);
}

static cm_err seal_to_path(struct sealer *s, const char *out)
{
    cm_os_out o = {.fd = -1};
    cm_err e;

    if (!s->o->replace && cm_os_exists(out))
        return CM_FAIL(FILE_EXISTS);
    CM_TRY(cm_os_out_open(&o, out, 0644, true));
    s->out = o.fd;
    e = seal_to_fd(s, o.part);
    if (cm_ok(e) && ftruncate(o.fd, (off_t)s->out_at) != 0)
        e = cm_os_err(errno, CM_IO_WRITE);
    if (cm_ok(e))
        e = cm_os_out_commit(&o, s->o->replace);
    if (cm_failed(e))
        leave(s, &o, e);
    else
        cm_journal_drop(&s->journal);
    return e;
}

cm_err cm_seal_input(cm_seal_result *r, const cm_crypt *c, const cm_seal_options *o, cm_input *in,
                     const char *out, int out_fd)
{
    struct sealer *s;
    cm_err e;

    CM_TRY(check_options(o));
    CM_TRY(cm_secret_new(&s, sizeof *s));
    *s = (struct sealer){.crypt = c,
                         .o = o,
                         .in = in,
                         .out = out_fd,
                         .ordered_out = !out,
                         .journal.fd = -1,
                         .direct.direct = -1};
    e = out ? seal_to_path(s, out) : seal_to_fd(s, NULL);
    if (cm_ok(e))
        *r = s->r;
    forget(s);
    cm_secret_free(s, sizeof *s);
    return e;
}

cm_err cm_seal(cm_seal_result *r, const cm_crypt *c, const cm_seal_options *o, const char *in,
               int in_fd, const char *out, int out_fd)
{
    cm_input input;
    cm_err e;

    CM_TRY(cm_input_open(&input, in, in_fd, o->culprit));
    e = cm_seal_input(r, c, o, &input, out, out_fd);
    cm_input_done(&input);
    return e;
}
