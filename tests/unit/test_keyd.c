/* casemate-keyd as a process, through its keeper: states, rights, sandbox, death. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "keys/frost.h"
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
    assert_int_equal(s.sandbox, CM_SANDBOX_ALL); /* KD-6 */
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

/* Two holders, each with a key of their own tenant; what they make is plain Ed25519. */
static void signs_by_threshold(void **state) /* F-9 */
{
    enum { SIGNERS = 2 };
    struct up u;
    cm_buf boot = unsealed(&u, NULL), raw = {.max = 2048}, list = {.max = 512};
    struct keys x[SIGNERS];
    cm_frost_share share[3];
    cm_frost_commitment c[SIGNERS];
    cm_frost_part part[SIGNERS];
    cm_frost_group g;
    cm_keyop one[SIGNERS], two;
    uint8_t sig[CM_FROST_SIG_MAX];
    cm_crypt *crypt = NULL;
    cm_sig_key *pk = NULL;

    (void)state;
    OK(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT));
    OK(cm_frost_deal(&g, share, crypt, CM_FROST_ED25519, 2, 3, NULL));
    for (int i = 0; i < SIGNERS; i++) {
        cm_keyop op = {.code = CM_KEYOP_NEW_TENANT};

        x[i] = (struct keys){.bind = {CM_LIT("t"), CM_LIT("k"), 1, CM_KEY_FROST_ED25519, 1}};
        x[i].bind.tenant = i ? CM_LIT("two") : CM_LIT("one");
        op.bind = x[i].bind;
        OK(run(u.k, &op));
        x[i].kek = cm_buf_take(&op.out);
        cm_keyop_done_with(&op);
        raw.n = 0;
        OK(cm_buf_byte(&raw, share[i].id));
        OK(cm_buf_append(&raw, CM_VIEW(share[i].secret)));
        OK(cm_frost_put_group(&raw, &g));
        op = with_key(&x[i], CM_KEYOP_IMPORT, cm_buf_view(&raw));
        raw.p[9] ^= 1;
        IS(run(u.k, &op), CRYPT_BAD_KEY);
        raw.p[9] ^= 1;
        op = with_key(&x[i], CM_KEYOP_IMPORT, cm_buf_view(&raw));
        OK(run(u.k, &op));
        assert_memory_equal(op.out2.p, cm_frost_public(&g).p, 32);
        x[i].key = cm_buf_take(&op.out);
        cm_keyop_done_with(&op);
        one[i] = with_key(&x[i], CM_KEYOP_SIGN_SHARE, (cm_view){0});
        OK(run(u.k, &one[i]));
        OK(cm_frost_get_commitment(&c[i], cm_buf_view(&one[i].out)));
        OK(cm_buf_append(&list, cm_buf_view(&one[i].out)));
    }
    for (int i = 0; i < SIGNERS; i++) {
        two = with_key(&x[i], CM_KEYOP_SIGN_SHARE, CM_LIT("by both"));
        two.more = cm_buf_view(&list);
        two.context = cm_buf_view(&one[1 - i].out2); /* sealed to the other */
        IS(run(u.k, &two), CRYPT_TAG);
        two.context = cm_buf_view(&one[i].out2);
        OK(run(u.k, &two));
        part[i].id = two.out.p[0];
        memcpy(part[i].z, two.out.p + 1, sizeof part[i].z);
        cm_keyop_done_with(&two);
    }
    OK(cm_frost_aggregate(sig, NULL, crypt, &g, c, part, SIGNERS, CM_LIT("by both")));
    OK(cm_sig_from_public(&pk, crypt, CM_SIG_ED25519, cm_frost_public(&g)));
    OK(cm_verify_raw(pk, CM_LIT("by both"), cm_view_of(sig, 64)));
    for (int i = 0; i < SIGNERS; i++) {
        cm_keyop_done_with(&one[i]);
        free_keys(&x[i]);
    }
    cm_sig_key_free(pk);
    cm_crypt_free(crypt);
    cm_buf_free(&raw);
    cm_buf_free(&list);
    cm_buf_free(&boot);
    stop(&u);
}

/* ---- who may ask for what -------------------------------------------------------------------- */

static void rights_and_states(void **state) /* KD-4 */
{
    static const char *const args[] = {"--connection", "40,ops", "--connection", "41,control",
                                       NULL};
    struct up u;
    cm_buf boot, answer = {0};
    cm_keeper_client *k = NULL;
    cm_keeper_options o = {.fd = -1};
    int ops[2], ctl[2];
    cm_keyctl_init m = passphrase_and_shares();

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ops), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl), 0);
    assert_int_equal(dup2(ops[1], 40) == 40 && dup2(ctl[1], 41) == 41, 1);
    boot = unsealed(&u, args);
    o.fd = ops[0];
    OK(cm_keeper_new(&k, &o));
    OK(random_op(k, 8));
    IS(init_with(k, &m, &answer), KEYD_NOT_PERMITTED);
    IS(cm_keeper_ask(k, CM_KEYMSG_SEAL, (cm_view){0}, NULL, PATIENCE), KEYD_NOT_PERMITTED);
    IS(cm_keeper_ask(k, CM_KEYMSG_ALTER, (cm_view){0}, NULL, PATIENCE), KEYD_NOT_PERMITTED);
    IS(cm_keeper_ask(k, CM_KEYMSG_DEVICES, (cm_view){0}, NULL, PATIENCE), KEYD_NOT_PERMITTED);
    status_of(k, &answer);
    cm_keeper_free(k);
    o.fd = ctl[0];
    OK(cm_keeper_new(&k, &o));
    IS(random_op(k, 8), KEYD_NOT_PERMITTED);
    OK(cm_keeper_ask(k, CM_KEYMSG_SEAL, (cm_view){0}, NULL, PATIENCE));
    IS(random_op(u.k, 8), KEYS_SEALED);
    cm_keeper_free(k);
    close(40);
    close(41);
    close(ops[1]);
    close(ctl[1]);
    cm_buf_free(&answer);
    cm_buf_free(&boot);
    stop(&u);
}

static void nonsense_costs_the_connection(void **state) /* KD-1 */
{
    static const uint8_t bad[][16] = {{0, 0, 0, 9, 1, 1},
                                      {0, 0, 0, 10, 9, 2},
                                      {0, 0, 0, 10, 1, 99},
                                      {0, 0, 0, 10, 1, 0x82},
                                      {0, 0, 0, 10, 1, 1}};
    struct up u;
    uint8_t in[64];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_buf boot = unsealed(&u, NULL);

        assert_int_equal(send(u.spare, bad[i], 14, 0), 14);
        assert_int_equal(recv(u.spare, in, sizeof in, 0), 0);
        OK(random_op(u.k, 8)); /* the others go on */
        cm_buf_free(&boot);
        stop(&u);
    }
}

static void listens_and_checks_peers(void **state) /* KD-5 */
{
    char dir[T_PATH], path[T_PATH + 8];
    const char *args[] = {"--listen", "42", NULL};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    cm_keeper_options o = {.connect = cm_keyd_connect, .arg = path, .fd = -1, .check_peer = true};
    cm_keeper_client *k[3];
    struct up u;
    cm_buf boot;
    int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), status;

    (void)state;
    t_mkdir(dir);
    (void)snprintf(path, sizeof path, "%s/s", dir);
    memcpy(at.sun_path, path, strlen(path));
    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s, 8), 0);
    assert_int_equal(dup2(s, 42), 42);
    boot = unsealed(&u, args);
    for (size_t i = 0; i < CM_COUNT(k); i++) {
        OK(cm_keeper_new(&k[i], &o));
        OK(random_op(k[i], 100));
    }
    if (geteuid() == 0) { /* another user is turned away */
        pid_t pid = fork();

        if (pid == 0) {
            char byte;
            int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

            if (chmod(dir, 0755) || chmod(path, 0777) || setuid(12345) ||
                connect(fd, (struct sockaddr *)&at, sizeof at))
                _exit(2);
            _exit(recv(fd, &byte, 1, 0) != 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    for (size_t i = 0; i < CM_COUNT(k); i++)
        cm_keeper_free(k[i]);
    close(42);
    close(s);
    cm_buf_free(&boot);
    cm_keeper_free(u.k);
    close(u.spare);
    kill(u.pid, SIGTERM); /* it listens: nobody's leaving ends it */
    assert_int_equal(waitpid(u.pid, &status, 0), u.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    t_rmdir(dir);
}

/* ---- unsealing without anyone -----------------------------------------------------------------
 */

static void credentials_unseal(void **state)
{
    static const char *const args[] = {"--credential", "root.key", NULL};
    char dir[T_PATH];
    cm_keyctl_init m = {.origin = CM_LIT("example.org/log"), .methods = {.n = 1}};
    cm_buf made = {0}, answer = {0}, b = {0};
    cm_keyctl_unseal with = {.kind = CM_UNSEAL_KEYFILE};
    cm_keyctl_boot boot;
    struct up u;

    (void)state;
    t_mkdir(dir);
    t_put_file(t_path(dir, "root.key"), CM_LIT("forty random bytes would be better here"));
    m.methods.method[0].kind = CM_UNSEAL_KEYFILE; /* without a secret: keyd's own */
    start(&u, args, dir);
    assert_true(status_of(u.k, &b).credential);
    OK(init_with(u.k, &m, &made));
    stop(&u);
    OK(cm_keyctl_get_boot(&boot, cm_buf_view(&made)));
    with.boot = boot.boot;
    start(&u, args, dir);
    OK(unseal_with(u.k, &with, &answer));
    OK(random_op(u.k, 8));
    stop(&u);
    start(&u, NULL, NULL);
    IS(unseal_with(u.k, &with, &answer), KEYD_NO_CREDENTIAL);
    stop(&u);
    t_rmdir(dir);
    cm_buf_free(&made);
    cm_buf_free(&answer);
    cm_buf_free(&b);
}

/* ---- altering ---------------------------------------------------------------------------------
 */

static void rotates_only_once_stored(void **state) /* KD-7 */
{
    struct up u;
    cm_buf boot = unsealed(&u, NULL), body = {.max = 1 << 16}, made = {.max = 1 << 17}, b = {0};
    cm_keyctl_alter a = {.with = {.boot = cm_buf_view(&boot),
                                  .kind = CM_UNSEAL_PASSPHRASE,
                                  .secret = CM_LIT("open sesame")},
                         .rotate = true};
    cm_keyctl_unseal with = a.with;
    cm_keyctl_boot next;
    struct up other;
    cm_buf foreign;
    struct keys x;
    cm_keyop op, back;

    (void)state;
    make_keys(u.k, &x, CM_KEY_AES_256);
    op = with_key(&x, CM_KEYOP_ENCRYPT, CM_LIT("before"));
    OK(run(u.k, &op));
    OK(cm_keyctl_put_alter(&body, &a));
    OK(cm_keeper_ask(u.k, CM_KEYMSG_ALTER, cm_buf_view(&body), &made, PATIENCE));
    OK(cm_keyctl_get_boot(&next, cm_buf_view(&made)));
    assert_int_equal(status_of(u.k, &b).generation, 1);
    with.boot = next.boot;
    OK(unseal_with(u.k, &with, &body));
    assert_int_equal(status_of(u.k, &b).generation, 2);
    back = with_key(&x, CM_KEYOP_DECRYPT, cm_buf_view(&op.out)); /* of the older generation */
    OK(run(u.k, &back));
    cm_keyop_done_with(&op);
    cm_keyop_done_with(&back);
    /* Another root's record does not replace this one. */
    foreign = unsealed(&other, NULL);
    with.boot = cm_buf_view(&foreign);
    IS(unseal_with(u.k, &with, &body), KEYS_UNSEALED);
    OK(random_op(u.k, 8));
    stop(&other);
    stop(&u);
    free_keys(&x);
    cm_buf_free(&foreign);
    cm_buf_free(&boot);
    cm_buf_free(&body);
    cm_buf_free(&made);
    cm_buf_free(&b);
}

/* ---- death -------------------------------------------------------------------------------------
 */

struct load {
    cm_keyop op[32];
    unsigned left, ok, lost;
};

static void count(cm_keyop *op)
{
    struct load *l = op->arg;

    l->left--;
    if (cm_ok(op->result) && op->out.n == 64)
        l->ok++;
    else if (cm_is(op->result, CM_KEEPER_LOST) || cm_is(op->result, CM_KEEPER_DOWN))
        l->lost++;
    else
        fail_msg("%s", cm_err_name(op->result));
    cm_keyop_done_with(op);
}

static void ask_all(cm_keeper_client *k, struct load *l, const struct keys *x)
{
    cm_keeper v = cm_keeper_of(k);

    for (size_t i = 0; i < CM_COUNT(l->op); i++) {
        l->op[i] = with_key(x, CM_KEYOP_SIGN, CM_LIT("under load"));
        l->op[i].done = count;
        l->op[i].arg = l;
        l->left++;
        v.submit(v.self, &l->op[i]);
    }
    cm_keeper_flush(k);
}

/* Killed again and again with requests in flight: each is answered once, rightly or with a loss;
 * keys and records made before serve the next keyd. */
static void killed_under_load(void **state)
{
    enum { KILLS = 25 };
    struct up u;
    cm_buf boot = unsealed(&u, NULL), answer = {0};
    cm_keyctl_unseal with = {
        .boot = cm_buf_view(&boot), .kind = CM_UNSEAL_PASSPHRASE, .secret = CM_LIT("open sesame")};
    struct load l = {0};
    struct keys x;
    int status;

    (void)state;
    make_keys(u.k, &x, CM_KEY_ED25519);
    for (int i = 0; i < KILLS; i++) {
        for (int round = 0; round < i % 4; round++) {
            ask_all(u.k, &l, &x);
            while (l.left > (unsigned)(round % 3) * 8 && cm_keeper_fd(u.k) >= 0) {
                struct pollfd p = {.fd = cm_keeper_fd(u.k), .events = POLLIN};

                poll(&p, 1, 1000);
                cm_keeper_readable(u.k);
                cm_keeper_flush(u.k);
            }
            while (l.left > 0 && round + 1 < i % 4)
                cm_keeper_readable(u.k);
        }
        while (l.left > 0)
            cm_keeper_readable(u.k);
        ask_all(u.k, &l, &x);
        usleep((unsigned)(i * 97 % 1500));
        kill(u.pid, SIGKILL);
        while (cm_keeper_fd(u.k) >= 0)
            cm_keeper_readable(u.k);
        assert_int_equal(l.left, 0);
        assert_int_equal(waitpid(u.pid, &status, 0), u.pid);
        cm_keeper_free(u.k);
        close(u.spare);
        start(&u, NULL, NULL);
        IS(random_op(u.k, 8), KEYS_SEALED);
        OK(unseal_with(u.k, &with, &answer));
    }
    assert_true(l.ok > 0 && l.lost > 0);
    stop(&u);
    free_keys(&x);
    cm_buf_free(&boot);
    cm_buf_free(&answer);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_and_unseals),
        cmocka_unit_test(executes_operations),
        cmocka_unit_test(signs_by_threshold),
        cmocka_unit_test(rights_and_states),
        cmocka_unit_test(nonsense_costs_the_connection),
        cmocka_unit_test(listens_and_checks_peers),
        cmocka_unit_test(credentials_unseal),
        cmocka_unit_test(rotates_only_once_stored),
        cmocka_unit_test(killed_under_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
