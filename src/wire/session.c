#include "wire/session.h"

#include <stdio.h>

#include "base/ct.h"
#include "codec/text.h"
#include "wire/sign_int.h"

enum { EXPORTER = 32, CHANNEL = 32, INFO_MAX = 512, BASE64_32 = 44, COUNTER_TEXT = 24 };

#define CHANNEL_INFO "casemate-channel-v1"
#define SESSION_INFO "casemate-session-v1"

/* ---- bound to a connection ---- */

cm_err cm_session_channel(cm_buf *out, const cm_crypt *c, cm_view exporter)
{
    uint8_t b[CHANNEL];

    if (exporter.n != EXPORTER)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_hkdf_expand(c, CM_SHA256, b, sizeof b, exporter, CM_LIT(CHANNEL_INFO)));
    return cm_base64_encode(out, CM_VIEW(b), false);
}

/* W-21 */
cm_err cm_session_check_channel(const cm_httpsig *s, const cm_crypt *c, const cm_httpsig_message *m,
                                cm_view exporter)
{
    CM_AUTO(cm_buf_free) cm_buf ours = {.max = BASE64_32};
    cm_view theirs = {NULL, 0};

    if (cm_httpsig_header(&theirs, m, CM_LIT(CM_SESSION_CHANNEL_HEADER)) != 1 ||
        !cm_httpsig_covers(s, CM_SESSION_CHANNEL_HEADER))
        return CM_FAIL(SESSION_CHANNEL);
    CM_TRY(cm_session_channel(&ours, c, exporter));
    return cm_ct_equal(theirs, cm_buf_view(&ours)) ? CM_OKAY : CM_FAIL(SESSION_CHANNEL);
}

/* W-22 */
cm_err cm_session_key(cm_key32 *out, const cm_crypt *c, cm_view exporter,
                      const uint8_t id[CM_SESSION_ID], cm_view opener)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = INFO_MAX};

    if (exporter.n != EXPORTER)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_buf_append(&info, CM_LIT(SESSION_INFO)));
    CM_TRY(cm_buf_append(&info, cm_view_of(id, CM_SESSION_ID)));
    CM_TRY(cm_buf_append(&info, opener));
    return cm_hkdf_expand(c, CM_SHA256, out->b, sizeof out->b, exporter, cm_buf_view(&info));
}

/* ---- names ---- */

void cm_session_keyid(char out[CM_SESSION_KEYID + 1], const uint8_t id[CM_SESSION_ID])
{
    static const char hex[] = "0123456789abcdef";
    size_t at = sizeof CM_SESSION_KEYID_PREFIX - 1;

    memcpy(out, CM_SESSION_KEYID_PREFIX, at);
    for (size_t i = 0; i < CM_SESSION_ID; i++) {
        out[at++] = hex[id[i] >> 4];
        out[at++] = hex[id[i] & 15];
    }
    out[at] = 0;
}

bool cm_session_id_of(uint8_t id[CM_SESSION_ID], cm_view keyid)
{
    static const cm_view prefix = {(const uint8_t *)CM_SESSION_KEYID_PREFIX, 8};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_SESSION_ID};

    if (keyid.n != CM_SESSION_KEYID || !cm_view_eq(cm_view_sub(keyid, 0, prefix.n), prefix))
        return false;
    for (size_t i = prefix.n; i < keyid.n; i++) /* one text per id */
        if (keyid.p[i] >= 'A' && keyid.p[i] <= 'F')
            return false;
    if (cm_failed(cm_hex_decode(&b, cm_view_sub(keyid, prefix.n, keyid.n - prefix.n))))
        return false;
    memcpy(id, b.p, CM_SESSION_ID);
    return true;
}

/* ---- counters ---- */

static uint64_t *word_of(cm_session_window *w, uint64_t counter)
{
    return &w->bits[counter % CM_SESSION_WINDOW_BITS / 64];
}

static uint64_t bit_of(uint64_t counter)
{
    return UINT64_C(1) << counter % 64;
}

bool cm_session_fresh(const cm_session_window *w, uint64_t counter)
{
    if (counter == 0)
        return false;
    if (counter > w->highest)
        return true;
    if (w->highest - counter >= CM_SESSION_WINDOW_BITS)
        return false;
    return !(w->bits[counter % CM_SESSION_WINDOW_BITS / 64] & bit_of(counter));
}

/* W-24. The bits are a ring: those of counters that fall out of the window are cleared on the way.
 */
cm_err cm_session_use(cm_session_window *w, uint64_t counter)
{
    if (!cm_session_fresh(w, counter))
        return CM_FAIL(SESSION_REPLAY);
    if (counter > w->highest && counter - w->highest >= CM_SESSION_WINDOW_BITS)
        memset(w->bits, 0, sizeof w->bits);
    else
        for (uint64_t i = w->highest + 1; i <= counter; i++)
            *word_of(w, i) &= ~bit_of(i);
    *word_of(w, counter) |= bit_of(counter);
    w->highest = CM_MAX(w->highest, counter);
    return CM_OKAY;
}

/* ---- requests ---- */

cm_err cm_session_verify(cm_session_window *w, const cm_httpsig *s, const cm_crypt *c,
                         const cm_httpsig_message *m, const cm_key32 *key)
{
    uint64_t counter;

    if (s->alg != CM_HTTPSIG_HMAC_SHA256) /* W-23 */
        return CM_FAIL(SIGN_ALGORITHM);
    if (cm_failed(cm_dec_u64(&counter, s->nonce)) || !cm_session_fresh(w, counter))
        return CM_FAIL(SESSION_REPLAY);
    CM_TRY(cm_httpsig_verify_hmac(s, c, m, CM_VIEW(key->b)));
    return cm_session_use(w, counter);
}

cm_err cm_session_sign(cm_httpsig_headers *out, const cm_crypt *c, const cm_httpsig_message *m,
                       const cm_key32 *key, const uint8_t id[CM_SESSION_ID], uint64_t *counter,
                       uint64_t now)
{
    char keyid[CM_SESSION_KEYID + 1], nonce[COUNTER_TEXT];
    int n = snprintf(nonce, sizeof nonce, "%llu", (unsigned long long)(*counter + 1));
    cm_httpsig_with w = {.hmac = CM_VIEW(key->b), .created = now};

    if (*counter == UINT64_MAX)
        return CM_FAIL(OVERFLOW);
    cm_session_keyid(keyid, id);
    w.keyid = cm_view_str(keyid);
    w.nonce = cm_view_of(nonce, (size_t)n);
    CM_TRY(cm_httpsig_make(out, c, m, &w));
    ++*counter;
    return CM_OKAY;
}
