/*
 * A holder's part in a threshold signature (KM-37). Nonces that sign twice give the share away, and
 * whoever stores rows for us can bring an old one back. So between the rounds they stay here, and
 * go out once under a random name; a holder that starts anew knows none.
 */
#include <pthread.h>

#include "base/secret.h"
#include "keys/ring_int.h"

enum { NAME = 16, SLOTS = 256 };

typedef struct {
    uint8_t name[NAME];
    uint8_t id; /* of the share; 0: the slot is free */
    uint8_t public_key[CM_FROST_ELEMENT];
    cm_frost_nonces nonces;
} slot;

typedef struct {
    slot s[SLOTS];
} table;

struct cm_rounds {
    pthread_mutex_t lock; /* guards the rest */
    table *t;             /* locked; made when first needed */
    size_t next;          /* the oldest one, which goes first */
};

cm_err cm_rounds_new(cm_rounds **out)
{
    cm_rounds *r;

    CM_TRY(cm_alloc(&r, sizeof *r));
    pthread_mutex_init(&r->lock, NULL);
    *out = r;
    return CM_OKAY;
}

void cm_rounds_free(cm_rounds *r)
{
    if (!r)
        return;
    cm_secret_free(r->t, sizeof *r->t);
    pthread_mutex_destroy(&r->lock);
    cm_free(r);
}

static void slot_wipe(slot *s)
{
    cm_wipe(s, sizeof *s);
}

static cm_err keep(cm_rounds *r, const slot *s)
{
    cm_err e = CM_OKAY;

    pthread_mutex_lock(&r->lock);
    if (!r->t)
        e = cm_secret_new(&r->t, sizeof *r->t);
    if (cm_ok(e)) {
        r->t->s[r->next] = *s;
        r->next = (r->next + 1) % SLOTS;
    }
    pthread_mutex_unlock(&r->lock);
    return e;
}

/* Out of the table whatever comes of it. A name is public once it was given out. */
static bool take(slot *out, cm_rounds *r, cm_view name)
{
    bool found = false;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; r->t && i < SLOTS && !found; i++) {
        slot *s = &r->t->s[i];

        found = s->id != 0 && cm_view_eq(CM_VIEW(s->name), name);
        if (found) {
            *out = *s;
            slot_wipe(s);
        }
    }
    pthread_mutex_unlock(&r->lock);
    return found;
}

static cm_err round_one(const cm_keyring *r, cm_keyop *op, const cm_held_share *f)
{
    CM_AUTO(slot_wipe) slot s = {.id = f->share.id};

    if (op->data.n || op->more.n)
        return CM_FAIL(KEY_FORM);
    memcpy(s.public_key, f->group.vss[0], sizeof s.public_key);
    CM_TRY(cm_random(r->o.crypt, s.name, sizeof s.name));
    CM_TRY(cm_frost_commit(&s.nonces, r->o.crypt, &f->group, &f->share));
    CM_TRY(cm_frost_put_commitment(&op->out, &s.nonces.commitment));
    CM_TRY(cm_buf_append(&op->out2, CM_VIEW(s.name)));
    return keep(r->rounds, &s);
}

static cm_err get_list(cm_frost_commitment list[CM_FROST_MAX], size_t *n, cm_view v)
{
    *n = v.n / CM_FROST_COMMITMENT;
    if (v.n % CM_FROST_COMMITMENT != 0 || *n > CM_FROST_MAX)
        return CM_FAIL(FROST_ENCODING);
    for (size_t i = 0; i < *n; i++)
        CM_TRY(cm_frost_get_commitment(
            &list[i], cm_view_sub(v, i * CM_FROST_COMMITMENT, CM_FROST_COMMITMENT)));
    return CM_OKAY;
}

static cm_err round_two(const cm_keyring *r, cm_keyop *op, const cm_held_share *f)
{
    cm_frost_commitment list[CM_FROST_MAX];
    CM_AUTO(slot_wipe) slot s = {.id = 0};
    cm_frost_part part;
    size_t n;

    CM_TRY(get_list(list, &n, op->more));
    if (op->context.n != NAME || !take(&s, r->rounds, op->context) || s.id != f->share.id ||
        !cm_view_eq(CM_VIEW(s.public_key), CM_VIEW(f->group.vss[0])))
        return CM_FAIL(FROST_NONCE_USED);
    CM_TRY(cm_frost_sign(&part, r->o.crypt, &f->group, &f->share, &s.nonces, list, n, op->data));
    CM_TRY(cm_buf_byte(&op->out, part.id));
    return cm_buf_append(&op->out, CM_VIEW(part.z));
}

cm_err cm_exec_sign_share(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    if (!k->frost)
        return CM_FAIL(KEY_USE);
    if (op->form != CM_FORM_MESSAGE)
        return CM_FAIL(KEY_FORM);
    return op->context.n ? round_two(r, op, k->frost) : round_one(r, op, k->frost);
}
