#ifndef CM_WIRE_TLS_H
#define CM_WIRE_TLS_H
/*
 * TLS 1.3 with a post-quantum key exchange, or none at all: contexts that can be reloaded, and
 * non-blocking connections on a socket. TLS 1.2, renegotiation, early data, compression and
 * resumption without a fresh key exchange do not exist here.
 *
 * The peer's offer is looked at in the ClientHello, so that a classical-only client gets a counted,
 * explained refusal (TLS_NO_PQ_GROUP with what it offered); and what was negotiated is looked at
 * again when the handshake is over (W-40): configuration alone is not trusted.
 *
 * Connections work on the descriptor itself: OpenSSL reads as much as there is into one buffer
 * (read-ahead) and writes records from the caller's bytes, one system call each. Memory BIOs would
 * copy everything once more. Buffers are given back while a connection is idle. Hand
 * cm_tls_write() up to 16 KiB at once: that is one record and one write(). SIGPIPE must be ignored
 * by the process.
 *
 * A cm_tls is shared by threads; a connection belongs to one at a time.
 */
#include "pki/ca.h"

typedef enum {
    CM_TLS_HYBRID, /* X25519MLKEM768, SecP256r1MLKEM768, SecP384r1MLKEM1024 */
    CM_TLS_STRICT, /* MLKEM768, MLKEM1024 alone */
    CM_TLS_LEGACY, /* hybrid first, then X25519 and P-256: opt-in, per listener */
} cm_tls_policy;
/** "hybrid", "strict", "legacy": static. */
const char *cm_tls_policy_name(cm_tls_policy p);

typedef enum { CM_TLS_CERT_NONE, CM_TLS_CERT_OPTIONAL, CM_TLS_CERT_REQUIRED } cm_tls_client_cert;

/** A certificate with what stands above it, and its private key. Borrowed for the call. */
typedef struct {
    const cm_certs *chain; /* leaf first */
    const cm_pkey *key;
} cm_tls_identity;

enum { CM_TLS_IDENTITIES_MAX = 4, CM_TLS_OFFERED_MAX = 24, CM_TLS_EXPORTER = 32 };

typedef struct {
    cm_tls_policy policy;
    /* Server: one to CM_TLS_IDENTITIES_MAX, of different algorithms, chosen by what the client can
     * verify, in this order. Client: none or one. */
    const cm_tls_identity *identities;
    size_t identities_n;
    const cm_certs *roots; /* whose certificates of the other side are trusted; NULL: nobody's */
    cm_tls_client_cert client_cert; /* server */
    cm_view alpn;                   /* "h2,http/1.1": in order of preference; empty: none */
    uint32_t resume_s; /* how long tickets are good for; 0: no resumption; server: at most 1 day */
    bool post_quantum_certs; /* refuse classical links in the other side's chain (CERT_CLASSICAL) */
} cm_tls_options;

typedef struct cm_tls cm_tls;
/** A server's or a client's context. c is borrowed for its life.
 * TLS_IDENTITY no certificate (server), key and certificate differ, or an algorithm that TLS does
 * not know; TLS_OPTIONS; CRYPT_PROFILE a group or algorithm that the profile does not serve. */
CM_MUST cm_err cm_tls_server_new(cm_tls **out, const cm_crypt *c, const cm_tls_options *o);
CM_MUST cm_err cm_tls_client_new(cm_tls **out, const cm_crypt *c, const cm_tls_options *o);
/** After its connections. */
void cm_tls_free(cm_tls *t);
void cm_tls_free_ptr(cm_tls **t);
/** New certificates, roots, policy: connections made from now on have them, those under way keep
 * what they have. Tickets given out before are void: nobody resumes past a change of trust (W-45).
 * On failure everything stays as it was. Any thread, at any time. */
CM_MUST cm_err cm_tls_reload(cm_tls *t, const cm_tls_options *o);

/* ---- connections ---- */

typedef struct cm_tls_conn cm_tls_conn;
typedef enum {
    CM_TLS_DONE,       /* it is done, or some bytes went through */
    CM_TLS_WANT_READ,  /* call again when the descriptor is readable */
    CM_TLS_WANT_WRITE, /* ... writable */
    CM_TLS_END,        /* the peer has closed its side properly */
} cm_tls_state;

/** Server's end on a connected, non-blocking socket; fd stays the caller's. now: seconds since the
 * epoch, for certificates. */
CM_MUST cm_err cm_tls_accept(cm_tls_conn **out, cm_tls *t, int fd, uint64_t now);
/** What a client may resume with; good for the cm_tls and host that it came from. */
typedef struct cm_tls_ticket cm_tls_ticket;
/** Client's end. host: name or address that the certificate must carry, and SNI when a name.
 * ticket: NULL, or of an earlier connection to the same host; it is copied, and ignored when
 * t was reloaded since (W-45). */
CM_MUST cm_err cm_tls_connect(cm_tls_conn **out, cm_tls *t, int fd, cm_view host, uint64_t now,
                              const cm_tls_ticket *ticket);
/** The newest ticket that came: they come behind the handshake, with what is read. TLS_NO_TICKET.
 */
CM_MUST cm_err cm_tls_ticket_of(cm_tls_ticket **out, const cm_tls_conn *k);
void cm_tls_ticket_free(cm_tls_ticket *t);
void cm_tls_ticket_free_ptr(cm_tls_ticket **t);
/** Frees it without telling the peer: call cm_tls_close() before. */
void cm_tls_conn_free(cm_tls_conn *k);
void cm_tls_conn_free_ptr(cm_tls_conn **k);

/** Go on with the handshake until DONE. After an error the connection is dead: an alert has been
 * sent where one fits, and cm_tls_why() says more.
 * TLS_NO_PQ_GROUP (DENIED) no acceptable group in common; TLS_VERSION older than 1.3; TLS_ALPN;
 * TLS_NOT_TLS the peer speaks something else; TLS_CLOSED it hung up; TLS_PEER_ALERT it refused us;
 * TLS_NO_CERT; CERT_UNTRUSTED, CERT_EXPIRED, CERT_NAME, CERT_PURPOSE, CERT_SIGNATURE,
 * CERT_CLASSICAL; TLS_HANDSHAKE anything else. */
CM_MUST cm_err cm_tls_handshake(cm_tls_conn *k, cm_tls_state *state);
/** Up to n bytes. DONE: *got > 0. END: the peer has said close_notify. TLS_CLOSED: it hung up
 * without, perhaps cut off by somebody in between. */
CM_MUST cm_err cm_tls_read(cm_tls_conn *k, void *p, size_t n, size_t *got, cm_tls_state *state);
/** Some of v, from its beginning. After WANT_*, call again with at least the same bytes (they may
 * have moved). */
CM_MUST cm_err cm_tls_write(cm_tls_conn *k, cm_view v, size_t *sent, cm_tls_state *state);
/** Say close_notify: nothing more is written; reading goes on. DONE once sent. */
CM_MUST cm_err cm_tls_close(cm_tls_conn *k, cm_tls_state *state);
/** Bytes that the next read gives without the descriptor becoming readable: read until WANT_READ
 * with level-triggered polling, or ask this. */
bool cm_tls_buffered(const cm_tls_conn *k);

/* What is known about a connection, failed ones too: then group and cipher tell how far it got, and
 * there is no peer. Views and texts live as long as it does. */
typedef struct {
    const char *group; /* "X25519MLKEM768"; NULL before it is agreed on */
    bool pq;           /* it is post-quantum: always, but for CM_TLS_LEGACY */
    bool resumed;
    const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
    const char *version; /* "TLSv1.3" */
    cm_view alpn;        /* "h2"; empty: none */
    bool peer_cert;
    uint8_t peer_spki[32];   /* SHA-256 of the DER SubjectPublicKeyInfo */
    const char *peer_sigalg; /* of the peer's CertificateVerify; NULL when resumed or none */
} cm_tls_info;
void cm_tls_info_of(cm_tls_info *out, const cm_tls_conn *k);
/** Certificates that the peer sent, leaf first, verified or not. Free with cm_certs_free(). */
CM_MUST cm_err cm_tls_peer_chain(cm_certs *out, const cm_tls_conn *k);
/** RFC 5705 exporter, label "EXPORTER-casemate-session", no context: the same on both ends, and of
 * this connection alone. BAD_ARGUMENT before the handshake is over. */
CM_MUST cm_err cm_tls_exporter(uint8_t out[CM_TLS_EXPORTER], const cm_tls_conn *k);

/** Why a handshake failed. */
typedef struct {
    cm_err err;
    uint16_t offered[CM_TLS_OFFERED_MAX]; /* groups of the ClientHello (server) */
    size_t offered_n;
    int alert;      /* received, or -1 */
    char text[160]; /* for people: "peer offered x25519, secp256r1" */
} cm_tls_why;
const cm_tls_why *cm_tls_why_of(const cm_tls_conn *k);
/** "X25519MLKEM768" of a code point; NULL when unknown. Static. */
const char *cm_tls_group_name(uint16_t group);
/** Whether a group is post-quantum. */
bool cm_tls_group_pq(uint16_t group);

#endif
