#ifndef CM_RUN_CLIENT_INT_H
#define CM_RUN_CLIENT_INT_H
#include "run/client.h"

enum { CM_CLIENT_WHY = 384, CM_CLIENT_HEAD_MAX = 48 << 10 };

struct cm_client {
    const cm_crypt *crypt;
    cm_link_url url;
    cm_buf authority; /* for Host and signatures */
    cm_tls *tls;      /* NULL: none */
    const cm_sig_key *sign_key;
    cm_buf keyid, token, session_path; /* token: wiped when freed */
    uint32_t connect_ms, call_ms;
    unsigned retries;
    size_t body_max;
    const char *user_agent;

    cm_link link;
    cm_tls_ticket *ticket; /* of the last connection */

    bool in_session; /* of the connection in use */
    uint8_t session[CM_SESSION_ID];
    cm_key32 session_key;
    uint64_t counter;

    char why[CM_CLIENT_WHY];
};

/** How one request shows who asks. */
typedef enum { CM_SHOW_NOTHING, CM_SHOW_TOKEN, CM_SHOW_SIGNATURE, CM_SHOW_SESSION } cm_client_show;

/** One request and its answer on the connection in use. *begun: some of the answer has come. */
CM_MUST cm_err cm_client_exchange(cm_client *k, cm_response *out, const cm_client_request *r,
                                  cm_client_show show, uint64_t deadline, bool *begun);
/** Append a whole request. */
CM_MUST cm_err cm_client_compose(cm_buf *out, cm_client *k, const cm_client_request *r,
                                 cm_client_show show);
/** Open a session on the connection in use. */
CM_MUST cm_err cm_client_open_session(cm_client *k, uint64_t deadline);

#endif
