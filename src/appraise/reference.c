/* Manifests of reference values: a policy's measurements by themselves, signed and with an end. */
#include <stdio.h>

#include "appraise/policy_int.h"
#include "appraise/reference_int.h"
#include "codec/cbor.h"

static const char format[] = "casemate-reference/1";
static const char context[] = "casemate-reference-v1";

enum { RULE_MAX = 256, SPKI_MAX = 4096, BODY_MAX = CM_REFERENCE_FILE_MAX };

#define TIME_MAX (UINT64_C(1) << 40)

/* AP-44 */
static const cm_cbor_field outer[] = {
    {0, CM_CBOR_TEXT, true, sizeof format - 1, sizeof format - 1},
    {1, CM_CBOR_BYTES, true, 1, BODY_MAX},
    {2, CM_CBOR_BYTES, true, 32, SPKI_MAX},
    {3, CM_CBOR_BYTES, true, 1, CM_SIG_MAX},
};

static const cm_cbor_field body[] = {
    {0, CM_CBOR_TEXT, true, 1, CM_REFERENCE_NAME - 1},
    {1, CM_CBOR_UINT, true, 1, UINT32_MAX},
    {2, CM_CBOR_UINT, true, 1, TIME_MAX}, /* issued */
    {3, CM_CBOR_UINT, true, 1, TIME_MAX}, /* expires */
    {4, CM_CBOR_ARRAY, true, 1, BODY_MAX},
};

static const cm_cbor_field item[] = {
    {0, CM_CBOR_TEXT, true, 1, 32}, /* kind */
    {1, CM_CBOR_BYTES, true, 20, 64},
    {2, CM_CBOR_TEXT, true, 1, CM_REFERENCE_NAME - 1},
    {3, CM_CBOR_TEXT, true, 1, CM_REFERENCE_FROM - 1},
    {4, CM_CBOR_UINT, false, 1, TIME_MAX}, /* until */
};

void cm_reference_free(cm_reference *r)
{
    cm_free(r);
}

void cm_reference_free_ptr(cm_reference **r)
{
    cm_reference_free(*r);
}

bool cm_reference_key_fits(const cm_sig_key *k)
{
    cm_sig_id id = k ? cm_sig_key_info(k)->id : CM_SIG_P256;

    return id == CM_SIG_MLDSA65 || id == CM_SIG_MLDSA87;
}

/* AP-45 */
cm_err cm_reference_valid(const cm_reference *r, uint64_t now)
{
    if ((r->not_before && now < r->not_before) || (r->expires && now >= r->expires))
        return CM_FAIL(REFERENCE_EXPIRED);
    return CM_OKAY;
}

/* ---- writing -------------------------------------------------------------------------------- */

static cm_err put_item(cm_buf *out, cm_attest_kind kind, const cm_policy_measurement *m)
{
    cm_cbor_value v[CM_COUNT(item)] = {
        {true, 0, cm_view_str(cm_attest_kind_name(kind))},
        {true, 0, m->value},
        {true, 0, cm_view_str(m->name)},
        {true, 0, cm_view_str(m->provenance)},
        {m->until > 0, m->until, {NULL, 0}},
    };

    return cm_cbor_put_record(out, item, v, CM_COUNT(item));
}

static cm_err put_items(cm_buf *out, const cm_policy *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_rules; i++)
        n += p->rule[i].n_measurements;
    if (n == 0)
        return CM_FAIL(REFERENCE_NONE);
    if (n > CM_REFERENCE_VALUES)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_cbor_put_array(out, n));
    for (size_t i = 0; i < p->n_rules; i++)
        for (size_t j = 0; j < p->rule[i].n_measurements; j++)
            CM_TRY(put_item(out, p->rule[i].kind, &p->rule[i].measurement[j]));
    return CM_OKAY;
}

static cm_err put_body(cm_buf *out, const cm_policy *p, uint64_t issued, uint64_t expires)
{
    CM_AUTO(cm_buf_free) cm_buf items = {.max = BODY_MAX};
    cm_cbor_value v[CM_COUNT(body)] = {
        {true, 0, cm_view_str(p->name)}, {true, p->version, {NULL, 0}}, {true, issued, {NULL, 0}},
        {true, expires, {NULL, 0}},      {true, 0, {NULL, 0}},
    };

    CM_TRY(put_items(&items, p));
    v[4].v = cm_buf_view(&items);
    return cm_cbor_put_record(out, body, v, CM_COUNT(body));
}

cm_err cm_manifest_sign(cm_buf *out, const cm_pkey *key, const cm_policy *p, uint64_t issued,
                        uint64_t expires)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = BODY_MAX};
    CM_AUTO(cm_buf_free) cm_buf spki = {.max = SPKI_MAX};
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = CM_SIG_MAX};
    const cm_sig_key *k = cm_pkey_sig(key);
    cm_cbor_value v[CM_COUNT(outer)] = {{true, 0, cm_view_str(format)}};

    if (!cm_reference_key_fits(k) || !cm_sig_has_private(k))
        return CM_FAIL(POLICY_SIGNER);
    if (expires <= issued || strlen(p->name) >= CM_REFERENCE_NAME)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(put_body(&text, p, issued, expires));
    CM_TRY(cm_pkey_public_der(&spki, key));
    CM_TRY(cm_buf_reserve(&sig, cm_sig_key_info(k)->sig));
    CM_TRY(cm_sign(k, sig.p, cm_view_str(context), cm_buf_view(&text)));
    sig.n = cm_sig_key_info(k)->sig;
    v[1] = (cm_cbor_value){true, 0, cm_buf_view(&text)};
    v[2] = (cm_cbor_value){true, 0, cm_buf_view(&spki)};
    v[3] = (cm_cbor_value){true, 0, cm_buf_view(&sig)};
    return cm_cbor_put_record(out, outer, v, CM_COUNT(outer));
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool plain(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] < 0x20 || v.p[i] == 0x7f)
            return false;
    return true;
}

static void copy_text(char *out, cm_view v)
{
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
}

static cm_err take_item(cm_reference *r, cm_cbor *c)
{
    cm_reference_value *out = &r->v[r->n];
    cm_cbor_value v[CM_COUNT(item)];

    if (cm_failed(cm_cbor_record(c, item, v, CM_COUNT(item), NULL)))
        return CM_FAIL(REFERENCE_FORM);
    if (r->n == CM_REFERENCE_VALUES)
        return CM_FAIL(TOO_BIG);
    out->kind = cm_attest_kind_of(v[0].v);
    if (out->kind == CM_ATTEST_UNKNOWN || !plain(v[2].v) || !plain(v[3].v))
        return CM_FAIL(REFERENCE_FORM);
    memcpy(out->value, v[1].v.p, v[1].v.n);
    out->n = v[1].v.n;
    copy_text(out->name, v[2].v);
    copy_text(out->from, v[3].v);
    out->until = v[4].present ? CM_MIN(v[4].u, r->expires) : r->expires; /* AP-45 */
    r->n++;
    return CM_OKAY;
}

static cm_err take_body(cm_reference *r, cm_view text)
{
    cm_cbor_value v[CM_COUNT(body)];
    uint64_t n = 0;
    cm_cbor c;

    if (cm_failed(cm_cbor_whole(text, body, v, CM_COUNT(body))) || v[3].u <= v[2].u ||
        !plain(v[0].v))
        return CM_FAIL(REFERENCE_FORM);
    copy_text(r->name, v[0].v);
    r->version = v[1].u;
    r->issued = v[2].u;
    r->not_before = v[2].u;
    r->expires = v[3].u;
    if (cm_failed(cm_cbor_open(&c, v[4].v, NULL)) || cm_failed(cm_cbor_array(&c, &n)) || n == 0)
        return CM_FAIL(REFERENCE_FORM);
    for (uint64_t i = 0; i < n; i++)
        CM_TRY(take_item(r, &c));
    return cm_ok(cm_cbor_end(&c)) ? CM_OKAY : CM_FAIL(REFERENCE_FORM);
}

bool cm_manifest_is(cm_view v)
{
    cm_view head = CM_LIT("\xa4\x00\x74"
                          "casemate-reference/");

    return v.n > head.n && cm_view_eq(cm_view_sub(v, 0, head.n), head);
}

cm_err cm_manifest_read(cm_reference **out, const cm_crypt *c, cm_view file)
{
    CM_AUTO(cm_reference_free_ptr) cm_reference *r = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    cm_cbor_value v[CM_COUNT(outer)];

    if (file.n > CM_REFERENCE_FILE_MAX + SPKI_MAX + CM_SIG_MAX ||
        cm_failed(cm_cbor_whole(file, outer, v, CM_COUNT(outer))) ||
        !cm_view_eq(v[0].v, cm_view_str(format)))
        return CM_FAIL(REFERENCE_FORM);
    if (cm_failed(cm_pkey_from_spki(&key, c, v[2].v)) || !cm_reference_key_fits(cm_pkey_sig(key)))
        return CM_FAIL(REFERENCE_FORM);
    CM_TRY(cm_verify(cm_pkey_sig(key), cm_view_str(context), v[1].v, v[3].v));
    CM_TRY(cm_alloc(&r, sizeof *r));
    CM_TRY(take_body(r, v[1].v));
    CM_TRY(cm_pkey_fingerprint(r->signer, c, key));
    r->is_signed = true;
    *out = r;
    r = NULL;
    return CM_OKAY;
}

/* ---- under a policy ------------------------------------------------------------------------- */

static bool refers(const cm_policy *p, const cm_reference *r)
{
    for (size_t i = 0; i < p->n_references; i++) {
        const cm_policy_reference *f = &p->reference[i];

        if (cm_view_eq(cm_view_str(f->name), cm_view_str(r->name)) &&
            cm_view_eq(CM_VIEW(f->signer), CM_VIEW(r->signer)) && r->version >= f->version)
            return true;
    }
    return false;
}

static size_t count_of(const cm_reference *r, cm_attest_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++)
        n += r->v[i].kind == kind;
    return n;
}

static cm_err extend(cm_policy *p, cm_policy_rule *rule, const cm_reference *r)
{
    size_t more = count_of(r, rule->kind);
    cm_policy_measurement *list = NULL;

    if (more == 0)
        return CM_OKAY;
    if (rule->n_measurements + more > RULE_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_policy_get(p, &list, rule->n_measurements + more, sizeof *list));
    for (size_t i = 0; i < rule->n_measurements; i++)
        list[i] = rule->measurement[i];
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].kind == rule->kind)
            list[rule->n_measurements++] = (cm_policy_measurement){
                .value = cm_view_of(r->v[i].value, r->v[i].n),
                .name = r->v[i].name,
                .provenance = r->v[i].from,
                .until = r->v[i].until,
            };
    rule->measurement = list;
    return CM_OKAY;
}

/* AP-46, AP-47 */
cm_err cm_policy_refer(cm_policy *p, const cm_reference *r, uint64_t now)
{
    if (!r->is_signed || r->version == 0 || !refers(p, r))
        return CM_FAIL(REFERENCE_SIGNER);
    CM_TRY(cm_reference_valid(r, now));
    for (size_t i = 0; i < p->n_rules; i++)
        if (p->rule[i].by_reference)
            CM_TRY(extend(p, &p->rule[i], r));
    return CM_OKAY;
}

cm_err cm_policy_referred(cm_policy **out, const cm_policy *p, cm_reference *const *r, size_t n,
                          uint64_t now)
{
    CM_AUTO(cm_policy_free_ptr) cm_policy *q = NULL;

    CM_TRY(cm_alloc(&q, sizeof *q));
    *q = *p;
    q->memory = NULL; /* what p points at stays p's */
    CM_TRY(cm_alloc(&q->memory, sizeof *q->memory));
    for (size_t i = 0; i < n; i++) {
        cm_err e = cm_policy_refer(q, r[i], now);

        if (!cm_is(e, CM_REFERENCE_SIGNER) && !cm_is(e, CM_REFERENCE_EXPIRED))
            CM_TRY(e);
    }
    *out = q;
    q = NULL;
    return CM_OKAY;
}
