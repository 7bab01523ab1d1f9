/* Request, Challenge, token and error. */
#include "release/rcar.h"

#include <stdio.h>

#include "codec/text.h"
#include "release/release_int.h"

enum { NODES = 32768, DEPTH = 12, NONCE_TEXT = 44 };

/* Names of environments: Trustee's of today, those it had before 0.4, and the kinds of spec/attest
 * that it has no name for. The first of a kind is the one that is written. */
static const struct {
    const char *name;
    cm_attest_kind kind;
} tees[] = {
    {"snp", CM_ATTEST_SNP},           {"tdx", CM_ATTEST_TDX},
    {"sgx", CM_ATTEST_SGX},           {"tpm", CM_ATTEST_TPM},
    {"nvidia", CM_ATTEST_NVIDIA},     {"az-snp-vtpm", CM_ATTEST_AZURE},
    {"az-tdx-vtpm", CM_ATTEST_AZURE}, {"azsnpvtpm", CM_ATTEST_AZURE},
    {"aztdxvtpm", CM_ATTEST_AZURE},   {"nitro", CM_ATTEST_NITRO},
    {"android", CM_ATTEST_ANDROID},   {"app-attest", CM_ATTEST_APPLE},
};

static const struct {
    const char *name;
    cm_hash hash;
} hashes[] = {{"sha384", CM_SHA384}, {"sha512", CM_SHA512}, {"sha256", CM_SHA256}};

cm_attest_kind cm_rcar_tee_of(cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(tees); i++)
        if (cm_view_eq(name, cm_view_str(tees[i].name)))
            return tees[i].kind;
    return CM_ATTEST_UNKNOWN;
}

const char *cm_rcar_tee_name(cm_attest_kind k)
{
    for (size_t i = 0; i < CM_COUNT(tees); i++)
        if (tees[i].kind == k)
            return tees[i].name;
    return NULL;
}

/* ---- what all readers do ------------------------------------------------------------------- */

cm_err cm_release_parse(cm_json **out, cm_view text, size_t max)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_json_limits limits = {max, NODES, DEPTH, max};
    cm_err e;

    if (text.n == 0 || text.n > max)
        return CM_FAIL(RELEASE_MESSAGE);
    e = cm_json_parse(&j, text, &limits, NULL);
    if (cm_failed(e))
        return cm_is(e, CM_NO_MEMORY) ? e : CM_FAIL(RELEASE_MESSAGE);
    if (cm_json_type_of(cm_json_root(j)) != CM_JSON_OBJECT)
        return CM_FAIL(RELEASE_MESSAGE);
    *out = j;
    j = NULL;
    return CM_OKAY;
}

bool cm_release_only(const cm_json_node *obj, const char *const *names, size_t n)
{
    if (!obj || cm_json_type_of(obj) != CM_JSON_OBJECT)
        return false;
    for (const cm_json_node *m = cm_json_first(obj); m; m = cm_json_next(m)) {
        size_t i = 0;

        while (i < n && !cm_view_eq(cm_json_key(m), cm_view_str(names[i])))
            i++;
        if (i == n)
            return false;
    }
    return true;
}

cm_err cm_release_base64(cm_buf *out, const cm_json_node *n, bool url)
{
    cm_view text;
    cm_err e;

    if (cm_failed(cm_json_string(n, &text)))
        return CM_FAIL(RELEASE_MESSAGE);
    e = cm_base64_decode(out, text, url);
    return cm_ok(e) || cm_is(e, CM_NO_MEMORY) ? e : CM_FAIL(RELEASE_MESSAGE);
}

cm_err cm_release_nonce(uint8_t out[CM_RCAR_NONCE], const cm_json_node *n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_RCAR_NONCE};

    CM_TRY(cm_release_base64(&b, n, false));
    if (b.n != CM_RCAR_NONCE)
        return CM_FAIL(RELEASE_MESSAGE);
    memcpy(out, b.p, CM_RCAR_NONCE);
    return CM_OKAY;
}

cm_err cm_release_nonce_text(cm_buf *out, const uint8_t nonce[CM_RCAR_NONCE])
{
    return cm_base64_encode(out, cm_view_of(nonce, CM_RCAR_NONCE), false);
}

/* extra-params: an object, or the empty text that older clients send (RL-2). */
static bool extra_of(const cm_json_node **out, const cm_json_node *root)
{
    const cm_json_node *n = cm_json_get(root, "extra-params");
    cm_view text;

    *out = NULL;
    if (n && cm_json_type_of(n) == CM_JSON_OBJECT)
        *out = n;
    else if (cm_failed(cm_json_string(n, &text)) || text.n)
        return false;
    return true;
}

static bool hash_by_name(cm_hash *out, cm_view name)
{
    for (size_t i = 0; i < CM_COUNT(hashes); i++)
        if (cm_view_eq(name, cm_view_str(hashes[i].name))) {
            *out = hashes[i].hash;
            return true;
        }
    return false;
}

static const char *hash_name(cm_hash h)
{
    for (size_t i = 0; i < CM_COUNT(hashes); i++)
        if (hashes[i].hash == h)
            return hashes[i].name;
    return NULL;
}

/* ---- Request ------------------------------------------------------------------------------- */

void cm_rcar_request_done(cm_rcar_request *r)
{
    cm_buf_free(&r->selector);
    cm_buf_free(&r->ak);
    cm_buf_free(&r->ek);
}

/* The first of our table that the client lists: the strongest that Trustee takes by itself. */
static cm_err choose_hash(cm_hash *out, const cm_json_node *list)
{
    size_t best = CM_COUNT(hashes);

    *out = CM_SHA384;
    if (!list)
        return CM_OKAY;
    if (cm_json_type_of(list) != CM_JSON_ARRAY)
        return CM_FAIL(RELEASE_MESSAGE);
    for (const cm_json_node *n = cm_json_first(list); n; n = cm_json_next(n)) {
        cm_view name;

        if (cm_failed(cm_json_string(n, &name)))
            return CM_FAIL(RELEASE_MESSAGE);
        for (size_t i = 0; i < best; i++)
            if (cm_view_eq(name, cm_view_str(hashes[i].name)))
                best = i;
    }
    if (best == CM_COUNT(hashes))
        return CM_FAIL(RELEASE_MESSAGE);
    *out = hashes[best].hash;
    return CM_OKAY;
}

/* tee-metadata: where an attester says what challenges are made of. */
static cm_err read_metadata(cm_rcar_request *r, const cm_json_node *metadata)
{
    const cm_json_node *primary = cm_json_get(metadata, "primary_tee");
    const cm_json_node *m = cm_json_get(primary, "metadata");
    cm_view name;

    if (!metadata)
        return CM_OKAY;
    if (cm_failed(cm_json_string(cm_json_get(primary, "tee"), &name)) ||
        cm_rcar_tee_of(name) != r->tee)
        return CM_FAIL(RELEASE_MESSAGE);
    if (!cm_json_get(m, "ak") && !cm_json_get(m, "ek-certificate"))
        return CM_OKAY;
    CM_TRY(cm_release_base64(&r->ak, cm_json_get(m, "ak"), false));
    CM_TRY(cm_release_base64(&r->ek, cm_json_get(m, "ek-certificate"), false));
    return r->ak.n && r->ek.n && r->tee == CM_ATTEST_TPM ? CM_OKAY : CM_FAIL(RELEASE_MESSAGE);
}

static cm_err read_extra(cm_rcar_request *r, const cm_json_node *extra)
{
    const cm_json_node *selector = cm_json_get(extra, "attestation-policy-selector");
    cm_view text;

    CM_TRY(choose_hash(&r->hash, cm_json_get(extra, "supported-hash-algorithms")));
    CM_TRY(read_metadata(r, cm_json_get(extra, "tee-metadata")));
    if (!selector)
        return CM_OKAY;
    if (cm_failed(cm_json_string(selector, &text)) || text.n == 0 || text.n > CM_RCAR_SELECTOR_MAX)
        return CM_FAIL(RELEASE_MESSAGE);
    return cm_buf_append(&r->selector, text);
}

cm_err cm_rcar_request_read(cm_rcar_request *out, cm_view body)
{
    static const char *const names[] = {"version", "tee", "extra-params"};
    CM_AUTO(cm_rcar_request_done)
    cm_rcar_request r = {.selector = {.max = CM_RCAR_SELECTOR_MAX},
                         .ak = {.max = CM_RCAR_AK_MAX},
                         .ek = {.max = CM_RCAR_EK_MAX}};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    const cm_json_node *root, *extra;
    cm_view version, tee;

    CM_TRY(cm_release_parse(&j, body, CM_RCAR_REQUEST_MAX));
    root = cm_json_root(j);
    if (!cm_release_only(root, names, CM_COUNT(names)) ||
        cm_failed(cm_json_string(cm_json_get(root, "version"), &version)) ||
        cm_failed(cm_json_string(cm_json_get(root, "tee"), &tee)) || !extra_of(&extra, root))
        return CM_FAIL(RELEASE_MESSAGE);
    if (!cm_view_eq(version, CM_LIT(CM_RCAR_VERSION))) /* RL-1 */
        return CM_FAIL(RELEASE_VERSION);
    r.tee = cm_rcar_tee_of(tee);
    if (r.tee == CM_ATTEST_UNKNOWN)
        return CM_FAIL(RELEASE_TEE);
    CM_TRY(read_extra(&r, extra));
    *out = r;
    r = (cm_rcar_request){0};
    return CM_OKAY;
}

static void put_metadata(cm_json_writer *w, const cm_rcar_request *r, const char *tee)
{
    cm_json_begin_object(w, "tee-metadata");
    cm_json_begin_object(w, "primary_tee");
    cm_json_put_text(w, "tee", cm_view_str(tee));
    cm_json_begin_object(w, "metadata");
    cm_json_put_base64(w, "ak", cm_buf_view(&r->ak));
    cm_json_put_base64(w, "ek-certificate", cm_buf_view(&r->ek));
    cm_json_end_object(w);
    cm_json_end_object(w);
    cm_json_begin_array(w, "additional_tees");
    cm_json_end_array(w);
    cm_json_end_object(w);
}

cm_err cm_rcar_request_put(cm_buf *out, const cm_rcar_request *r)
{
    const char *tee = cm_rcar_tee_name(r->tee);
    cm_json_writer w = {.out = out};
    size_t before = out->n;
    cm_err e;

    if (!tee)
        return CM_FAIL(BAD_ARGUMENT);
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "version", CM_LIT(CM_RCAR_VERSION));
    cm_json_put_text(&w, "tee", cm_view_str(tee));
    cm_json_begin_object(&w, "extra-params");
    cm_json_begin_array(&w, "supported-hash-algorithms");
    for (size_t i = 0; i < CM_COUNT(hashes); i++)
        cm_json_put_text(&w, NULL, cm_view_str(hashes[i].name));
    cm_json_end_array(&w);
    if (r->ak.n || r->ek.n)
        put_metadata(&w, r, tee);
    if (r->selector.n)
        cm_json_put_text(&w, "attestation-policy-selector", cm_buf_view(&r->selector));
    cm_json_end_object(&w);
    cm_json_end_object(&w);
    e = cm_json_finish(&w);
    if (cm_failed(e))
        out->n = before;
    return e;
}

/* ---- Challenge ----------------------------------------------------------------------------- */

void cm_rcar_challenge_done(cm_rcar_challenge *c)
{
    cm_buf_free(&c->credential);
}

cm_err cm_rcar_challenge_read(cm_rcar_challenge *out, cm_view body)
{
    static const char *const names[] = {"nonce", "extra-params"};
    CM_AUTO(cm_rcar_challenge_done)
    cm_rcar_challenge c = {.hash = CM_SHA384, .credential = {.max = CM_RCAR_CREDENTIAL_MAX}};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    const cm_json_node *root, *extra, *hash;
    cm_view name;

    CM_TRY(cm_release_parse(&j, body, CM_RCAR_CHALLENGE_MAX));
    root = cm_json_root(j);
    if (!cm_release_only(root, names, CM_COUNT(names)) || !extra_of(&extra, root))
        return CM_FAIL(RELEASE_MESSAGE);
    CM_TRY(cm_release_nonce(c.nonce, cm_json_get(root, "nonce")));
    hash = cm_json_get(extra, "selected-hash-algorithm");
    if (hash && (cm_failed(cm_json_string(hash, &name)) || !hash_by_name(&c.hash, name)))
        return CM_FAIL(RELEASE_MESSAGE);
    if (cm_json_get(extra, "tpm-credential"))
        CM_TRY(cm_release_base64(&c.credential, cm_json_get(extra, "tpm-credential"), false));
    *out = c;
    c = (cm_rcar_challenge){0};
    return CM_OKAY;
}

cm_err cm_rcar_challenge_put(cm_buf *out, const cm_rcar_challenge *c)
{
    const char *hash = hash_name(c->hash);
    cm_json_writer w = {.out = out};
    size_t before = out->n;
    cm_err e;

    if (!hash)
        return CM_FAIL(BAD_ARGUMENT);
    cm_json_begin_object(&w, NULL);
    cm_json_put_base64(&w, "nonce", CM_VIEW(c->nonce)); /* RL-3 */
    cm_json_begin_object(&w, "extra-params");
    cm_json_put_text(&w, "selected-hash-algorithm", cm_view_str(hash));
    if (c->credential.n)
        cm_json_put_base64(&w, "tpm-credential", cm_buf_view(&c->credential));
    cm_json_end_object(&w);
    cm_json_end_object(&w);
    e = cm_json_finish(&w);
    if (cm_failed(e))
        out->n = before;
    return e;
}

/* ---- answers ------------------------------------------------------------------------------- */

static cm_err read_text(cm_buf *out, cm_view body, const char *const *names, size_t n,
                        const char *name)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    cm_view text;

    CM_TRY(cm_release_parse(&j, body, CM_RCAR_REQUEST_MAX));
    if (!cm_release_only(cm_json_root(j), names, n) ||
        cm_failed(cm_json_string(cm_json_get(cm_json_root(j), name), &text)))
        return CM_FAIL(RELEASE_MESSAGE);
    return cm_buf_append(out, text);
}

static void put_seconds(cm_json_writer *w, const char *key, uint64_t seconds)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)seconds);
    cm_json_put_number(w, key, cm_view_str(digits));
}

cm_err cm_rcar_session_token(cm_buf *out, cm_view session, uint64_t issued, uint64_t over)
{
    CM_AUTO(cm_buf_free) cm_buf claims = {.max = 128};
    cm_json_writer w = {.out = &claims};

    cm_json_begin_object(&w, NULL);
    put_seconds(&w, "exp", over);
    put_seconds(&w, "iat", issued);
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    CM_TRY(cm_base64_encode(out, CM_LIT("{\"alg\":\"casemate-session\",\"typ\":\"JWT\"}"), true));
    CM_TRY(cm_buf_byte(out, '.'));
    CM_TRY(cm_base64_encode(out, cm_buf_view(&claims), true));
    CM_TRY(cm_buf_byte(out, '.'));
    return cm_buf_append(out, session);
}

cm_err cm_rcar_token_put(cm_buf *out, cm_view token)
{
    cm_json_writer w = {.out = out};

    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "token", token);
    cm_json_end_object(&w);
    return cm_json_finish(&w);
}

cm_err cm_rcar_token_read(cm_buf *out, cm_view body)
{
    static const char *const names[] = {"token"};

    return read_text(out, body, names, CM_COUNT(names), names[0]);
}

cm_err cm_rcar_error_put(cm_buf *out, cm_err e, cm_view detail)
{
    CM_AUTO(cm_buf_free) cm_buf type = {.max = 128};
    cm_json_writer w = {.out = out};

    CM_TRY(cm_buf_append(&type, CM_LIT("urn:casemate:error:")));
    CM_TRY(cm_buf_append(&type, cm_view_str(cm_err_name(e))));
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "type", cm_buf_view(&type));
    cm_json_put_text(&w, "detail",
                     detail.n > CM_RCAR_DETAIL_MAX ? cm_view_sub(detail, 0, CM_RCAR_DETAIL_MAX)
                                                   : detail);
    cm_json_end_object(&w);
    return cm_json_finish(&w);
}

cm_err cm_rcar_error_read(cm_buf *out, cm_view body)
{
    static const char *const names[] = {"type", "detail"};

    return read_text(out, body, names, CM_COUNT(names), "detail");
}
