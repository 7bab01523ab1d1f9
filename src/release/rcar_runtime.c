/* Attestation: the runtime data, what evidence is bound to by them, and the message as a whole. */
#include "codec/text.h"
#include "release/release_int.h"

enum { KEY_TEXT = 1579, RUNTIME_MAX = CM_RCAR_EVIDENCE_MAX * 2 };

static const char key_alg[] = "ML-KEM-768+A192KW";

void cm_rcar_attestation_done(cm_rcar_attestation *a)
{
    cm_buf_free(&a->additional);
    cm_buf_free(&a->init_data);
    for (size_t i = 0; i < a->n; i++) {
        cm_buf_free(&a->piece[i].evidence);
        cm_buf_free(&a->piece[i].event_log);
    }
    a->n = 0;
}

/* ---- the key ------------------------------------------------------------------------------- */

cm_err cm_rcar_key_put(cm_json_writer *w, const char *name, const uint8_t key[CM_RCAR_KEY])
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = KEY_TEXT};

    CM_TRY(cm_base64_encode(&text, cm_view_of(key, CM_RCAR_KEY), true));
    cm_json_begin_object(w, name);
    cm_json_put_text(w, "alg", cm_view_str(key_alg));
    cm_json_put_text(w, "kty", CM_LIT("AKP"));
    cm_json_put_text(w, "pub", cm_buf_view(&text));
    cm_json_end_object(w);
    return CM_OKAY;
}

/* RL-4: what can't be wrapped to a post-quantum key is not wrapped at all. */
static cm_err read_key(uint8_t out[CM_RCAR_KEY], const cm_json_node *jwk)
{
    static const char *const names[] = {"kty", "alg", "pub"};
    CM_AUTO(cm_buf_free) cm_buf key = {.max = CM_RCAR_KEY};
    cm_view kty, alg;
    cm_err e;

    if (cm_failed(cm_json_string(cm_json_get(jwk, "kty"), &kty)))
        return CM_FAIL(RELEASE_MESSAGE);
    if (cm_view_eq(kty, CM_LIT("RSA")) || cm_view_eq(kty, CM_LIT("EC")) ||
        cm_view_eq(kty, CM_LIT("OKP")))
        return CM_FAIL(RELEASE_CLASSICAL);
    if (!cm_view_eq(kty, CM_LIT("AKP")) || !cm_release_only(jwk, names, CM_COUNT(names)) ||
        cm_failed(cm_json_string(cm_json_get(jwk, "alg"), &alg)) ||
        !cm_view_eq(alg, cm_view_str(key_alg)))
        return CM_FAIL(RELEASE_KEY);
    e = cm_release_base64(&key, cm_json_get(jwk, "pub"), true);
    if (cm_is(e, CM_NO_MEMORY))
        return e;
    if (cm_failed(e) || key.n != CM_RCAR_KEY)
        return CM_FAIL(RELEASE_KEY);
    memcpy(out, key.p, CM_RCAR_KEY);
    return CM_OKAY;
}

/* ---- what evidence is bound to ------------------------------------------------------------- */

/* RL-5: JSON without spaces, members in the order of their names, as Trustee's sorted maps give it.
 */
static cm_err runtime_text(cm_buf *out, const uint8_t *nonce, const uint8_t *key,
                           const cm_view *additional)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 64};
    cm_json_writer w = {.out = out};

    CM_TRY(cm_release_nonce_text(&text, nonce));
    cm_json_begin_object(&w, NULL);
    if (additional)
        cm_json_put_text(&w, "additional-evidence", *additional);
    cm_json_put_text(&w, "nonce", cm_buf_view(&text));
    CM_TRY(cm_rcar_key_put(&w, "tee-pubkey", key));
    cm_json_end_object(&w);
    return cm_json_finish(&w);
}

cm_err cm_rcar_report_data(uint8_t out[CM_HASH_MAX], const cm_crypt *c, cm_hash h,
                           const uint8_t nonce[CM_RCAR_NONCE], const uint8_t key[CM_RCAR_KEY],
                           cm_view additional)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = RUNTIME_MAX};

    CM_TRY(runtime_text(&text, nonce, key, &additional));
    return cm_hash_once(c, h, out, cm_buf_view(&text));
}

/* RL-6: the attester of a device takes the first 32 bytes of the digest that it is given. */
cm_err cm_rcar_device_data(uint8_t out[32], const cm_crypt *c, cm_hash h,
                           const uint8_t nonce[CM_RCAR_NONCE], const uint8_t key[CM_RCAR_KEY])
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = RUNTIME_MAX};
    uint8_t digest[CM_HASH_MAX];

    CM_TRY(runtime_text(&text, nonce, key, NULL));
    CM_TRY(cm_hash_once(c, h, digest, cm_buf_view(&text)));
    memcpy(out, digest, 32);
    return CM_OKAY;
}

/* ---- the message --------------------------------------------------------------------------- */

static cm_err read_runtime(cm_rcar_attestation *a, const cm_json_node *n)
{
    static const char *const names[] = {"nonce", "tee-pubkey"};

    if (!cm_release_only(n, names, CM_COUNT(names)))
        return CM_FAIL(RELEASE_MESSAGE);
    CM_TRY(cm_release_nonce(a->nonce, cm_json_get(n, "nonce")));
    return read_key(a->key, cm_json_get(n, "tee-pubkey"));
}

static cm_err read_evidence(cm_rcar_attestation *a, cm_attest_kind tee, const cm_json_node *n)
{
    static const char *const names[] = {"primary_evidence", "additional_evidence"};
    cm_view text;

    if (!cm_release_only(n, names, CM_COUNT(names)) ||
        cm_failed(cm_json_string(cm_json_get(n, "additional_evidence"), &text)))
        return CM_FAIL(RELEASE_MESSAGE);
    CM_TRY(cm_rcar_pieces_add(a, tee, cm_json_get(n, "primary_evidence"), 1));
    CM_TRY(cm_buf_append(&a->additional, text));
    return text.n ? cm_rcar_additional_read(a, text) : CM_OKAY;
}

/* RL-81 */
static cm_err read_init_data(cm_rcar_attestation *a, const cm_json_node *n)
{
    static const char *const names[] = {"format", "body"};
    cm_view format, text;

    if (!n || cm_json_type_of(n) == CM_JSON_NULL)
        return CM_OKAY;
    if (!cm_release_only(n, names, CM_COUNT(names)) ||
        cm_failed(cm_json_string(cm_json_get(n, "format"), &format)) ||
        !cm_view_eq(format, CM_LIT("toml")) ||
        cm_failed(cm_json_string(cm_json_get(n, "body"), &text)) || text.n == 0 ||
        text.n > CM_RCAR_INIT_DATA_MAX)
        return CM_FAIL(RELEASE_MESSAGE);
    return cm_buf_append(&a->init_data, text);
}

cm_err cm_rcar_attestation_read(cm_rcar_attestation *out, cm_attest_kind tee, cm_view body)
{
    static const char *const names[] = {"init-data", "runtime-data", "tee-evidence"};
    CM_AUTO(cm_rcar_attestation_done)
    cm_rcar_attestation a = {.additional = {.max = CM_RCAR_EVIDENCE_MAX},
                             .init_data = {.max = CM_RCAR_INIT_DATA_MAX}};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    const cm_json_node *root;

    CM_TRY(cm_release_parse(&j, body, CM_RCAR_ATTESTATION_MAX));
    root = cm_json_root(j);
    if (!cm_release_only(root, names, CM_COUNT(names)))
        return CM_FAIL(RELEASE_MESSAGE);
    CM_TRY(read_runtime(&a, cm_json_get(root, "runtime-data")));
    CM_TRY(read_init_data(&a, cm_json_get(root, "init-data")));
    CM_TRY(read_evidence(&a, tee, cm_json_get(root, "tee-evidence")));
    *out = a;
    a = (cm_rcar_attestation){0};
    return CM_OKAY;
}

cm_err cm_rcar_nonce_of(uint8_t out[CM_RCAR_NONCE], cm_view body)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;

    CM_TRY(cm_release_parse(&j, body, CM_RCAR_ATTESTATION_MAX));
    return cm_release_nonce(out,
                            cm_json_get(cm_json_get(cm_json_root(j), "runtime-data"), "nonce"));
}

cm_err cm_rcar_attestation_put(cm_buf *out, const cm_rcar_attestation *a)
{
    CM_AUTO(cm_buf_free) cm_buf nonce = {.max = 64};
    cm_json_writer w = {.out = out};
    size_t before = out->n;
    cm_err e;

    if (a->n == 0)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_release_nonce_text(&nonce, a->nonce));
    cm_json_begin_object(&w, NULL);
    cm_json_begin_object(&w, "runtime-data");
    cm_json_put_text(&w, "nonce", cm_buf_view(&nonce));
    e = cm_rcar_key_put(&w, "tee-pubkey", a->key);
    cm_json_end_object(&w);
    cm_json_begin_object(&w, "tee-evidence");
    if (cm_ok(e))
        e = cm_rcar_piece_put(&w, "primary_evidence", &a->piece[0]);
    cm_json_put_text(&w, "additional_evidence", cm_buf_view(&a->additional));
    cm_json_end_object(&w);
    cm_json_end_object(&w);
    if (cm_ok(e))
        e = cm_json_finish(&w);
    if (cm_failed(e))
        out->n = before;
    return e;
}

cm_attest_input cm_rcar_input(const cm_rcar_attestation *a, size_t i)
{
    return (cm_attest_input){.kind = a->piece[i].kind,
                             .evidence = cm_buf_view(&a->piece[i].evidence),
                             .event_log = cm_buf_view(&a->piece[i].event_log)};
}
