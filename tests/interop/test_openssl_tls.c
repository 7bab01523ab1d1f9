/* TLS 1.3 on loopback between openssl's server and client, both with our ML-DSA certificates, over
 * X25519MLKEM768: the certificates are of use, and wrong ones are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pki/ca.h"
#include "proc.h"

#define assert_good(e) assert_string_equal(cm_err_name(e), "OK")

enum { SKIPPED = 77, DAY = 86400, TRIES = 2400, PAUSE_US = 50000, PORT_TEXT = 32 };

static const char *ssl;
static char dir[T_PATH];
static cm_crypt *c;
static uint64_t now; /* one for all, or a leaf outlives its issuer by a second */

static const char *in_dir(const char *name)
{
    return t_path(dir, name);
}

static cm_cert_request ask(cm_cert_role role)
{
    static const cm_view dns = {(const uint8_t *)"kms.example", 11};
    static const char *const names[] = {"root", "intermediate", "server", "client"};

    return (cm_cert_request){
        .role = role,
        .common_name = cm_view_str(names[role]),
        .dns = &dns,
        .n_dns = role == CM_CERT_SERVER,
        .not_before = now - 60,
        .not_after = now + DAY,
        .pathlen = role == CM_CERT_ROOT ? 1 : 0,
    };
}

struct party {
    cm_pkey *key;
    cm_cert *cert;
};

static void party_free(struct party *p)
{
    cm_pkey_free(p->key);
    cm_cert_free(p->cert);
}

/* A key and its certificate as NAME.key and NAME.crt, the latter with those above it. */
static struct party make(const char *name, const char *algorithm, const struct party *by,
                         cm_cert_role role)
{
    CM_AUTO(cm_buf_free) cm_buf k = {.max = CM_KEYFILE_MAX}, b = {.max = CM_CERT_FILE_MAX};
    const cm_protect none = {.mode = CM_PROTECT_NONE};
    cm_cert_request r = ask(role);
    struct party p = {0};
    char file[64];

    assert_good(cm_pkey_generate(&p.key, c, cm_view_str(algorithm)));
    if (by)
        assert_good(cm_cert_issue(&p.cert, c, by->cert, by->key, p.key, &r));
    else
        assert_good(cm_cert_root(&p.cert, c, p.key, &r));
    assert_good(cm_pkey_write_private(&k, c, p.key, &none));
    snprintf(file, sizeof file, "%s.key", name);
    assert_good(cm_pkey_save(in_dir(file), cm_buf_view(&k), true));
    assert_good(cm_cert_write(&b, p.cert));
    if (role == CM_CERT_SERVER || role == CM_CERT_CLIENT)
        assert_good(cm_cert_write(&b, by->cert));
    snprintf(file, sizeof file, "%s.crt", name);
    t_put_file(in_dir(file), cm_buf_view(&b));
    return p;
}

/* The port that the server's log names once it listens. */
static bool listening(char port[PORT_TEXT], const char *log)
{
    for (int i = 0; i < TRIES; i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = T_OUTPUT};
        const char *at;

        t_get_file(&b, log);
        assert_good(cm_buf_byte(&b, 0));
        at = strstr((const char *)b.p, "ACCEPT 127.0.0.1:");
        if (at && sscanf(at, "ACCEPT %31[0-9.:]", port) == 1 && strchr(at, '\n'))
            return true;
        usleep(PAUSE_US);
    }
    return false;
}

/* One client run; its output holds every one of the texts, up to a NULL. */
static bool connects(const char *port, const char *root, const char *host, const char *cert,
                     const char *const *texts)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = T_OUTPUT};
    char crt[64], key[64];
    const char *argv[T_ARGS] = {ssl,
                                "s_client",
                                "-connect",
                                port,
                                "-tls1_3",
                                "-groups",
                                "X25519MLKEM768",
                                "-CAfile",
                                in_dir(root),
                                "-verify_return_error",
                                "-verify_hostname",
                                host};
    size_t n = 12;
    int status;

    snprintf(crt, sizeof crt, "%s.crt", cert ? cert : "");
    snprintf(key, sizeof key, "%s.key", cert ? cert : "");
    if (cert) {
        argv[n++] = "-cert";
        argv[n++] = in_dir(crt);
        argv[n++] = "-cert_chain";
        argv[n++] = in_dir(crt);
        argv[n++] = "-key";
        argv[n++] = in_dir(key);
    }
    status = t_run(&out, CM_LIT("Q\n"), argv);
    assert_good(cm_buf_byte(&out, 0));
    if (status != 0) {
        if (*texts)
            print_message("status %d\n%s\n", status, (const char *)out.p);
        return false;
    }
    for (; *texts; texts++)
        if (!strstr((const char *)out.p, *texts)) {
            print_message("missing: %s\n%s\n", *texts, (const char *)out.p);
            return false;
        }
    return true;
}

static void handshake(void **state)
{
    static const char *const good[] = {"Verify return code: 0 (ok)", "X25519MLKEM768",
                                       "Peer signature type: mldsa44", "TLSv1.3", NULL};
    static const char *const none[] = {NULL};
    CM_AUTO(party_free) struct party root = make("root", "ML-DSA-87", NULL, CM_CERT_ROOT);
    CM_AUTO(party_free) struct party mid = make("mid", "ML-DSA-65", &root, CM_CERT_INTERMEDIATE);
    CM_AUTO(party_free) struct party server = make("server", "ML-DSA-44", &mid, CM_CERT_SERVER);
    CM_AUTO(party_free) struct party client = make("client", "ML-DSA-65", &mid, CM_CERT_CLIENT);
    CM_AUTO(party_free) struct party other = make("other", "ML-DSA-44", NULL, CM_CERT_ROOT);
    const char *argv[] = {ssl,
                          "s_server",
                          "-accept",
                          "127.0.0.1:0",
                          "-tls1_3",
                          "-groups",
                          "X25519MLKEM768",
                          "-cert",
                          in_dir("server.crt"),
                          "-cert_chain",
                          in_dir("server.crt"),
                          "-key",
                          in_dir("server.key"),
                          "-CAfile",
                          in_dir("root.crt"),
                          "-Verify",
                          "3",
                          "-verify_return_error",
                          "-naccept",
                          "5",
                          NULL};
    char port[PORT_TEXT] = "";
    bool up, ok = false, wrong_root = true, wrong_name = true;
    pid_t pid;

    (void)state;
    (void)server, (void)client, (void)other; /* it is their files that are used */
    pid = t_start(in_dir("log"), argv);
    up = listening(port, in_dir("log"));
    if (up) {
        ok = connects(port, "root.crt", "kms.example", "client", good);
        wrong_root = connects(port, "other.crt", "kms.example", "client", none);
        wrong_name = connects(port, "root.crt", "other.example", "client", none);
    }
    t_stop(pid);
    assert_true(up);
    assert_true(ok);
    assert_false(wrong_root);
    assert_false(wrong_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(handshake)};
    int failed;

    ssl = t_openssl();
    if (!ssl) {
        puts("SKIP: no openssl(1) of 3.5 or later");
        return SKIPPED;
    }
    now = (uint64_t)time(NULL);
    t_mkdir(dir);
    if (cm_failed(cm_crypt_new(&c, CM_PROFILE_DEFAULT)))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    cm_crypt_free(c);
    t_rmdir(dir);
    return failed;
}
