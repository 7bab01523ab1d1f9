#include "wire/digest.h"

#include "base/ct.h"
#include "codec/text.h"
#include "wire/sfv.h"

enum { MEMBERS_MAX = 4, BASE64_MAX = 128 };

static const struct {
    cm_hash hash;
    const char *name;
} algorithms[] = {{CM_SHA256, "sha-256"}, {CM_SHA512, "sha-512"}};

static const char *name_of(cm_hash h)
{
    for (size_t i = 0; i < CM_COUNT(algorithms); i++)
        if (algorithms[i].hash == h)
            return algorithms[i].name;
    return NULL;
}

static cm_err append(cm_buf *out, cm_view name, cm_view digest)
{
    CM_TRY(cm_buf_append(out, name));
    CM_TRY(cm_buf_append(out, CM_LIT("=:")));
    CM_TRY(cm_base64_encode(out, digest, false));
    return cm_buf_byte(out, ':');
}

cm_err cm_digest_write(cm_buf *out, const cm_crypt *c, cm_hash h, cm_view body)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_DIGEST_HEADER_MAX};
    uint8_t d[CM_HASH_MAX];

    if (!name_of(h))
        return CM_FAIL(CRYPT_ALGORITHM);
    CM_TRY(cm_hash_once(c, h, d, body));
    CM_TRY(append(&b, cm_view_str(name_of(h)), cm_view_of(d, cm_hash_size(h))));
    return cm_buf_append(out, cm_buf_view(&b));
}

/* *known says whether the algorithm is one of ours. */
static cm_err check_member(bool *known, const cm_crypt *c, cm_view name, cm_view base64,
                           cm_view body)
{
    CM_AUTO(cm_buf_free) cm_buf claimed = {.max = BASE64_MAX};
    uint8_t d[CM_HASH_MAX];

    if (cm_failed(cm_base64_decode(&claimed, base64, false)))
        return CM_FAIL(SIGN_MALFORMED);
    for (size_t i = 0; i < CM_COUNT(algorithms); i++) {
        if (!cm_view_eq(name, cm_view_str(algorithms[i].name)))
            continue;
        *known = true;
        CM_TRY(cm_hash_once(c, algorithms[i].hash, d, body));
        if (!cm_ct_equal(cm_view_of(d, cm_hash_size(algorithms[i].hash)), cm_buf_view(&claimed)))
            return CM_FAIL(SIGN_DIGEST); /* W-10 */
    }
    return CM_OKAY;
}

cm_err cm_digest_check(const cm_crypt *c, cm_view header, cm_view body)
{
    cm_sfv s = cm_sfv_of(header);
    bool known = false;

    if (header.n > CM_DIGEST_HEADER_MAX)
        return CM_FAIL(SIGN_MALFORMED);
    for (int i = 0; i < MEMBERS_MAX; i++) {
        cm_view name, base64;

        if (!cm_sfv_key(&s, &name) || !cm_sfv_byte(&s, '=') ||
            !cm_sfv_bytes(&s, &base64, BASE64_MAX))
            return CM_FAIL(SIGN_MALFORMED);
        CM_TRY(check_member(&known, c, name, base64, body));
        if (cm_sfv_over(&s))
            return known ? CM_OKAY : CM_FAIL(SIGN_ALGORITHM);
        if (!cm_sfv_byte(&s, ',') || !cm_sfv_byte(&s, ' '))
            return CM_FAIL(SIGN_MALFORMED);
    }
    return CM_FAIL(SIGN_MALFORMED);
}
