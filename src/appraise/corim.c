/* CoRIM (draft-ietf-rats-corim): reference values of CoMIDs, unsigned or in a COSE_Sign1. */
#include <stdio.h>

#include "appraise/reference_int.h"
#include "codec/cbor.h"
#include "codec/cbor_lax.h"

enum {
    TAG_SIGN1 = 18,
    TAG_TIME = 1,
    TAG_URI = 32,
    TAG_CORIM = 500,
    TAG_UNSIGNED = 501,
    TAG_SIGNED = 502,
    TAG_COMID = 506,
    AMD_MEASUREMENT = 641, /* key of the launch digest in AMD's profile */
    TEXT_MAX = 256,
};

enum { UINT, NINT, BYTES, TEXT };

static const char amd_profile[] = "tag:amd.com,2024:snp-corim-profile";

typedef struct {
    const cm_crypt *c;
    cm_reference *r;
    cm_attest_kind as;
    bool amd;
    cm_view vendor, model; /* of the environment at hand */
} corim;

/* ---- maps with small numbers for keys ------------------------------------------------------- */

typedef struct {
    int64_t key;
    cm_lax value;
    bool present;
} slot;

static unsigned major_of(const cm_lax *c)
{
    return c->rest.n ? c->rest.p[0] >> 5 : 8;
}

/* AP-41: keys below zero are extensions and left alone; others have to be known. */
static bool slots(cm_lax *c, slot *s, size_t n)
{
    cm_lax map = cm_lax_map(c);

    while (cm_lax_more(&map)) {
        int64_t key = cm_lax_int(&map);
        cm_lax value = cm_lax_item(&map);
        size_t i = 0;

        while (i < n && s[i].key != key)
            i++;
        if (map.bad || (i == n && key >= 0))
            return false;
        if (i < n) {
            s[i].value = value;
            s[i].present = true;
        }
    }
    return cm_lax_done(&map);
}

static bool take_text(slot *s, cm_view *out)
{
    if (!s->present)
        return true;
    *out = cm_lax_text(&s->value);
    return cm_lax_done(&s->value) && out->n > 0 && out->n <= TEXT_MAX;
}

/* ---- values --------------------------------------------------------------------------------- */

static void printable(char *out, size_t size, cm_view v)
{
    size_t n = CM_MIN(v.n, size - 1);

    for (size_t i = 0; i < n; i++)
        out[i] =
            v.p[i] < 0x20 || v.p[i] >= 0x7f || v.p[i] == '"' || v.p[i] == '\\' ? '?' : (char)v.p[i];
    out[n] = 0;
}

static size_t digest_size(int64_t alg)
{
    switch (alg) {
    case 1: /* Named Information */
    case -16:
        return 32;
    case 7:
    case -43:
        return 48;
    case 8:
    case -44:
        return 64;
    default:
        return 0;
    }
}

static bool fits(cm_attest_kind kind, size_t n)
{
    switch (kind) {
    case CM_ATTEST_SNP:
    case CM_ATTEST_TDX:
    case CM_ATTEST_NITRO:
    case CM_ATTEST_NVIDIA:
        return n == 48;
    default:
        return n == 32 || kind == CM_ATTEST_UNKNOWN;
    }
}

static cm_err keep(corim *k, cm_attest_kind kind, cm_view digest)
{
    cm_reference_value *v = &k->r->v[k->r->n];
    char vendor[48], model[48];

    if (!fits(kind, digest.n)) {
        k->r->ignored++;
        return CM_OKAY;
    }
    if (k->r->n == CM_REFERENCE_VALUES)
        return CM_FAIL(TOO_BIG);
    printable(vendor, sizeof vendor, k->vendor);
    printable(model, sizeof model, k->model);
    v->kind = kind;
    memcpy(v->value, digest.p, digest.n);
    v->n = digest.n;
    (void)snprintf(v->name, sizeof v->name, "%.60s%s%s%s%s", k->r->name, vendor[0] ? " " : "",
                   vendor, model[0] ? " " : "", model);
    k->r->n++;
    return CM_OKAY;
}

static cm_err take_digests(corim *k, slot *s, cm_attest_kind kind)
{
    cm_lax list = cm_lax_array(&s->value);

    while (cm_lax_more(&list)) {
        cm_lax pair = cm_lax_array(&list);
        bool named = major_of(&pair) == TEXT;
        int64_t alg = 0;
        cm_view v;
        size_t n;

        if (named)
            (void)cm_lax_text(&pair);
        else
            alg = cm_lax_int(&pair);
        v = cm_lax_bytes(&pair);
        n = digest_size(alg);
        if (!cm_lax_done(&pair) || (n && n != v.n)) /* AP-42 */
            return CM_FAIL(REFERENCE_FORM);
        if (n == 0)
            k->r->ignored++;
        else
            CM_TRY(keep(k, kind, v));
    }
    return cm_lax_done(&list) ? CM_OKAY : CM_FAIL(REFERENCE_FORM);
}

/* What a measurement is of, by AMD's profile or by what the caller says. */
static bool kind_of(corim *k, slot *key, cm_attest_kind *out)
{
    uint64_t number = 0;

    *out = k->as;
    if (!k->amd)
        return true;
    if (!key->present || major_of(&key->value) != UINT) /* AP-43 */
        return false;
    number = cm_lax_uint(&key->value);
    *out = number == AMD_MEASUREMENT ? CM_ATTEST_SNP : CM_ATTEST_UNKNOWN;
    return cm_lax_done(&key->value);
}

static cm_err take_measurement(corim *k, cm_lax *item)
{
    slot m[] = {{.key = 0}, {.key = 1}, {.key = 2}};
    slot v[] = {{.key = 0},  {.key = 1},  {.key = 2},  {.key = 3}, {.key = 4},  {.key = 5},
                {.key = 6},  {.key = 7},  {.key = 8},  {.key = 9}, {.key = 10}, {.key = 11},
                {.key = 12}, {.key = 13}, {.key = 14}, {.key = 15}};
    cm_attest_kind kind;

    if (!slots(item, m, CM_COUNT(m)) || !m[1].present || !kind_of(k, &m[0], &kind) ||
        !slots(&m[1].value, v, CM_COUNT(v)))
        return CM_FAIL(REFERENCE_FORM);
    if (!v[2].present || (k->amd && kind == CM_ATTEST_UNKNOWN)) {
        k->r->ignored++;
        return CM_OKAY;
    }
    return take_digests(k, &v[2], kind);
}

/* An environment, and its class's names. */
static bool take_environment(corim *k, cm_lax *item)
{
    slot e[] = {{.key = 0}, {.key = 1}, {.key = 2}};
    slot c[] = {{.key = 0}, {.key = 1}, {.key = 2}, {.key = 3}, {.key = 4}};

    k->vendor = k->model = cm_view_of(NULL, 0);
    if (!slots(item, e, CM_COUNT(e)) || (!e[0].present && !e[1].present && !e[2].present))
        return false;
    if (!e[0].present)
        return true;
    return slots(&e[0].value, c, CM_COUNT(c)) && take_text(&c[1], &k->vendor) &&
           take_text(&c[2], &k->model);
}

static cm_err take_references(corim *k, slot *s)
{
    cm_lax list = cm_lax_array(&s->value);

    while (cm_lax_more(&list)) {
        cm_lax triple = cm_lax_array(&list), measurements;

        if (!take_environment(k, &triple))
            return CM_FAIL(REFERENCE_FORM);
        measurements = cm_lax_array(&triple);
        while (cm_lax_more(&measurements))
            CM_TRY(take_measurement(k, &measurements));
        if (!cm_lax_done(&measurements) || !cm_lax_done(&triple))
            return CM_FAIL(REFERENCE_FORM);
    }
    return cm_lax_done(&list) ? CM_OKAY : CM_FAIL(REFERENCE_FORM);
}

/* Keys for whom AMD's profile says whose and of which product they are. Our roots are pinned: they
 * are looked at for their form alone. */
static cm_err check_keys(corim *k, slot *s)
{
    cm_lax list = cm_lax_array(&s->value);

    while (cm_lax_more(&list)) {
        cm_lax triple = cm_lax_array(&list);

        if (!take_environment(k, &triple) || (k->amd && (!k->vendor.n || !k->model.n)))
            return CM_FAIL(REFERENCE_FORM); /* AP-43 */
        (void)cm_lax_skip(&triple);
        while (cm_lax_more(&triple))
            (void)cm_lax_skip(&triple);
        if (!cm_lax_done(&triple))
            return CM_FAIL(REFERENCE_FORM);
    }
    return cm_lax_done(&list) ? CM_OKAY : CM_FAIL(REFERENCE_FORM);
}

static cm_err take_comid(corim *k, cm_view bytes)
{
    slot m[] = {{.key = 0}, {.key = 1}, {.key = 2}, {.key = 3}, {.key = 4}};
    slot t[] = {{.key = 0}, {.key = 1}, {.key = 2}, {.key = 3}, {.key = 4}, {.key = 5},
                {.key = 6}, {.key = 7}, {.key = 8}, {.key = 9}, {.key = 10}};
    cm_lax c;

    if (cm_failed(cm_lax_open(&c, bytes)) || !slots(&c, m, CM_COUNT(m)) || !cm_lax_done(&c) ||
        !m[1].present || !m[4].present || !slots(&m[4].value, t, CM_COUNT(t)))
        return CM_FAIL(REFERENCE_FORM);
    if (t[0].present)
        CM_TRY(take_references(k, &t[0]));
    return t[3].present ? check_keys(k, &t[3]) : CM_OKAY;
}

/* ---- the corim itself ----------------------------------------------------------------------- */

static bool take_time(slot *s, uint64_t *out)
{
    uint64_t tag = 0;

    if (!s->present)
        return true;
    if (!cm_lax_tag(&s->value, &tag) || tag != TAG_TIME)
        return false;
    *out = cm_lax_uint(&s->value);
    return cm_lax_done(&s->value) && *out > 0;
}

/* Of two validities the narrower holds. */
static bool take_validity(cm_reference *r, slot *s)
{
    slot v[] = {{.key = 0}, {.key = 1}};
    uint64_t from = 0, to = 0;

    if (!s->present)
        return true;
    if (!slots(&s->value, v, CM_COUNT(v)) || !v[1].present || !take_time(&v[0], &from) ||
        !take_time(&v[1], &to))
        return false;
    r->not_before = CM_MAX(r->not_before, from);
    r->expires = r->expires ? CM_MIN(r->expires, to) : to;
    return true;
}

static bool take_profile(corim *k, slot *s)
{
    uint64_t tag = TAG_URI;
    cm_view v;

    if (!s->present)
        return true;
    (void)cm_lax_tag(&s->value, &tag);
    if (tag != TAG_URI)
        return true; /* an OID: none that is known here */
    v = cm_lax_text(&s->value);
    k->amd = cm_view_eq(v, cm_view_of(amd_profile, sizeof amd_profile - 1));
    return cm_lax_done(&s->value);
}

static bool take_id(corim *k, slot *s)
{
    cm_view v = {NULL, 0};
    size_t at = 0;

    if (!s->present)
        return false;
    if (major_of(&s->value) == BYTES) {
        v = cm_lax_bytes(&s->value);
        for (size_t i = 0; i < v.n && i < 16; i++)
            at += (size_t)snprintf(k->r->name + at, 3, "%02x", v.p[i]);
    } else {
        v = cm_lax_text(&s->value);
        printable(k->r->name, sizeof k->r->name, v);
    }
    return cm_lax_done(&s->value) && v.n > 0;
}

static cm_err take_tags(corim *k, slot *s)
{
    cm_lax list = cm_lax_array(&s->value);

    if (!s->present || !cm_lax_more(&list))
        return CM_FAIL(REFERENCE_FORM);
    while (cm_lax_more(&list)) {
        uint64_t tag = 0;
        cm_view bytes;

        if (!cm_lax_tag(&list, &tag))
            return CM_FAIL(REFERENCE_FORM);
        bytes = cm_lax_bytes(&list);
        if (list.bad)
            return CM_FAIL(REFERENCE_FORM);
        if (tag == TAG_COMID)
            CM_TRY(take_comid(k, bytes));
        else
            k->r->ignored++; /* software identities, lists of tags */
    }
    return cm_lax_done(&list) ? CM_OKAY : CM_FAIL(REFERENCE_FORM);
}

static cm_err take_corim(corim *k, cm_lax *c)
{
    slot m[] = {{.key = 0}, {.key = 1}, {.key = 2}, {.key = 3}, {.key = 4}, {.key = 5}};

    if (!slots(c, m, CM_COUNT(m)) || !take_id(k, &m[0]) || !take_profile(k, &m[3]) ||
        !take_validity(k->r, &m[4]))
        return CM_FAIL(REFERENCE_FORM);
    return take_tags(k, &m[1]);
}

/* ---- signed --------------------------------------------------------------------------------- */

typedef struct {
    cm_view head, payload, signature;
    int64_t alg;
} sign1;

/* corim-meta: signer and how long the signature is meant to hold. */
static bool take_meta(cm_reference *r, slot *s)
{
    slot m[] = {{.key = 0}, {.key = 1}};
    cm_lax c;

    if (!s->present)
        return true;
    return cm_ok(cm_lax_open(&c, cm_lax_bytes(&s->value))) && slots(&c, m, CM_COUNT(m)) &&
           cm_lax_done(&c) && m[0].present && take_validity(r, &m[1]);
}

static bool take_head(cm_reference *r, sign1 *s)
{
    slot h[] = {{.key = 1},  {.key = 3},  {.key = 4}, {.key = 8},
                {.key = 15}, {.key = 33}, {.key = 34}};
    cm_lax c;

    if (cm_failed(cm_lax_open(&c, s->head)) || !slots(&c, h, CM_COUNT(h)) || !cm_lax_done(&c) ||
        !h[0].present)
        return false;
    s->alg = cm_lax_int(&h[0].value);
    return cm_lax_done(&h[0].value) && take_meta(r, &h[3]);
}

static bool take_sign1(sign1 *s, cm_lax *c)
{
    cm_lax in = cm_lax_array(c);

    s->head = cm_lax_bytes(&in);
    (void)cm_lax_map(&in);
    s->payload = cm_lax_bytes(&in);
    s->signature = cm_lax_bytes(&in);
    return cm_lax_done(&in);
}

static uint32_t key_for(int64_t alg)
{
    switch (alg) {
    case -7:
        return CM_SIG_P256;
    case -35:
        return CM_SIG_P384;
    case -8:
    case -19:
        return CM_SIG_ED25519;
    case -48:
        return CM_SIG_MLDSA44;
    case -49:
        return CM_SIG_MLDSA65;
    case -50:
        return CM_SIG_MLDSA87;
    default:
        return 0;
    }
}

/* Sig_structure of RFC 9052, 4.4. */
static cm_err signed_bytes(cm_buf *out, const sign1 *s)
{
    CM_TRY(cm_cbor_put_array(out, 4));
    CM_TRY(cm_cbor_put_text(out, CM_LIT("Signature1")));
    CM_TRY(cm_cbor_put_bytes(out, s->head));
    CM_TRY(cm_cbor_put_bytes(out, cm_view_of("", 0)));
    return cm_cbor_put_bytes(out, s->payload);
}

/* AP-40: by a key that was given, with the algorithm that the protected head names. */
static cm_err verify(corim *k, const sign1 *s, cm_pkey *const *keys, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_REFERENCE_FILE_MAX + 64};
    cm_err e = CM_FAIL(REFERENCE_SIGNER);

    CM_TRY(signed_bytes(&b, s));
    for (size_t i = 0; i < n; i++) {
        const cm_sig_key *key = cm_pkey_sig(keys[i]);

        if (!key || cm_sig_key_info(key)->id != key_for(s->alg))
            continue;
        e = cm_verify_raw(key, cm_buf_view(&b), s->signature);
        if (cm_ok(e)) {
            k->r->is_signed = true;
            return cm_pkey_fingerprint(k->r->signer, k->c, keys[i]);
        }
    }
    return e;
}

static cm_err open_signed(corim *k, cm_lax *c, cm_pkey *const *keys, size_t n_keys)
{
    sign1 s = {.alg = 0};
    uint64_t tag = 0;
    cm_lax in;

    if (!take_sign1(&s, c) || !cm_lax_done(c) || !take_head(k->r, &s))
        return CM_FAIL(REFERENCE_FORM);
    CM_TRY(verify(k, &s, keys, n_keys));
    if (cm_failed(cm_lax_open(&in, s.payload)))
        return CM_FAIL(REFERENCE_FORM);
    if (!cm_lax_tag(&in, &tag) || tag != TAG_UNSIGNED)
        return CM_FAIL(REFERENCE_FORM);
    CM_TRY(take_corim(k, &in));
    return cm_lax_done(&in) ? CM_OKAY : CM_FAIL(REFERENCE_FORM);
}

static void say_provenance(cm_reference *r)
{
    char who[17] = "";

    for (size_t i = 0; r->is_signed && i < 8; i++)
        (void)snprintf(who + 2 * i, 3, "%02x", r->signer[i]);
    for (size_t i = 0; i < r->n; i++)
        (void)snprintf(r->v[i].from, sizeof r->v[i].from, "CoRIM %.100s, %s%s", r->name,
                       r->is_signed ? "signed by key " : "signed by nobody", who);
}

cm_err cm_corim_read(cm_reference **out, const cm_crypt *c, cm_view file, cm_attest_kind as,
                     cm_pkey *const *keys, size_t n_keys)
{
    CM_AUTO(cm_reference_free_ptr) cm_reference *r = NULL;
    corim k = {.c = c, .as = as};
    uint64_t tag = 0;
    cm_lax in;

    if (file.n > CM_REFERENCE_FILE_MAX || cm_failed(cm_lax_open(&in, file)))
        return CM_FAIL(REFERENCE_FORM);
    CM_TRY(cm_alloc(&r, sizeof *r));
    k.r = r;
    for (unsigned i = 0; i < 3 && (tag == 0 || tag == TAG_CORIM || tag == TAG_SIGNED); i++)
        if (!cm_lax_tag(&in, &tag))
            return CM_FAIL(REFERENCE_FORM);
    if (tag == TAG_SIGN1)
        CM_TRY(open_signed(&k, &in, keys, n_keys));
    else if (tag == TAG_UNSIGNED)
        CM_TRY(take_corim(&k, &in));
    else
        return CM_FAIL(REFERENCE_FORM);
    if (!cm_lax_done(&in))
        return CM_FAIL(REFERENCE_FORM);
    say_provenance(r);
    *out = r;
    r = NULL;
    return CM_OKAY;
}
