/* The claims of a result token in JSON: members in the order of their names, no spaces. */
#include "codec/json.h"
#include "codec/text.h"
#include "release/ear_int.h"

enum { NODES = 256, DEPTH = 6, VALUE_MAX = 2200 };

/* ---- writing ------------------------------------------------------------------------------- */

static cm_err put_bytes(cm_json_writer *w, const char *name, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = VALUE_MAX};

    CM_TRY(cm_base64_encode(&text, v, true));
    cm_json_put_text(w, name, cm_buf_view(&text));
    return CM_OKAY;
}

static cm_err put_casemate(cm_json_writer *w, const cm_ear *e)
{
    const cm_ear_bound *b = &e->bound;

    cm_json_begin_object(w, "casemate");
    CM_TRY(put_bytes(w, "boot", CM_VIEW(b->boot)));
    if (b->manifest_n)
        CM_TRY(put_bytes(w, "manifest", cm_view_of(b->manifest, b->manifest_n)));
    cm_json_begin_object(w, "policy");
    CM_TRY(put_bytes(w, "digest", CM_VIEW(b->digest)));
    cm_json_put_text(w, "name", cm_view_str(b->policy));
    cm_json_put_u64(w, "version", b->version);
    cm_json_end_object(w);
    cm_json_put_u64(w, "tier", e->tier);
    cm_json_end_object(w);
    return CM_OKAY;
}

static cm_err put_holder(cm_json_writer *w, const cm_ear_bound *b)
{
    const char *alg = cm_ear_kem_name(b->kem);

    cm_json_begin_object(w, "cnf");
    if (b->key_n) {
        cm_json_begin_object(w, "jwk");
        cm_json_put_text(w, "alg", cm_view_str(alg ? alg : ""));
        cm_json_put_text(w, "kty", CM_LIT("AKP"));
        CM_TRY(put_bytes(w, "pub", cm_view_of(b->key, b->key_n)));
        cm_json_end_object(w);
    }
    if (b->has_tls)
        CM_TRY(put_bytes(w, "spki-sha256", CM_VIEW(b->tls)));
    cm_json_end_object(w);
    return CM_OKAY;
}

static cm_err put_sub(cm_json_writer *w, const cm_ear *e, const cm_ear_sub *s)
{
    CM_AUTO(cm_buf_free) cm_buf id = {.max = 128};

    CM_TRY(cm_ear_policy_id(&id, &e->bound));
    cm_json_begin_object(w, s->name);
    cm_json_begin_array(w, "ear_appraisal_policy_ids");
    cm_json_put_text(w, NULL, cm_buf_view(&id));
    cm_json_end_array(w);
    cm_json_put_text(w, "ear_status", cm_view_str(cm_trust_tier_name(cm_trust_status(&s->trust))));
    cm_json_begin_object(w, "ear_trustworthiness_vector");
    for (unsigned i = 0; i < CM_TRUST_COUNT; i++)
        if (s->trust.claim[i])
            cm_json_put_u64(w, cm_trust_claim_name((cm_trust_claim)i), s->trust.claim[i]);
    cm_json_end_object(w);
    cm_json_end_object(w);
    return CM_OKAY;
}

cm_err cm_ear_json_put(cm_buf *out, const cm_ear *e)
{
    cm_json_writer w = {.out = out};

    cm_json_begin_object(&w, NULL);
    CM_TRY(put_casemate(&w, e));
    CM_TRY(put_holder(&w, &e->bound));
    cm_json_begin_object(&w, "ear_verifier_id");
    cm_json_put_text(&w, "build", cm_view_str(e->build));
    cm_json_put_text(&w, "developer", CM_LIT(CM_EAR_DEVELOPER));
    cm_json_end_object(&w);
    CM_TRY(put_bytes(&w, "eat_nonce", CM_VIEW(e->nonce)));
    cm_json_put_text(&w, "eat_profile", CM_LIT(CM_EAR_PROFILE));
    cm_json_put_u64(&w, "exp", e->expires);
    cm_json_put_u64(&w, "iat", e->issued);
    cm_json_put_text(&w, "iss", cm_view_str(e->issuer));
    CM_TRY(put_bytes(&w, "jti", CM_VIEW(e->id)));
    cm_json_begin_object(&w, "submods");
    for (size_t i = 0; i < e->n; i++)
        CM_TRY(put_sub(&w, e, &e->sub[i]));
    cm_json_end_object(&w);
    cm_json_end_object(&w);
    return cm_json_finish(&w);
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool get_text(char *out, size_t max, const cm_json_node *obj, const char *name)
{
    cm_view v;

    return cm_ok(cm_json_string(cm_json_get(obj, name), &v)) && cm_ear_text(out, max, v);
}

/* At most max bytes; *n how many. */
static bool get_some(uint8_t *out, size_t *n, size_t max, const cm_json_node *obj, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = max};
    cm_view v;

    if (cm_failed(cm_json_string(cm_json_get(obj, name), &v)) ||
        cm_failed(cm_base64_decode(&b, v, true)) || b.n == 0)
        return false;
    memcpy(out, b.p, b.n);
    *n = b.n;
    return true;
}

static bool get_bytes(uint8_t *out, size_t n, const cm_json_node *obj, const char *name)
{
    size_t got = 0;

    return get_some(out, &got, n, obj, name) && got == n;
}

static bool get_u64(uint64_t *out, const cm_json_node *obj, const char *name, uint64_t max)
{
    return cm_ok(cm_json_u64(cm_json_get(obj, name), out)) && *out <= max;
}

static bool read_casemate(cm_ear *e, const cm_json_node *obj)
{
    const cm_json_node *policy = cm_json_get(obj, "policy");
    cm_ear_bound *b = &e->bound;
    uint64_t tier = 0;

    if (cm_json_get(obj, "manifest") &&
        !get_some(b->manifest, &b->manifest_n, CM_EAR_MANIFEST_MAX, obj, "manifest"))
        return false;
    e->tier = get_u64(&tier, obj, "tier", CM_POLICY_TIERS - 1) ? (unsigned)tier : UINT32_MAX;
    return e->tier != UINT32_MAX && get_bytes(b->boot, sizeof b->boot, obj, "boot") &&
           get_bytes(b->digest, sizeof b->digest, policy, "digest") &&
           get_text(b->policy, CM_EAR_TEXT, policy, "name") &&
           get_u64(&b->version, policy, "version", INT64_MAX);
}

static bool read_holder(cm_ear_bound *b, const cm_json_node *cnf)
{
    const cm_json_node *jwk = cm_json_get(cnf, "jwk");
    const cm_kem_info *info;
    cm_view alg;

    if (cm_json_get(cnf, "spki-sha256")) {
        if (!get_bytes(b->tls, sizeof b->tls, cnf, "spki-sha256"))
            return false;
        b->has_tls = true;
    }
    if (!jwk)
        return true;
    if (cm_failed(cm_json_string(cm_json_get(jwk, "alg"), &alg)))
        return false;
    b->kem = cm_ear_kem_of(alg);
    info = cm_kem_info_of(b->kem);
    return info && get_some(b->key, &b->key_n, sizeof b->key, jwk, "pub") && b->key_n == info->pk;
}

static bool read_sub(cm_ear *e, const cm_json_node *obj)
{
    const cm_json_node *vector = cm_json_get(obj, "ear_trustworthiness_vector");
    cm_ear_sub *s = &e->sub[e->n];

    if (e->n == CM_RCAR_PIECES || !cm_ear_text(s->name, sizeof s->name - 1, cm_json_key(obj)))
        return false;
    for (unsigned i = 0; i < CM_TRUST_COUNT; i++) {
        const char *name = cm_trust_claim_name((cm_trust_claim)i);
        uint64_t v = 0;

        if (cm_json_get(vector, name) && !get_u64(&v, vector, name, INT8_MAX))
            return false;
        s->trust.claim[i] = (uint8_t)v;
    }
    e->n++;
    return true;
}

static bool read_subs(cm_ear *e, const cm_json_node *obj)
{
    for (const cm_json_node *s = cm_json_first(obj); s; s = cm_json_next(s))
        if (!read_sub(e, s))
            return false;
    return e->n > 0;
}

static bool read_all(cm_ear *e, const cm_json_node *root)
{
    return read_casemate(e, cm_json_get(root, "casemate")) &&
           read_holder(&e->bound, cm_json_get(root, "cnf")) &&
           get_text(e->build, CM_EAR_TEXT, cm_json_get(root, "ear_verifier_id"), "build") &&
           get_bytes(e->nonce, sizeof e->nonce, root, "eat_nonce") &&
           get_u64(&e->expires, root, "exp", INT64_MAX) &&
           get_u64(&e->issued, root, "iat", INT64_MAX) &&
           get_text(e->issuer, CM_EAR_TEXT, root, "iss") &&
           get_bytes(e->id, sizeof e->id, root, "jti") &&
           read_subs(e, cm_json_get(root, "submods"));
}

cm_err cm_ear_json_read(cm_ear *out, cm_view text)
{
    static const cm_json_limits limits = {CM_EAR_MAX, NODES, DEPTH, CM_EAR_MAX};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_ear e = {.n = 0};
    cm_err err = cm_json_parse(&j, text, &limits, NULL);

    if (cm_failed(err))
        return cm_is(err, CM_NO_MEMORY) ? err : CM_FAIL(TOKEN_FORM);
    if (!read_all(&e, cm_json_root(j)))
        return CM_FAIL(TOKEN_FORM);
    *out = e;
    return CM_OKAY;
}
