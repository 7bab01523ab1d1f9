/* Keys of a KMS against openssl(1) >= 3.5: its keys are imported, each side verifies what the other
 * signed (KM-30, KM-33, KM-34). */
#include <openssl/ecdsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "proc.h"
#include "ring_kit.h"

#define OK(e) assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { SKIPPED = 77, TRIES = 40 };

static const char *ssl;
static char dir[T_PATH];
static t_ring *ring;
static const cm_view message = {(const uint8_t *)"pay 10 to bob", 13};

typedef struct {
    cm_key_type type;
    const char *algorithm, *option; /* of genpkey */
    const char *context;            /* of our operation */
    const char *digest;             /* of pkeyutl; NULL: the algorithm's own */
    const char *padding, *salt;     /* RSA */
    size_t half;                    /* ECDSA: bytes of r and of s */
} peer;

static const peer peers[] = {
    {CM_KEY_ML_DSA_44, "ML-DSA-44", NULL, "", NULL, NULL, NULL, 0},
    {CM_KEY_ML_DSA_65, "ML-DSA-65", NULL, "", NULL, NULL, NULL, 0},
    {CM_KEY_ML_DSA_87, "ML-DSA-87", NULL, "", NULL, NULL, NULL, 0},
    {CM_KEY_SLH_DSA_128F, "SLH-DSA-SHA2-128f", NULL, "", NULL, NULL, NULL, 0},
    {CM_KEY_SLH_DSA_128S, "SLH-DSA-SHA2-128s", NULL, "", NULL, NULL, NULL, 0},
    {CM_KEY_ED25519, "ED25519", NULL, "", NULL, NULL, NULL, 0},
    {CM_KEY_P256, "EC", "group:P-256", "", "sha256", NULL, NULL, 32},
    {CM_KEY_P384, "EC", "group:P-384", "", "sha384", NULL, NULL, 48},
    {CM_KEY_SECP256K1, "EC", "group:secp256k1", "", "sha256", NULL, NULL, 32},
    {CM_KEY_RSA_2048, "RSA", "rsa_keygen_bits:2048", "pss", "sha256", "rsa_padding_mode:pss",
     "rsa_pss_saltlen:digest", 0},
    {CM_KEY_RSA_2048, "RSA", "rsa_keygen_bits:2048", "pkcs1", "sha256", "rsa_padding_mode:pkcs1",
     "rsa_padding_mode:pkcs1", 0},
    {CM_KEY_RSA_4096, "RSA", "rsa_keygen_bits:4096", "", "sha256", "rsa_padding_mode:pss",
     "rsa_pss_saltlen:digest", 0},
};

static int run_ssl(const char *const *args)
{
    const char *argv[T_ARGS] = {ssl};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = T_OUTPUT};
    size_t n = 1;

    for (; *args; args++)
        argv[n++] = *args;
    return t_run(&out, cm_view_of(NULL, 0), argv);
}

static void genpkey(const peer *p)
{
    const char *key = t_path(dir, "key.pem");
    const char *with[] = {"genpkey", "-algorithm", p->algorithm,
                          "-out",    key,          p->option ? "-pkeyopt" : NULL,
                          p->option, NULL};

    assert_int_equal(run_ssl(with), 0);
}

/* pkeyutl with the options that the algorithm needs. */
static int pkeyutl(const peer *p, const char *what, const char *sig_option)
{
    const char *args[T_ARGS] = {
        "pkeyutl",          what,       "-rawin",          "-inkey", t_path(dir, "key.pem"), "-in",
        t_path(dir, "msg"), sig_option, t_path(dir, "sig")};
    size_t n = 9;

    if (p->digest) {
        args[n++] = "-digest";
        args[n++] = p->digest;
    }
    if (p->padding) {
        args[n++] = "-pkeyopt";
        args[n++] = p->padding;
        args[n++] = "-pkeyopt";
        args[n++] = p->salt;
    }
    args[n] = NULL;
    return run_ssl(args);
}

/* DER of r || s, and back. */
static void to_der(cm_buf *out, cm_view raw)
{
    ECDSA_SIG *s = ECDSA_SIG_new();
    int half = (int)(raw.n / 2), n;
    uint8_t *der = NULL;

    ECDSA_SIG_set0(s, BN_bin2bn(raw.p, half, NULL), BN_bin2bn(raw.p + half, half, NULL));
    n = i2d_ECDSA_SIG(s, &der);
    OK(cm_buf_append(out, cm_view_of(der, (size_t)n)));
    OPENSSL_free(der);
    ECDSA_SIG_free(s);
}

static void to_raw(cm_buf *sig, size_t half)
{
    const uint8_t *p = sig->p;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)sig->n);
    uint8_t raw[96];

    assert_non_null(s);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, (int)half), half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + half, (int)half), half);
    ECDSA_SIG_free(s);
    sig->n = 0;
    OK(cm_buf_append(sig, cm_view_of(raw, 2 * half)));
}

static void ours_for_them(const peer *p, const t_held *k)
{
    cm_keyop op = t_ring_op(k, CM_KEYOP_SIGN);
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = 1 << 16};

    op.data = message;
    op.context = cm_view_str(p->context);
    cm_keyring_exec(ring->ring, &op);
    OK(op.result);
    if (p->half)
        to_der(&sig, cm_buf_view(&op.out));
    else
        OK(cm_buf_append(&sig, cm_buf_view(&op.out)));
    t_put_file(t_path(dir, "sig"), cm_buf_view(&sig));
    assert_int_equal(pkeyutl(p, "-verify", "-sigfile"), 0);
    sig.p[sig.n - 3] ^= 1;
    t_put_file(t_path(dir, "sig"), cm_buf_view(&sig));
    assert_int_not_equal(pkeyutl(p, "-verify", "-sigfile"), 0);
    cm_keyop_done_with(&op);
}

/* secp256k1: half of theirs have the s that we refuse (K-9). */
static void theirs_for_us(const peer *p, const t_held *k)
{
    cm_keyop op = t_ring_op(k, CM_KEYOP_VERIFY);

    for (int i = 0; i < (p->type == CM_KEY_SECP256K1 ? TRIES : 1); i++) {
        CM_AUTO(cm_buf_free) cm_buf sig = {.max = 1 << 16};

        assert_int_equal(pkeyutl(p, "-sign", "-out"), 0);
        t_get_file(&sig, t_path(dir, "sig"));
        if (p->half)
            to_raw(&sig, p->half);
        op.data = message;
        op.context = cm_view_str(p->context);
        op.more = cm_buf_view(&sig);
        cm_keyring_exec(ring->ring, &op);
        if (cm_ok(op.result))
            return;
    }
    OK(op.result);
}

static void test_signatures_both_ways(void **state)
{
    (void)state;
    t_put_file(t_path(dir, "msg"), message);
    for (size_t i = 0; i < CM_COUNT(peers); i++) {
        CM_AUTO(cm_buf_free) cm_buf pem = {.max = 1 << 16};
        t_held k;

        genpkey(&peers[i]);
        t_get_file(&pem, t_path(dir, "key.pem"));
        k = t_ring_import(ring, peers[i].type, cm_buf_view(&pem));
        ours_for_them(&peers[i], &k);
        theirs_for_us(&peers[i], &k);
        t_held_done(&k);
    }
}

/* Our RSA keys are keys that openssl(1) finds nothing wrong with. */
static void test_public_rsa_keys(void **state)
{
    t_held k = t_ring_create(ring, CM_KEY_RSA_2048);
    const char *args[] = {"pkey",      "-pubin", "-inform", "DER",
                          "-pubcheck", "-noout", "-in",     t_path(dir, "pub.der"),
                          NULL};

    (void)state;
    t_put_file(t_path(dir, "pub.der"), cm_buf_view(&k.public_key));
    assert_int_equal(run_ssl(args), 0);
    t_held_done(&k);
}

/* KM-28: primes, exponents and forms of RSA keys that we do not take. */
static void test_rsa_keys_that_are_refused(void **state)
{
    static const char *const options[][2] = {{"rsa_keygen_bits:1024", NULL},
                                             {"rsa_keygen_bits:3072", NULL},
                                             {"rsa_keygen_bits:2048", "rsa_keygen_pubexp:3"},
                                             {"rsa_keygen_bits:2048", "rsa_keygen_primes:3"}};
    t_held k = t_ring_create(ring, CM_KEY_ED25519);

    (void)state;
    for (size_t i = 0; i < CM_COUNT(options); i++) {
        CM_AUTO(cm_buf_free) cm_buf pem = {.max = 1 << 16};
        const char *args[] = {"genpkey",
                              "-algorithm",
                              "RSA",
                              "-out",
                              t_path(dir, "key.pem"),
                              "-pkeyopt",
                              options[i][0],
                              options[i][1] ? "-pkeyopt" : NULL,
                              options[i][1],
                              NULL};
        cm_keyop op = t_ring_op(&k, CM_KEYOP_IMPORT);

        assert_int_equal(run_ssl(args), 0);
        t_get_file(&pem, t_path(dir, "key.pem"));
        op.bind.type = CM_KEY_RSA_2048;
        op.data = cm_buf_view(&pem);
        cm_keyring_exec(ring->ring, &op);
        assert_string_equal(cm_err_name(op.result), "CRYPT_BAD_KEY");
    }
    t_held_done(&k);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures_both_ways),
        cmocka_unit_test(test_public_rsa_keys),
        cmocka_unit_test(test_rsa_keys_that_are_refused),
    };
    int rc;

    ssl = t_openssl();
    if (!ssl) {
        (void)printf("SKIP: no openssl(1) of 3.5 or later (CASEMATE_OPENSSL)\n");
        return SKIPPED;
    }
    t_mkdir(dir);
    ring = t_ring_new();
    rc = cmocka_run_group_tests_name("openssl(1) and keys of a KMS", tests, NULL, NULL);
    t_ring_done(ring);
    t_rmdir(dir);
    return rc;
}
