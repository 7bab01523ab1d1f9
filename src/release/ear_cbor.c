/* The claims of a result token in deterministic CBOR. */
#include "codec/cbor.h"
#include "codec/text.h"
#include "release/ear_int.h"

/* CWT's, EAT's and EAR's numbers (RL-20), and ours among the private ones. */
enum {
    ISS = 1,
    EXP = 4,
    IAT = 6,
    CTI = 7,
    CNF = 8,
    NONCE = 10,
    PROFILE = 265,
    SUBMODS = 266,
    VERIFIER_ID = 1004,
    CASEMATE = -70001,
    CLAIMS = 10,
    STATUS = 1000,
    VECTOR = 1001,
    POLICY_IDS = 1003,
    CNF_KEY = 1,
    CNF_SPKI = -70002,
    KEY_KTY = 1,
    KEY_ALG = 3,
    KEY_PUB = -1,
    KTY_AKP = 7,
};

enum { B_BOOT, B_MANIFEST, B_DIGEST, B_NAME, B_VERSION, B_TIER, B_FIELDS };

static const cm_cbor_field own[B_FIELDS] = {
    {B_BOOT, CM_CBOR_BYTES, true, CM_BOOT_ID, CM_BOOT_ID},
    {B_MANIFEST, CM_CBOR_BYTES, false, 1, CM_EAR_MANIFEST_MAX},
    {B_DIGEST, CM_CBOR_BYTES, true, 32, 32},
    {B_NAME, CM_CBOR_TEXT, true, 1, CM_EAR_TEXT},
    {B_VERSION, CM_CBOR_UINT, true, 0, INT64_MAX},
    {B_TIER, CM_CBOR_UINT, true, 0, CM_POLICY_TIERS - 1},
};

enum { V_DEVELOPER, V_BUILD, V_FIELDS };

static const cm_cbor_field verifier[V_FIELDS] = {
    {V_DEVELOPER, CM_CBOR_TEXT, true, 1, CM_EAR_TEXT},
    {V_BUILD, CM_CBOR_TEXT, true, 1, CM_EAR_TEXT},
};

/* ---- writing ------------------------------------------------------------------------------- */

static cm_err put_head(cm_buf *b, const cm_ear *e)
{
    CM_TRY(cm_cbor_put_map(b, CLAIMS));
    CM_TRY(cm_cbor_put_uint(b, ISS));
    CM_TRY(cm_cbor_put_text(b, cm_view_str(e->issuer)));
    CM_TRY(cm_cbor_put_uint(b, EXP));
    CM_TRY(cm_cbor_put_uint(b, e->expires));
    CM_TRY(cm_cbor_put_uint(b, IAT));
    CM_TRY(cm_cbor_put_uint(b, e->issued));
    CM_TRY(cm_cbor_put_uint(b, CTI));
    return cm_cbor_put_bytes(b, CM_VIEW(e->id));
}

static cm_err put_holder(cm_buf *b, const cm_ear_bound *h)
{
    const char *alg = cm_ear_kem_name(h->kem);

    CM_TRY(cm_cbor_put_uint(b, CNF));
    CM_TRY(cm_cbor_put_map(b, (h->key_n != 0) + (uint64_t)h->has_tls));
    if (h->key_n) {
        CM_TRY(cm_cbor_put_uint(b, CNF_KEY));
        CM_TRY(cm_cbor_put_map(b, 3));
        CM_TRY(cm_cbor_put_uint(b, KEY_KTY));
        CM_TRY(cm_cbor_put_uint(b, KTY_AKP));
        CM_TRY(cm_cbor_put_uint(b, KEY_ALG));
        CM_TRY(cm_cbor_put_text(b, cm_view_str(alg ? alg : "")));
        CM_TRY(cm_cbor_put_int(b, KEY_PUB));
        CM_TRY(cm_cbor_put_bytes(b, cm_view_of(h->key, h->key_n)));
    }
    if (!h->has_tls)
        return CM_OKAY;
    CM_TRY(cm_cbor_put_int(b, CNF_SPKI));
    return cm_cbor_put_bytes(b, CM_VIEW(h->tls));
}

static cm_err put_vector(cm_buf *b, const cm_trust *t)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < CM_TRUST_COUNT; i++)
        n += t->claim[i] != 0;
    CM_TRY(cm_cbor_put_map(b, n));
    for (unsigned i = 0; i < CM_TRUST_COUNT; i++)
        if (t->claim[i]) {
            CM_TRY(cm_cbor_put_uint(b, i));
            CM_TRY(cm_cbor_put_uint(b, t->claim[i]));
        }
    return CM_OKAY;
}

static cm_err put_sub(cm_buf *b, const cm_ear *e, const cm_ear_sub *s)
{
    CM_AUTO(cm_buf_free) cm_buf id = {.max = 128};

    CM_TRY(cm_ear_policy_id(&id, &e->bound));
    CM_TRY(cm_cbor_put_text(b, cm_view_str(s->name)));
    CM_TRY(cm_cbor_put_map(b, 3));
    CM_TRY(cm_cbor_put_uint(b, STATUS));
    CM_TRY(cm_cbor_put_uint(b, cm_trust_status(&s->trust)));
    CM_TRY(cm_cbor_put_uint(b, VECTOR));
    CM_TRY(put_vector(b, &s->trust));
    CM_TRY(cm_cbor_put_uint(b, POLICY_IDS));
    CM_TRY(cm_cbor_put_array(b, 1));
    return cm_cbor_put_text(b, cm_buf_view(&id));
}

static cm_err put_verifier(cm_buf *b, const cm_ear *e)
{
    const cm_cbor_value v[V_FIELDS] = {
        [V_DEVELOPER] = {.present = true, .v = CM_LIT(CM_EAR_DEVELOPER)},
        [V_BUILD] = {.present = true, .v = cm_view_str(e->build)},
    };

    CM_TRY(cm_cbor_put_uint(b, VERIFIER_ID));
    return cm_cbor_put_record(b, verifier, v, V_FIELDS);
}

static cm_err put_casemate(cm_buf *b, const cm_ear *e)
{
    const cm_ear_bound *h = &e->bound;
    const cm_cbor_value v[B_FIELDS] = {
        [B_BOOT] = {.present = true, .v = CM_VIEW(h->boot)},
        [B_MANIFEST] = {.present = h->manifest_n != 0, .v = cm_view_of(h->manifest, h->manifest_n)},
        [B_DIGEST] = {.present = true, .v = CM_VIEW(h->digest)},
        [B_NAME] = {.present = true, .v = cm_view_str(h->policy)},
        [B_VERSION] = {.present = true, .u = h->version},
        [B_TIER] = {.present = true, .u = e->tier},
    };

    CM_TRY(cm_cbor_put_int(b, CASEMATE));
    return cm_cbor_put_record(b, own, v, B_FIELDS);
}

cm_err cm_ear_cbor_put(cm_buf *out, const cm_ear *e)
{
    CM_TRY(put_head(out, e));
    CM_TRY(put_holder(out, &e->bound));
    CM_TRY(cm_cbor_put_uint(out, NONCE));
    CM_TRY(cm_cbor_put_bytes(out, CM_VIEW(e->nonce)));
    CM_TRY(cm_cbor_put_uint(out, PROFILE));
    CM_TRY(cm_cbor_put_text(out, CM_LIT(CM_EAR_PROFILE)));
    CM_TRY(cm_cbor_put_uint(out, SUBMODS));
    CM_TRY(cm_cbor_put_map(out, e->n));
    for (size_t i = 0; i < e->n; i++)
        CM_TRY(put_sub(out, e, &e->sub[i]));
    CM_TRY(put_verifier(out, e));
    return put_casemate(out, e);
}

/* ---- reading ------------------------------------------------------------------------------- */
/* Loose where writing again is strict: whatever stands in another place or is another value differs
 * from what is written of it. */

static bool key_is(cm_cbor *c, int64_t want)
{
    int64_t k = 0;

    return cm_ok(cm_cbor_int(c, &k)) && k == want;
}

static bool get_bytes(uint8_t *out, size_t n, cm_cbor *c)
{
    cm_view v;

    return cm_ok(cm_cbor_bytes(c, &v)) && cm_ear_bytes(out, n, v);
}

static bool get_text(char *out, size_t max, cm_cbor *c)
{
    cm_view v;

    return cm_ok(cm_cbor_text(c, &v)) && cm_ear_text(out, max, v);
}

static bool read_head(cm_ear *e, cm_cbor *c)
{
    uint64_t n = 0;

    return cm_ok(cm_cbor_map(c, &n)) && n == CLAIMS && key_is(c, ISS) &&
           get_text(e->issuer, CM_EAR_TEXT, c) && key_is(c, EXP) &&
           cm_ok(cm_cbor_uint(c, &e->expires)) && key_is(c, IAT) &&
           cm_ok(cm_cbor_uint(c, &e->issued)) && key_is(c, CTI) &&
           get_bytes(e->id, sizeof e->id, c) && e->expires <= INT64_MAX && e->issued <= INT64_MAX;
}

static bool read_key(cm_ear_bound *h, cm_cbor *c)
{
    const cm_kem_info *info;
    cm_view alg, key;
    uint64_t n = 0;

    if (cm_failed(cm_cbor_map(c, &n)) || n != 3 || !key_is(c, KEY_KTY) || !key_is(c, KTY_AKP) ||
        !key_is(c, KEY_ALG) || cm_failed(cm_cbor_text(c, &alg)) || !key_is(c, KEY_PUB) ||
        cm_failed(cm_cbor_bytes(c, &key)))
        return false;
    h->kem = cm_ear_kem_of(alg);
    info = cm_kem_info_of(h->kem);
    if (!info || !cm_ear_bytes(h->key, info->pk, key))
        return false;
    h->key_n = key.n;
    return true;
}

static bool read_holder(cm_ear_bound *h, cm_cbor *c)
{
    uint64_t n = 0;

    if (!key_is(c, CNF) || cm_failed(cm_cbor_map(c, &n)) || n > 2)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        int64_t k = 0;

        if (cm_failed(cm_cbor_int(c, &k)))
            return false;
        if (k == CNF_SPKI)
            h->has_tls = get_bytes(h->tls, sizeof h->tls, c);
        if (k == CNF_SPKI ? !h->has_tls : k != CNF_KEY || !read_key(h, c))
            return false;
    }
    return true;
}

static bool read_vector(cm_trust *t, cm_cbor *c)
{
    uint64_t n = 0;

    if (cm_failed(cm_cbor_map(c, &n)))
        return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t k = 0, v = 0;

        if (cm_failed(cm_cbor_uint(c, &k)) || cm_failed(cm_cbor_uint(c, &v)) ||
            k >= CM_TRUST_COUNT || v > INT8_MAX)
            return false;
        t->claim[k] = (uint8_t)v;
    }
    return true;
}

static bool read_sub(cm_ear_sub *s, cm_cbor *c)
{
    uint64_t n = 0, status = 0, ids = 0;
    cm_view id;

    return get_text(s->name, sizeof s->name - 1, c) && cm_ok(cm_cbor_map(c, &n)) && n == 3 &&
           key_is(c, STATUS) && cm_ok(cm_cbor_uint(c, &status)) && key_is(c, VECTOR) &&
           read_vector(&s->trust, c) && key_is(c, POLICY_IDS) && cm_ok(cm_cbor_array(c, &ids)) &&
           ids == 1 && cm_ok(cm_cbor_text(c, &id));
}

static bool read_subs(cm_ear *e, cm_cbor *c)
{
    uint64_t n = 0;

    if (!key_is(c, SUBMODS) || cm_failed(cm_cbor_map(c, &n)) || n == 0 || n > CM_RCAR_PIECES)
        return false;
    for (e->n = 0; e->n < n; e->n++)
        if (!read_sub(&e->sub[e->n], c))
            return false;
    return true;
}

static bool read_casemate(cm_ear *e, cm_cbor *c)
{
    cm_cbor_value v[B_FIELDS];
    cm_ear_bound *h = &e->bound;

    if (!key_is(c, CASEMATE) || cm_failed(cm_cbor_record(c, own, v, B_FIELDS, NULL)))
        return false;
    memcpy(h->boot, v[B_BOOT].v.p, sizeof h->boot);
    memcpy(h->digest, v[B_DIGEST].v.p, sizeof h->digest);
    if (v[B_MANIFEST].present) {
        memcpy(h->manifest, v[B_MANIFEST].v.p, v[B_MANIFEST].v.n);
        h->manifest_n = v[B_MANIFEST].v.n;
    }
    h->version = v[B_VERSION].u;
    e->tier = (unsigned)v[B_TIER].u;
    return cm_ear_text(h->policy, CM_EAR_TEXT, v[B_NAME].v);
}

static bool read_verifier(cm_ear *e, cm_cbor *c)
{
    cm_cbor_value v[V_FIELDS];

    return key_is(c, VERIFIER_ID) && cm_ok(cm_cbor_record(c, verifier, v, V_FIELDS, NULL)) &&
           cm_ear_text(e->build, CM_EAR_TEXT, v[V_BUILD].v);
}

static bool read_all(cm_ear *e, cm_cbor *c)
{
    cm_view profile;

    return read_head(e, c) && read_holder(&e->bound, c) && key_is(c, NONCE) &&
           get_bytes(e->nonce, sizeof e->nonce, c) && key_is(c, PROFILE) &&
           cm_ok(cm_cbor_text(c, &profile)) && read_subs(e, c) && read_verifier(e, c) &&
           read_casemate(e, c) && cm_ok(cm_cbor_end(c));
}

cm_err cm_ear_cbor_read(cm_ear *out, cm_view text)
{
    cm_ear e = {.n = 0};
    cm_cbor c;

    if (cm_failed(cm_cbor_open(&c, text, NULL)) || !read_all(&e, &c))
        return CM_FAIL(TOKEN_FORM);
    *out = e;
    return CM_OKAY;
}
