#ifndef CM_WIRE_SIGN_H
#define CM_WIRE_SIGN_H
/*
 * Signed requests: RFC 9421 HTTP Message Signatures with the algorithms of C2SP httpsig-pq v1.0.0
 * (ml-dsa-44, ml-dsa-65, ml-dsa-87: empty context, no prehash), ed25519 and hmac-sha256, and RFC
 * 9530 Content-Digest. What is demanded of a signature is spec/wire-auth.md, from W-1 on.
 *
 * A server calls cm_httpsig_parse() on every request: it costs a few microseconds and tells who
 * claims to have signed. Then it looks up the key, calls cm_httpsig_verify(), and records the nonce
 * only when that succeeded (W-9): otherwise anybody could use up another's nonces.
 *
 * Nothing here allocates past the headers' limits, reads a clock or keeps anything. Any thread.
 */
#include "crypt/sig.h"
#include "wire/http.h"

enum {
    CM_HTTPSIG_WINDOW = 300,      /* seconds, both ways (W-8) */
    CM_HTTPSIG_INPUT_MAX = 2048,  /* bytes of Signature-Input */
    CM_HTTPSIG_HEADER_MAX = 8192, /* bytes of Signature: ML-DSA-87 takes 6172 characters */
    CM_HTTPSIG_COMPONENTS_MAX = 16,
    CM_HTTPSIG_KEYID_MAX = 256,
    CM_HTTPSIG_NONCE_MIN = 16, /* characters (W-7); a session's counter is shorter (W-23) */
    CM_HTTPSIG_NONCE_MAX = 64,
    CM_HTTPSIG_VALUE_MAX = 4634, /* bytes of a signature, decoded */
};

typedef enum {
    CM_HTTPSIG_MLDSA44,
    CM_HTTPSIG_MLDSA65,
    CM_HTTPSIG_MLDSA87,
    CM_HTTPSIG_ED25519,
    CM_HTTPSIG_HMAC_SHA256, /* sessions only (wire/session.h) */
} cm_httpsig_alg;

/** What a signature covers. Views borrow. */
typedef struct {
    cm_view method, scheme, authority, path, query; /* query without "?" */
    const cm_http_header *headers;                  /* names in lower case */
    size_t headers_n;
    cm_view body;
} cm_httpsig_message;

cm_httpsig_message cm_httpsig_message_of(const cm_http_request *r);

/** "ml-dsa-65": static. */
const char *cm_httpsig_alg_name(cm_httpsig_alg a);
/** The signature algorithm of a key. CRYPT_ALGORITHM for keys that can't sign requests. */
CM_MUST cm_err cm_httpsig_alg_of(cm_httpsig_alg *out, const cm_sig_key *k);

/* ---- server ---- */

/** A signature as claimed. Views borrow from the message's headers. */
typedef struct {
    cm_httpsig_alg alg;
    cm_view keyid, nonce, label;
    uint64_t created, expires;
    bool has_expires;
    cm_view tag;    /* empty when absent */
    cm_view params; /* "(...);created=..." as sent: the value of "@signature-params" */
    cm_view value;  /* base64 of the signature */
    cm_view names[CM_HTTPSIG_COMPONENTS_MAX]; /* covered, in order, without quotes */
    size_t names_n;
} cm_httpsig;

/** Whether the request bears a signature at all: either of the two headers. */
bool cm_httpsig_present(const cm_httpsig_message *m);
/** Read the claim. now: seconds since the epoch.
 * SIGN_ABSENT (UNAUTHENTIC) no signature; SIGN_MALFORMED not the strict form (W-2 to W-5), or more
 * signatures than one; SIGN_ALGORITHM; SIGN_COVERAGE something that must be covered is not (W-6);
 * SIGN_WINDOW created is more than CM_HTTPSIG_WINDOW seconds away, or expires is past (W-8). */
CM_MUST cm_err cm_httpsig_parse(cm_httpsig *out, const cm_httpsig_message *m, uint64_t now);
/** The form alone (W-2 to W-5), of the two headers' values: for those who check the rest elsewhere.
 * SIGN_MALFORMED, SIGN_COVERAGE created, keyid or alg is missing, SIGN_ALGORITHM. */
CM_MUST cm_err cm_httpsig_read(cm_httpsig *out, cm_view input, cm_view signature);
/** Whether a header or derived component ("@path", "content-type") is covered. */
bool cm_httpsig_covers(const cm_httpsig *s, const char *name);
/** Check signature, then digest of the body. key must be of the algorithm claimed.
 * SIGN_INVALID signature or algorithm differ; SIGN_DIGEST the body is not the one signed. */
CM_MUST cm_err cm_httpsig_verify(const cm_httpsig *s, const cm_crypt *c,
                                 const cm_httpsig_message *m, const cm_sig_key *key);
/** The same with hmac-sha256. Constant time in the key. */
CM_MUST cm_err cm_httpsig_verify_hmac(const cm_httpsig *s, const cm_crypt *c,
                                      const cm_httpsig_message *m, cm_view key);

/* ---- client ---- */

typedef struct {
    const cm_sig_key *key; /* ML-DSA or Ed25519; NULL: hmac */
    cm_view hmac;
    cm_view keyid; /* printable ASCII without quote and backslash */
    cm_view nonce; /* the same; CM_HTTPSIG_NONCE_MIN characters at least but for hmac */
    uint64_t created;
    const char *const *also; /* headers to cover besides; NULL or ends in NULL */
} cm_httpsig_with;

/** Values of the three headers. content_digest is empty when there is no body. */
typedef struct {
    cm_buf content_digest, input, signature;
} cm_httpsig_headers;

/** Sign a message: covers what W-6 demands, content-type when there is one, and `also`. A
 * content-digest among the message's headers is ignored: a fresh one is made.
 * BAD_ARGUMENT keyid or nonce can't be sent, or a header of `also` is absent. */
CM_MUST cm_err cm_httpsig_make(cm_httpsig_headers *out, const cm_crypt *c,
                               const cm_httpsig_message *m, const cm_httpsig_with *w);
void cm_httpsig_headers_free(cm_httpsig_headers *h);

/** The text that is signed (RFC 9421 section 2.5), appended to out. For tests and for those who
 * sign elsewhere (an HSM). SIGN_COVERAGE when a covered component is absent or unknown. */
CM_MUST cm_err cm_httpsig_base(cm_buf *out, const cm_httpsig *s, const cm_httpsig_message *m);

/* ---- HIP-5's JSON form, mapped both ways (W-12) ---- */

enum { CM_HTTPSIG_HIP5_MAX = 10240 };
/** {"api_key_id","timestamp","nonce","signature":{"algorithm","value"}} as the two headers that say
 * the same of message m, to be put in place of it: what is signed is the RFC 9421 text over exactly
 * what W-6 demands, so method, path and body are bound, which HIP-5 alone does not do.
 * SIGN_MALFORMED, SIGN_ALGORITHM. */
CM_MUST cm_err cm_httpsig_from_hip5(cm_httpsig_headers *out, cm_view json,
                                    const cm_httpsig_message *m);
/** The JSON of a signature. SIGN_COVERAGE when it covers something else than exactly that. */
CM_MUST cm_err cm_httpsig_to_hip5(cm_buf *out, const cm_httpsig *s, const cm_httpsig_message *m);

#endif
