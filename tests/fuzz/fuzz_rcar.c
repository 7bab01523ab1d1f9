/* First byte: which message. The rest: its text, which is read, and what was read is written and
 * read again. */
#include <stdlib.h>

#include "release/jwe.h"
#include "release/rcar.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void request(cm_view v)
{
    CM_AUTO(cm_rcar_request_done) cm_rcar_request r = {0};
    CM_AUTO(cm_rcar_request_done) cm_rcar_request again = {0};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_RCAR_REQUEST_MAX};

    if (cm_failed(cm_rcar_request_read(&r, v)))
        return;
    must(r.tee != CM_ATTEST_UNKNOWN && (r.ak.n == 0) == (r.ek.n == 0));
    must(cm_ok(cm_rcar_request_put(&text, &r)));
    must(cm_ok(cm_rcar_request_read(&again, cm_buf_view(&text))));
    must(again.tee == r.tee && cm_view_eq(cm_buf_view(&again.ak), cm_buf_view(&r.ak)));
}

static void challenge(cm_view v)
{
    CM_AUTO(cm_rcar_challenge_done) cm_rcar_challenge r = {0};
    CM_AUTO(cm_rcar_challenge_done) cm_rcar_challenge again = {0};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_RCAR_CHALLENGE_MAX};

    if (cm_failed(cm_rcar_challenge_read(&r, v)))
        return;
    must(cm_ok(cm_rcar_challenge_put(&text, &r)));
    must(cm_ok(cm_rcar_challenge_read(&again, cm_buf_view(&text))));
    must(memcmp(r.nonce, again.nonce, sizeof r.nonce) == 0 && r.hash == again.hash);
}

static void attestation(cm_view v, cm_attest_kind tee)
{
    CM_AUTO(cm_rcar_attestation_done) cm_rcar_attestation a = {0};

    if (cm_failed(cm_rcar_attestation_read(&a, tee, v)))
        return;
    must(a.n >= 1 && a.n <= CM_RCAR_PIECES);
    for (size_t i = 0; i < a.n; i++)
        must(cm_rcar_input(&a, i).evidence.n > 0);
}

static void jwe(const cm_crypt *c, cm_view v)
{
    static cm_kem_key *k;
    static const uint8_t seed[64] = {1};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_JWE_PLAIN_MAX};

    if (!k)
        must(cm_ok(cm_kem_from_seed(&k, c, CM_KEM_MLKEM768, CM_VIEW(seed))));
    must(cm_failed(cm_jwe_open(&out, c, k, v)) && out.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_crypt *c;
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CM_RCAR_REQUEST_MAX};
    cm_view v;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    if (n == 0)
        return 0;
    v = cm_view_of(p + 1, n - 1);
    switch (p[0]) {
    case 'R':
        request(v);
        break;
    case 'C':
        challenge(v);
        break;
    case 'A':
        attestation(v, CM_ATTEST_SNP);
        break;
    case 'T':
        attestation(v, CM_ATTEST_TDX);
        break;
    case 'J':
        jwe(c, v);
        break;
    default:
        must(cm_failed(cm_rcar_token_read(&text, v)) || cm_failed(cm_rcar_error_read(&text, v)));
    }
    return 0;
}
