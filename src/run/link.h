#ifndef CM_RUN_LINK_H
#define CM_RUN_LINK_H
/* One blocking connection with deadlines: TCP or a Unix socket, with TLS over it or without. What
 * the client and `casemate doctor` stand on. Belongs to one thread. */
#include "wire/tls.h"

typedef struct {
    bool tls, unix_socket;
    char host[256], port[6]; /* host without brackets */
    char path[108];          /* of the Unix socket */
    cm_view rest;            /* behind host and port, borrowed: "" or "/..." */
} cm_link_url;
/** "https://host[:port][/...]", "http://...", "unix:/path". CLIENT_URL. */
CM_MUST cm_err cm_link_url_parse(cm_link_url *out, cm_view url);
/** Append host and port as a Host header has them: without the scheme's own port. */
CM_MUST cm_err cm_link_authority(cm_buf *out, const cm_link_url *u);

/** Zeroed is valid and closed. */
typedef struct {
    bool open;
    int fd;
    cm_tls_conn *tls; /* NULL: none */
    char address[64]; /* of the peer: "192.0.2.1:8443" */
} cm_link;

/** Milliseconds from now on as a deadline; 0: none. */
uint64_t cm_link_deadline(uint32_t ms);
/** Connect to one of the name's addresses. Looking up names has the resolver's own time limit.
 * CLIENT_RESOLVE, CLIENT_REFUSED, CLIENT_UNREACHABLE, CLIENT_TIMEOUT, NO_PERMISSION (Unix). The
 * address of the last attempt is left in out even then. */
CM_MUST cm_err cm_link_connect(cm_link *out, const cm_link_url *u, uint64_t deadline);
/** TLS over it. Errors of cm_tls_handshake(); the connection is left for cm_tls_why_of(). */
CM_MUST cm_err cm_link_secure(cm_link *k, cm_tls *tls, cm_view host, uint64_t now,
                              const cm_tls_ticket *ticket, uint64_t deadline);
/** All of v. CLIENT_TIMEOUT, CLIENT_CLOSED, TLS_*. */
CM_MUST cm_err cm_link_write(cm_link *k, cm_view v, uint64_t deadline);
/** Some bytes; *got 0: the peer has closed its side properly. CLIENT_CLOSED: it was cut off. */
CM_MUST cm_err cm_link_read(cm_link *k, void *p, size_t n, size_t *got, uint64_t deadline);
/** Whether it can carry another request: nothing has come, and it is not closed. */
bool cm_link_idle(cm_link *k);
/** Says goodbye and closes. */
void cm_link_close(cm_link *k);

#endif
