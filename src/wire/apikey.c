#include "wire/apikey.h"

#include "base/ct.h"
#include "codec/text.h"

enum { PREFIX = 4, RANDOM = 32, RANDOM_TEXT = 43, SUM_TEXT = 6 };

#define KEY_PREFIX "cmk_"
#define SUM_LABEL  "casemate-apikey-v1"

/* W-70: the first six characters of base64url(SHA-256(label || what stands before)). */
static cm_err checksum(char out[SUM_TEXT], const cm_crypt *c, const char *text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};
    uint8_t in[sizeof SUM_LABEL - 1 + PREFIX + RANDOM_TEXT], d[32];
    cm_err e;

    memcpy(in, SUM_LABEL, sizeof SUM_LABEL - 1);
    memcpy(in + sizeof SUM_LABEL - 1, text, PREFIX + RANDOM_TEXT);
    e = cm_hash_once(c, CM_SHA256, d, CM_VIEW(in));
    cm_wipe(in, sizeof in);
    CM_TRY(e);
    CM_TRY(cm_base64_encode(&b, CM_VIEW(d), true));
    memcpy(out, b.p, SUM_TEXT);
    return CM_OKAY;
}

static cm_err compose(char out[CM_APIKEY_TEXT + 1], const cm_crypt *c, cm_view random)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = RANDOM_TEXT};

    CM_TRY(cm_base64_encode(&b, random, true));
    memcpy(out, KEY_PREFIX, PREFIX);
    memcpy(out + PREFIX, b.p, RANDOM_TEXT);
    CM_TRY(checksum(out + PREFIX + RANDOM_TEXT, c, out));
    out[CM_APIKEY_TEXT] = 0;
    return CM_OKAY;
}

cm_err cm_apikey_new(char out[CM_APIKEY_TEXT + 1], const cm_crypt *c)
{
    CM_AUTO(cm_key32_wipe) cm_key32 random;
    char text[CM_APIKEY_TEXT + 1];
    cm_err e;

    CM_TRY(cm_random(c, random.b, RANDOM));
    e = compose(text, c, CM_VIEW(random.b));
    if (cm_ok(e))
        memcpy(out, text, sizeof text);
    cm_wipe(text, sizeof text);
    return e;
}

static bool alphabet(cm_view text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t b = text.p[i];

        if (!((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
              b == '-' || b == '_'))
            return false;
    }
    return true;
}

cm_err cm_apikey_hash(uint8_t out[CM_APIKEY_HASH], const cm_crypt *c, cm_view text)
{
    char sum[SUM_TEXT];

    if (text.n != CM_APIKEY_TEXT || !cm_view_eq(cm_view_sub(text, 0, PREFIX), CM_LIT(KEY_PREFIX)) ||
        !alphabet(text))
        return CM_FAIL(APIKEY_MALFORMED);
    CM_TRY(checksum(sum, c, (const char *)text.p));
    if (!cm_ct_equal(CM_VIEW(sum), cm_view_sub(text, PREFIX + RANDOM_TEXT, SUM_TEXT)))
        return CM_FAIL(APIKEY_MALFORMED);
    return cm_hash_once(c, CM_SHA256, out, text); /* W-71 */
}

cm_err cm_apikey_check(const cm_crypt *c, cm_view text, cm_view hash)
{
    uint8_t h[CM_APIKEY_HASH];

    CM_TRY(cm_apikey_hash(h, c, text));
    return cm_ct_equal(CM_VIEW(h), hash) ? CM_OKAY : CM_FAIL(APIKEY_WRONG);
}
