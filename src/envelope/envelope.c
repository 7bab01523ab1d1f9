#include "envelope/envelope.h"

#include "base/ct.h"
#include "codec/cbor.h"

enum { VERSION = 1, MAC = 32, STANZA_ENCODED_MAX = 9216 };

static const char label[] = "casemate-envelope-v1";

const cm_envelope_policy cm_envelope_policy_default = {
    .allow_passphrase = true,
    .min_level = 3,
};

/* E-6: what a reader derives at most, and the least that is worth the name. */
static const cm_argon2 cost_limit = {1u << 20, 16, 16};
static const cm_argon2 cost_floor = {8u << 10, 1, 1};

static const cm_cbor_field envelope_fields[] = {
    {1, CM_CBOR_UINT, true, VERSION, VERSION},
    {2, CM_CBOR_ARRAY, true, 1, CM_ENVELOPE_MAX},
    {3, CM_CBOR_BYTES, true, MAC, MAC},
};

static const cm_cbor_field stanza_fields[] = {
    {1, CM_CBOR_UINT, true, 0, UINT32_MAX},
    {2, CM_CBOR_BYTES, true, 1, CM_STANZA_ID_MAX},
    {3, CM_CBOR_BYTES, true, 1, CM_STANZA_BODY_MAX},
    {4, CM_CBOR_UINT, false, 0, UINT32_MAX},
    {5, CM_CBOR_ARRAY, false, 1, 32},
};

struct parsed {
    cm_view stanzas; /* the encoded array */
    cm_view mac;
};

/* ---- derived values ------------------------------------------------------------------------ */

cm_err cm_envelope_info(const cm_crypt *c, cm_buf *out, uint8_t kind, cm_view context)
{
    uint8_t ctx[32];

    CM_TRY(cm_hash_once(c, CM_SHA256, ctx, context));
    CM_TRY(cm_buf_append(out, cm_view_of(label, sizeof label))); /* with its NUL: E-3 */
    CM_TRY(cm_buf_byte(out, kind));
    return cm_buf_append(out, CM_VIEW(ctx));
}

static cm_err commitment(const cm_crypt *c, uint8_t mac[MAC], const cm_key32 *key, cm_view stanzas,
                         cm_view context)
{
    CM_AUTO(cm_key32_wipe) cm_key32 mac_key = {{0}};
    CM_AUTO(cm_buf_free) cm_buf msg = {.max = CM_ENVELOPE_MAX + 128};
    uint8_t ctx[32];

    CM_TRY(cm_hkdf_expand(c, CM_SHA256, mac_key.b, sizeof mac_key.b, CM_VIEW(key->b),
                          CM_LIT("casemate-envelope-v1 commitment")));
    CM_TRY(cm_hash_once(c, CM_SHA256, ctx, context));
    CM_TRY(cm_buf_append(&msg, cm_view_of(label, sizeof label - 1)));
    CM_TRY(cm_buf_byte(&msg, 1));
    CM_TRY(cm_buf_append(&msg, CM_VIEW(ctx)));
    CM_TRY(cm_buf_append(&msg, stanzas));
    return cm_hmac(c, CM_SHA256, mac, CM_VIEW(mac_key.b), cm_buf_view(&msg));
}

/* ---- form ---------------------------------------------------------------------------------- */

static cm_err malformed(cm_err e)
{
    return cm_ok(e) || cm_err_class(e) != CM_CLASS_MALFORMED ? e : CM_FAIL(ENVELOPE_MALFORMED);
}

static cm_err parse(struct parsed *out, cm_view env)
{
    cm_cbor_value v[CM_COUNT(envelope_fields)];
    cm_cbor c;

    if (env.n > CM_ENVELOPE_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(malformed(cm_cbor_open(&c, env, NULL)));
    CM_TRY(malformed(cm_cbor_record(&c, envelope_fields, v, CM_COUNT(v), NULL)));
    CM_TRY(malformed(cm_cbor_end(&c)));
    *out = (struct parsed){v[1].v, v[2].v};
    return CM_OKAY;
}

static cm_err parse_cost(cm_argon2 *out, cm_view v)
{
    uint64_t n, m, t, p;
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, v, NULL));
    CM_TRY(cm_cbor_array(&c, &n));
    if (n != 3)
        return CM_FAIL(ENVELOPE_MALFORMED);
    CM_TRY(cm_cbor_uint(&c, &m));
    CM_TRY(cm_cbor_uint(&c, &t));
    CM_TRY(cm_cbor_uint(&c, &p));
    if (m > UINT32_MAX || t > UINT32_MAX || p > UINT32_MAX)
        return CM_FAIL(ENVELOPE_MALFORMED);
    *out = (cm_argon2){(uint32_t)m, (uint32_t)t, (uint32_t)p};
    return CM_OKAY;
}

/* E-2: the fields of a known kind, no more and no fewer. */
static cm_err check_kind(cm_stanza *st, const cm_cbor_value *v)
{
    const cm_kem_info *kem;

    switch (st->kind) {
    case CM_STANZA_KEM:
        kem = v[3].present && !v[4].present ? cm_kem_info_of(st->number) : NULL;
        if (!kem)
            return v[3].present && !v[4].present ? CM_OKAY : CM_FAIL(ENVELOPE_MALFORMED);
        return st->id.n == 16 && st->body.n == kem->ct + 32u + 16u ? CM_OKAY
                                                                   : CM_FAIL(ENVELOPE_MALFORMED);
    case CM_STANZA_PASSPHRASE:
        if (v[3].present || !v[4].present || st->id.n != 16 || st->body.n != 12 + 32 + 16)
            return CM_FAIL(ENVELOPE_MALFORMED);
        return parse_cost(&st->cost, v[4].v);
    case CM_STANZA_EXTERNAL:
        return v[3].present && !v[4].present ? CM_OKAY : CM_FAIL(ENVELOPE_MALFORMED);
    default:
        return CM_OKAY;
    }
}

static cm_err parse_stanza(cm_stanza *st, cm_cbor *c)
{
    cm_cbor_value v[CM_COUNT(stanza_fields)];

    CM_TRY(cm_cbor_record(c, stanza_fields, v, CM_COUNT(v), NULL));
    *st = (cm_stanza){.kind = v[0].u, .id = v[1].v, .body = v[2].v, .number = (uint32_t)v[3].u};
    return check_kind(st, v);
}

static cm_err parse_stanzas(cm_stanza *list, size_t max, size_t *n, cm_view array)
{
    uint64_t count;
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, array, NULL));
    CM_TRY(cm_cbor_array(&c, &count));
    if (count < 1 || count > CM_STANZAS_MAX) /* E-1 */
        return CM_FAIL(ENVELOPE_MALFORMED);
    if (count > max)
        return CM_FAIL(TOO_BIG);
    for (uint64_t i = 0; i < count; i++)
        CM_TRY(parse_stanza(&list[i], &c));
    *n = (size_t)count;
    return CM_OKAY;
}

cm_err cm_envelope_list(cm_stanza *list, size_t max, size_t *n, cm_view env)
{
    struct parsed p;

    CM_TRY(parse(&p, env));
    return malformed(parse_stanzas(list, max, n, p.stanzas));
}

static cm_err put_stanza(cm_buf *out, const cm_stanza *st)
{
    CM_AUTO(cm_buf_free) cm_buf cost = {.max = 32};
    cm_cbor_value v[CM_COUNT(stanza_fields)] = {
        {.present = true, .u = st->kind},
        {.present = true, .v = st->id},
        {.present = true, .v = st->body},
        {.present = st->kind != CM_STANZA_PASSPHRASE, .u = st->number},
        {.present = st->kind == CM_STANZA_PASSPHRASE},
    };

    CM_TRY(cm_cbor_put_array(&cost, 3));
    CM_TRY(cm_cbor_put_uint(&cost, st->cost.memory_kib));
    CM_TRY(cm_cbor_put_uint(&cost, st->cost.passes));
    CM_TRY(cm_cbor_put_uint(&cost, st->cost.lanes));
    v[4].v = cm_buf_view(&cost);
    return cm_cbor_put_record(out, stanza_fields, v, CM_COUNT(v));
}

/* ---- policy -------------------------------------------------------------------------------- */

/* Strength of a stanza as it stands; false for kinds and KEMs that this build does not know. */
static bool stanza_strength(const cm_stanza *st, cm_strength *s, uint8_t *level)
{
    const cm_kem_info *kem = st->kind == CM_STANZA_KEM ? cm_kem_info_of(st->number) : NULL;

    if (st->kind == CM_STANZA_EXTERNAL) {
        *s = st->number & CM_STANZA_CLASSICAL ? CM_STRENGTH_CLASSICAL : CM_STRENGTH_SYMMETRIC;
        *level = 5;
        return true;
    }
    if (st->kind == CM_STANZA_PASSPHRASE) {
        *s = CM_STRENGTH_SYMMETRIC;
        *level = 5;
        return true;
    }
    if (!kem)
        return false;
    *s = kem->post_quantum ? CM_STRENGTH_PQ : CM_STRENGTH_CLASSICAL;
    *level = kem->nist_level;
    return true;
}

struct mix {
    size_t classical, others;
};

/* E-8, E-9 */
static cm_err admit(struct mix *m, const cm_envelope_policy *p, cm_strength s, uint8_t level)
{
    if (s == CM_STRENGTH_CLASSICAL)
        m->classical++;
    else
        m->others++;
    if (m->classical && m->others)
        return CM_FAIL(ENVELOPE_MIXED);
    if (s == CM_STRENGTH_CLASSICAL)
        return p->allow_classical ? CM_OKAY : CM_FAIL(ENVELOPE_CLASSICAL);
    return level >= p->min_level ? CM_OKAY : CM_FAIL(ENVELOPE_LEVEL);
}

static cm_err admit_stanza(struct mix *m, const cm_envelope_policy *p, const cm_stanza *st)
{
    cm_strength s;
    uint8_t level;

    if (!stanza_strength(st, &s, &level))
        return CM_OKAY;
    if (st->kind == CM_STANZA_PASSPHRASE && !p->allow_passphrase)
        return CM_FAIL(ENVELOPE_PASSPHRASE);
    return admit(m, p, s, level);
}

/* ---- sealing ------------------------------------------------------------------------------- */

static cm_err check_cost(const cm_stanza *st, const cm_envelope_policy *p)
{
    const cm_argon2 *max = p->max_cost.memory_kib ? &p->max_cost : &cost_limit;

    if (st->kind != CM_STANZA_PASSPHRASE)
        return CM_OKAY;
    if (st->cost.memory_kib > max->memory_kib || st->cost.passes > max->passes ||
        st->cost.lanes > max->lanes)
        return CM_FAIL(ENVELOPE_COST);
    if (st->cost.memory_kib < cost_floor.memory_kib || st->cost.passes < cost_floor.passes ||
        st->cost.lanes < cost_floor.lanes)
        return CM_FAIL(ENVELOPE_COST);
    return CM_OKAY;
}

/* What a recipient wrote must read as what it said of itself: a device that forgot to say that its
 * key is classical would otherwise slip past every reader's policy. m has admitted it already. */
static cm_err check_written(const struct mix *m, const cm_envelope_policy *policy, cm_view written)
{
    struct mix again = *m;
    cm_stanza st;
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, written, NULL));
    if (cm_failed(parse_stanza(&st, &c)) || st.kind < CM_STANZA_KEM || st.kind > CM_STANZA_EXTERNAL)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(check_cost(&st, policy));
    return admit_stanza(&again, policy, &st);
}

static cm_err wrap_one(cm_buf *out, struct mix *m, const cm_crypt *c, const cm_key32 *key,
                       const cm_recipient *to, const cm_envelope_policy *policy, cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf written = {.max = STANZA_ENCODED_MAX};
    CM_AUTO(cm_buf_free) cm_buf id = {.max = CM_STANZA_ID_MAX};
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_STANZA_BODY_MAX};
    cm_stanza st = {0};

    CM_TRY(admit(m, policy, to->strength, to->level));
    CM_TRY(to->wrap(to->self, c, &st, &id, &body, key, context));
    st.id = cm_buf_view(&id);
    st.body = cm_buf_view(&body);
    CM_TRY(put_stanza(&written, &st));
    CM_TRY(check_written(m, policy, cm_buf_view(&written)));
    return cm_buf_append(out, cm_buf_view(&written));
}

static cm_err finish(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view stanzas,
                     cm_view context)
{
    uint8_t mac[MAC] = {0};
    cm_cbor_value v[CM_COUNT(envelope_fields)] = {
        {.present = true, .u = VERSION},
        {.present = true, .v = stanzas},
        {.present = true, .v = CM_VIEW(mac)},
    };

    CM_TRY(commitment(c, mac, key, stanzas, context));
    return cm_cbor_put_record(out, envelope_fields, v, CM_COUNT(v));
}

static cm_err keep_stanzas(cm_buf *body, size_t *n, struct mix *m, cm_view old,
                           bool (*keep)(void *, const cm_stanza *), void *arg,
                           const cm_envelope_policy *policy)
{
    struct parsed p;
    uint64_t count;
    cm_cbor c, at;

    CM_TRY(parse(&p, old));
    CM_TRY(cm_cbor_open(&c, p.stanzas, NULL));
    CM_TRY(cm_cbor_array(&c, &count));
    for (uint64_t i = 0; i < count; i++) {
        cm_stanza st;
        cm_view bytes;

        CM_TRY(cm_cbor_skip(&c, &bytes));
        CM_TRY(cm_cbor_open(&at, bytes, NULL));
        CM_TRY(malformed(parse_stanza(&st, &at)));
        if (!keep(arg, &st))
            continue;
        CM_TRY(admit_stanza(m, policy, &st));
        CM_TRY(cm_buf_append(body, bytes)); /* E-11: its bytes as they are */
        ++*n;
    }
    return CM_OKAY;
}

cm_err cm_envelope_reseal(cm_buf *out, const cm_crypt *c, const cm_key32 *key, cm_view old,
                          bool (*keep)(void *, const cm_stanza *), void *arg,
                          const cm_recipient *to, size_t n, const cm_envelope_policy *policy,
                          cm_view context)
{
    CM_AUTO(cm_buf_free) cm_buf body = {.max = CM_ENVELOPE_MAX};
    CM_AUTO(cm_buf_free) cm_buf stanzas = {.max = CM_ENVELOPE_MAX};
    CM_AUTO(cm_buf_free) cm_buf env = {.max = CM_ENVELOPE_MAX};
    struct mix m = {0};
    size_t kept = 0;

    if (keep)
        CM_TRY(keep_stanzas(&body, &kept, &m, old, keep, arg, policy));
    if (kept == 0 && n == 0)
        return CM_FAIL(ENVELOPE_NO_RECIPIENT);
    if (n > CM_STANZAS_MAX - kept)
        return CM_FAIL(ENVELOPE_TOO_MANY);
    for (size_t i = 0; i < n; i++)
        CM_TRY(wrap_one(&body, &m, c, key, &to[i], policy, context));
    CM_TRY(cm_cbor_put_array(&stanzas, kept + n));
    CM_TRY(cm_buf_append(&stanzas, cm_buf_view(&body)));
    CM_TRY(finish(&env, c, key, cm_buf_view(&stanzas), context));
    return cm_buf_append(out, cm_buf_view(&env));
}

cm_err cm_envelope_seal(cm_buf *out, const cm_crypt *c, const cm_key32 *key, const cm_recipient *to,
                        size_t n, const cm_envelope_policy *policy, cm_view context)
{
    return cm_envelope_reseal(out, c, key, (cm_view){0}, NULL, NULL, to, n, policy, context);
}

/* ---- opening ------------------------------------------------------------------------------- */

struct opening {
    const cm_crypt *crypt;
    const cm_opener *openers;
    size_t openers_n;
    const cm_envelope_policy *policy;
    cm_view context;
};

/* Any stanza but a passphrase's names its key, so the first that names one of ours decides, and
 * failing there is final (E-10). */
static cm_err unwrap_named(cm_key32 *key, bool *found, const struct opening *a,
                           const cm_stanza *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < a->openers_n && list[i].kind != CM_STANZA_PASSPHRASE; k++) {
            const cm_opener *o = &a->openers[k];

            CM_TRY(o->claims(o->self, a->crypt, &list[i], found));
            if (*found)
                return o->unwrap(o->self, a->crypt, key, &list[i], a->context);
        }
    return CM_OKAY;
}

static bool wrong_passphrase(cm_err e)
{
    return cm_err_class(e) == CM_CLASS_UNAUTHENTIC;
}

/* Everyone who claims st tries it. *tried says whether anyone did. */
static cm_err unwrap_phrase(cm_key32 *key, bool *tried, const struct opening *a,
                            const cm_stanza *st)
{
    cm_err e = CM_OKAY;

    for (size_t k = 0; k < a->openers_n; k++) {
        const cm_opener *o = &a->openers[k];
        bool claims = false;

        CM_TRY(o->claims(o->self, a->crypt, st, &claims));
        if (!claims)
            continue;
        *tried = true;
        CM_TRY(check_cost(st, a->policy)); /* E-6 */
        e = o->unwrap(o->self, a->crypt, key, st, a->context);
        if (!wrong_passphrase(e))
            return e;
    }
    return e;
}

/* Passphrase stanzas can't be told apart, so a wrong one is passed over; at most 4: E-6. */
static cm_err unwrap_phrases(cm_key32 *key, const struct opening *a, const cm_stanza *list,
                             size_t n)
{
    cm_err last = CM_FAIL(ENVELOPE_NOT_FOR_US);
    unsigned tries = 0;

    for (size_t i = 0; i < n && tries < 4; i++) {
        bool tried = false;
        cm_err e;

        if (list[i].kind != CM_STANZA_PASSPHRASE)
            continue;
        e = unwrap_phrase(key, &tried, a, &list[i]);
        if (!tried && cm_ok(e))
            continue;
        if (!wrong_passphrase(e))
            return e;
        last = e;
        tries++;
    }
    return last;
}

static cm_err unwrap_any(cm_key32 *key, const struct opening *a, const cm_stanza *list, size_t n)
{
    bool found = false;

    CM_TRY(unwrap_named(key, &found, a, list, n));
    return found ? CM_OKAY : unwrap_phrases(key, a, list, n);
}

cm_err cm_envelope_open(cm_key32 *key, const cm_crypt *c, cm_view env, const cm_opener *o, size_t n,
                        const cm_envelope_policy *policy, cm_view context)
{
    CM_AUTO(cm_key32_wipe) cm_key32 got = {{0}};
    CM_AUTO(cm_free_ptr) cm_stanza *list = NULL;
    uint8_t mac[MAC];
    const struct opening a = {c, o, n, policy, context};
    struct parsed p;
    struct mix m = {0};
    size_t count;

    CM_TRY(cm_alloc_array(&list, CM_STANZAS_MAX, sizeof *list));
    CM_TRY(parse(&p, env));
    CM_TRY(malformed(parse_stanzas(list, CM_STANZAS_MAX, &count, p.stanzas)));
    for (size_t i = 0; i < count; i++)
        CM_TRY(admit_stanza(&m, policy, &list[i])); /* E-10 */
    CM_TRY(unwrap_any(&got, &a, list, count));
    CM_TRY(commitment(c, mac, &got, p.stanzas, context));
    if (!cm_ct_equal(CM_VIEW(mac), p.mac)) /* E-7 */
        return CM_FAIL(ENVELOPE_COMMITMENT);
    *key = got;
    return CM_OKAY;
}
