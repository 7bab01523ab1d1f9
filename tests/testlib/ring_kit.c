#include "ring_kit.h"

#include <stdio.h>
#include <stdlib.h>

static void must(const char *what, cm_err e)
{
    if (cm_ok(e))
        return;
    (void)fprintf(stderr, "ring kit: %s: %s\n", what, cm_err_name(e));
    abort();
}

void t_ring_restart(t_ring *r)
{
    cm_keyring_options o = {.crypt = r->crypt, .root = &r->root};

    cm_keyring_free(r->ring);
    must("ring", cm_keyring_new(&r->ring, &o));
}

t_ring *t_ring_new(void)
{
    t_ring *r;

    must("memory", cm_alloc(&r, sizeof *r));
    must("crypt", cm_crypt_new(&r->crypt, CM_PROFILE_DEFAULT));
    memset(r->root.id, 7, sizeof r->root.id);
    r->root.n = 2;
    for (uint8_t i = 0; i < 2; i++) {
        r->root.kem[i].number = 3u + i;
        memset(r->root.kem[i].seed, 0x40 + i, sizeof r->root.kem[i].seed);
    }
    t_ring_restart(r);
    return r;
}

void t_ring_done(t_ring *r)
{
    cm_keyring_free(r->ring);
    cm_crypt_free(r->crypt);
    cm_free(r);
}

cm_buf t_ring_kek(t_ring *r, const char *tenant, uint64_t version)
{
    cm_keyop op = {.code = CM_KEYOP_NEW_TENANT,
                   .bind = {.tenant = cm_view_str(tenant), .kek_version = version}};

    cm_keyring_exec(r->ring, &op);
    must("tenant", op.result);
    return op.out;
}

t_held t_ring_make(t_ring *r, const cm_key_binding *b, const cm_buf *kek, cm_view secret)
{
    t_held k = {.bind = *b, .kek = {.max = 1 << 16}};
    cm_keyop op;

    must("KEK", cm_buf_append(&k.kek, cm_buf_view(kek)));
    op = t_ring_op(&k, secret.n ? CM_KEYOP_IMPORT : CM_KEYOP_CREATE);
    op.data = secret;
    cm_keyring_exec(r->ring, &op);
    must(cm_key_type_of(b->type)->name, op.result);
    k.sealed = op.out;
    k.public_key = op.out2;
    return k;
}

t_held t_ring_import(t_ring *r, cm_key_type type, cm_view secret)
{
    cm_key_binding b = {.tenant = CM_LIT("acme"),
                        .path = CM_LIT("keys/one"),
                        .version = 1,
                        .type = type,
                        .kek_version = 1};
    CM_AUTO(cm_buf_free) cm_buf kek = t_ring_kek(r, "acme", 1);

    return t_ring_make(r, &b, &kek, secret);
}

t_held t_ring_create(t_ring *r, cm_key_type type)
{
    return t_ring_import(r, type, CM_LIT(""));
}

void t_held_done(t_held *k)
{
    cm_buf_free(&k->kek);
    cm_buf_free(&k->sealed);
    cm_buf_free(&k->public_key);
}

cm_keyop t_ring_op(const t_held *k, cm_keyop_code code)
{
    return (cm_keyop){
        .code = code, .bind = k->bind, .kek = cm_buf_view(&k->kek), .key = cm_buf_view(&k->sealed)};
}

cm_keyop t_ring_run(t_ring *r, const t_held *k, cm_keyop_code code, cm_view data)
{
    cm_keyop op = t_ring_op(k, code);

    op.data = data;
    cm_keyring_exec(r->ring, &op);
    return op;
}
