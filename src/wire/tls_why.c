#include <stdarg.h>
#include <stdio.h>

#include <openssl/err.h>

#include "wire/tls_int.h"

void cm_tls_say(cm_tls_conn *k, const char *format, ...)
{
    size_t n = strlen(k->why.text);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(k->why.text + n, sizeof k->why.text - n, format, args);
    va_end(args);
}

cm_err cm_tls_fail(cm_reason otherwise)
{
    bool memory = false;
    unsigned long e;

    while ((e = ERR_get_error()) != 0)
        memory = memory || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    return memory ? CM_FAIL(NO_MEMORY) : (cm_err){(uint32_t)otherwise};
}

const cm_tls_why *cm_tls_why_of(const cm_tls_conn *k)
{
    return &k->why;
}

/* Whether a group was agreed on: OpenSSL looks for it in a session that need not be there yet. */
static bool has_group(const cm_tls_conn *k)
{
    return SSL_get_session(k->ssl) && SSL_get0_group_name(k->ssl);
}

/* An alert that came: what it says of us or of them. */
static cm_reason of_alert(const cm_tls_conn *k, int alert)
{
    bool early = !k->set->server && !has_group(k);

    switch (alert) {
    case SSL_AD_HANDSHAKE_FAILURE:
        /* The first answer to our ClientHello: of what it offers, groups are what peers lack. */
        return early ? CM_TLS_NO_PQ_GROUP : CM_TLS_PEER_ALERT;
    case SSL_AD_INSUFFICIENT_SECURITY:
        return CM_TLS_NO_PQ_GROUP;
    case SSL_AD_PROTOCOL_VERSION:
        return CM_TLS_VERSION;
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return CM_TLS_ALPN;
    case SSL_AD_CERTIFICATE_REQUIRED:
        return CM_TLS_CERT_WANTED;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
        return CM_TLS_CERT_REFUSED;
    default:
        return CM_TLS_PEER_ALERT;
    }
}

/* Our own side's refusal, by libssl's reason. What is no TLS record at all has no version either,
 * so the last ones mean that only as long as nothing else has come. */
static cm_reason of_reason(const cm_tls_conn *k, int reason)
{
    static const struct {
        int reason;
        cm_reason ours;
    } rows[] = {
        {SSL_R_NO_SHARED_GROUPS, CM_TLS_NO_PQ_GROUP},
        {SSL_R_NO_SUITABLE_KEY_SHARE, CM_TLS_NO_PQ_GROUP},
        {SSL_R_NO_SUITABLE_GROUPS, CM_TLS_NO_PQ_GROUP},
        {SSL_R_UNSUPPORTED_PROTOCOL, CM_TLS_VERSION},
        {SSL_R_UNKNOWN_PROTOCOL, CM_TLS_VERSION},
        {SSL_R_VERSION_TOO_LOW, CM_TLS_VERSION},
        {SSL_R_NO_APPLICATION_PROTOCOL, CM_TLS_ALPN},
        {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, CM_TLS_NO_SIGNATURE},
        {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, CM_TLS_NO_SIGNATURE},
        {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, CM_TLS_NO_CERT},
        {SSL_R_UNEXPECTED_EOF_WHILE_READING, CM_TLS_CLOSED},
        {SSL_R_WRONG_SSL_VERSION, CM_TLS_NOT_TLS},
        {SSL_R_WRONG_VERSION_NUMBER, CM_TLS_NOT_TLS},
        {SSL_R_HTTP_REQUEST, CM_TLS_NOT_TLS},
        {SSL_R_HTTPS_PROXY_REQUEST, CM_TLS_NOT_TLS},
        {SSL_R_PACKET_LENGTH_TOO_LONG, CM_TLS_NOT_TLS},
        {SSL_R_RECORD_LAYER_FAILURE, CM_TLS_NOT_TLS},
    };
    bool speaks_tls = k->why.offered_n || has_group(k);

    for (size_t i = 0; i < CM_COUNT(rows); i++)
        if (rows[i].reason == reason && !(rows[i].ours == CM_TLS_NOT_TLS && speaks_tls))
            return rows[i].ours;
    return CM_TLS_HANDSHAKE;
}

static bool is_alert(int reason)
{
    return reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
}

/* The first entry is the cause; what follows are those that it passed through. */
static cm_err of_queue(cm_tls_conn *k)
{
    unsigned long e = ERR_peek_error();
    int reason = ERR_GET_REASON(e);
    const char *text = ERR_reason_error_string(e);

    if (is_alert(reason))
        k->why.alert = reason - SSL_AD_REASON_OFFSET;
    if (k->why.text[0] == 0 && text && !ERR_SYSTEM_ERROR(e))
        cm_tls_say(k, "%s", text);
    if (k->why.alert >= 0)
        return (cm_err){(uint32_t)of_alert(k, k->why.alert)};
    if (ERR_SYSTEM_ERROR(e))
        return CM_FAIL(TLS_CLOSED);
    return (cm_err){(uint32_t)of_reason(k, reason)};
}

cm_err cm_tls_failed(cm_tls_conn *k, int ssl_error)
{
    cm_err e = k->why.err, queued;

    k->dead = true;
    if (cm_ok(e) && cm_failed(k->cert))
        e = k->cert;
    if (cm_ok(e) && (ssl_error == SSL_ERROR_SYSCALL || ssl_error == SSL_ERROR_ZERO_RETURN) &&
        ERR_peek_error() == 0)
        e = CM_FAIL(TLS_CLOSED);
    if (cm_ok(e))
        e = of_queue(k);
    queued = cm_tls_fail(CM_TLS_HANDSHAKE);
    k->why.err = cm_is(queued, CM_NO_MEMORY) ? queued : e;
    return k->why.err;
}
