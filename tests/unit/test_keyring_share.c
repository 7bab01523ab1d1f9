/* Threshold signatures through a keyring: RFC 9591's two rounds, and nonces that serve once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/frost.h"
#include "ring_kit.h"

#define OK(e) assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static t_ring *ring;
static const cm_view message = {(const uint8_t *)"pay 10 to bob", 13};

static int setup(void **state)
{
    (void)state;
    ring = t_ring_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_ring_done(ring);
    return 0;
}

static void run(cm_keyop *op)
{
    cm_keyring_exec(ring->ring, op);
    if (cm_failed(op->result)) { /* KM-36 */
        assert_int_equal(op->out.n, 0);
        assert_int_equal(op->out2.n, 0);
        assert_null(op->out.p);
        assert_null(op->out2.p);
    }
}

static void run_is(cm_keyop *op, cm_reason reason)
{
    run(op);
    assert_string_equal(cm_err_name(op->result), cm_err_name((cm_err){(uint32_t)reason}));
    cm_keyop_done_with(op);
}

enum { NEED = 2, HOLDERS = 3 };

typedef struct {
    cm_frost_group group;
    t_held k[HOLDERS];
    cm_keyop one[HOLDERS]; /* round one of the first NEED */
    cm_buf list;
} quorum;

static void share_secret(cm_buf *raw, const cm_frost_group *g, const cm_frost_share *s)
{
    OK(cm_buf_byte(raw, s->id));
    OK(cm_buf_append(raw, CM_VIEW(s->secret)));
    OK(cm_frost_put_group(raw, g));
}

static void deal(quorum *q, cm_frost_suite suite, cm_key_type type)
{
    cm_frost_share s[HOLDERS];

    *q = (quorum){.list = {.max = 4096}};
    OK(cm_frost_deal(&q->group, s, ring->crypt, suite, NEED, HOLDERS, NULL));
    for (int i = 0; i < HOLDERS; i++) {
        CM_AUTO(cm_buf_free) cm_buf raw = {.max = 4096};

        share_secret(&raw, &q->group, &s[i]);
        q->k[i] = t_ring_import(ring, type, cm_buf_view(&raw));
        assert_true(cm_view_eq(cm_buf_view(&q->k[i].public_key), cm_frost_public(&q->group)));
    }
    for (int i = 0; i < NEED; i++) {
        q->one[i] = t_ring_run(ring, &q->k[i], CM_KEYOP_SIGN_SHARE, CM_LIT(""));
        OK(q->one[i].result);
        OK(cm_buf_append(&q->list, cm_buf_view(&q->one[i].out)));
    }
}

static void disband(quorum *q)
{
    for (int i = 0; i < HOLDERS; i++) {
        cm_keyop_done_with(&q->one[i]);
        t_held_done(&q->k[i]);
    }
    cm_buf_free(&q->list);
}

static cm_keyop round_two(quorum *q, int i)
{
    cm_keyop op = t_ring_op(&q->k[i], CM_KEYOP_SIGN_SHARE);

    op.data = message;
    op.context = cm_buf_view(&q->one[i].out2);
    op.more = cm_buf_view(&q->list);
    return op;
}

static void threshold(cm_frost_suite suite, cm_key_type type)
{
    cm_frost_commitment list[NEED];
    cm_frost_part parts[NEED];
    uint8_t sig[CM_FROST_SIG_MAX];
    quorum q;

    deal(&q, suite, type);
    for (size_t i = 0; i < NEED; i++) {
        cm_keyop op = round_two(&q, (int)i);

        run(&op);
        OK(op.result);
        assert_int_equal(op.out.n, 33);
        parts[i].id = op.out.p[0];
        memcpy(parts[i].z, op.out.p + 1, 32);
        OK(cm_frost_get_commitment(
            &list[i], cm_view_of(q.list.p + i * CM_FROST_COMMITMENT, CM_FROST_COMMITMENT)));
        cm_keyop_done_with(&op);
        run_is(&op, CM_FROST_NONCE_USED); /* KM-37 */
    }
    OK(cm_frost_aggregate(sig, NULL, ring->crypt, &q.group, list, parts, NEED, message));
    OK(cm_frost_verify(ring->crypt, suite, cm_frost_public(&q.group), message,
                       cm_view_of(sig, cm_frost_sig_size(suite))));
    disband(&q);
}

static void test_threshold_signatures(void **state)
{
    (void)state;
    threshold(CM_FROST_ED25519, CM_KEY_FROST_ED25519);
    threshold(CM_FROST_SECP256K1, CM_KEY_FROST_SECP256K1);
}

/* KM-37: by name, by key, and not after a restart, nor when the first use failed. */
static void test_nonces_serve_once(void **state)
{
    quorum q, other;
    cm_keyop op;

    (void)state;
    deal(&q, CM_FROST_ED25519, CM_KEY_FROST_ED25519);
    deal(&other, CM_FROST_ED25519, CM_KEY_FROST_ED25519);
    op = round_two(&q, 0);
    op.context = CM_LIT("not a name of 16");
    run_is(&op, CM_FROST_NONCE_USED);
    op.context.n--;
    run_is(&op, CM_FROST_NONCE_USED);
    op = round_two(&q, 0);
    op.more.n--;
    run_is(&op, CM_FROST_ENCODING); /* not taken out yet */
    op.more = cm_view_of(q.list.p, CM_FROST_COMMITMENT);
    run_is(&op, CM_FROST_LIST);
    op = round_two(&q, 0);
    run_is(&op, CM_FROST_NONCE_USED);
    op = round_two(&q, 1);
    op.context = cm_buf_view(&other.one[1].out2); /* another key's */
    run_is(&op, CM_FROST_NONCE_USED);
    t_ring_restart(ring);
    op = round_two(&q, 1);
    run_is(&op, CM_FROST_NONCE_USED);
    disband(&q);
    disband(&other);
}

static void test_shares_that_are_none(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = 4096};
    cm_frost_share s[HOLDERS];
    cm_frost_group g;
    t_held k = t_ring_create(ring, CM_KEY_ED25519);
    cm_keyop op = t_ring_op(&k, CM_KEYOP_IMPORT);

    (void)state;
    OK(cm_frost_deal(&g, s, ring->crypt, CM_FROST_ED25519, NEED, HOLDERS, NULL));
    share_secret(&raw, &g, &s[0]);
    op.data = cm_buf_view(&raw);
    op.bind.type = CM_KEY_FROST_SECP256K1;
    run_is(&op, CM_CRYPT_BAD_KEY);
    op.bind.type = CM_KEY_FROST_ED25519;
    op.data.n = 20;
    run_is(&op, CM_CRYPT_BAD_KEY);
    op.data.n = raw.n - 1;
    run_is(&op, CM_FROST_ENCODING);
    op.data.n = raw.n;
    raw.p[0] = 2; /* another's place */
    run_is(&op, CM_FROST_SHARE);
    op.code = CM_KEYOP_CREATE;
    run_is(&op, CM_KEY_UNSUPPORTED); /* a dealer makes them */
    op = t_ring_op(&k, CM_KEYOP_SIGN_SHARE);
    run_is(&op, CM_KEY_USE);
    t_held_done(&k);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threshold_signatures),
        cmocka_unit_test(test_nonces_serve_once),
        cmocka_unit_test(test_shares_that_are_none),
    };

    return cmocka_run_group_tests_name("keyring shares", tests, setup, teardown);
}
