/* Models sealed to a key of a KMS: the content key goes there, bound to the model; names are typed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/cbor.h"
#include "crypt/aead.h"
#include "keys/attested.h"
#include "kit.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

static t_kit *kit;

/* A KMS of one AES key, whose tag covers the name and what it is given to bind to. */
struct kms {
    cm_key32 key;
    uint64_t version;
    int wraps, unwraps;
    bool refuses;
};

static cm_buf aad_of(const cm_key_name *n, uint64_t version, cm_view aad)
{
    cm_buf b = {.max = 2048};

    OK(cm_cbor_put_text(&b, n->tenant));
    OK(cm_cbor_put_text(&b, n->keyspace));
    OK(cm_cbor_put_text(&b, n->key));
    OK(cm_cbor_put_uint(&b, version));
    OK(cm_cbor_put_bytes(&b, aad));
    return b;
}

static cm_err kms_wrap(void *arg, cm_buf *wrapped, uint64_t *version, const cm_key_name *name,
                       const cm_key32 *key, cm_view aad)
{
    struct kms *k = arg;
    cm_buf b;
    cm_gcm *g = NULL;
    uint8_t out[12 + 32 + 16] = {9};

    if (k->refuses)
        return CM_FAIL(NO_PERMISSION);
    b = aad_of(name, k->version, aad);
    OK(cm_gcm_new(&g, kit->crypt, &k->key));
    OK(cm_gcm_seal(g, out + 12, out + 44, out, cm_buf_view(&b), CM_VIEW(key->b)));
    OK(cm_buf_append(wrapped, CM_VIEW(out)));
    *version = k->version;
    k->wraps++;
    cm_gcm_free(g);
    cm_buf_free(&b);
    return CM_OKAY;
}

static cm_err kms_unwrap(void *arg, cm_key32 *key, const cm_key_name *name, cm_view w, cm_view aad)
{
    struct kms *k = arg;
    cm_buf b;
    cm_gcm *g = NULL;
    cm_err e;

    if (k->refuses)
        return CM_FAIL(NO_PERMISSION);
    b = aad_of(name, name->version, aad);
    OK(cm_gcm_new(&g, kit->crypt, &k->key));
    e = w.n != 60
            ? CM_FAIL(CRYPT_TAG)
            : cm_gcm_open(g, key->b, w.p + 44, w.p, cm_buf_view(&b), cm_view_of(w.p + 12, 32));
    k->unwraps++;
    cm_gcm_free(g);
    cm_buf_free(&b);
    return e;
}

static struct kms service = {.key = {"the only key of this small KMS.."}, .version = 3};

static cm_kms_key key_named(const char *tenant, const char *keyspace, const char *key)
{
    return (cm_kms_key){.name = {cm_view_str(tenant), cm_view_str(keyspace), cm_view_str(key), 0},
                        .wrap = kms_wrap,
                        .unwrap = kms_unwrap,
                        .arg = &service};
}

static cm_err seal_to(cm_kms_key *k, const char *path)
{
    cm_recipient to = cm_recipient_kms(k);
    cm_buf plain = t_bytes(100000, 5);
    cm_recipient unused;
    cm_seal_options o = t_seal_options(kit, &unused);
    cm_seal_result r = {0};
    cm_err e;

    t_put_file(t_path(kit->dir, "plain"), cm_buf_view(&plain));
    o.to = &to;
    o.to_n = 1;
    o.replace = true;
    e = cm_seal(&r, kit->crypt, &o, t_path(kit->dir, "plain"), -1, path, -1);
    cm_buf_free(&plain);
    return e;
}

static cm_err open_by(cm_kms_key *k, const char *path)
{
    const cm_sig_key *trusted[1];
    cm_opener o = cm_opener_kms(k), unused;
    cm_open_options oo = t_open_options(kit, &unused, trusted);
    cm_buf plain = {.max = 1 << 20}, want = t_bytes(100000, 5);
    cm_err e;

    oo.openers = &o;
    oo.openers_n = 1;
    e = t_open_with(kit, path, &oo, &plain);
    if (cm_ok(e))
        assert_true(cm_view_eq(cm_buf_view(&plain), cm_buf_view(&want)));
    cm_buf_free(&plain);
    cm_buf_free(&want);
    return e;
}

static void models_open_by_the_kms(void **state)
{
    cm_kms_key k = key_named("acme", "models", "llm"), elsewhere = key_named("acme", "models", "x"),
               any = key_named("", "", "");
    const char *path = t_path(kit->dir, "m.sealed");

    (void)state;
    service.wraps = service.unwraps = 0;
    OK(seal_to(&k, path));
    assert_int_equal(service.wraps, 1);
    OK(open_by(&k, path));
    assert_int_equal(service.unwraps, 1);
    IS(open_by(&elsewhere, path), ENVELOPE_NOT_FOR_US);
    assert_int_equal(service.unwraps, 1); /* nothing secret was asked for */
    any.any = true;
    OK(open_by(&any, path));
    service.key.b[0] ^= 1;
    IS(open_by(&k, path), CRYPT_TAG);
    service.key.b[0] ^= 1;
    service.refuses = true;
    IS(open_by(&k, path), NO_PERMISSION);
    IS(seal_to(&k, path), NO_PERMISSION);
    service.refuses = false;
    OK(open_by(&k, path));
}

/* a:b + c and a + b:c are two keys. */
static void names_are_not_joined(void **state)
{
    cm_kms_key one = key_named("t", "a:b", "c"), two = key_named("t", "a", "b:c"),
               three = key_named("t:a", "b", "c");
    const char *path = t_path(kit->dir, "names.sealed");

    (void)state;
    OK(seal_to(&one, path));
    OK(open_by(&one, path));
    IS(open_by(&two, path), ENVELOPE_NOT_FOR_US);
    IS(open_by(&three, path), ENVELOPE_NOT_FOR_US);
}

static void stanza_of(cm_kms_key *k, cm_stanza *st, cm_buf *id, cm_buf *body, cm_view context)
{
    static const cm_key32 content = {"the content key of 32 bytes....."};
    cm_recipient r = cm_recipient_kms(k);

    *st = (cm_stanza){0};
    id->n = body->n = 0;
    id->max = CM_STANZA_ID_MAX;
    body->max = CM_STANZA_BODY_MAX;
    OK(r.wrap(r.self, kit->crypt, st, id, body, &content, context));
    st->id = cm_buf_view(id);
    st->body = cm_buf_view(body);
}

static void stanzas_name_their_key(void **state)
{
    cm_kms_key k = key_named("acme", "models", "llm");
    cm_buf id = {0}, body = {0};
    cm_key_name n;
    cm_view wrapped;
    cm_stanza st;

    (void)state;
    stanza_of(&k, &st, &id, &body, CM_LIT("context"));
    OK(cm_kms_stanza_name(&n, &wrapped, kit->crypt, &st));
    assert_true(cm_view_eq(n.key, CM_LIT("llm")));
    assert_int_equal(n.version, 3); /* what the service used */
    assert_int_equal(wrapped.n, 60);
    id.p[3] ^= 1; /* U-12 */
    IS(cm_kms_stanza_name(&n, &wrapped, kit->crypt, &st), ENVELOPE_MALFORMED);
    id.p[3] ^= 1;
    for (size_t i = 0; i < body.n; i++) {
        st.body = cm_view_of(body.p, i);
        IS(cm_kms_stanza_name(&n, &wrapped, kit->crypt, &st), ENVELOPE_MALFORMED);
    }
    st.body = cm_buf_view(&body);
    st.number = 2;
    IS(cm_kms_stanza_name(&n, &wrapped, kit->crypt, &st), ENVELOPE_MALFORMED);
    cm_buf_free(&id);
    cm_buf_free(&body);
}

static cm_err released(void *arg, cm_key32 *key, const cm_attested_name *n, cm_view wrapped,
                       cm_view aad)
{
    assert_true(cm_view_eq(n->policy, CM_LIT("fleet")));
    assert_int_equal(n->pcrs, 0x80);
    return kms_unwrap(arg, key, &n->name, wrapped, aad);
}

static void stanzas_name_their_policy(void **state)
{
    static const uint8_t digest[32] = {7};
    static const cm_key32 content = {"the content key of 32 bytes....."};
    cm_kms_key k = key_named("acme", "attested", "fleet");
    cm_attested_key a = {.name = {k.name, CM_LIT("fleet"), CM_VIEW(digest), 0x80},
                         .wrap = k.wrap,
                         .release = released,
                         .arg = k.arg};
    cm_recipient r = cm_recipient_attested(&a);
    cm_opener o = cm_opener_attested(&a), other = cm_opener_kms(&k);
    cm_buf id = {.max = CM_STANZA_ID_MAX}, body = {.max = CM_STANZA_BODY_MAX};
    cm_key32 got = {{0}};
    cm_attested_name n;
    cm_stanza st = {0};
    cm_view wrapped;
    bool mine;

    (void)state;
    OK(r.wrap(r.self, kit->crypt, &st, &id, &body, &content, CM_LIT("context")));
    st.id = cm_buf_view(&id);
    st.body = cm_buf_view(&body);
    OK(other.claims(other.self, kit->crypt, &st, &mine));
    assert_false(mine);
    OK(o.claims(o.self, kit->crypt, &st, &mine));
    assert_true(mine);
    OK(o.unwrap(o.self, kit->crypt, &got, &st, CM_LIT("context")));
    assert_memory_equal(got.b, content.b, sizeof got.b);
    IS(o.unwrap(o.self, kit->crypt, &got, &st, CM_LIT("another")), CRYPT_TAG);
    for (size_t i = 0; i < body.n; i++) {
        st.body = cm_view_of(body.p, i);
        IS(cm_attested_stanza_name(&n, &wrapped, kit->crypt, &st), ENVELOPE_MALFORMED);
    }
    st.body = cm_buf_view(&body);
    id.p[0] ^= 1; /* U-13 */
    IS(cm_attested_stanza_name(&n, &wrapped, kit->crypt, &st), ENVELOPE_MALFORMED);
    cm_buf_free(&id);
    cm_buf_free(&body);
}

/* E-3: what was wrapped for one model does not open for another. */
static void wrapping_is_bound_to_the_model(void **state)
{
    cm_kms_key k = key_named("acme", "models", "llm");
    cm_opener o = cm_opener_kms(&k);
    cm_buf id = {0}, body = {0};
    cm_key32 got = {"untouched"};
    cm_stanza st;

    (void)state;
    stanza_of(&k, &st, &id, &body, CM_LIT("one model"));
    IS(o.unwrap(o.self, kit->crypt, &got, &st, CM_LIT("another model")), CRYPT_TAG);
    assert_string_equal((const char *)got.b, "untouched");
    OK(o.unwrap(o.self, kit->crypt, &got, &st, CM_LIT("one model")));
    cm_buf_free(&id);
    cm_buf_free(&body);
}

static void names_have_bounds(void **state)
{
    static char big[CM_KEY_NAME_MAX + 2];
    cm_kms_key k = key_named("acme", "", "llm");
    cm_recipient r = cm_recipient_kms(&k);
    cm_buf id = {.max = 64}, body = {.max = 8192};
    cm_key32 key = {{0}};
    cm_stanza st = {0};

    (void)state;
    memset(big, 'x', CM_KEY_NAME_MAX + 1);
    OK(r.wrap(r.self, kit->crypt, &st, &id, &body, &key, CM_LIT("c")));
    k.name.key = cm_view_str(big);
    IS(r.wrap(r.self, kit->crypt, &st, &id, &body, &key, CM_LIT("c")), BAD_ARGUMENT);
    k.name.key = CM_LIT("");
    IS(r.wrap(r.self, kit->crypt, &st, &id, &body, &key, CM_LIT("c")), BAD_ARGUMENT);
    k = key_named("", "", "llm");
    IS(r.wrap(r.self, kit->crypt, &st, &id, &body, &key, CM_LIT("c")), BAD_ARGUMENT);
    cm_buf_free(&id);
    cm_buf_free(&body);
}

static int setup(void **state)
{
    (void)state;
    kit = t_kit_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t_kit_done(kit);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_open_by_the_kms),
        cmocka_unit_test(names_are_not_joined),
        cmocka_unit_test(stanzas_name_their_key),
        cmocka_unit_test(wrapping_is_bound_to_the_model),
        cmocka_unit_test(stanzas_name_their_policy),
        cmocka_unit_test(names_have_bounds),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
