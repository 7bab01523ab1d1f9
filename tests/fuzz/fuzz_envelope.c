/*
 * Envelopes nobody sealed. The input is one as it is, and once more with the commitment that a
 * holder of the content key could have put on it, so that what lies behind is reached too. What
 * lists must survive a change of recipients byte by byte, and what opens must open to the key.
 */
#include <stdlib.h>

#include "codec/cbor.h"
#include "envelope/envelope.h"

enum { MAX = 1 << 20 };

static const cm_key32 content = {"the content key of 32 bytes....."};
static const cm_envelope_policy lax = {.allow_classical = true, .allow_passphrase = true};
static cm_crypt *crypt_;
static cm_kem_key *mine;

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void setup(void)
{
    static const uint8_t seed[32] = {1};

    if (crypt_)
        return;
    must(cm_ok(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)));
    must(cm_ok(cm_kem_from_seed(&mine, crypt_, CM_KEM_XWING, CM_VIEW(seed))));
}

/* Says yes to everything but KEM stanzas and knows nothing. */
static cm_err any_claims(void *self, const cm_crypt *c, const cm_stanza *st, bool *yes)
{
    (void)self;
    (void)c;
    *yes = st->kind != CM_STANZA_KEM;
    return CM_OKAY;
}

static cm_err no_unwrap(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                        cm_view context)
{
    (void)self;
    (void)c;
    (void)key;
    (void)context;
    must(st->body.n > 0 && st->body.n <= CM_STANZA_BODY_MAX);
    return CM_FAIL(ENVELOPE_WRONG_PASSPHRASE);
}

static bool keep_all(void *arg, const cm_stanza *st)
{
    (void)arg;
    (void)st;
    return true;
}

static bool same_stanza(const cm_stanza *a, const cm_stanza *b)
{
    return a->kind == b->kind && a->number == b->number && cm_view_eq(a->id, b->id) &&
           cm_view_eq(a->body, b->body) && a->cost.memory_kib == b->cost.memory_kib;
}

static void change(cm_view env, const cm_stanza *list, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_ENVELOPE_MAX};
    CM_AUTO(cm_free_ptr) cm_stanza *again = NULL;
    cm_opener o = cm_opener_kem(mine);
    cm_recipient to = cm_recipient_kem(mine);
    size_t count;
    cm_err e = cm_envelope_reseal(&out, crypt_, &content, env, keep_all, NULL, &to, 1, &lax,
                                  CM_LIT("context"));
    cm_key32 key;

    if (cm_failed(e)) {
        must(out.n == 0 && cm_err_class(e) != CM_CLASS_INTERNAL);
        return;
    }
    must(cm_ok(cm_alloc_array(&again, CM_STANZAS_MAX, sizeof *again)));
    must(cm_ok(cm_envelope_list(again, CM_STANZAS_MAX, &count, cm_buf_view(&out))));
    must(count == n + 1);
    for (size_t i = 0; i < n; i++)
        must(same_stanza(&list[i], &again[i]));
    e = cm_envelope_open(&key, crypt_, cm_buf_view(&out), &o, 1, &lax, CM_LIT("context"));
    must(cm_failed(e) || cm_view_eq(CM_VIEW(key.b), CM_VIEW(content.b)));
}

static void open_it(cm_view env, bool forms)
{
    cm_opener o[2] = {cm_opener_kem(mine), {any_claims, no_unwrap, NULL}};
    cm_key32 key = {"untouched"}, was = key;
    cm_err e = cm_envelope_open(&key, crypt_, env, o, 2, &lax, CM_LIT("context"));

    must(cm_failed(e) || forms);
    must(cm_view_eq(CM_VIEW(key.b), cm_ok(e) ? CM_VIEW(content.b) : CM_VIEW(was.b)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_free_ptr) cm_stanza *list = NULL;
    size_t count = 0;
    cm_err e;

    if (n > MAX)
        return 0;
    setup();
    must(cm_ok(cm_alloc_array(&list, CM_STANZAS_MAX, sizeof *list)));
    e = cm_envelope_list(list, CM_STANZAS_MAX, &count, cm_view_of(p, n));
    must(cm_ok(e) ? count >= 1 && count <= CM_STANZAS_MAX
                  : cm_err_class(e) == CM_CLASS_MALFORMED || cm_is(e, CM_TOO_BIG));
    open_it(cm_view_of(p, n), cm_ok(e));
    if (cm_ok(e))
        change(cm_view_of(p, n), list, count);
    return 0;
}
