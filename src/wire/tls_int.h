#ifndef CM_WIRE_TLS_INT_H
#define CM_WIRE_TLS_INT_H
/* What the files about TLS share. */
#include <pthread.h>
#include <stdatomic.h>

#include <openssl/ssl.h>

#include "wire/tls.h"

enum { CM_TLS_ALPN_MAX = 64, CM_TLS_LIST_MAX = 256 };

/* Everything that a reload replaces at once. Immutable but for the count; connections hold one. */
typedef struct cm_tls_set {
    atomic_uint refs;
    SSL_CTX *ctx;
    const cm_crypt *crypt;
    cm_tls_policy policy;
    bool server, post_quantum_certs;
    uint8_t alpn[CM_TLS_ALPN_MAX]; /* as on the wire: each name behind its length */
    size_t alpn_n;
    cm_certs roots;
} cm_tls_set;

void cm_tls_set_drop(cm_tls_set *s);

struct cm_tls {
    const cm_crypt *crypt;
    bool server;
    pthread_mutex_t lock; /* guards set */
    cm_tls_set *set;
};

/** The set in force, held for the caller: cm_tls_set_drop() it. */
cm_tls_set *cm_tls_hold(cm_tls *t);

struct cm_tls_conn {
    SSL *ssl;
    cm_tls_set *set;
    uint64_t now;
    bool up;     /* the handshake is over and was accepted */
    bool dead;   /* an error has ended it */
    cm_err cert; /* what the verification of the peer's chain said */
    char host[256];
    size_t host_n;
    SSL_SESSION *ticket; /* newest that came, client */
    cm_tls_why why;
};

/* ---- groups (tls_group.c) ---- */

/** OpenSSL's list of a policy. */
const char *cm_tls_groups_of(cm_tls_policy p);
/** Whether a policy takes a group, by code point; by OpenSSL's name. */
bool cm_tls_group_allowed(cm_tls_policy p, uint16_t group);
bool cm_tls_group_named(cm_tls_policy p, const char *name, bool *pq);
/** For SSL_CTX_set_client_hello_cb(): W-41. */
int cm_tls_client_hello(SSL *ssl, int *alert, void *arg);

/* ---- reasons (tls_why.c) ---- */

/** The reason of a failed call, from OpenSSL's queue, which is emptied, and from what k has seen.
 * Fills in k->why. */
cm_err cm_tls_failed(cm_tls_conn *k, int ssl_error);
/** Empties the queue: NO_MEMORY if an allocation failed, else the reason given. */
cm_err cm_tls_fail(cm_reason otherwise);
/** Append formatted text to why.text, cut at its end. */
void cm_tls_say(cm_tls_conn *k, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- certificates (tls_cert.c) ---- */

/** For SSL_CTX_set_cert_verify_callback(): the rules of pki, at the connection's time. */
int cm_tls_verify_chain(X509_STORE_CTX *ctx, void *arg);
/** After a resumed handshake: whether the peer's certificate is still good by its times (W-46). */
CM_MUST cm_err cm_tls_recheck(const cm_tls_conn *k);
/** Certificates, keys, roots and signature algorithms into a context. */
CM_MUST cm_err cm_tls_use(cm_tls_set *s, const cm_tls_options *o);

#endif
