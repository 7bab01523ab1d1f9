#ifndef TESTLIB_TLS_KIT_H
#define TESTLIB_TLS_KIT_H
/* A small authority and two ends of a connection in one thread. Failing here ends the process. */
#include "wire/tls.h"

enum { T_TLS_NOW = 1800000000, T_TLS_YEAR = 365 * 86400 };

typedef struct {
    cm_pkey *key;
    cm_certs chain; /* leaf first; a root: itself */
} t_party;

/** A root; and a party below it, valid around T_TLS_NOW. Servers carry kms.example, localhost,
 * 127.0.0.1 and ::1. Free with t_party_done(). */
t_party t_root(const cm_crypt *c, const char *algorithm, uint64_t now);
t_party t_issue(const cm_crypt *c, const t_party *root, cm_cert_role role, const char *algorithm,
                uint64_t from, uint64_t until);
void t_party_done(t_party *p);
/** NAME.key and NAME.crt in a folder, for openssl(1). */
void t_party_save(const cm_crypt *c, const t_party *p, const char *dir, const char *name);

/** One end's options. */
cm_tls_identity t_identity(const t_party *p);

typedef struct {
    int fd[2]; /* server, client: non-blocking */
    cm_tls_conn *server, *client;
    cm_err server_err, client_err; /* of the handshake */
} t_tls_pair;

/** A connection over a socket pair, and its handshake until neither end goes on. */
void t_tls_pair_new(t_tls_pair *p, cm_tls *server, cm_tls *client, const char *host, uint64_t now,
                    const cm_tls_ticket *ticket);
/** Both ends' handshakes until neither goes on. */
void t_tls_pump(t_tls_pair *p);
void t_tls_pair_done(t_tls_pair *p);
/** Send text one way and read it; false when either fails. */
bool t_tls_say(cm_tls_conn *from, cm_tls_conn *to, const char *text);

#endif
