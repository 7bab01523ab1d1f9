#ifndef CM_WIRE_SIGN_INT_H
#define CM_WIRE_SIGN_INT_H
/* What the files about signed requests share. */
#include "wire/sfv.h"
#include "wire/sign.h"

enum { CM_HTTPSIG_BASE_MAX = 64 << 10, CM_HTTPSIG_LABEL_MAX = CM_SFV_KEY_MAX };
#define CM_HTTPSIG_LABEL "sig1"

/** By its name in a signature ("ml-dsa-65"). */
bool cm_httpsig_alg_by_name(cm_httpsig_alg *out, cm_view name);
/** By position, "ML-DSA-65" as keys are called; NULL past the last and for hmac. */
const char *cm_httpsig_alg_key_name(cm_httpsig_alg a);

/** What W-6 demands for m, in the order of the table there; how many. */
size_t cm_httpsig_required(const char *names[CM_HTTPSIG_COMPONENTS_MAX],
                           const cm_httpsig_message *m);
/** Occurrences of a header, and the value of the first, without white space around it. */
size_t cm_httpsig_header(cm_view *value, const cm_httpsig_message *m, cm_view name);
/** The text to sign; digest, when not empty, stands for the message's content-digest. */
CM_MUST cm_err cm_httpsig_text(cm_buf *out, const cm_httpsig *s, const cm_httpsig_message *m,
                               cm_view digest);
/** Append `("a" "b");created=...;nonce="...";keyid="...";alg="..."`. */
CM_MUST cm_err cm_httpsig_params(cm_buf *out, const cm_httpsig *s);

#endif
