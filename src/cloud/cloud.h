#ifndef CM_CLOUD_CLOUD_H
#define CM_CLOUD_CLOUD_H
/*
 * Key services of clouds as providers (spec/hsm.md): AWS KMS, Google Cloud KMS, Azure Key Vault and
 * Managed HSM, over their REST APIs. A seed never goes there: the service wraps a key made for one
 * blob, and our AES-256-GCM does the rest.
 *
 * One request at a time; any thread may ask. Time depends on lengths and on the service.
 */
#include "hsm/hsm.h"
#include "run/client.h"

typedef struct cm_cloud cm_cloud;

enum {
    CM_CLOUD_CONFIG_MAX = 64 << 10,
    CM_CLOUD_ANSWER_MAX = 256 << 10, /* bytes of one answer's body */
    CM_CLOUD_ATTEMPTS = 5,
};

typedef enum { CM_CLOUD_SERVICE, CM_CLOUD_TOKENS } cm_cloud_where;

/** How the provider reaches the world. A test puts its own here. */
typedef struct {
    /** As cm_client_call(): a whole answer of any status, or why there is none. */
    cm_err (*ask)(void *self, cm_cloud_where where, const cm_client_request *r,
                  cm_client_answer *out);
    void (*pause)(void *self, uint32_t ms);
    uint64_t (*now)(void *self); /* seconds since the epoch */
    void (*done)(void *self);    /* NULL: nothing to free */
    void *self;
} cm_cloud_transport;

/** config: the text of a configuration (docs/hsm.md); secrets: of the file it names, or empty. Both
 * are copied, secrets into locked memory. The transport is taken, also on failure. CLOUD_CONFIG,
 * CLOUD_SECRETS. */
CM_MUST cm_err cm_cloud_with(cm_cloud **out, const cm_crypt *c, cm_view config, cm_view secrets,
                             const cm_cloud_transport *t);
/** The same from files, over HTTP and TLS. A file of secrets that others may read is refused
 * (KEY_MODE). */
CM_MUST cm_err cm_cloud_new(cm_cloud **out, const cm_crypt *c, const char *path);
void cm_cloud_free(cm_cloud *k);
void cm_cloud_free_ptr(cm_cloud **k);
cm_hsm cm_cloud_of(cm_cloud *k);

/* ---- what the services ask for ----------------------------------------------------------------
 */

enum { CM_SIGV4_MAX = 1024 };

typedef struct {
    const char *method, *path, *query;
    const cm_http_header *headers; /* in order of their names, which are lower case */
    size_t headers_n;
    cm_view body;
    cm_view key_id, secret;
    const char *region, *service;
    const char *date; /* "20150830T123600Z" */
} cm_sigv4;
/** The value of an Authorization header, by AWS Signature Version 4. Time depends on lengths. */
CM_MUST cm_err cm_sigv4_make(cm_buf *out, const cm_crypt *c, const cm_sigv4 *s);

/** CRC-32C (Castagnoli), as Google Cloud KMS wants it. */
uint32_t cm_crc32c(cm_view v);

#endif
