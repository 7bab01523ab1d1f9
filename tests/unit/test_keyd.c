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
    b->max = 4096;
    OK(cm_keeper_ask(k, CM_KEYMSG_STATUS, (cm_view){0}, b, PATIENCE));
    OK(cm_keyctl_get_status(&s, cm_buf_view(b)));
    return s;
}

static cm_err init_with(cm_keeper_client *k, cm_keyctl_methods *m, cm_buf *answer)
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

static cm_keyctl_methods passphrase_and_shares(void)
{
    return (cm_keyctl_methods){
        .method = {{.kind = CM_UNSEAL_PASSPHRASE, .secret = CM_LIT("open sesame"), .cost = cheap},
                   {.kind = CM_UNSEAL_SHARES, .need = 2, .shares = 3, .label = CM_LIT("board")}},
        .n = 2,
    };
}

static void seals_and_unseals(void **state)
{
    struct up u;
    cm_buf b = {0}, made = {0}, answer = {0};
    cm_keyctl_methods m = passphrase_and_shares();
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
    cm_keyctl_unseal with = {.boot = boot.boot, .kind = CM_UNSEAL_PASSPHRASE,
                             .secret = CM_LIT("open barley")};
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_and_unseals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
