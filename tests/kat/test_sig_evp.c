/* ML-DSA and SLH-DSA against the vectors of OpenSSL's own tests: ACVP's, as `name = value` text. */
#include <stdio.h>
#include <stdlib.h>

#include "sig_kat.h"

enum { EXPANDED_SLH = 64, SLH_SEED = 48 };

static cm_crypt *crypt_;

typedef enum { NOTHING, SIGN, VERIFY, KEYGEN } kind;

/* One stanza, as text until it is run. */
typedef struct {
    kind kind;
    uint64_t number;
    cm_view alg, key_alg, key, name, input, output, result;
    cm_view ctx, entropy, seed, pub, priv;
    bool mu, deterministic, encoded;
} stanza;

/* "a:b:c" into a and "b:c"; all of it and nothing without a colon. */
static cm_view until_colon(cm_view *rest)
{
    const uint8_t *p = rest->n ? memchr(rest->p, ':', rest->n) : NULL;
    size_t n = p ? (size_t)(p - rest->p) : rest->n;
    cm_view head = cm_view_sub(*rest, 0, n);

    *rest = cm_view_sub(*rest, n + (p != NULL), rest->n - n - (p != NULL));
    return head;
}

static bool is(cm_view v, const char *text)
{
    return cm_view_eq(v, cm_view_str(text));
}

static void control(stanza *s, cm_view v)
{
    cm_view name = until_colon(&v);

    if (is(name, "hexcontext-string"))
        s->ctx = v;
    else if (is(name, "hextest-entropy"))
        s->entropy = v;
    else if (is(name, "hexseed"))
        s->seed = v;
    else if (is(name, "hexpub"))
        s->pub = v;
    else if (is(name, "hexpriv"))
        s->priv = v;
    else if (is(name, "mu"))
        s->mu = is(v, "1");
    else if (is(name, "deterministic"))
        s->deterministic = is(v, "1");
    else if (is(name, "message-encoding"))
        s->encoded = is(v, "1");
    else
        t_check(false, "a control this test knows", __FILE__, __LINE__);
}

/* ---- running -------------------------------------------------------------------------------- */

static cm_err private_key(cm_sig_key **k, const cm_sig_info *info, cm_view sk)
{
    if (info->id <= CM_SIG_MLDSA87)
        return cm_sig_from_expanded(k, crypt_, info->id, sk);
    if (!T_CHECK(sk.n == EXPANDED_SLH))
        return CM_FAIL(CRYPT_BAD_KEY);
    CM_TRY(cm_sig_from_seed(k, crypt_, info->id, cm_view_sub(sk, 0, SLH_SEED)));
    T_CHECK(cm_view_eq(cm_sig_public(*k), cm_view_sub(sk, EXPANDED_SLH - info->pk, info->pk)));
    return CM_OKAY;
}

static sig_input input_of(const stanza *s)
{
    return (sig_input){.ctx = t_hex_view(s->ctx),
                       .msg = t_hex_view(s->input),
                       .rnd = t_hex_view(s->entropy),
                       .is_mu = s->mu};
}

static void sign(const stanza *s, const cm_sig_info *info)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    sig_input in = input_of(s);

    if (!T_CHECK(cm_ok(private_key(&k, info, t_hex_view(s->key)))))
        return;
    T_CHECK(s->deterministic == (in.rnd.n == 0));
    sig_is(k, &in, t_hex_view(s->output));
    t_ran();
}

static void verify(const stanza *s, const cm_sig_info *info)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;
    sig_input in = input_of(s);

    if (!T_CHECK(cm_ok(cm_sig_from_public(&k, crypt_, info->id, t_hex_view(s->key)))))
        return;
    T_CHECK(cm_ok(sig_check(k, &in, t_hex_view(s->output))) == (s->result.n == 0));
    t_ran();
}

static void keygen(const stanza *s, const cm_sig_info *info)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

    if (!T_CHECK(cm_ok(cm_sig_from_seed(&k, crypt_, info->id, t_hex_view(s->seed)))))
        return;
    T_CHECK(cm_view_eq(cm_sig_public(k), t_hex_view(s->pub)));
    t_ran();
}

static void one(const stanza *s, const cm_sig_info *info)
{
    if (s->kind == KEYGEN)
        keygen(s, info);
    else if (T_CHECK(cm_view_eq(s->alg, s->key_alg)))
        (s->kind == SIGN ? sign : verify)(s, info);
}

static void finish(stanza *s)
{
    const cm_sig_info *info = sig_named(s->alg);

    t_case("stanza", s->number);
    if (s->kind == NOTHING)
        return;
    if (!info)
        t_skip("parameter set not offered");
    else if (s->kind != KEYGEN && !s->encoded)
        t_skip("a message without its encoding");
    else if (t_sampled(s->number))
        one(s, info);
    s->kind = NOTHING;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void begin(stanza *s, kind kind_, cm_view v)
{
    cm_view key_alg = s->key_alg, key = s->key;

    finish(s);
    *s = (stanza){.kind = kind_, .number = s->number + 1, .key_alg = key_alg, .key = key};
    s->alg = until_colon(&v);
}

static void take_key(stanza *s, cm_view v)
{
    finish(s);
    (void)until_colon(&v);
    s->key_alg = until_colon(&v);
    s->key = v;
}

static void line(stanza *s, cm_view name, cm_view v)
{
    if (is(name, "PrivateKeyRaw") || is(name, "PublicKeyRaw"))
        take_key(s, v);
    else if (is(name, "Sign-Message"))
        begin(s, SIGN, v);
    else if (is(name, "Verify-Message-Public"))
        begin(s, VERIFY, v);
    else if (is(name, "KeyGen"))
        begin(s, KEYGEN, v);
    else if (is(name, "Ctrl") || is(name, "CtrlOut"))
        control(s, v);
    else if (is(name, "Input"))
        s->input = v;
    else if (is(name, "Output"))
        s->output = v;
    else if (is(name, "Result"))
        s->result = v;
}

static void file(const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf text = t_slurp(path);
    cm_view all = cm_buf_view(&text), name, value;
    stanza s = {0};

    while (t_pair(&name, &value, &all))
        line(&s, name, value);
    finish(&s);
}

static void run(void)
{
    t_each_file("pq/openssl-evp", "*_dsa_*.txt*", file);
}

int main(void)
{
    int rc;

    if (cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)))
        return 1;
    rc = t_vectors_main(run);
    cm_crypt_free(crypt_);
    return rc;
}
