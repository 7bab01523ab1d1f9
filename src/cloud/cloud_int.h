#ifndef CM_CLOUD_CLOUD_INT_H
#define CM_CLOUD_CLOUD_INT_H
/* Shared by the three services. */
#include <pthread.h>

#include "cloud/cloud.h"
#include "codec/json.h"
#include "crypt/rsa.h"

enum {
    NAME_MAX_ = 512, /* of a key, as its service has it */
    WRAPPED_MAX = 2048,
    KEYS_KEPT = 32,
    TOKEN_MAX = 8192,
};

struct cloud_config {
    char endpoint[512], tokens[512], place[256], secrets[512], ca[512];
    bool legacy, classical; /* key exchange; an RSA key may wrap */
    uint64_t timeout_ms;
};

/* A key as the service knows it. */
struct cloud_key {
    uint32_t alg, custody;
    uint8_t id[CM_HSM_ID_MAX];
    size_t id_n;
    char name[NAME_MAX_]; /* empty: no key */
    uint8_t pub[CM_SIG_PK_MAX];
    size_t pub_n;
};

struct cloud_service {
    const char *name, *title;
    /* HSM_NO_KEY, HSM_EXPORTABLE, HSM_MECHANISM */
    cm_err (*find)(cm_cloud *k, struct cloud_key *out);   /* by alg and id, which are set */
    cm_err (*create)(cm_cloud *k, struct cloud_key *out); /* and HSM_KEYS */
    cm_err (*destroy)(cm_cloud *k, const struct cloud_key *key);
    /* bound: what the ciphertext is good for. HSM_BLOB from decrypt. */
    cm_err (*encrypt)(cm_cloud *k, const struct cloud_key *key, const cm_key32 *plain,
                      const uint8_t bound[32], cm_buf *out);
    cm_err (*decrypt)(cm_cloud *k, const struct cloud_key *key, cm_view wrapped,
                      const uint8_t bound[32], cm_key32 *plain);
    cm_err (*sign)(cm_cloud *k, const struct cloud_key *key, cm_view msg, cm_buf *sig);
    cm_err (*random)(cm_cloud *k, size_t n, cm_buf *out); /* at most random_max at once */
    size_t random_max;
    /* The reason that an answer which is no success stands for; retry: worth another try. */
    cm_err (*reason)(int status, const cm_json_node *body, bool *retry);
    /* A token for requests; NULL: they are signed. */
    cm_err (*login)(cm_cloud *k);
};
extern const struct cloud_service cm_cloud_aws, cm_cloud_gcp, cm_cloud_azure;

struct cm_cloud {
    const cm_crypt *crypt;
    const struct cloud_service *service;
    struct cloud_config config;
    cm_cloud_transport t;
    uint8_t hash[32]; /* of the configuration */
    uint8_t *secrets; /* locked; what the nodes of secret point into */
    size_t secrets_n;
    cm_json *secret;
    cm_rsa *rsa;
    pthread_mutex_t lock; /* all below */
    cm_buf token;         /* "Bearer ..." */
    uint64_t token_until, asked;
    bool quarantined;
    struct cloud_key kept[KEYS_KEPT];
    unsigned next;
};

/* ---- asking ---- */

/* An answer that was understood; its texts point into it. */
struct cloud_answer {
    cm_client_answer http;
    cm_json *json;
};
void cm_cloud_answer_done(struct cloud_answer *a);
/* NULL: it has no body. */
const cm_json_node *cm_cloud_root(const struct cloud_answer *a);

struct cloud_ask {
    const char *method;
    const char *target;
    const char *action; /* AWS: X-Amz-Target */
    cm_view body;
    bool once; /* it makes something: not sent again when it may have arrived */
};
/* Sign or add the token, send, try again with growing pauses, read the answer. An answer that is no
 * success becomes its reason. CLOUD_ANSWER, CLOUD_BUSY, CLOUD_DENIED, HSM_TIMEOUT, HSM_LOST. */
CM_MUST cm_err cm_cloud_ask(cm_cloud *k, struct cloud_answer *a, const struct cloud_ask *q);
CM_MUST cm_err cm_cloud_bare(cm_cloud *k, struct cloud_answer *a, const char *method,
                             const char *target);
/* What w holds of an object, which this ends. */
CM_MUST cm_err cm_cloud_post(cm_cloud *k, struct cloud_answer *a, const char *target,
                             cm_json_writer *w, bool once);
/* For .reason: by the status alone. */
cm_err cm_cloud_reason(int status, const cm_json_node *body, bool *retry);
/* The same of the service that gives out tokens: no token in it. */
CM_MUST cm_err cm_cloud_ask_token(cm_cloud *k, struct cloud_answer *a, const cm_client_request *r);
CM_MUST cm_err cm_cloud_aws_headers(cm_cloud *k, const struct cloud_ask *q, cm_http_header *h,
                                    size_t *n, cm_buf text[3]);

/* For .login: a token that is good for a while yet. CLOUD_SECRETS, CLOUD_DENIED. */
CM_MUST cm_err cm_cloud_google_login(cm_cloud *k);
CM_MUST cm_err cm_cloud_azure_login(cm_cloud *k);

CM_MUST cm_err cm_cloud_http(cm_cloud_transport *out, const cm_crypt *c,
                             const struct cloud_config *o);
CM_MUST cm_err cm_cloud_read_config(struct cloud_config *o, const struct cloud_service **service,
                                    cm_view text);
/* A member of the secrets. CLOUD_SECRETS. */
CM_MUST cm_err cm_cloud_secret(const cm_cloud *k, const char *name, cm_view *out);

/* ---- reading answers ---- CLOUD_ANSWER */

CM_MUST cm_err cm_cloud_text(const cm_json_node *o, const char *name, cm_view *out);
/* The member is this very text: HSM_WRONG, for the service speaks of another thing then. */
CM_MUST cm_err cm_cloud_same(const cm_json_node *o, const char *name, cm_view want);
CM_MUST cm_err cm_cloud_bytes(const cm_json_node *o, const char *name, bool url, cm_buf *out);
/* A key wrapped for one blob, out of base64. HSM_WRONG: it has not 32 bytes. */
CM_MUST cm_err cm_cloud_key32(const cm_json_node *o, const char *name, bool url, cm_key32 *out);
/* A name as a C string without what could end a path or a line. */
CM_MUST cm_err cm_cloud_name(char out[NAME_MAX_], cm_view v);
/* The raw public key in an SPKI of exactly this algorithm. */
CM_MUST cm_err cm_cloud_spki(struct cloud_key *k, cm_view der);
/* ECDSA in DER to r || s, s low for secp256k1. HSM_WRONG when it is no such thing. */
CM_MUST cm_err cm_cloud_ecdsa(cm_buf *out, cm_view der);
/* "casemate-<hex of id>-<algorithm>" */
CM_MUST cm_err cm_cloud_key_name(char out[128], const struct cloud_key *k);
/* What is signed: the message's SHA-256 for P-256, the message itself for secp256k1. */
CM_MUST cm_err cm_cloud_digest(const cm_cloud *k, const struct cloud_key *key, cm_view msg,
                               uint8_t out[32]);

#endif
