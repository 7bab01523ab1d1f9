/*
 * What a key service may answer: the input's first byte picks the service and the operation, and
 * the rest is answers, each a byte of status, two of length and a body. Nothing that leaves a
 * provider may be a wrong signature, and a blob that it made opens.
 */
#include <stdlib.h>

#include "cloud/cloud.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct answers {
    cm_view left;
    unsigned asked;
};

static const char aws[] = "{\"provider\":\"aws\",\"endpoint\":\"https://kms.example\","
                          "\"region\":\"r\",\"secrets\":\"s\"}";
static const char gcp[] = "{\"provider\":\"gcp\",\"endpoint\":\"https://kms.example\","
                          "\"tokens\":\"https://t.example\",\"key_ring\":\"projects/p/locations/l/"
                          "keyRings/r\"}";
static const char azure[] = "{\"provider\":\"azure\",\"endpoint\":\"https://v.example\","
                            "\"tokens\":\"https://t.example\",\"secrets\":\"s\"}";
static const char secrets[] = "{\"access_key_id\":\"a\",\"secret_access_key\":\"b\","
                              "\"tenant\":\"t\",\"client_id\":\"c\",\"client_secret\":\"d\"}";

static cm_err ask(void *self, cm_cloud_where where, const cm_client_request *r,
                  cm_client_answer *out)
{
    static const int statuses[] = {200, 200, 200, 400, 401, 404, 409, 429, 500, 503};
    struct answers *a = self;
    size_t n;

    (void)where;
    (void)r;
    if (a->left.n < 3 || ++a->asked > 64)
        return CM_FAIL(CLIENT_RESPONSE);
    n = CM_MIN((size_t)cm_get_be16(a->left.p + 1), a->left.n - 3);
    out->status = statuses[a->left.p[0] % CM_COUNT(statuses)];
    out->body.max = CM_CLOUD_ANSWER_MAX;
    CM_TRY(cm_buf_append(&out->body, cm_view_sub(a->left, 3, n)));
    a->left = cm_view_sub(a->left, 3 + n, a->left.n - 3 - n);
    return CM_OKAY;
}

static void no_pause(void *self, uint32_t ms)
{
    (void)self;
    (void)ms;
}

static uint64_t now(void *self)
{
    (void)self;
    return 1700000000;
}

static cm_hsm_request request(uint8_t pick)
{
    static const uint8_t hash[32], seed[32] = {1}, blob[300] = {1, 3, [15] = 40};
    cm_hsm_request r = {.op = (cm_hsm_op)(pick % CM_HSM_OPS + 1),
                        .alg = (uint32_t)(pick / CM_HSM_OPS % CM_HSM_ALGS + 1),
                        .id = CM_LIT("id")};

    if (r.op == CM_HSM_STATUS || r.op == CM_HSM_RANDOM)
        r = (cm_hsm_request){.op = r.op, .n = r.op == CM_HSM_RANDOM ? 32 : 0};
    if (r.op == CM_HSM_SIGN) {
        r.hash = CM_VIEW(hash);
        r.data = CM_VIEW(seed);
    }
    if (r.op == CM_HSM_WRAP || r.op == CM_HSM_UNWRAP) {
        r.alg = CM_HSM_AES256;
        r.data = r.op == CM_HSM_WRAP ? CM_VIEW(seed) : CM_VIEW(blob);
    }
    return r;
}

static void run(const cm_crypt *c, const char *config, uint8_t pick, cm_view answers)
{
    CM_AUTO(cm_hsm_answer_done) cm_hsm_answer a = {.data = {.max = 0}};
    CM_AUTO(cm_cloud_free_ptr) cm_cloud *k = NULL;
    bool metadata = config == gcp;
    struct answers given = {.left = answers};
    const cm_cloud_transport t = {.ask = ask, .pause = no_pause, .now = now, .self = &given};
    cm_hsm_request r = request(pick);
    cm_hsm h;

    if (cm_failed(
            cm_cloud_with(&k, c, cm_view_str(config), cm_view_str(metadata ? "" : secrets), &t)))
        abort();
    h = cm_cloud_of(k);
    if (cm_failed(h.call(h.self, &r, &a)) && a.data.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const char *const configs[] = {aws, gcp, azure};
    CM_AUTO(cm_crypt_free_ptr) cm_crypt *c = NULL;

    if (n < 2)
        return 0;
    if (cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT)))
        abort();
    run(c, configs[p[0] % CM_COUNT(configs)], p[1], cm_view_of(p + 2, n - 2));
    return 0;
}
