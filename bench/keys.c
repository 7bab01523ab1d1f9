/*
 * What a key operation costs over the call of src/crypt that it comes down to, in one process and
 * with the key open already: rounds of both in alternating order, over the same messages. CPU time
 * of the thread.
 *
 * keys [--json] [--rounds N]
 * Microseconds for one operation, least and median, and the rate of ours as a share of the raw one:
 * of the least times, and the median of all rounds. 95 % is wanted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "keys/ring.h"

enum { ROUNDS_MAX = 1001 };

static cm_crypt *crypt_;
static cm_keyring *ring;
static cm_buf kek;
static size_t rounds = 101;

typedef struct {
    const char *name;
    cm_key_type type;
    cm_keyop_code code;
    cm_keyop_form form;
    unsigned batch;
    cm_sig_key *sig; /* the same key, open */
    cm_kem_key *kem;
    cm_buf sealed, pk;
    uint8_t ct[CM_KEM_CT_MAX];
    double raw_s[ROUNDS_MAX], ours_s[ROUNDS_MAX], share[ROUNDS_MAX];
} job;

static void must(const char *what, cm_err e)
{
    if (cm_ok(e))
        return;
    (void)fprintf(stderr, "bench_keys: %s: %s\n", what, cm_err_name(e));
    exit(1);
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static cm_keyop op_of(const job *j, cm_keyop_code code)
{
    return (cm_keyop){.code = code,
                      .form = j->form,
                      .bind = {.tenant = CM_LIT("acme"),
                               .path = CM_LIT("acme\0\1keys\0\1of the bench\0\1"),
                               .version = 1,
                               .type = j->type,
                               .kek_version = 1},
                      .kek = cm_buf_view(&kek),
                      .key = cm_buf_view(&j->sealed)};
}

static void prepare(job *j)
{
    const cm_key_type_info *t = cm_key_type_of(j->type);
    uint8_t seed[64], ss[32];
    cm_keyop op = op_of(j, CM_KEYOP_IMPORT);

    memset(seed, 0x11, sizeof seed);
    op.data = cm_view_of(seed, t->family == CM_FAMILY_KEM ? 64 : 32);
    if (t->family == CM_FAMILY_KEM)
        must("key", cm_kem_from_seed(&j->kem, crypt_, (cm_kem_id)t->algorithm, op.data));
    else
        must("key", cm_sig_from_seed(&j->sig, crypt_, (cm_sig_id)t->algorithm, op.data));
    if (j->kem)
        must("encap", cm_kem_encap(j->kem, j->ct, ss));
    cm_keyring_exec(ring, &op);
    must("import", op.result);
    j->sealed = op.out;
    j->pk = op.out2;
}

static cm_view message_of(uint8_t m[32], size_t i)
{
    memset(m, 0, 32);
    memcpy(m, &i, sizeof i);
    return cm_view_of(m, 32);
}

static void raw(const job *j, size_t i)
{
    uint8_t m[32], out[CM_SIG_MAX];

    if (j->kem)
        must("decap", cm_kem_decap(j->kem, out, cm_view_of(j->ct, cm_kem_key_info(j->kem)->ct)));
    else if (j->form == CM_FORM_DIGEST)
        must("sign", cm_sign_digest(j->sig, out, message_of(m, i)));
    else
        must("sign", cm_sign_raw(j->sig, out, message_of(m, i)));
}

static void ours(const job *j, size_t i)
{
    cm_keyop op = op_of(j, j->code);
    uint8_t m[32];

    op.data = j->kem ? cm_view_of(j->ct, cm_kem_key_info(j->kem)->ct) : message_of(m, i);
    cm_keyring_exec(ring, &op);
    must(j->name, op.result);
    cm_keyop_done_with(&op);
}

static double timed(const job *j, void (*fn)(const job *j, size_t i), size_t round)
{
    double t = now();

    for (unsigned i = 0; i < j->batch; i++)
        fn(j, round * j->batch + i);
    return (now() - t) / j->batch;
}

static void one_round(job *j, size_t r)
{
    if (r % 2)
        j->ours_s[r] = timed(j, ours, r);
    j->raw_s[r] = timed(j, raw, r);
    if (r % 2 == 0)
        j->ours_s[r] = timed(j, ours, r);
    j->share[r] = j->raw_s[r] / j->ours_s[r];
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void report(job *j, bool json)
{
    qsort(j->raw_s, rounds, sizeof *j->raw_s, by_size);
    qsort(j->ours_s, rounds, sizeof *j->ours_s, by_size);
    qsort(j->share, rounds, sizeof *j->share, by_size);
    (void)printf(json ? "{\"job\":\"%s\",\"raw_us\":[%.3f,%.3f],\"ours_us\":[%.3f,%.3f],"
                        "\"share_least\":%.4f,\"share_median\":%.4f}\n"
                      : "%-26s raw %8.2f %8.2f  ours %8.2f %8.2f  share %.3f, median %.3f\n",
                 j->name, j->raw_s[0] * 1e6, j->raw_s[rounds / 2] * 1e6, j->ours_s[0] * 1e6,
                 j->ours_s[rounds / 2] * 1e6, j->raw_s[0] / j->ours_s[0], j->share[rounds / 2]);
}

static void start(void)
{
    cm_root root = {.n = 1, .kem = {{.number = 1}}};
    cm_keyring_options o = {.root = &root};
    cm_keyop op = {.code = CM_KEYOP_NEW_TENANT,
                   .bind = {.tenant = CM_LIT("acme"), .kek_version = 1}};

    must("crypt", cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
    o.crypt = crypt_;
    must("ring", cm_keyring_new(&ring, &o));
    cm_keyring_exec(ring, &op);
    must("tenant", op.result);
    kek = op.out;
}

static void options(bool *json, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            *json = true;
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            rounds = strtoul(argv[++i], NULL, 10);
        else
            must("keys [--json] [--rounds N]", CM_FAIL(BAD_ARGUMENT));
    }
    if (rounds == 0 || rounds > ROUNDS_MAX)
        must("rounds", CM_FAIL(BAD_ARGUMENT));
}

int main(int argc, char **argv)
{
    static job jobs[] = {
        {.name = "ML-DSA-65 sign", .type = CM_KEY_ML_DSA_65, .code = CM_KEYOP_SIGN, .batch = 8},
        {.name = "ML-KEM-768 decapsulate",
         .type = CM_KEY_ML_KEM_768,
         .code = CM_KEYOP_DECAPSULATE,
         .batch = 64},
        {.name = "P-256 sign", .type = CM_KEY_P256, .code = CM_KEYOP_SIGN, .batch = 64},
        {.name = "secp256k1 sign (digest)",
         .type = CM_KEY_SECP256K1,
         .code = CM_KEYOP_SIGN,
         .form = CM_FORM_DIGEST,
         .batch = 64},
        {.name = "Ed25519 sign", .type = CM_KEY_ED25519, .code = CM_KEYOP_SIGN, .batch = 32},
    };
    bool json = false;

    options(&json, argc, argv);
    start();
    for (size_t i = 0; i < CM_COUNT(jobs); i++)
        prepare(&jobs[i]);
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < CM_COUNT(jobs); i++)
            one_round(&jobs[i], r);
    for (size_t i = 0; i < CM_COUNT(jobs); i++)
        report(&jobs[i], json);
    return 0;
}
