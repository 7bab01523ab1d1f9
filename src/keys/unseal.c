#include "keys/unseal.h"

#include "base/ct.h"
#include "base/secret.h"
#include "codec/cbor.h"
#include "crypt/aead.h"

enum {
    VERSION = 1,
    SALT = 32,
    WRAPPED = CM_GCM_NONCE + 32 + CM_GCM_TAG,
    HEAD_MAX = 48 << 10,
    ROOT_MAX = 2048,
    SEALED_MAX = CM_GCM_NONCE + ROOT_MAX + CM_GCM_TAG,
    CONTEXT_MAX = 128
};

static const cm_argon2 default_cost = {256u << 10, 3, 4};
static const cm_argon2 min_cost = {8u << 10, 1, 1}, max_cost = {1u << 20, 16, 16};

/* ---- the root ------------------------------------------------------------------------------- */

cm_err cm_root_new(cm_root **out, const cm_crypt *c, cm_view origin)
{
    CM_AUTO(cm_root_free_ptr) cm_root *r = NULL;

    if (origin.n < 1 || origin.n > CM_ORIGIN_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_secret_new(&r, sizeof *r));
    CM_TRY(cm_random(c, r->id, sizeof r->id));
    CM_TRY(cm_random(c, r->kem[0].seed, sizeof r->kem[0].seed));
    CM_TRY(cm_random(c, r->log_seed, sizeof r->log_seed));
    memcpy(r->origin, origin.p, origin.n);
    r->origin_n = (uint8_t)origin.n;
    r->n = 1;
    r->kem[0].number = 1;
    *out = r;
    r = NULL;
    return CM_OKAY;
}

void cm_root_free(cm_root *r)
{
    cm_secret_free(r, sizeof *r);
}

void cm_root_free_ptr(cm_root **r)
{
    cm_root_free(*r);
}

static const cm_cbor_field root_fields[] = {
    {1, CM_CBOR_ARRAY, true, 1, ROOT_MAX}, /* number, seed, oldest first */
    {2, CM_CBOR_BYTES, true, 32, 32},      /* the log's seed */
    {3, CM_CBOR_TEXT, true, 1, CM_ORIGIN_MAX},
};

static cm_err put_root(cm_buf *out, const cm_root *r)
{
    CM_AUTO(cm_buf_free) cm_buf kem = {.max = ROOT_MAX};

    CM_TRY(cm_buf_reserve(&kem, ROOT_MAX));
    CM_TRY(cm_cbor_put_array(&kem, 2 * (uint64_t)r->n));
    for (uint32_t i = 0; i < r->n; i++) {
        CM_TRY(cm_cbor_put_uint(&kem, r->kem[i].number));
        CM_TRY(cm_cbor_put_bytes(&kem, CM_VIEW(r->kem[i].seed)));
    }
    cm_cbor_value v[] = {
        {.present = true, .v = cm_buf_view(&kem)},
        {.present = true, .v = CM_VIEW(r->log_seed)},
        {.present = true, .v = cm_view_of(r->origin, r->origin_n)},
    };

    return cm_cbor_put_record(out, root_fields, v, CM_COUNT(v));
}

static cm_err get_generations(cm_root *r, cm_view array)
{
    cm_cbor c;
    uint64_t n;
    cm_view seed;

    CM_TRY(cm_cbor_open(&c, array, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    if (n < 2 || n > 2 * CM_ROOT_GENERATIONS || n % 2)
        return CM_FAIL(BOOT_FORGED);
    r->n = (uint32_t)(n / 2);
    for (uint32_t i = 0; i < r->n; i++) {
        CM_TRY(cm_cbor_uint(&c, &r->kem[i].number));
        CM_TRY(cm_cbor_bytes(&c, &seed));
        if (seed.n != sizeof r->kem[i].seed || r->kem[i].number == 0 ||
            (i > 0 && r->kem[i].number <= r->kem[i - 1].number))
            return CM_FAIL(BOOT_FORGED);
        memcpy(r->kem[i].seed, seed.p, seed.n);
    }
    return cm_cbor_end(&c);
}

static cm_err get_root(cm_root *r, cm_view v)
{
    cm_cbor_value f[CM_COUNT(root_fields)] = {0};
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, v, NULL));
    CM_TRY(cm_cbor_record(&c, root_fields, f, CM_COUNT(f), NULL));
    CM_TRY(cm_cbor_end(&c));
    CM_TRY(get_generations(r, f[0].v));
    memcpy(r->log_seed, f[1].v.p, sizeof r->log_seed);
    memcpy(r->origin, f[2].v.p, f[2].v.n);
    r->origin_n = (uint8_t)f[2].v.n;
    return CM_OKAY;
}

/* ---- form ----------------------------------------------------------------------------------- */

static const cm_cbor_field boot_fields[] = {
    {1, CM_CBOR_UINT, true, 0, UINT64_MAX},                              /* version */
    {2, CM_CBOR_BYTES, true, 16, 16},                                    /* root id */
    {3, CM_CBOR_UINT, true, 1, UINT64_MAX},                              /* sequence */
    {4, CM_CBOR_UINT, true, 1, UINT64_MAX},                              /* the next slot's id */
    {5, CM_CBOR_ARRAY, true, 1, HEAD_MAX},                               /* slots */
    {6, CM_CBOR_BYTES, true, CM_GCM_NONCE + CM_GCM_TAG + 1, SEALED_MAX}, /* root */
    {7, CM_CBOR_BYTES, true, 32, 32},                                    /* checksum */
};
enum { HEAD_FIELDS = 5, SUMMED_FIELDS = 6 };

static const cm_cbor_field slot_fields[] = {
    {1, CM_CBOR_UINT, true, CM_UNSEAL_PASSPHRASE, CM_UNSEAL_BACKEND},
    {2, CM_CBOR_UINT, true, 1, UINT64_MAX}, /* id */
    {3, CM_CBOR_TEXT, false, 1, CM_BOOT_LABEL_MAX},
    {4, CM_CBOR_BYTES, true, SALT, SALT},
    {5, CM_CBOR_BYTES, true, WRAPPED, WRAPPED},
    {6, CM_CBOR_UINT, false, 8u << 10, 1u << 20}, /* Argon2id: memory, passes, lanes */
    {7, CM_CBOR_UINT, false, 1, 16},
    {8, CM_CBOR_UINT, false, 1, 16},
    {9, CM_CBOR_BYTES, false, CM_SHARE_SET, CM_SHARE_SET},
    {10, CM_CBOR_UINT, false, 1, CM_SHARE_MAX}, /* needed */
    {11, CM_CBOR_BYTES, false, CM_SHARE_CHECK, CM_SHARE_CHECK *CM_SHARE_MAX},
    {12, CM_CBOR_UINT, false, 1, UINT32_MAX}, /* backend */
    {13, CM_CBOR_BYTES, false, 1, CM_UNSEAL_BLOB_MAX},
};
enum { SLOT_COMMON = 5, SLOT_FIELDS = 13 };

struct slot {
    cm_boot_slot s;
    cm_view salt, wrapped, blob;
};

struct boot {
    cm_view root, slots_bytes, sealed, sum;
    uint64_t sequence, next;
    size_t n;
    struct slot slots[CM_BOOT_SLOTS];
};

/* Which of the fields 6 to 13 a kind has: all of them, and no others (U-2). */
static bool fields_fit(const cm_cbor_value *v)
{
    static const uint8_t first[] = {0, 5, 8, 0, 11}, last[] = {0, 8, 11, 0, 13};
    size_t kind = v[0].u;

    for (size_t i = SLOT_COMMON; i < SLOT_FIELDS; i++)
        if (v[i].present != (i >= first[kind] && i < last[kind]))
            return false;
    return kind != CM_UNSEAL_SHARES ||
           (v[10].v.n % CM_SHARE_CHECK == 0 && v[9].u <= v[10].v.n / CM_SHARE_CHECK);
}

static cm_err get_slot(struct slot *out, cm_cbor *c)
{
    cm_cbor_value v[SLOT_FIELDS] = {0};

    CM_TRY(cm_cbor_record(c, slot_fields, v, SLOT_FIELDS, NULL));
    if (!fields_fit(v))
        return CM_FAIL(BOOT_MALFORMED);
    *out = (struct slot){
        .s = {.kind = (cm_unseal_kind)v[0].u,
              .id = v[1].u,
              .label = v[2].v,
              .cost = {(uint32_t)v[5].u, (uint32_t)v[6].u, (uint32_t)v[7].u},
              .need = (uint8_t)v[9].u,
              .shares = (uint8_t)(v[10].v.n / CM_SHARE_CHECK),
              .checks = v[10].v,
              .backend = (uint32_t)v[11].u},
        .salt = v[3].v,
        .wrapped = v[4].v,
        .blob = v[12].v,
    };
    if (v[8].present)
        memcpy(out->s.set, v[8].v.p, CM_SHARE_SET);
    return CM_OKAY;
}

static cm_err put_slot(cm_buf *out, const struct slot *s)
{
    bool phrase = s->s.kind == CM_UNSEAL_PASSPHRASE, shares = s->s.kind == CM_UNSEAL_SHARES,
         device = s->s.kind == CM_UNSEAL_BACKEND;
    cm_cbor_value v[SLOT_FIELDS] = {
        {.present = true, .u = s->s.kind},
        {.present = true, .u = s->s.id},
        {.present = s->s.label.n > 0, .v = s->s.label},
        {.present = true, .v = s->salt},
        {.present = true, .v = s->wrapped},
        {.present = phrase, .u = s->s.cost.memory_kib},
        {.present = phrase, .u = s->s.cost.passes},
        {.present = phrase, .u = s->s.cost.lanes},
        {.present = shares, .v = CM_VIEW(s->s.set)},
        {.present = shares, .u = s->s.need},
        {.present = shares, .v = s->s.checks},
        {.present = device, .u = s->s.backend},
        {.present = device, .v = s->blob},
    };

    return cm_cbor_put_record(out, slot_fields, v, SLOT_FIELDS);
}

static cm_err get_slots(struct boot *b)
{
    cm_cbor c;
    uint64_t n;

    CM_TRY(cm_cbor_open(&c, b->slots_bytes, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    if (n < 1 || n > CM_BOOT_SLOTS)
        return CM_FAIL(BOOT_MALFORMED);
    b->n = n;
    for (size_t i = 0; i < b->n; i++) {
        CM_TRY(get_slot(&b->slots[i], &c));
        if (b->slots[i].s.id >= b->next || (i > 0 && b->slots[i].s.id <= b->slots[i - 1].s.id))
            return CM_FAIL(BOOT_MALFORMED);
    }
    return CM_OKAY;
}

static void head_values(cm_cbor_value *v, const struct boot *b)
{
    v[0] = (cm_cbor_value){.present = true, .u = VERSION};
    v[1] = (cm_cbor_value){.present = true, .v = b->root};
    v[2] = (cm_cbor_value){.present = true, .u = b->sequence};
    v[3] = (cm_cbor_value){.present = true, .u = b->next};
    v[4] = (cm_cbor_value){.present = true, .v = b->slots_bytes};
    v[5] = (cm_cbor_value){.present = true, .v = b->sealed};
    v[6] = (cm_cbor_value){.present = true, .v = b->sum};
}

/* U-3: an accident is told from a wrong passphrase before that is tried. */
static cm_err checksum(uint8_t sum[32], const cm_crypt *c, const struct boot *b)
{
    CM_AUTO(cm_buf_free) cm_buf bytes = {.max = CM_BOOT_MAX};
    cm_cbor_value v[CM_COUNT(boot_fields)];

    head_values(v, b);
    CM_TRY(cm_cbor_put_record(&bytes, boot_fields, v, SUMMED_FIELDS));
    return cm_hash_once(c, CM_SHA256, sum, cm_buf_view(&bytes));
}

static cm_err malformed(cm_err e)
{
    return cm_failed(e) && cm_err_class(e) == CM_CLASS_MALFORMED ? CM_FAIL(BOOT_MALFORMED) : e;
}

static cm_err parse(struct boot *b, const cm_crypt *c, cm_view boot)
{
    cm_cbor_value v[CM_COUNT(boot_fields)] = {0};
    uint8_t sum[32];
    cm_cbor at;

    *b = (struct boot){0};
    if (boot.n > CM_BOOT_MAX)
        return CM_FAIL(BOOT_MALFORMED);
    CM_TRY(malformed(cm_cbor_open(&at, boot, NULL)));
    CM_TRY(malformed(cm_cbor_record(&at, boot_fields, v, CM_COUNT(v), NULL)));
    CM_TRY(malformed(cm_cbor_end(&at)));
    if (v[0].u != VERSION) /* U-1 */
        return CM_FAIL(BOOT_VERSION);
    b->root = v[1].v;
    b->sequence = v[2].u;
    b->next = v[3].u;
    b->slots_bytes = v[4].v;
    b->sealed = v[5].v;
    b->sum = v[6].v;
    CM_TRY(checksum(sum, c, b));
    if (!cm_view_eq(CM_VIEW(sum), b->sum)) /* U-3 */
        return CM_FAIL(BOOT_DAMAGED);
    return malformed(get_slots(b));
}

cm_err cm_boot_inspect(cm_boot_info *out, const cm_crypt *c, cm_view boot)
{
    struct boot b;

    CM_TRY(parse(&b, c, boot));
    memcpy(out->root, b.root.p, sizeof out->root);
    out->sequence = b.sequence;
    out->n = b.n;
    for (size_t i = 0; i < b.n; i++) {
        out->slots[i] = b.slots[i].s;
        out->slots[i].device = b.slots[i].blob;
    }
    return CM_OKAY;
}

cm_err cm_boot_check_share(const cm_boot_info *boot, const cm_crypt *c, const cm_share *s)
{
    uint8_t check[CM_SHARE_CHECK];

    for (size_t i = 0; i < boot->n; i++) {
        const cm_boot_slot *t = &boot->slots[i];

        if (t->kind != CM_UNSEAL_SHARES || !cm_view_eq(CM_VIEW(t->set), CM_VIEW(s->set)))
            continue;
        if (s->index < 1 || s->index > t->shares)
            return CM_FAIL(SHARES_FORGED);
        CM_TRY(cm_share_check(check, c, s));
        return cm_ct_equal(
                   CM_VIEW(check),
                   cm_view_sub(t->checks, (s->index - 1u) * (size_t)CM_SHARE_CHECK, CM_SHARE_CHECK))
                   ? CM_OKAY
                   : CM_FAIL(SHARES_FORGED); /* U-7 */
    }
    return CM_FAIL(SHARES_MIXED);
}

/* ---- keys of slots -------------------------------------------------------------------------- */

/* What a slot is bound to: "casemate-boot-v1" 00 kind, slot id, root id (U-4). */
static cm_err slot_context(cm_buf *out, const struct slot *s, cm_view root)
{
    CM_TRY(cm_buf_append(out, CM_LIT("casemate-boot-v1")));
    CM_TRY(cm_buf_byte(out, 0));
    CM_TRY(cm_buf_byte(out, (uint8_t)s->s.kind));
    CM_TRY(cm_buf_be64(out, s->s.id));
    return cm_buf_append(out, root);
}

/* The cipher of a slot, from whatever its method yields. */
static cm_err slot_cipher(cm_gcm **g, const cm_crypt *c, cm_view secret, const struct slot *s,
                          cm_view context)
{
    CM_AUTO(cm_key32_wipe) cm_key32 prk = {{0}};
    CM_AUTO(cm_key32_wipe) cm_key32 kek = {{0}};

    CM_TRY(cm_hkdf_extract(c, CM_SHA256, prk.b, s->salt, secret));
    CM_TRY(cm_hkdf_expand(c, CM_SHA256, kek.b, sizeof kek.b, CM_VIEW(prk.b), context));
    return cm_gcm_new(g, c, &kek);
}

static cm_err phrase_key(cm_key32 *out, const cm_crypt *c, cm_view phrase, const struct slot *s)
{
    return cm_argon2id(c, out->b, sizeof out->b, phrase, s->salt, &s->s.cost);
}

/* ---- opening -------------------------------------------------------------------------------- */

static cm_err unwrap(cm_key32 *wrapping, const cm_crypt *c, cm_view secret, const struct slot *s,
                     cm_view root)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf context = {.max = CONTEXT_MAX};
    CM_AUTO(cm_key32_wipe) cm_key32 got = {{0}};
    const uint8_t *w = s->wrapped.p;
    cm_err e;

    CM_TRY(slot_context(&context, s, root));
    CM_TRY(slot_cipher(&g, c, secret, s, cm_buf_view(&context)));
    e = cm_gcm_open(g, got.b, w + CM_GCM_NONCE + 32, w, cm_buf_view(&context),
                    cm_view_of(w + CM_GCM_NONCE, 32));
    if (cm_is(e, CM_CRYPT_TAG))
        return CM_FAIL(UNSEAL_WRONG);
    CM_TRY(e);
    *wrapping = got;
    return CM_OKAY;
}

static cm_err join_shares(cm_key32 *secret, const cm_crypt *c, const struct slot *s,
                          const cm_unseal_key *key)
{
    if (key->shares_n == 0)
        return CM_FAIL(SHARES_FEW);
    if (!cm_view_eq(CM_VIEW(key->shares[0].set), CM_VIEW(s->s.set)))
        return CM_FAIL(UNSEAL_WRONG);
    return cm_shamir_join(secret, c, key->shares, key->shares_n, NULL);
}

static cm_err ask_backend(cm_key32 *secret, const cm_crypt *c, const struct slot *s, cm_view root,
                          const cm_unseal_key *key)
{
    CM_AUTO(cm_buf_free) cm_buf context = {.max = CONTEXT_MAX};
    cm_err e;

    if (!key->backend || key->backend->number != s->s.backend)
        return CM_FAIL(UNSEAL_WRONG);
    CM_TRY(slot_context(&context, s, root));
    e = key->backend->unwrap(key->backend->self, c, secret, s->blob, cm_buf_view(&context));
    return cm_is(e, CM_CRYPT_TAG) ? CM_FAIL(UNSEAL_WRONG) : e;
}

static cm_err try_slot(cm_key32 *wrapping, const cm_crypt *c, const struct slot *s, cm_view root,
                       const cm_unseal_key *key)
{
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};

    switch (s->s.kind) {
    case CM_UNSEAL_PASSPHRASE:
        CM_TRY(phrase_key(&secret, c, key->secret, s));
        break;
    case CM_UNSEAL_SHARES:
        CM_TRY(join_shares(&secret, c, s, key));
        break;
    case CM_UNSEAL_KEYFILE:
        return unwrap(wrapping, c, key->secret, s, root);
    case CM_UNSEAL_BACKEND:
        CM_TRY(ask_backend(&secret, c, s, root, key));
        break;
    }
    return unwrap(wrapping, c, CM_VIEW(secret.b), s, root);
}

/* The first slot of that kind that opens. */
static cm_err find_wrapping(cm_key32 *wrapping, const cm_crypt *c, const struct boot *b,
                            const cm_unseal_key *key)
{
    cm_err e = CM_FAIL(UNSEAL_NO_SLOT);

    for (size_t i = 0; i < b->n; i++) {
        if (b->slots[i].s.kind != key->kind)
            continue;
        e = try_slot(wrapping, c, &b->slots[i], b->root, key);
        if (!cm_is(e, CM_UNSEAL_WRONG))
            return e;
    }
    return e;
}

/* The root is bound to all that stands around it: no slot can be added, moved or taken away by
 * someone who can't open the record (U-8). */
static cm_err head_bytes(cm_buf *out, const struct boot *b)
{
    cm_cbor_value v[CM_COUNT(boot_fields)];

    head_values(v, b);
    return cm_cbor_put_record(out, boot_fields, v, HEAD_FIELDS);
}

static cm_err open_root(cm_root **out, const cm_crypt *c, const struct boot *b,
                        const cm_key32 *wrapping)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_root_free_ptr) cm_root *root = NULL;
    CM_AUTO(cm_buf_free) cm_buf head = {.max = CM_BOOT_MAX};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = ROOT_MAX};
    size_t n = b->sealed.n - CM_GCM_NONCE - CM_GCM_TAG;
    const uint8_t *p = b->sealed.p;
    cm_err e;

    CM_TRY(head_bytes(&head, b));
    CM_TRY(cm_buf_reserve(&plain, n));
    CM_TRY(cm_gcm_new(&g, c, wrapping));
    e = cm_gcm_open(g, plain.p, p + CM_GCM_NONCE + n, p, cm_buf_view(&head),
                    cm_view_of(p + CM_GCM_NONCE, n));
    if (cm_is(e, CM_CRYPT_TAG)) /* U-8 */
        return CM_FAIL(BOOT_FORGED);
    CM_TRY(e);
    plain.n = n;
    CM_TRY(cm_secret_new(&root, sizeof *root));
    memcpy(root->id, b->root.p, sizeof root->id);
    CM_TRY(malformed(get_root(root, cm_buf_view(&plain))));
    *out = root;
    root = NULL;
    return CM_OKAY;
}

cm_err cm_boot_open(cm_root **root, const cm_crypt *c, cm_view boot, const cm_unseal_key *key)
{
    CM_AUTO(cm_key32_wipe) cm_key32 wrapping = {{0}};
    struct boot b;

    CM_TRY(parse(&b, c, boot));
    CM_TRY(find_wrapping(&wrapping, c, &b, key));
    return open_root(root, c, &b, &wrapping);
}

/* ---- making slots --------------------------------------------------------------------------- */

/* Bytes of new slots, which views of struct slot point into. */
struct fresh {
    uint8_t salt[SALT], wrapped[WRAPPED], checks[CM_SHARE_CHECK * CM_SHARE_MAX];
    cm_buf blob;
};

struct maker {
    const cm_crypt *c;
    cm_view root;
    cm_share *list;
    size_t list_n;
    struct fresh fresh[CM_BOOT_SLOTS];
};

static void free_maker(struct maker **m)
{
    for (size_t i = 0; *m && i < CM_BOOT_SLOTS; i++)
        cm_buf_free(&(*m)->fresh[i].blob);
    cm_free(*m);
}

static cm_err wrap(struct fresh *f, const struct maker *m, cm_view secret, const struct slot *s,
                   const cm_key32 *wrapping)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf context = {.max = CONTEXT_MAX};
    uint8_t *w = f->wrapped;

    CM_TRY(slot_context(&context, s, m->root));
    CM_TRY(slot_cipher(&g, m->c, secret, s, cm_buf_view(&context)));
    CM_TRY(cm_random(m->c, w, CM_GCM_NONCE));
    return cm_gcm_seal(g, w + CM_GCM_NONCE, w + CM_GCM_NONCE + 32, w, cm_buf_view(&context),
                       CM_VIEW(wrapping->b));
}

static bool cost_ok(const cm_argon2 *a)
{
    return a->memory_kib >= min_cost.memory_kib && a->memory_kib <= max_cost.memory_kib &&
           a->passes >= min_cost.passes && a->passes <= max_cost.passes &&
           a->lanes >= min_cost.lanes && a->lanes <= max_cost.lanes;
}

static cm_err make_phrase(cm_key32 *secret, struct maker *m, struct slot *s,
                          const cm_unseal_method *how)
{
    s->s.cost = how->cost.memory_kib ? how->cost : default_cost;
    if (how->secret.n == 0 || how->secret.n > CM_UNSEAL_SECRET_MAX)
        return CM_FAIL(UNSEAL_METHOD);
    if (!cost_ok(&s->s.cost)) /* U-9 */
        return CM_FAIL(CRYPT_COST);
    return phrase_key(secret, m->c, how->secret, s);
}

static cm_err make_shares(cm_key32 *secret, struct maker *m, struct slot *s, struct fresh *f,
                          const cm_unseal_method *how)
{
    if (m->list_n > 0 || !m->list)
        return CM_FAIL(UNSEAL_METHOD);
    CM_TRY(cm_random(m->c, secret->b, sizeof secret->b));
    CM_TRY(cm_shamir_split(m->list, m->c, secret, how->need, how->shares));
    m->list_n = how->shares;
    memcpy(s->s.set, m->list[0].set, CM_SHARE_SET);
    s->s.need = how->need;
    s->s.shares = how->shares;
    s->s.checks = cm_view_of(f->checks, (size_t)CM_SHARE_CHECK * how->shares);
    for (size_t i = 0; i < how->shares; i++)
        CM_TRY(cm_share_check(f->checks + i * CM_SHARE_CHECK, m->c, &m->list[i]));
    return CM_OKAY;
}

static cm_err make_backend(cm_key32 *secret, struct maker *m, struct slot *s, struct fresh *f,
                           const cm_unseal_method *how)
{
    CM_AUTO(cm_buf_free) cm_buf context = {.max = CONTEXT_MAX};
    const cm_unseal_backend *b = how->backend;

    if (!b || b->number == 0)
        return CM_FAIL(UNSEAL_METHOD);
    s->s.backend = b->number;
    f->blob.max = CM_UNSEAL_BLOB_MAX;
    CM_TRY(slot_context(&context, s, m->root));
    CM_TRY(cm_random(m->c, secret->b, sizeof secret->b));
    CM_TRY(b->wrap(b->self, m->c, &f->blob, secret, cm_buf_view(&context)));
    s->blob = cm_buf_view(&f->blob);
    return CM_OKAY;
}

static cm_err make_slot(struct slot *s, struct maker *m, struct fresh *f, uint64_t id,
                        const cm_unseal_method *how, const cm_key32 *wrapping)
{
    CM_AUTO(cm_key32_wipe) cm_key32 secret = {{0}};

    *s = (struct slot){.s = {.id = id, .kind = how->kind, .label = how->label},
                       .salt = CM_VIEW(f->salt),
                       .wrapped = CM_VIEW(f->wrapped)};
    if (how->label.n > CM_BOOT_LABEL_MAX)
        return CM_FAIL(UNSEAL_METHOD);
    CM_TRY(cm_random(m->c, f->salt, sizeof f->salt));
    switch (how->kind) {
    case CM_UNSEAL_PASSPHRASE:
        CM_TRY(make_phrase(&secret, m, s, how));
        break;
    case CM_UNSEAL_SHARES:
        CM_TRY(make_shares(&secret, m, s, f, how));
        break;
    case CM_UNSEAL_KEYFILE:
        if (how->secret.n < CM_UNSEAL_KEYFILE_MIN || how->secret.n > CM_UNSEAL_SECRET_MAX)
            return CM_FAIL(UNSEAL_METHOD);
        return wrap(f, m, how->secret, s, wrapping);
    case CM_UNSEAL_BACKEND:
        CM_TRY(make_backend(&secret, m, s, f, how));
        break;
    default:
        return CM_FAIL(UNSEAL_METHOD);
    }
    return wrap(f, m, CM_VIEW(secret.b), s, wrapping);
}

/* ---- sealing -------------------------------------------------------------------------------- */

static cm_err seal_root(cm_buf *out, const cm_crypt *c, const struct boot *b, const cm_root *root,
                        const cm_key32 *wrapping)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = ROOT_MAX};
    CM_AUTO(cm_buf_free) cm_buf head = {.max = CM_BOOT_MAX};
    uint8_t *p;

    CM_TRY(cm_buf_reserve(&plain, ROOT_MAX));
    CM_TRY(put_root(&plain, root));
    CM_TRY(head_bytes(&head, b));
    CM_TRY(cm_buf_reserve(out, CM_GCM_NONCE + plain.n + CM_GCM_TAG));
    p = out->p + out->n;
    CM_TRY(cm_random(c, p, CM_GCM_NONCE));
    CM_TRY(cm_gcm_new(&g, c, wrapping));
    CM_TRY(cm_gcm_seal(g, p + CM_GCM_NONCE, p + CM_GCM_NONCE + plain.n, p, cm_buf_view(&head),
                       cm_buf_view(&plain)));
    out->n += CM_GCM_NONCE + plain.n + CM_GCM_TAG;
    return CM_OKAY;
}

/* Slots, head and root into one record. */
static cm_err write_boot(cm_buf *boot, const cm_crypt *c, struct boot *b, const cm_root *root,
                         const cm_key32 *wrapping)
{
    CM_AUTO(cm_buf_free) cm_buf slots = {.max = HEAD_MAX};
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = SEALED_MAX};
    cm_cbor_value v[CM_COUNT(boot_fields)];
    uint8_t sum[32];

    CM_TRY(cm_cbor_put_array(&slots, b->n));
    for (size_t i = 0; i < b->n; i++)
        CM_TRY(put_slot(&slots, &b->slots[i]));
    b->root = CM_VIEW(root->id);
    b->slots_bytes = cm_buf_view(&slots);
    CM_TRY(seal_root(&sealed, c, b, root, wrapping));
    b->sealed = cm_buf_view(&sealed);
    CM_TRY(checksum(sum, c, b));
    b->sum = CM_VIEW(sum);
    head_values(v, b);
    return cm_cbor_put_record(boot, boot_fields, v, CM_COUNT(v));
}

static cm_err add_slots(struct boot *b, struct maker *m, const cm_unseal_method *how, size_t n,
                        const cm_key32 *wrapping)
{
    if (n > CM_BOOT_SLOTS - b->n)
        return CM_FAIL(UNSEAL_METHOD);
    for (size_t i = 0; i < n; i++) {
        CM_TRY(make_slot(&b->slots[b->n], m, &m->fresh[i], b->next, &how[i], wrapping));
        b->next++;
        b->n++;
    }
    return CM_OKAY;
}

struct share_list {
    cm_share s[CM_SHARE_MAX];
};

static void free_share_list(struct share_list **p)
{
    cm_secret_free(*p, sizeof **p);
}

/* With the shares in locked memory until all has gone well. */
static cm_err finish_boot(cm_buf *boot, cm_share *list, size_t *list_n, const cm_crypt *c,
                          struct boot *b, const cm_root *root, const cm_key32 *wrapping,
                          const cm_unseal_method *how, size_t n)
{
    CM_AUTO(free_maker) struct maker *m = NULL;
    CM_AUTO(free_share_list) struct share_list *made = NULL;

    CM_TRY(cm_alloc(&m, sizeof *m));
    CM_TRY(cm_secret_new(&made, sizeof *made));
    m->c = c;
    m->root = CM_VIEW(root->id);
    m->list = list ? made->s : NULL;
    CM_TRY(add_slots(b, m, how, n, wrapping));
    CM_TRY(write_boot(boot, c, b, root, wrapping));
    if (m->list_n)
        memcpy(list, made->s, m->list_n * sizeof *list);
    if (list_n)
        *list_n = m->list_n;
    return CM_OKAY;
}

cm_err cm_boot_seal(cm_buf *boot, cm_share *list, size_t *list_n, const cm_crypt *c,
                    const cm_root *root, const cm_unseal_method *m, size_t n)
{
    CM_AUTO(cm_key32_wipe) cm_key32 wrapping = {{0}};
    struct boot b = {.sequence = 1, .next = 1};

    if (n == 0)
        return CM_FAIL(UNSEAL_METHOD);
    CM_TRY(cm_random(c, wrapping.b, sizeof wrapping.b));
    return finish_boot(boot, list, list_n, c, &b, root, &wrapping, m, n);
}

/* ---- altering ------------------------------------------------------------------------------- */

static cm_err drop_slots(struct boot *b, const uint64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = 0;

        while (at < b->n && b->slots[at].s.id != ids[i])
            at++;
        if (at == b->n)
            return CM_FAIL(UNSEAL_NO_SLOT);
        memmove(&b->slots[at], &b->slots[at + 1], (b->n - at - 1) * sizeof b->slots[0]);
        b->n--;
    }
    return CM_OKAY;
}

static cm_err retire(cm_root *r, uint64_t upto)
{
    uint32_t gone = 0;

    while (gone < r->n && r->kem[gone].number <= upto)
        gone++;
    if (gone == r->n)
        return CM_FAIL(UNSEAL_GENERATION);
    memmove(&r->kem[0], &r->kem[gone], (r->n - gone) * sizeof r->kem[0]);
    r->n -= gone;
    cm_wipe(&r->kem[r->n], gone * sizeof r->kem[0]);
    return CM_OKAY;
}

static cm_err rotate(cm_root *r, const cm_crypt *c)
{
    if (r->n == CM_ROOT_GENERATIONS || r->kem[r->n - 1].number == UINT64_MAX)
        return CM_FAIL(UNSEAL_GENERATION);
    CM_TRY(cm_random(c, r->kem[r->n].seed, sizeof r->kem[0].seed));
    r->kem[r->n].number = r->kem[r->n - 1].number + 1;
    r->n++;
    return CM_OKAY;
}

static cm_err change_root(cm_root *root, const cm_crypt *c, const cm_boot_change *change)
{
    if (change->retire)
        CM_TRY(retire(root, change->retire));
    return change->rotate ? rotate(root, c) : CM_OKAY;
}

cm_err cm_boot_alter(cm_buf *boot, cm_share *list, size_t *list_n, const cm_crypt *c, cm_view old,
                     const cm_unseal_key *key, const cm_boot_change *change)
{
    CM_AUTO(cm_key32_wipe) cm_key32 wrapping = {{0}};
    CM_AUTO(cm_root_free_ptr) cm_root *root = NULL;
    struct boot b;

    CM_TRY(parse(&b, c, old));
    CM_TRY(find_wrapping(&wrapping, c, &b, key));
    CM_TRY(open_root(&root, c, &b, &wrapping));
    CM_TRY(drop_slots(&b, change->drop, change->drop_n));
    if (b.n + change->add_n == 0)
        return CM_FAIL(UNSEAL_LAST);
    if (b.n == 0) /* U-10 */
        CM_TRY(cm_random(c, wrapping.b, sizeof wrapping.b));
    CM_TRY(change_root(root, c, change));
    if (b.sequence == UINT64_MAX)
        return CM_FAIL(OVERFLOW);
    b.sequence++;
    return finish_boot(boot, list, list_n, c, &b, root, &wrapping, change->add, change->add_n);
}
