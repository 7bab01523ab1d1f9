/* Reading what services say: public keys, signatures, names. */
#include <stdio.h>

#include "cloud/cloud_int.h"
#include "codec/text.h"

uint32_t cm_crc32c(cm_view v)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < v.n; i++) {
        crc ^= v.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
    }
    return ~crc;
}

/* ---- members ------------------------------------------------------------------------------- */

cm_err cm_cloud_text(const cm_json_node *o, const char *name, cm_view *out)
{
    return cm_ok(cm_json_string(cm_json_get(o, name), out)) && out->n ? CM_OKAY
                                                                      : CM_FAIL(CLOUD_ANSWER);
}

cm_err cm_cloud_same(const cm_json_node *o, const char *name, cm_view want)
{
    cm_view got;

    CM_TRY(cm_cloud_text(o, name, &got));
    return cm_view_eq(got, want) ? CM_OKAY : CM_FAIL(HSM_WRONG);
}

cm_err cm_cloud_bytes(const cm_json_node *o, const char *name, bool url, cm_buf *out)
{
    cm_view text;
    cm_err e;

    CM_TRY(cm_cloud_text(o, name, &text));
    e = cm_base64_decode(out, text, url);
    return cm_is(e, CM_BASE64_MALFORMED) || cm_is(e, CM_TOO_BIG) ? CM_FAIL(CLOUD_ANSWER) : e;
}

cm_err cm_cloud_key32(const cm_json_node *o, const char *name, bool url, cm_key32 *out)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};

    CM_TRY(cm_buf_reserve(&b, 64));
    CM_TRY(cm_cloud_bytes(o, name, url, &b));
    if (b.n != sizeof out->b)
        return CM_FAIL(HSM_WRONG);
    memcpy(out->b, b.p, b.n);
    return CM_OKAY;
}

/* It goes into a path: letters, digits and what the three services put between them. */
cm_err cm_cloud_name(char out[NAME_MAX_], cm_view v)
{
    if (v.n == 0 || v.n >= NAME_MAX_)
        return CM_FAIL(CLOUD_ANSWER);
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              (c && memchr(":/-_.", c, 5))))
            return CM_FAIL(CLOUD_ANSWER);
    }
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return CM_OKAY;
}

cm_err cm_cloud_key_name(char out[128], const struct cloud_key *k)
{
    static const char *const short_[] = {"none",    "aes256",  "p256",    "secp256k1",
                                         "ed25519", "mldsa44", "mldsa65", "mldsa87"};
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = 2 * CM_HSM_ID_MAX};

    if (k->alg >= CM_COUNT(short_))
        return CM_FAIL(HSM_MECHANISM);
    CM_TRY(cm_hex_encode(&hex, cm_view_of(k->id, k->id_n)));
    (void)snprintf(out, 128, "casemate-%.*s-%s", (int)hex.n, (const char *)hex.p, short_[k->alg]);
    return CM_OKAY;
}

/* ---- public keys: one encoding for each algorithm, so its head is a constant ----------------- */

static const uint8_t p256_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
static const uint8_t k256_head[] = {0x30, 0x56, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
                                    0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
                                    0x81, 0x04, 0x00, 0x0a, 0x03, 0x42, 0x00};
static const uint8_t ed_head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                  0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
static const uint8_t m44_head[] = {0x30, 0x82, 0x05, 0x32, 0x30, 0x0b, 0x06, 0x09,
                                   0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03,
                                   0x11, 0x03, 0x82, 0x05, 0x21, 0x00};
static const uint8_t m65_head[] = {0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09,
                                   0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03,
                                   0x12, 0x03, 0x82, 0x07, 0xa1, 0x00};
static const uint8_t m87_head[] = {0x30, 0x82, 0x0a, 0x32, 0x30, 0x0b, 0x06, 0x09,
                                   0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03,
                                   0x13, 0x03, 0x82, 0x0a, 0x21, 0x00};

cm_err cm_cloud_spki(struct cloud_key *k, cm_view der)
{
    static const struct {
        const uint8_t *head;
        size_t n, pub;
    } form[] = {
        [CM_HSM_P256] = {p256_head, sizeof p256_head, 65},
        [CM_HSM_SECP256K1] = {k256_head, sizeof k256_head, 65},
        [CM_HSM_ED25519] = {ed_head, sizeof ed_head, 32},
        [CM_HSM_MLDSA44] = {m44_head, sizeof m44_head, 1312},
        [CM_HSM_MLDSA65] = {m65_head, sizeof m65_head, 1952},
        [CM_HSM_MLDSA87] = {m87_head, sizeof m87_head, 2592},
    };

    if (k->alg >= CM_COUNT(form) || !form[k->alg].n || der.n != form[k->alg].n + form[k->alg].pub ||
        !cm_view_eq(cm_view_sub(der, 0, form[k->alg].n),
                    cm_view_of(form[k->alg].head, form[k->alg].n)))
        return CM_FAIL(CLOUD_ANSWER);
    k->pub_n = form[k->alg].pub;
    memcpy(k->pub, der.p + form[k->alg].n, k->pub_n);
    return CM_OKAY;
}

/* ---- signatures ---------------------------------------------------------------------------- */

/* A positive INTEGER of at most 256 bits, minimal, off the front of *v. */
static bool take_scalar(uint8_t out[32], cm_view *v)
{
    size_t n, skip;

    if (v->n < 3 || v->p[0] != 2 || v->p[1] == 0 || v->p[1] > 33 || v->n - 2 < v->p[1])
        return false;
    n = v->p[1];
    skip = v->p[2] == 0 ? 1 : 0;
    if (v->p[2] & 0x80 || (skip && (n < 2 || !(v->p[3] & 0x80))) || n - skip > 32)
        return false;
    memset(out, 0, 32);
    memcpy(out + 32 - (n - skip), v->p + 2 + skip, n - skip);
    *v = cm_view_sub(*v, 2 + n, v->n - 2 - n);
    return true;
}

cm_err cm_cloud_ecdsa(cm_buf *out, cm_view der)
{
    uint8_t rs[64];

    if (der.n < 2 || der.p[0] != 0x30 || der.p[1] > 0x7f || der.p[1] != der.n - 2)
        return CM_FAIL(HSM_WRONG);
    der = cm_view_sub(der, 2, der.n - 2);
    if (!take_scalar(rs, &der) || !take_scalar(rs + 32, &der) || der.n)
        return CM_FAIL(HSM_WRONG);
    return cm_buf_append(out, CM_VIEW(rs));
}

cm_err cm_cloud_digest(const cm_cloud *k, const struct cloud_key *key, cm_view msg, uint8_t out[32])
{
    if (key->alg == CM_HSM_P256)
        return cm_hash_once(k->crypt, CM_SHA256, out, msg);
    memcpy(out, msg.p, 32); /* H-1: secp256k1 signs 32 bytes */
    return CM_OKAY;
}
