/* casemate-keyd as a process, through its keeper: states, rights, sandbox, death. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "proc.h"
#include "run/keeper.h"
#include "run/sandbox.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

enum { PATIENCE = 20000 };

static const cm_argon2 cheap = {8u << 10, 1, 1};

struct up {
    pid_t pid;
    cm_keeper_client *k;
    int spare; /* a second connection */
};

static const char *keyd_program(void)
{
    const char *p = getenv("CASEMATE_KEYD");

    if (!p || access(p, X_OK) != 0) {
        print_message("SKIP: no casemate-keyd (CASEMATE_KEYD)\n");
        skip();
    }
    return p;
}

static void start(struct up *u, const char *const *args, const char *credentials)
{
    int fds[2];
    cm_keyd_spawn s = {.program = keyd_program(),
                       .args = args,
                       .connections = 2,
                       .stderr_fd = -1,
                       .credentials_dir = credentials};
    cm_keeper_options o = {.check_peer = true};

    OK(cm_keyd_start(&u->pid, fds, &s));
    o.fd = fds[0];
    OK(cm_keeper_new(&u->k, &o));
    u->spare = fds[1];
}

static void stop(struct up *u)
{
    int status;

    cm_keeper_free(u->k);
    close(u->spare);
    assert_int_equal(waitpid(u->pid, &status, 0), u->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static cm_keyctl_status status_of(cm_keeper_client *k, cm_buf *b)
{
    cm_keyctl_status s;

    b->n = 0;
    b->max = 16384;
    OK(cm_keeper_ask(k, CM_KEYMSG_STATUS, (cm_view){0}, b, PATIENCE));
    OK(cm_keyctl_get_status(&s, cm_buf_view(b)));
    return s;
}

static cm_err init_with(cm_keeper_client *k, const cm_keyctl_init *m, cm_buf *answer)
{
    cm_buf body = {.max = 1 << 16};
    cm_err e = cm_keyctl_put_init(&body, m);

    OK(e);
    answer->n = 0;
    answer->max = 1 << 17;
    e = cm_keeper_ask(k, CM_KEYMSG_INIT, cm_buf_view(&body), answer, PATIENCE);
    cm_buf_free(&body);
    return e;
}

static cm_err unseal_with(cm_keeper_client *k, const cm_keyctl_unseal *u, cm_buf *answer)
{
    cm_buf body = {.max = 1 << 17};
    cm_err e = cm_keyctl_put_unseal(&body, u);

    OK(e);
    answer->n = 0;
    answer->max = 1 << 17;
    e = cm_keeper_ask(k, CM_KEYMSG_UNSEAL, cm_buf_view(&body), answer, PATIENCE);
    cm_buf_free(&body);
    return e;
}

static cm_err random_op(cm_keeper_client *k, uint64_t n)
{
    cm_keyop op = {.code = CM_KEYOP_RANDOM, .n = n};
    cm_err e = cm_keeper_run(k, &op, PATIENCE);

    if (cm_ok(e))
        assert_int_equal(op.out.n, n);
    cm_keyop_done_with(&op);
    return e;
}

static cm_keyctl_init passphrase_and_shares(void)
{
    cm_keyctl_init i = {.origin = CM_LIT("example.org/log"), .methods = {.n = 2}};

    i.methods.method[0] = (cm_unseal_method){
        .kind = CM_UNSEAL_PASSPHRASE, .secret = CM_LIT("open sesame"), .cost = cheap};
    i.methods.method[1] = (cm_unseal_method){
        .kind = CM_UNSEAL_SHARES, .need = 2, .shares = 3, .label = CM_LIT("board")};
    return i;
}

static void seals_and_unseals(void **state)
{
    struct up u;
    cm_buf b = {0}, made = {0}, answer = {0};
    cm_keyctl_init m = passphrase_and_shares();
    cm_keyctl_boot boot;
    cm_keyctl_status s;

    (void)state;
    start(&u, NULL, NULL);
    s = status_of(u.k, &b);
    assert_int_equal(s.state, CM_KEYD_SEALED);
    assert_int_equal(s.sandbox, CM_SANDBOX_ALL);
    assert_int_equal(s.root.n, 0);
    IS(random_op(u.k, 32), KEYS_SEALED);
    OK(init_with(u.k, &m, &made));
    OK(cm_keyctl_get_boot(&boot, cm_buf_view(&made)));
    assert_int_equal(boot.shares_n, 3);
    OK(random_op(u.k, 32));
    s = status_of(u.k, &b);
    assert_int_equal(s.state, CM_KEYD_UNSEALED);
    assert_int_equal(s.generation, 1);
    IS(init_with(u.k, &m, &answer), KEYS_UNSEALED);

    OK(cm_keeper_ask(u.k, CM_KEYMSG_SEAL, (cm_view){0}, NULL, PATIENCE));
    IS(random_op(u.k, 32), KEYS_SEALED);
    cm_keyctl_unseal with = {
        .boot = boot.boot, .kind = CM_UNSEAL_PASSPHRASE, .secret = CM_LIT("open barley")};
    IS(unseal_with(u.k, &with, &answer), UNSEAL_WRONG);
    with.secret = CM_LIT("open sesame");
    OK(unseal_with(u.k, &with, &answer));
    OK(random_op(u.k, 32));

    OK(cm_keeper_ask(u.k, CM_KEYMSG_SEAL, (cm_view){0}, NULL, PATIENCE));
    with = (cm_keyctl_unseal){.boot = boot.boot, .kind = CM_UNSEAL_SHARES, .shares_n = 1};
    with.shares[0] = boot.shares[2];
    OK(unseal_with(u.k, &with, &answer));
    OK(cm_keyctl_get_status(&s, cm_buf_view(&answer)));
    assert_int_equal(s.state, CM_KEYD_SEALED);
    assert_int_equal(s.have, 1);
    assert_int_equal(s.need, 2);
    IS(unseal_with(u.k, &with, &answer), SHARES_TWICE);
    with.shares[0] = boot.shares[0];
    OK(unseal_with(u.k, &with, &answer));
    OK(cm_keyctl_get_status(&s, cm_buf_view(&answer)));
    assert_int_equal(s.state, CM_KEYD_UNSEALED);
    OK(random_op(u.k, 65536));
    cm_buf_free(&b);
    cm_buf_free(&made);
    cm_buf_free(&answer);
    stop(&u);
}

/* ---- operations ------------------------------------------------------------------------------ */

/* A tenant and an AES key of it, sealed. */
struct keys {
    cm_buf kek, key;
    cm_key_binding bind;
};

static cm_err run(cm_keeper_client *k, cm_keyop *op)
{
    return cm_keeper_run(k, op, PATIENCE);
}

static void make_keys(cm_keeper_client *k, struct keys *out, cm_key_type type)
{
    cm_keyop op = {.code = CM_KEYOP_NEW_TENANT};

    *out = (struct keys){.bind = {.tenant = CM_LIT("acme"),
                                  .path = CM_LIT("acme/key"),
                                  .version = 1,
                                  .type = type,
                                  .kek_version = 1}};
    op.bind = out->bind;
    OK(run(k, &op));
    out->kek = cm_buf_take(&op.out);
    cm_keyop_done_with(&op);
    op = (cm_keyop){
        .code = CM_KEYOP_CREATE, .bind = out->bind, .kek = cm_buf_view(&out->kek), .type2 = type};
    OK(run(k, &op));
    out->key = cm_buf_take(&op.out);
    cm_keyop_done_with(&op);
}

static void free_keys(struct keys *x)
{
    cm_buf_free(&x->kek);
    cm_buf_free(&x->key);
}

static cm_keyop with_key(const struct keys *x, cm_keyop_code code, cm_view data)
{
    return (cm_keyop){.code = code,
                      .bind = x->bind,
                      .kek = cm_buf_view(&x->kek),
                      .key = cm_buf_view(&x->key),
                      .data = data};
}

/* Unsealed by a passphrase; the boot record. */
static cm_buf unsealed(struct up *u, const char *const *args)
{
    cm_buf made = {0}, boot = {.max = CM_BOOT_MAX};
    cm_keyctl_init m = passphrase_and_shares();
    cm_keyctl_boot b;

    start(u, args, NULL);
    OK(init_with(u->k, &m, &made));
    OK(cm_keyctl_get_boot(&b, cm_buf_view(&made)));
    OK(cm_buf_append(&boot, b.boot));
    cm_buf_free(&made);
    return boot;
}

static void executes_operations(void **state)
{
    struct up u;
    struct keys x;
    cm_buf boot = unsealed(&u, NULL);
    cm_keyop op, back;

    (void)state;
    make_keys(u.k, &x, CM_KEY_AES_256);
    op = with_key(&x, CM_KEYOP_ENCRYPT, CM_LIT("attack at dawn"));
    OK(run(u.k, &op));
    back = with_key(&x, CM_KEYOP_DECRYPT, cm_buf_view(&op.out));
    OK(run(u.k, &back));
    assert_memory_equal(back.out.p, "attack at dawn", 14);
    cm_keyop_done_with(&back);
    x.bind.tenant = CM_LIT("other");
    back = with_key(&x, CM_KEYOP_DECRYPT, cm_buf_view(&op.out));
    IS(run(u.k, &back), CRYPT_TAG);
    assert_null(back.out.p);
    cm_keyop_done_with(&op);
    free_keys(&x);

    make_keys(u.k, &x, CM_KEY_SLH_DSA_128F); /* by the threads for slow work */
    op = with_key(&x, CM_KEYOP_SIGN, CM_LIT("slowly"));
    OK(run(u.k, &op));
    assert_int_equal(op.out.n, 17088);
    cm_keyop_done_with(&op);
    free_keys(&x);

    op = (cm_keyop){.code = CM_KEYOP_SIGN_LOG,
                    .data = CM_LIT("example.org/log\n1\n"
                                   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")};
    OK(run(u.k, &op));
    assert_true(op.out.n > 100);
    cm_keyop_done_with(&op);
    cm_buf_free(&boot);
    stop(&u);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_and_unseals),
        cmocka_unit_test(executes_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
