/* JWE of ML-KEM-768+A192KW (draft-ietf-jose-pqc-kem-05) and A256GCM. */
#include "release/jwe.h"

#include "codec/json.h"
#include "codec/text.h"
#include "crypt/aead.h"

enum {
    SECRET = 32,
    CT = 1088,
    WRAPPED = CM_GCM_KEY + CM_KW192_ADDED,
    HEADER_MAX = 2048,
};

/* What a key is wrapped with and what a content is encrypted with. */
typedef struct {
    uint8_t secret[SECRET], kwk[CM_JWE_KWK];
    cm_key32 cek;
} keys;

static void keys_wipe(keys *k)
{
    cm_wipe(k, sizeof *k);
}

/* RL-9: X = len(alg) || alg || bits of the key, as RFC 7518 has AlgorithmID and SuppPubInfo; no
 * PartyUInfo, no PartyVInfo, no customization string. */
cm_err cm_jwe_kdf(uint8_t out[CM_JWE_KWK], const cm_crypt *c, const uint8_t secret[32])
{
    uint8_t x[4 + sizeof CM_JWE_ALG - 1 + 4];

    cm_put_be32(x, sizeof CM_JWE_ALG - 1);
    memcpy(x + 4, CM_JWE_ALG, sizeof CM_JWE_ALG - 1);
    cm_put_be32(x + sizeof x - 4, CM_JWE_KWK * 8);
    return cm_kmac256(c, out, CM_JWE_KWK, cm_view_of(secret, SECRET), CM_LIT(""), CM_VIEW(x));
}

/* ---- making -------------------------------------------------------------------------------- */

static cm_err put_header(cm_buf *out, cm_view ct)
{
    CM_AUTO(cm_buf_free) cm_buf ek = {.max = HEADER_MAX};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = HEADER_MAX};
    cm_json_writer w = {.out = &text};

    CM_TRY(cm_base64_encode(&ek, ct, true));
    /* Trustee's reader writes this again to check it: in this order, without spaces. */
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "alg", CM_LIT(CM_JWE_ALG));
    cm_json_put_text(&w, "enc", CM_LIT(CM_JWE_ENC));
    cm_json_put_text(&w, "ek", cm_buf_view(&ek));
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    return cm_base64_encode(out, cm_buf_view(&text), true);
}

static cm_err put_field(cm_json_writer *w, const char *name, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_JWE_MAX};

    CM_TRY(cm_base64_encode(&text, v, true));
    cm_json_put_text(w, name, cm_buf_view(&text));
    return CM_OKAY;
}

typedef struct {
    uint8_t iv[CM_GCM_NONCE], tag[CM_GCM_TAG];
    cm_buf protected_, wrapped, body;
} parts;

static void parts_done(parts *p)
{
    cm_buf_free(&p->protected_);
    cm_buf_free(&p->wrapped);
    cm_buf_free(&p->body);
}

static cm_err put_parts(cm_buf *out, const parts *p)
{
    cm_json_writer w = {.out = out};

    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "protected", cm_buf_view(&p->protected_));
    CM_TRY(put_field(&w, "encrypted_key", cm_buf_view(&p->wrapped)));
    CM_TRY(put_field(&w, "iv", CM_VIEW(p->iv)));
    CM_TRY(put_field(&w, "ciphertext", cm_buf_view(&p->body)));
    CM_TRY(put_field(&w, "tag", CM_VIEW(p->tag)));
    cm_json_end_object(&w);
    return cm_json_finish(&w);
}

static cm_err encrypt(parts *p, const cm_crypt *c, const cm_key32 *cek, cm_view plain)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;

    CM_TRY(cm_gcm_new(&g, c, cek));
    CM_TRY(cm_random(c, p->iv, sizeof p->iv));
    CM_TRY(cm_buf_reserve(&p->body, CM_MAX(plain.n, 1)));
    CM_TRY(cm_gcm_seal(g, p->body.p, p->tag, p->iv, cm_buf_view(&p->protected_), plain));
    p->body.n = plain.n;
    return CM_OKAY;
}

cm_err cm_jwe_seal(cm_buf *out, const cm_crypt *c, const cm_kem_key *to, cm_view plain)
{
    CM_AUTO(parts_done)
    parts p = {.protected_ = {.max = HEADER_MAX},
               .wrapped = {.max = WRAPPED},
               .body = {.max = CM_JWE_PLAIN_MAX}};
    CM_AUTO(keys_wipe) keys k;
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_JWE_MAX};
    uint8_t ct[CT];

    if (cm_kem_key_info(to)->id != CM_KEM_MLKEM768)
        return CM_FAIL(RELEASE_KEY);
    if (plain.n > CM_JWE_PLAIN_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_kem_encap(to, ct, k.secret));
    CM_TRY(cm_jwe_kdf(k.kwk, c, k.secret));
    CM_TRY(cm_random(c, k.cek.b, sizeof k.cek.b)); /* RL-8: a key of this message alone */
    CM_TRY(put_header(&p.protected_, CM_VIEW(ct)));
    CM_TRY(cm_kw192_wrap(c, &p.wrapped, k.kwk, CM_VIEW(k.cek.b)));
    CM_TRY(encrypt(&p, c, &k.cek, plain));
    CM_TRY(put_parts(&text, &p));
    return cm_buf_append(out, cm_buf_view(&text));
}

cm_err cm_jwe_seal_to(cm_buf *out, const cm_crypt *c, cm_view key, cm_view plain)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *to = NULL;
    cm_err e = cm_kem_from_public(&to, c, CM_KEM_MLKEM768, key);

    if (cm_is(e, CM_CRYPT_BAD_KEY))
        return CM_FAIL(RELEASE_KEY);
    CM_TRY(e);
    return cm_jwe_seal(out, c, to, plain);
}

/* ---- opening ------------------------------------------------------------------------------- */

/* The text of a member; every member of the object is asked for once, and there are n. */
static bool member(cm_view *out, const cm_json_node *obj, const char *name, size_t n)
{
    return cm_json_size(obj) == n && cm_ok(cm_json_string(cm_json_get(obj, name), out));
}

static cm_err decode(cm_buf *out, const cm_json_node *obj, const char *name)
{
    cm_view text;
    cm_err e;

    if (!member(&text, obj, name, 5))
        return CM_FAIL(RELEASE_JWE);
    e = cm_base64_decode(out, text, true);
    return cm_is(e, CM_NO_MEMORY) || cm_ok(e) ? e : CM_FAIL(RELEASE_JWE);
}

static cm_err parse(cm_json **out, cm_view text)
{
    static const cm_json_limits limits = {CM_JWE_MAX, 16, 2, CM_JWE_MAX};
    cm_err e = cm_json_parse(out, text, &limits, NULL);

    if (cm_failed(e))
        return cm_is(e, CM_NO_MEMORY) ? e : CM_FAIL(RELEASE_JWE);
    return cm_json_type_of(cm_json_root(*out)) == CM_JSON_OBJECT ? CM_OKAY : CM_FAIL(RELEASE_JWE);
}

/* RL-10: exactly these two algorithms, and nothing in the header that would have to be understood.
 */
static cm_err read_header(cm_buf *ct, cm_view text)
{
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    const cm_json_node *h;
    cm_view alg, enc, ek;

    CM_TRY(parse(&j, text));
    h = cm_json_root(j);
    if (!member(&alg, h, "alg", 3) || !member(&enc, h, "enc", 3) || !member(&ek, h, "ek", 3) ||
        !cm_view_eq(alg, CM_LIT(CM_JWE_ALG)) || !cm_view_eq(enc, CM_LIT(CM_JWE_ENC)) ||
        cm_failed(cm_base64_decode(ct, ek, true)) || ct->n != CT)
        return CM_FAIL(RELEASE_JWE);
    return CM_OKAY;
}

static cm_err unwrap(keys *k, const cm_crypt *c, const cm_kem_key *me, cm_view ct, cm_view wrapped)
{
    CM_AUTO(cm_buf_free) cm_buf cek = {.max = WRAPPED};

    CM_TRY(cm_kem_decap(me, k->secret, ct));
    CM_TRY(cm_jwe_kdf(k->kwk, c, k->secret));
    CM_TRY(cm_kw192_unwrap(c, &cek, k->kwk, wrapped));
    if (cek.n != CM_GCM_KEY)
        return CM_FAIL(CRYPT_TAG);
    memcpy(k->cek.b, cek.p, CM_GCM_KEY);
    return CM_OKAY;
}

static cm_err read_parts(parts *p, cm_view *header, const cm_json_node *root)
{
    CM_AUTO(cm_buf_free) cm_buf iv = {.max = CM_GCM_NONCE};
    CM_AUTO(cm_buf_free) cm_buf tag = {.max = CM_GCM_TAG};

    if (!member(header, root, "protected", 5))
        return CM_FAIL(RELEASE_JWE);
    CM_TRY(decode(&p->protected_, root, "protected"));
    CM_TRY(decode(&p->wrapped, root, "encrypted_key"));
    CM_TRY(decode(&p->body, root, "ciphertext"));
    CM_TRY(decode(&iv, root, "iv"));
    CM_TRY(decode(&tag, root, "tag"));
    if (p->wrapped.n != WRAPPED || iv.n != CM_GCM_NONCE || tag.n != CM_GCM_TAG)
        return CM_FAIL(RELEASE_JWE);
    memcpy(p->iv, iv.p, iv.n);
    memcpy(p->tag, tag.p, tag.n);
    return CM_OKAY;
}

static cm_err decrypt(cm_buf *out, const cm_crypt *c, const cm_key32 *cek, const parts *p,
                      cm_view aad)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    cm_view body = cm_buf_view(&p->body);

    CM_TRY(cm_gcm_new(&g, c, cek));
    CM_TRY(cm_buf_reserve(out, CM_MAX(body.n, 1)));
    CM_TRY(cm_gcm_open(g, out->p + out->n, p->tag, p->iv, aad, body));
    out->n += body.n;
    return CM_OKAY;
}

cm_err cm_jwe_open(cm_buf *out, const cm_crypt *c, const cm_kem_key *me, cm_view response)
{
    CM_AUTO(parts_done)
    parts p = {.protected_ = {.max = HEADER_MAX},
               .wrapped = {.max = WRAPPED},
               .body = {.max = CM_JWE_PLAIN_MAX}};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    CM_AUTO(cm_buf_free) cm_buf ct = {.max = CT};
    CM_AUTO(keys_wipe) keys k;
    cm_view header;

    if (cm_kem_key_info(me)->id != CM_KEM_MLKEM768)
        return CM_FAIL(RELEASE_KEY);
    CM_TRY(parse(&j, response));
    CM_TRY(read_parts(&p, &header, cm_json_root(j)));
    CM_TRY(read_header(&ct, cm_buf_view(&p.protected_)));
    CM_TRY(unwrap(&k, c, me, cm_buf_view(&ct), cm_buf_view(&p.wrapped)));
    return decrypt(out, c, &k.cek, &p, header); /* the bytes that came, not what they say */
}
