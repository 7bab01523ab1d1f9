/* Envelopes: every kind of recipient, every rule of spec/envelope.md, and everything that must be
 * refused with nothing given away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/cbor.h"
#include "envelope/envelope.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

enum { KEMS = 5, XWING = 0, MLKEM768, MLKEM1024, MLKEM512, X25519 };

static const cm_kem_id ids[KEMS] = {CM_KEM_XWING, CM_KEM_MLKEM768, CM_KEM_MLKEM1024,
                                    CM_KEM_MLKEM512, CM_KEM_X25519};
static const cm_argon2 cheap = {8 << 10, 1, 1};
static const cm_key32 content = {"the content key of 32 bytes....."};
static cm_envelope_policy lax = {.allow_classical = true, .allow_passphrase = true};

static cm_crypt *crypt_;
static cm_kem_key *keys[KEMS], *stranger;

static cm_kem_key *make_key(cm_kem_id id, uint8_t fill)
{
    uint8_t seed[CM_KEM_SEED_MAX];
    cm_kem_key *k = NULL;

    memset(seed, fill, sizeof seed);
    OK(cm_kem_from_seed(&k, crypt_, id, cm_view_of(seed, cm_kem_info_of((uint32_t)id)->seed)));
    return k;
}

static int setup(void **state)
{
    (void)state;
    OK(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
    for (unsigned i = 0; i < KEMS; i++)
        keys[i] = make_key(ids[i], (uint8_t)(i + 1));
    stranger = make_key(CM_KEM_XWING, 99);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEMS; i++)
        cm_kem_key_free(keys[i]);
    cm_kem_key_free(stranger);
    cm_crypt_free(crypt_);
    return 0;
}

/* ---- a device ------------------------------------------------------------------------------ */

/* What a KMS or an HSM would be: it names its key and wraps by itself. Here it masks with the
 * context's hash, so that E-3 shows. */
struct device {
    const char *name;
    uint32_t number;
    cm_err broken; /* what it fails with */
    size_t body;   /* bytes it writes, when not 32 */
    uint64_t kind; /* when not external */
    unsigned calls;
};

static cm_err mask(const cm_crypt *c, uint8_t out[32], const uint8_t *in, cm_view context)
{
    CM_AUTO(cm_buf_free)
    cm_buf info = {.max = 128};
    uint8_t h[32];

    CM_TRY(cm_envelope_info(c, &info, CM_STANZA_EXTERNAL, context));
    CM_TRY(cm_hash_once(c, CM_SHA256, h, cm_buf_view(&info)));
    for (size_t i = 0; i < 32; i++)
        out[i] = in[i] ^ h[i];
    return CM_OKAY;
}

static cm_err device_wrap(void *self, const cm_crypt *c, cm_stanza *st, cm_buf *id, cm_buf *body,
                          const cm_key32 *key, cm_view context)
{
    static const uint8_t zeros[16384];
    struct device *d = self;
    uint8_t out[32];

    d->calls++;
    CM_TRY(d->broken);
    CM_TRY(mask(c, out, key->b, context));
    st->kind = d->kind ? d->kind : CM_STANZA_EXTERNAL;
    st->number = d->number;
    CM_TRY(cm_buf_append(id, cm_view_str(d->name)));
    return d->body ? cm_buf_append(body, cm_view_of(zeros, d->body))
                   : cm_buf_append(body, CM_VIEW(out));
}

static cm_err device_claims(void *self, const cm_crypt *c, const cm_stanza *st, bool *yes)
{
    const struct device *d = self;

    (void)c;
    *yes = st->kind == CM_STANZA_EXTERNAL && st->number == d->number &&
           cm_view_eq(st->id, cm_view_str(d->name));
    return CM_OKAY;
}

static cm_err device_unwrap(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                            cm_view context)
{
    struct device *d = self;

    d->calls++;
    CM_TRY(d->broken);
    return mask(c, key->b, st->body.p, context);
}

static cm_recipient to_device(struct device *d)
{
    bool classical = d->number & CM_STANZA_CLASSICAL;

    return (cm_recipient){classical ? CM_STRENGTH_CLASSICAL : CM_STRENGTH_SYMMETRIC, 5, device_wrap,
                          d};
}

static cm_opener of_device(struct device *d)
{
    return (cm_opener){device_claims, device_unwrap, d};
}

/* ---- shorthands ---------------------------------------------------------------------------- */

static cm_err seal(cm_buf *env, const cm_recipient *to, size_t n)
{
    return cm_envelope_seal(env, crypt_, &content, to, n, &lax, CM_LIT("context"));
}

static cm_buf sealed_to(const cm_recipient *to, size_t n)
{
    cm_buf env = {.max = CM_ENVELOPE_MAX};

    OK(seal(&env, to, n));
    return env;
}

/* Opens, and sees that the key is the content key or untouched. */
static cm_err open_in(cm_view env, const cm_opener *o, size_t n, const cm_envelope_policy *p,
                      cm_view context)
{
    cm_key32 key;
    uint8_t before[32];
    cm_err e;

    memset(before, 0x77, sizeof before);
    memcpy(key.b, before, sizeof key.b);
    e = cm_envelope_open(&key, crypt_, env, o, n, p, context);
    assert_memory_equal(key.b, cm_ok(e) ? content.b : before, 32);
    return e;
}

static cm_err open_with(const cm_buf *env, cm_opener o)
{
    return open_in(cm_buf_view(env), &o, 1, &lax, CM_LIT("context"));
}

static cm_err open_as(const cm_buf *env, const cm_kem_key *k)
{
    return open_with(env, cm_opener_kem(k));
}

/* ---- a pen for envelopes that no sealer would write ---------------------------------------- */

struct forged {
    uint64_t kind, number;
    bool has_number, has_cost, has_extra;
    cm_view id, body;
    uint64_t cost[4];
    size_t cost_n;
};

static void put_forged(cm_buf *b, const struct forged *f)
{
    OK(cm_cbor_put_map(b, 3u + f->has_number + f->has_cost + f->has_extra));
    OK(cm_cbor_put_uint(b, 1));
    OK(cm_cbor_put_uint(b, f->kind));
    OK(cm_cbor_put_uint(b, 2));
    OK(cm_cbor_put_bytes(b, f->id));
    OK(cm_cbor_put_uint(b, 3));
    OK(cm_cbor_put_bytes(b, f->body));
    if (f->has_number) {
        OK(cm_cbor_put_uint(b, 4));
        OK(cm_cbor_put_uint(b, f->number));
    }
    if (f->has_cost) {
        OK(cm_cbor_put_uint(b, 5));
        OK(cm_cbor_put_array(b, f->cost_n));
        for (size_t i = 0; i < f->cost_n; i++)
            OK(cm_cbor_put_uint(b, f->cost[i]));
    }
    if (f->has_extra) {
        OK(cm_cbor_put_uint(b, 6));
        OK(cm_cbor_put_uint(b, 0));
    }
}

/* The commitment as the spec has it, written here a second time: E-7. */
static void commit(uint8_t mac[32], cm_view stanzas, cm_view context)
{
    CM_AUTO(cm_buf_free)
    cm_buf msg = {.max = CM_ENVELOPE_MAX + 128};
    uint8_t key[32], ctx[32];

    OK(cm_hkdf_expand(crypt_, CM_SHA256, key, 32, CM_VIEW(content.b),
                      CM_LIT("casemate-envelope-v1 commitment")));
    OK(cm_hash_once(crypt_, CM_SHA256, ctx, context));
    OK(cm_buf_append(&msg, CM_LIT("casemate-envelope-v1\x01")));
    OK(cm_buf_append(&msg, CM_VIEW(ctx)));
    OK(cm_buf_append(&msg, stanzas));
    OK(cm_hmac(crypt_, CM_SHA256, mac, CM_VIEW(key), cm_buf_view(&msg)));
}

/* An envelope around encoded stanzas, whose commitment fits. */
static cm_buf wrap_stanzas(uint64_t version, uint64_t n, cm_view stanzas)
{
    cm_buf env = {.max = CM_ENVELOPE_MAX}, list = {.max = CM_ENVELOPE_MAX};
    uint8_t mac[32];

    OK(cm_cbor_put_array(&list, n));
    OK(cm_buf_append(&list, stanzas));
    commit(mac, cm_buf_view(&list), CM_LIT("context"));
    OK(cm_cbor_put_map(&env, 3));
    OK(cm_cbor_put_uint(&env, 1));
    OK(cm_cbor_put_uint(&env, version));
    OK(cm_cbor_put_uint(&env, 2));
    OK(cm_buf_append(&env, cm_buf_view(&list)));
    OK(cm_cbor_put_uint(&env, 3));
    OK(cm_cbor_put_bytes(&env, CM_VIEW(mac)));
    cm_buf_free(&list);
    return env;
}

/* The one stanza of an envelope to keys[k], as bytes. */
static cm_buf stanza_to(unsigned k)
{
    cm_recipient to = cm_recipient_kem(keys[k]);
    cm_buf env = sealed_to(&to, 1), out = {.max = CM_STANZA_BODY_MAX};
    size_t head = 5, tail = 1 + 2 + 32; /* map, 1: 1, 2: [ ; 3: bytes */

    OK(cm_buf_append(&out, cm_view_of(env.p + head, env.n - head - tail)));
    cm_buf_free(&env);
    return out;
}

/* ---- round trips --------------------------------------------------------------------------- */

static void every_kem_opens_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEMS; i++) {
        cm_recipient to = cm_recipient_kem(keys[i]);
        cm_buf env = sealed_to(&to, 1);

        OK(open_as(&env, keys[i]));
        for (unsigned k = 0; k < KEMS; k++)
            if (k != i)
                FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, keys[k]));
        FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, stranger));
        FAILS(ENVELOPE_NOT_FOR_US, open_in(cm_buf_view(&env), NULL, 0, &lax, CM_LIT("context")));
        cm_buf_free(&env);
    }
}

static void mixed_kinds(void **state)
{
    cm_envelope_passphrase p = {CM_LIT("correct horse"), cheap};
    struct device d = {.name = "hsm:7", .number = 3};
    cm_recipient to[] = {cm_recipient_kem(keys[XWING]), cm_recipient_passphrase(&p), to_device(&d),
                         cm_recipient_kem(keys[MLKEM768]), cm_recipient_kem(keys[MLKEM1024])};
    cm_buf env = sealed_to(to, CM_COUNT(to));
    cm_stanza list[CM_COUNT(to)];
    size_t n;

    (void)state;
    OK(open_as(&env, keys[XWING]));
    OK(open_as(&env, keys[MLKEM768]));
    OK(open_as(&env, keys[MLKEM1024]));
    OK(open_with(&env, cm_opener_passphrase(&p)));
    OK(open_with(&env, of_device(&d)));
    FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, stranger));
    OK(cm_envelope_list(list, CM_COUNT(to), &n, cm_buf_view(&env)));
    assert_int_equal(n, CM_COUNT(to));
    assert_int_equal(list[0].number, CM_KEM_XWING); /* in the order given */
    assert_int_equal(list[1].cost.memory_kib, cheap.memory_kib);
    assert_true(cm_view_eq(list[2].id, CM_LIT("hsm:7")));
    FAILS(TOO_BIG, cm_envelope_list(list, CM_COUNT(to) - 1, &n, cm_buf_view(&env)));
    cm_buf_free(&env);
}

static void many_recipients(void **state)
{
    cm_recipient *to = calloc(CM_STANZAS_MAX + 1, sizeof *to);
    cm_buf env = {.max = CM_ENVELOPE_MAX};

    (void)state;
    for (size_t i = 0; i <= CM_STANZAS_MAX; i++)
        to[i] = cm_recipient_kem(i == CM_STANZAS_MAX - 1 ? keys[MLKEM768] : stranger);
    OK(seal(&env, to, CM_STANZAS_MAX));
    OK(open_as(&env, keys[MLKEM768]));
    assert_true(env.n > CM_STANZAS_MAX * 1100);
    cm_buf_free(&env);
    FAILS(ENVELOPE_TOO_MANY, seal(&env, to, CM_STANZAS_MAX + 1));
    FAILS(ENVELOPE_TOO_MANY, seal(&env, to, SIZE_MAX)); /* counted before any is looked at */
    assert_int_equal(env.n, 0);
    FAILS(ENVELOPE_NO_RECIPIENT, seal(&env, to, 0));
    free(to);
}

static void appends(void **state)
{
    cm_recipient to = cm_recipient_kem(keys[XWING]);
    cm_buf env = {.max = 4096};
    cm_stanza st;
    size_t n;

    (void)state;
    OK(cm_buf_append(&env, CM_LIT("before")));
    OK(seal(&env, &to, 1));
    assert_memory_equal(env.p, "before", 6);
    OK(cm_envelope_list(&st, 1, &n, cm_view_of(env.p + 6, env.n - 6)));
    env.max = env.n;
    FAILS(TOO_BIG, seal(&env, &to, 1));
    assert_int_equal(env.n, env.max);
    cm_buf_free(&env);
}

/* ---- passphrases --------------------------------------------------------------------------- */

static void two_passphrases(void **state)
{
    cm_envelope_passphrase a = {CM_LIT("one"), cheap}, b = {CM_LIT("other"), {8 << 10, 2, 1}},
                           wrong = {CM_LIT("neither"), {0, 0, 0}}, none = {{0}, cheap};
    cm_recipient to[] = {cm_recipient_passphrase(&a), cm_recipient_passphrase(&b)};
    cm_opener o[] = {cm_opener_passphrase(&wrong), cm_opener_passphrase(&b)};
    cm_recipient empty = cm_recipient_passphrase(&none);
    cm_buf env = sealed_to(to, 2), no = {.max = 4096};

    (void)state;
    OK(open_with(&env, cm_opener_passphrase(&a)));
    OK(open_with(&env, cm_opener_passphrase(&b)));
    FAILS(ENVELOPE_WRONG_PASSPHRASE, open_with(&env, cm_opener_passphrase(&wrong)));
    OK(open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("context"))); /* each gets its chance */
    FAILS(ENVELOPE_WRONG_PASSPHRASE,
          open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("another"))); /* E-3 */
    FAILS(ENVELOPE_EMPTY_PASSPHRASE, seal(&no, &empty, 1));
    FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
}

static struct forged phrase_stanza(uint64_t memory, uint64_t passes, uint64_t lanes)
{
    static const uint8_t salt[16], body[60];

    return (struct forged){.kind = CM_STANZA_PASSPHRASE,
                           .id = CM_VIEW(salt),
                           .body = CM_VIEW(body),
                           .has_cost = true,
                           .cost = {memory, passes, lanes},
                           .cost_n = 3};
}

/* E-6: no derivation outside the limits; if there were one, this would take long. */
static void costs_are_limited(void **state)
{
    static const struct {
        uint64_t m, t, p;
        const char *want;
    } cases[] = {
        {(1 << 20) + 1, 1, 1, "ENVELOPE_COST"},
        {8 << 10, 17, 1, "ENVELOPE_COST"},
        {8 << 10, 1, 17, "ENVELOPE_COST"},
        {(8 << 10) - 1, 1, 1, "ENVELOPE_COST"},
        {8 << 10, 0, 1, "ENVELOPE_COST"},
        {8 << 10, 1, 0, "ENVELOPE_COST"},
        {UINT32_MAX, 1, 1, "ENVELOPE_COST"},
        {1ull << 32, 1, 1, "ENVELOPE_MALFORMED"},
        {8 << 10, 1ull << 32, 1, "ENVELOPE_MALFORMED"},
        {8 << 10, 1, UINT64_MAX, "ENVELOPE_MALFORMED"},
        {8 << 10, 1, 1, "ENVELOPE_WRONG_PASSPHRASE"},
    };
    cm_envelope_passphrase p = {CM_LIT("x"), {0, 0, 0}};
    cm_envelope_policy tight = lax;

    (void)state;
    tight.max_cost = (cm_argon2){8 << 10, 1, 1};
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        struct forged f = phrase_stanza(cases[i].m, cases[i].t, cases[i].p);
        cm_buf st = {.max = 1024}, env;

        put_forged(&st, &f);
        env = wrap_stanzas(1, 1, cm_buf_view(&st));
        assert_string_equal(cm_err_name(open_with(&env, cm_opener_passphrase(&p))), cases[i].want);
        cm_buf_free(&env);
        cm_buf_free(&st);
    }
    for (unsigned i = 0; i < 3; i++) { /* a sealer does not write what no reader takes */
        cm_recipient to = cm_recipient_passphrase(&p);
        cm_buf env = {.max = 4096};

        p.cost = (cm_argon2){i == 0 ? 4 << 10 : 8 << 10, i == 1 ? 17 : 1, i == 2 ? 17 : 1};
        FAILS(ENVELOPE_COST, seal(&env, &to, 1));
        p.cost = (cm_argon2){8 << 10, 2, 1};
        FAILS(ENVELOPE_COST,
              cm_envelope_seal(&env, crypt_, &content, &to, 1, &tight, CM_LIT("context")));
    }
}

static cm_err count_unwrap(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                           cm_view context)
{
    (void)c;
    (void)key;
    (void)st;
    (void)context;
    ++*(unsigned *)self;
    return CM_FAIL(ENVELOPE_WRONG_PASSPHRASE);
}

/* E-6: the fifth is not tried. */
static void four_passphrases_at_most(void **state)
{
    cm_envelope_passphrase p = {CM_LIT("x"), {0, 0, 0}};
    struct forged f = phrase_stanza(8 << 10, 1, 1);
    cm_opener o = cm_opener_passphrase(&p);
    cm_buf st = {.max = 4096}, env;
    unsigned tried = 0;

    (void)state;
    o.unwrap = count_unwrap;
    o.self = &tried;
    for (unsigned i = 0; i < 6; i++)
        put_forged(&st, &f);
    env = wrap_stanzas(1, 6, cm_buf_view(&st));
    FAILS(ENVELOPE_WRONG_PASSPHRASE, open_with(&env, o));
    assert_int_equal(tried, 4);
    cm_buf_free(&env);
    cm_buf_free(&st);
}

/* ---- devices ------------------------------------------------------------------------------- */

static void device_that_fails(void **state)
{
    struct device d = {.name = "k", .number = 1, .broken = CM_FAIL(IO_READ)}, good = d;
    cm_recipient to[2] = {cm_recipient_kem(keys[XWING]), to_device(&d)};
    cm_opener o[2] = {of_device(&d), cm_opener_kem(keys[XWING])};
    cm_buf env = {.max = 8192};

    (void)state;
    FAILS(IO_READ, seal(&env, to, 2)); /* its own error, and nothing written */
    assert_int_equal(env.n, 0);
    good.broken = CM_OKAY;
    to[0] = to_device(&good);
    to[1] = cm_recipient_kem(keys[XWING]);
    OK(seal(&env, to, 2));
    /* E-10: it names the device's key, so the device's word is final. */
    FAILS(IO_READ, open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("context")));
    OK(open_in(cm_buf_view(&env), o + 1, 1, &lax, CM_LIT("context")));
    cm_buf_free(&env);
}

/* A device whose stanza would be refused or misjudged by readers is found out when sealing. */
static void device_that_errs(void **state)
{
    struct device lies = {.name = "k", .number = 1}, long_body = {.name = "k", .body = 8193},
                  no_name = {.name = ""}, unknown = {.name = "k", .kind = 9},
                  kem = {.name = "k", .kind = CM_STANZA_KEM, .number = CM_KEM_XWING};
    struct device quiet = {.name = "rsa", .number = CM_STANZA_CLASSICAL | 1};
    cm_recipient to = to_device(&lies);
    cm_buf env = {.max = 32768};

    (void)state;
    to.strength = CM_STRENGTH_CLASSICAL; /* it is, but its stanza would not say so */
    FAILS(ENVELOPE_MIXED, seal(&env, &to, 1));
    to = to_device(&quiet);
    to.strength = CM_STRENGTH_SYMMETRIC;
    FAILS(ENVELOPE_MIXED, seal(&env, &to, 1));
    to = to_device(&long_body);
    assert_true(cm_failed(seal(&env, &to, 1)));
    to = to_device(&no_name);
    FAILS(BAD_ARGUMENT, seal(&env, &to, 1));
    to = to_device(&unknown);
    FAILS(BAD_ARGUMENT, seal(&env, &to, 1));
    to = to_device(&kem);
    FAILS(BAD_ARGUMENT, seal(&env, &to, 1)); /* E-2 */
    assert_int_equal(env.n, 0);
}

/* ---- policy -------------------------------------------------------------------------------- */

struct rule {
    unsigned a, b; /* KEMS: a passphrase, KEMS + 1: a device, + 2: a classical device */
    bool classical, phrase;
    uint8_t level;
    const char *want;
};

static const struct rule rules[] = {
    {XWING, XWING, false, true, 3, "OK"},
    {MLKEM768, MLKEM1024, false, true, 3, "OK"},
    {MLKEM1024, MLKEM1024, false, false, 5, "OK"},
    {XWING, MLKEM1024, false, false, 5, "ENVELOPE_LEVEL"},
    {MLKEM1024, MLKEM768, false, false, 5, "ENVELOPE_LEVEL"},
    {MLKEM512, MLKEM512, false, true, 3, "ENVELOPE_LEVEL"},
    {MLKEM512, MLKEM512, true, true, 1, "OK"},
    {X25519, X25519, false, true, 1, "ENVELOPE_CLASSICAL"},
    {X25519, X25519, true, true, 5, "OK"}, /* asked for by name */
    {XWING, X25519, true, true, 1, "ENVELOPE_MIXED"},
    {X25519, XWING, true, true, 1, "ENVELOPE_MIXED"},
    {X25519, MLKEM512, true, true, 1, "ENVELOPE_MIXED"},
    {KEMS, X25519, true, true, 1, "ENVELOPE_MIXED"},
    {X25519, KEMS, true, true, 1, "ENVELOPE_MIXED"},
    {KEMS + 1, X25519, true, true, 1, "ENVELOPE_MIXED"},
    {KEMS + 1, KEMS + 2, true, true, 1, "ENVELOPE_MIXED"},
    {KEMS + 2, KEMS + 2, true, true, 3, "OK"},
    {KEMS + 2, X25519, true, true, 3, "OK"},
    {KEMS + 2, KEMS + 2, false, true, 3, "ENVELOPE_CLASSICAL"},
    {KEMS, KEMS, false, true, 3, "OK"},
    {KEMS, KEMS, false, false, 3, "ENVELOPE_PASSPHRASE"},
    {XWING, KEMS, false, false, 3, "ENVELOPE_PASSPHRASE"},
    {KEMS + 1, XWING, false, false, 3, "OK"},
    {KEMS + 1, KEMS + 1, false, false, 5, "OK"},
};

/* E-8, E-9: what a sealer refuses. E-10: a reader refuses the same, though the envelope was made
 * under a policy that allowed it, or by hand where none would. */
static void policy(void **state)
{
    cm_envelope_passphrase p = {CM_LIT("x"), cheap};
    struct device d = {.name = "kms", .number = 2},
                  rsa = {.name = "rsa", .number = CM_STANZA_CLASSICAL | 2};
    cm_recipient all[KEMS + 3] = {
        [KEMS] = cm_recipient_passphrase(&p), to_device(&d), to_device(&rsa)};
    cm_opener openers[KEMS + 3] = {
        [KEMS] = cm_opener_passphrase(&p), of_device(&d), of_device(&rsa)};

    (void)state;
    for (unsigned i = 0; i < KEMS; i++) {
        all[i] = cm_recipient_kem(keys[i]);
        openers[i] = cm_opener_kem(keys[i]);
    }
    for (size_t i = 0; i < CM_COUNT(rules); i++) {
        const struct rule *r = &rules[i];
        cm_envelope_policy strict = {r->classical, r->phrase, r->level, {0, 0, 0}};
        cm_recipient to[2] = {all[r->a], all[r->b]};
        cm_buf one = {.max = CM_ENVELOPE_MAX}, two = one, both = one, env;
        size_t head = 5, tail = 35;

        assert_string_equal(cm_err_name(cm_envelope_seal(&one, crypt_, &content, to, 2, &strict,
                                                         CM_LIT("context"))),
                            r->want);
        cm_buf_free(&one);
        OK(seal(&one, to, 1));
        OK(seal(&two, to + 1, 1));
        OK(cm_buf_append(&both, cm_view_of(one.p + head, one.n - head - tail)));
        OK(cm_buf_append(&both, cm_view_of(two.p + head, two.n - head - tail)));
        env = wrap_stanzas(1, 2, cm_buf_view(&both));
        assert_string_equal(
            cm_err_name(open_in(cm_buf_view(&env), &openers[r->a], 1, &strict, CM_LIT("context"))),
            r->want);
        cm_buf_free(&one);
        cm_buf_free(&two);
        cm_buf_free(&both);
        cm_buf_free(&env);
    }
}

/* E-10: the stanza that names our key is broken; another of ours would open, and is not tried. */
static void no_second_choice(void **state)
{
    cm_recipient to[2] = {cm_recipient_kem(keys[MLKEM1024]), cm_recipient_kem(keys[MLKEM768])};
    cm_opener o[2] = {cm_opener_kem(keys[MLKEM768]), cm_opener_kem(keys[MLKEM1024])};
    cm_buf env = sealed_to(to, 2);

    (void)state;
    OK(open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("context")));
    env.p[60] ^= 1; /* in the first one's ciphertext */
    FAILS(CRYPT_TAG, open_in(cm_buf_view(&env), o, 2, &lax, CM_LIT("context")));
    cm_buf_free(&env);
}

/* ---- form ---------------------------------------------------------------------------------- */

static void expect_form(const struct forged *f, const char *want)
{
    cm_buf st = {.max = 16384}, env;
    cm_stanza list[1];
    size_t n = 7;

    put_forged(&st, f);
    env = wrap_stanzas(1, 1, cm_buf_view(&st));
    assert_string_equal(cm_err_name(cm_envelope_list(list, 1, &n, cm_buf_view(&env))), want);
    assert_true(n == 1 || strcmp(want, "OK") != 0);
    assert_string_equal(cm_err_name(open_as(&env, stranger)),
                        strcmp(want, "OK") ? want : "ENVELOPE_NOT_FOR_US");
    cm_buf_free(&env);
    cm_buf_free(&st);
}

/* E-2: known kinds have exactly their fields; unknown ones whatever fits the frame. */
static void fields_of_each_kind(void **state)
{
    static const uint8_t z[8193];
    cm_view id = cm_view_of(z, 16), ct = cm_view_of(z, 1120 + 48);
    struct forged kem = {1, CM_KEM_XWING, true, false, false, id, ct, {0, 0, 0}, 0},
                  ext = {3, 5, true, false, false, id, cm_view_of(z, 9), {0, 0, 0}, 0},
                  phrase = phrase_stanza(8 << 10, 1, 1), odd = ext, f;

    (void)state;
    expect_form(&kem, "OK");
    expect_form(&ext, "OK");
    expect_form(&phrase, "OK");
    odd.kind = 77;
    expect_form(&odd, "OK");
    odd.has_number = false;
    expect_form(&odd, "OK");
    odd.id = cm_view_of(z, 64);
    odd.body = cm_view_of(z, 8192);
    expect_form(&odd, "OK");
#define BAD(base, change) (f = (base), change, expect_form(&f, "ENVELOPE_MALFORMED"))
    BAD(kem, f.has_number = false);
    BAD(kem, (f.has_cost = true, f.cost_n = 3));
    BAD(kem, f.body.n--);
    BAD(kem, f.body.n++);
    BAD(kem, f.id.n--);
    BAD(kem, f.has_extra = true);
    BAD(ext, f.has_number = false);
    BAD(ext, (f.has_cost = true, f.cost_n = 3));
    BAD(ext, f.number = 1ull << 32);
    BAD(phrase, f.has_number = true);
    BAD(phrase, f.has_cost = false);
    BAD(phrase, f.cost_n = 2);
    BAD(phrase, f.cost_n = 4);
    BAD(phrase, f.cost_n = 0);
    BAD(phrase, f.body.n--);
    BAD(phrase, f.id.n--);
    BAD(odd, f.id.n = 65);
    BAD(odd, f.id.n = 0);
    BAD(odd, f.body.n = 8193);
    BAD(odd, f.body.n = 0);
    BAD(odd, f.has_extra = true);
    BAD(odd, f.kind = 1ull << 32);
#undef BAD
    kem.number = 0x7777; /* a KEM of a later version */
    kem.body.n = 5;
    expect_form(&kem, "OK");
}

/* E-2: what a later version adds is passed over, and E-11 keeps it on a change of recipients. */
static bool keep_all(void *arg, const cm_stanza *st)
{
    (void)st;
    ++*(unsigned *)arg;
    return true;
}

static void unknown_kinds_stay(void **state)
{
    struct forged f = {.kind = 40, .id = CM_LIT("new"), .body = CM_LIT("thing")};
    cm_recipient other = cm_recipient_kem(stranger);
    cm_buf bytes = {.max = 8192}, ours = stanza_to(XWING), env, changed = {.max = 8192};
    cm_stanza list[3];
    unsigned seen = 0;
    size_t n;

    (void)state;
    put_forged(&bytes, &f);
    OK(cm_buf_append(&bytes, cm_buf_view(&ours)));
    env = wrap_stanzas(1, 2, cm_buf_view(&bytes));
    OK(open_as(&env, keys[XWING]));
    OK(cm_envelope_reseal(&changed, crypt_, &content, cm_buf_view(&env), keep_all, &seen, &other, 1,
                          &lax, CM_LIT("context")));
    assert_int_equal(seen, 2);
    OK(cm_envelope_list(list, 3, &n, cm_buf_view(&changed)));
    assert_int_equal(n, 3);
    assert_true(list[0].kind == 40 && cm_view_eq(list[0].body, CM_LIT("thing")));
    assert_non_null(memmem(changed.p, changed.n, bytes.p, bytes.n)); /* E-11: byte by byte */
    OK(open_as(&changed, keys[XWING]));
    OK(open_as(&changed, stranger));
    cm_buf_free(&bytes);
    cm_buf_free(&ours);
    cm_buf_free(&env);
    cm_buf_free(&changed);
}

/* E-1 */
static void envelope_form(void **state)
{
    cm_buf st = stanza_to(XWING), none = {.max = 8}, env, many = {.max = CM_ENVELOPE_MAX};
    struct forged f = {.kind = 40, .id = CM_LIT("n"), .body = CM_LIT("t")};

    (void)state;
    env = wrap_stanzas(2, 1, cm_buf_view(&st));
    FAILS(ENVELOPE_MALFORMED, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    env = wrap_stanzas(1, 0, cm_buf_view(&none));
    FAILS(ENVELOPE_MALFORMED, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    for (unsigned i = 0; i < CM_STANZAS_MAX; i++)
        put_forged(&many, &f);
    env = wrap_stanzas(1, CM_STANZAS_MAX, cm_buf_view(&many));
    FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    put_forged(&many, &f);
    env = wrap_stanzas(1, CM_STANZAS_MAX + 1, cm_buf_view(&many));
    FAILS(ENVELOPE_MALFORMED, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    env = wrap_stanzas(1, 1, cm_buf_view(&st));
    OK(open_as(&env, keys[XWING]));
    OK(cm_buf_byte(&env, 0)); /* something behind it */
    FAILS(ENVELOPE_MALFORMED, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    FAILS(TOO_BIG, open_in(cm_view_of("", CM_ENVELOPE_MAX + 1ul), NULL, 0, &lax, CM_LIT("x")));
    cm_buf_free(&st);
    cm_buf_free(&many);
}

/* ---- damage -------------------------------------------------------------------------------- */

static bool refused(cm_err e)
{
    cm_class k = cm_err_class(e);

    return k == CM_CLASS_MALFORMED || k == CM_CLASS_UNAUTHENTIC || k == CM_CLASS_DENIED ||
           k == CM_CLASS_LIMIT;
}

/* E-1, E-4, E-5, E-7: whichever bit changes, nobody gets a key. */
static void every_byte(void **state)
{
    cm_envelope_passphrase p = {CM_LIT("x"), cheap};
    struct device d = {.name = "hsm", .number = 3};
    cm_recipient to[] = {cm_recipient_kem(keys[XWING]), to_device(&d), cm_recipient_passphrase(&p)};
    cm_opener o[] = {cm_opener_kem(keys[XWING]), of_device(&d), cm_opener_passphrase(&p)};
    cm_buf env = sealed_to(to, 3);
    size_t phrase = env.n - 150; /* below it Argon2id would run for every byte */

    (void)state;
    for (size_t i = 0; i < env.n; i++)
        for (unsigned bit = 0; bit < 8; bit += i % 4 == 0 ? 1 : 7) {
            env.p[i] ^= (uint8_t)(1u << bit);
            assert_true(refused(open_with(&env, o[0])));
            if (bit == 0)
                assert_true(refused(open_with(&env, o[1])));
            if (bit == 0 && i > phrase && i % 8 == 0)
                assert_true(refused(open_with(&env, o[2])));
            env.p[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t n = 0; n < env.n; n++) {
        cm_err e = open_in(cm_view_of(env.p, n), o, 3, &lax, CM_LIT("context"));

        FAILS(ENVELOPE_MALFORMED, e);
    }
    OK(open_in(cm_buf_view(&env), o, 3, &lax, CM_LIT("context")));
    cm_buf_free(&env);
}

/* E-3: each kind is bound to the context it was made for, under a commitment that fits. */
static void moved_to_another_context(void **state)
{
    cm_buf st = stanza_to(XWING);
    cm_recipient to = cm_recipient_kem(keys[XWING]);
    cm_opener o = cm_opener_kem(keys[XWING]);
    cm_buf list = {.max = 8192}, env = {.max = 8192};
    uint8_t mac[32];

    (void)state;
    OK(seal(&env, &to, 1));
    FAILS(CRYPT_TAG, open_in(cm_buf_view(&env), &o, 1, &lax, CM_LIT("another")));
    FAILS(CRYPT_TAG, open_in(cm_buf_view(&env), &o, 1, &lax, (cm_view){0}));
    cm_buf_free(&env);
    OK(cm_cbor_put_array(&list, 1));
    OK(cm_buf_append(&list, cm_buf_view(&st)));
    commit(mac, cm_buf_view(&list), CM_LIT("another"));
    env = wrap_stanzas(1, 1, cm_buf_view(&st));
    memcpy(env.p + env.n - 32, mac, 32);
    FAILS(CRYPT_TAG, open_in(cm_buf_view(&env), &o, 1, &lax, CM_LIT("another")));
    FAILS(ENVELOPE_COMMITMENT,
          open_in(cm_buf_view(&env), &o, 1, &lax, CM_LIT("context"))); /* E-7 */
    cm_buf_free(&env);
    cm_buf_free(&list);
    cm_buf_free(&st);
}

/* E-7: stanzas dropped, added, reordered or moved; commitments swapped. */
static void commitment(void **state)
{
    cm_recipient to[2] = {cm_recipient_kem(keys[XWING]), cm_recipient_kem(keys[MLKEM768])};
    cm_buf a = sealed_to(to, 2), b = sealed_to(to, 2), one = stanza_to(XWING), c, two;
    cm_buf mixed = {.max = 8192};
    cm_key32 other = {"another key, which fits nothing"};

    (void)state;
    memcpy(a.p + a.n - 32, b.p + b.n - 32, 32);
    FAILS(ENVELOPE_COMMITMENT, open_as(&a, keys[XWING]));
    c = wrap_stanzas(1, 1, cm_buf_view(&one));
    memcpy(c.p + c.n - 32, b.p + b.n - 32, 32); /* one dropped */
    FAILS(ENVELOPE_COMMITMENT, open_as(&c, keys[XWING]));
    two = stanza_to(MLKEM768);
    OK(cm_buf_append(&mixed, cm_buf_view(&two)));
    OK(cm_buf_append(&mixed, cm_buf_view(&one)));
    cm_buf_free(&c);
    c = wrap_stanzas(1, 2, cm_buf_view(&mixed));
    OK(open_as(&c, keys[XWING])); /* whoever has the content key may */
    c.p[c.n - 1] ^= 1;
    FAILS(ENVELOPE_COMMITMENT, open_as(&c, keys[XWING]));
    FAILS(ENVELOPE_COMMITMENT, open_as(&c, keys[MLKEM768]));
    cm_buf_free(&c);
    /* a recipient is shown another key: the commitment fits the others' alone */
    c.max = 8192;
    OK(cm_envelope_seal(&c, crypt_, &other, to, 1, &lax, CM_LIT("context")));
    memcpy(b.p + 5, c.p + 5, one.n);
    FAILS(ENVELOPE_COMMITMENT, open_as(&b, keys[XWING]));
    cm_buf_free(&a);
    cm_buf_free(&b);
    cm_buf_free(&c);
    cm_buf_free(&one);
    cm_buf_free(&two);
    cm_buf_free(&mixed);
}

/* ---- changing recipients ------------------------------------------------------------------- */

static bool keep_mlkem(void *arg, const cm_stanza *st)
{
    (void)arg;
    return st->number == CM_KEM_MLKEM768;
}

static bool keep_none(void *arg, const cm_stanza *st)
{
    (void)arg;
    (void)st;
    return false;
}

/* E-11 */
static void reseal(void **state)
{
    cm_recipient to[2] = {cm_recipient_kem(keys[XWING]), cm_recipient_kem(keys[MLKEM768])};
    cm_recipient classical = cm_recipient_kem(keys[X25519]);
    cm_buf old = sealed_to(to, 2), env = {.max = CM_ENVELOPE_MAX};
    cm_view ctx = CM_LIT("context"), was = cm_buf_view(&old);
    unsigned seen = 0;

    (void)state;
    OK(cm_envelope_reseal(&env, crypt_, &content, was, keep_mlkem, NULL, NULL, 0, &lax, ctx));
    OK(open_as(&env, keys[MLKEM768]));
    FAILS(ENVELOPE_NOT_FOR_US, open_as(&env, keys[XWING]));
    cm_buf_free(&env);
    FAILS(ENVELOPE_NO_RECIPIENT,
          cm_envelope_reseal(&env, crypt_, &content, was, keep_none, NULL, NULL, 0, &lax, ctx));
    FAILS(ENVELOPE_MIXED, cm_envelope_reseal(&env, crypt_, &content, was, keep_all, &seen,
                                             &classical, 1, &lax, ctx)); /* E-8 */
    FAILS(ENVELOPE_TOO_MANY, cm_envelope_reseal(&env, crypt_, &content, was, keep_all, &seen, to,
                                                CM_STANZAS_MAX - 1, &lax, ctx));
    FAILS(ENVELOPE_MALFORMED,
          cm_envelope_reseal(&env, crypt_, &content, cm_view_of(was.p, was.n - 1), keep_all, &seen,
                             to, 1, &lax, ctx));
    assert_int_equal(env.n, 0);
    cm_buf_free(&old);
}

/* E-4: the id is what the spec says, and the body is plain HPKE that anyone can open. */
static void kem_stanza_is_hpke(void **state)
{
    cm_recipient to = cm_recipient_kem(keys[XWING]);
    cm_buf env = sealed_to(&to, 1), msg = {.max = 4096}, plain = {.max = 64};
    uint8_t info[20 + 1 + 1 + 32] = "casemate-envelope-v1", id[32];
    cm_stanza st;
    size_t n;

    (void)state;
    OK(cm_envelope_list(&st, 1, &n, cm_buf_view(&env)));
    OK(cm_buf_be16(&msg, 0x647a));
    OK(cm_buf_append(&msg, cm_kem_public(keys[XWING])));
    OK(cm_hash_once(crypt_, CM_SHA256, id, cm_buf_view(&msg)));
    assert_true(cm_view_eq(st.id, cm_view_of(id, 16)));
    info[21] = 1;
    OK(cm_hash_once(crypt_, CM_SHA256, info + 22, CM_LIT("context")));
    OK(cm_hpke_open(&plain, keys[XWING], (cm_hpke_suite){1, 2}, CM_VIEW(info), (cm_view){0},
                    st.body));
    assert_memory_equal(plain.p, content.b, 32);
    cm_buf_free(&env);
    cm_buf_free(&msg);
    cm_buf_free(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kem_opens_its_own),
        cmocka_unit_test(mixed_kinds),
        cmocka_unit_test(many_recipients),
        cmocka_unit_test(appends),
        cmocka_unit_test(two_passphrases),
        cmocka_unit_test(costs_are_limited),
        cmocka_unit_test(four_passphrases_at_most),
        cmocka_unit_test(device_that_fails),
        cmocka_unit_test(device_that_errs),
        cmocka_unit_test(policy),
        cmocka_unit_test(no_second_choice),
        cmocka_unit_test(fields_of_each_kind),
        cmocka_unit_test(unknown_kinds_stay),
        cmocka_unit_test(envelope_form),
        cmocka_unit_test(every_byte),
        cmocka_unit_test(moved_to_another_context),
        cmocka_unit_test(commitment),
        cmocka_unit_test(reseal),
        cmocka_unit_test(kem_stanza_is_hpke),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
