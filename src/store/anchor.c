/* The note outside the database: 16 bytes of magic, the point, a MAC over both (D-30). */
#include "store/anchor.h"

#include "base/ct.h"
#include "base/os.h"
#include "base/secret.h"

enum { MAGIC = 16, MAC = 32, BODY = MAGIC + 16 + 8 + 8 + 32, FILE_SIZE = BODY + MAC };

struct cm_anchor {
    const cm_crypt *crypt;
    char *path;
    cm_key32 *key;
    uint64_t every_ns, written_ns;
    cm_anchor_point last; /* written or read, when found */
    cm_anchor_point next; /* noted and not yet written, when due */
    bool found, due;
};

static const uint8_t magic[MAGIC] = "casemate-anchor1";

static cm_err mac(const cm_anchor *a, uint8_t out[MAC], const uint8_t body[BODY])
{
    return cm_hmac(a->crypt, CM_SHA256, out, CM_VIEW(a->key->b), cm_view_of(body, BODY));
}

static void encode(uint8_t b[BODY], const cm_anchor_point *p)
{
    memcpy(b, magic, MAGIC);
    memcpy(b + 16, p->store, 16);
    cm_put_be64(b + 32, p->generation);
    cm_put_be64(b + 40, p->size);
    memcpy(b + 48, p->root, 32);
}

static void decode(cm_anchor_point *p, const uint8_t b[BODY])
{
    memcpy(p->store, b + 16, 16);
    p->generation = cm_get_be64(b + 32);
    p->size = cm_get_be64(b + 40);
    memcpy(p->root, b + 48, 32);
}

static cm_err load(cm_anchor *a)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = FILE_SIZE};
    uint8_t want[MAC];
    cm_err e = cm_os_slurp(&b, a->path, FILE_SIZE);

    if (cm_is(e, CM_NO_FILE))
        return CM_OKAY;
    if (cm_is(e, CM_TOO_BIG) || (cm_ok(e) && b.n != FILE_SIZE))
        return CM_FAIL(STORE_ANCHOR);
    CM_TRY(e);
    CM_TRY(mac(a, want, b.p));
    if (!cm_view_eq(cm_view_of(b.p, MAGIC), CM_VIEW(magic)) ||
        !cm_ct_equal(cm_view_of(b.p + BODY, MAC), CM_VIEW(want)))
        return CM_FAIL(STORE_ANCHOR);
    decode(&a->last, b.p);
    a->found = true;
    return CM_OKAY;
}

cm_err cm_anchor_new(cm_anchor **out, const cm_crypt *c, const char *path, const cm_key32 *key,
                     unsigned every_ms, bool accept)
{
    CM_AUTO(cm_anchor_free_ptr) cm_anchor *a = NULL;
    cm_err e;

    CM_TRY(cm_alloc(&a, sizeof *a));
    a->crypt = c;
    a->every_ns = UINT64_C(1000000) * every_ms;
    CM_TRY(cm_strdup(&a->path, cm_view_str(path)));
    CM_TRY(cm_secret_new(&a->key, sizeof *a->key));
    *a->key = *key;
    e = load(a);
    if (cm_failed(e) && !(accept && cm_is(e, CM_STORE_ANCHOR)))
        return e;
    *out = a;
    a = NULL;
    return CM_OKAY;
}

bool cm_anchor_last(const cm_anchor *a, cm_anchor_point *p)
{
    if (a->found)
        *p = a->last;
    return a->found;
}

static bool follows(const cm_anchor_point *now, const cm_anchor_point *last)
{
    if (!cm_view_eq(CM_VIEW(now->store), CM_VIEW(last->store)))
        return false;
    if (now->generation < last->generation || now->size < last->size)
        return false;
    return now->size > last->size || cm_view_eq(CM_VIEW(now->root), CM_VIEW(last->root));
}

static cm_err write_down(cm_anchor *a, const cm_anchor_point *p)
{
    uint8_t b[FILE_SIZE];

    encode(b, p);
    CM_TRY(mac(a, b + BODY, b));
    CM_TRY(cm_os_spit(a->path, CM_VIEW(b), 0600, true));
    a->last = *p;
    a->found = true;
    a->due = false;
    a->written_ns = cm_os_monotonic_ns();
    return CM_OKAY;
}

cm_err cm_anchor_check(cm_anchor *a, const cm_anchor_point *now, bool accept)
{
    if (!accept && a->found && !follows(now, &a->last))
        return CM_FAIL(STORE_ROLLBACK);
    if (!accept && !a->found && now->generation > 0) /* D-31 */
        return CM_FAIL(STORE_ANCHOR);
    return write_down(a, now);
}

cm_err cm_anchor_note(cm_anchor *a, const cm_anchor_point *now)
{
    a->next = *now;
    a->due = true;
    if (a->every_ns && cm_os_monotonic_ns() - a->written_ns < a->every_ns)
        return CM_OKAY;
    return cm_anchor_flush(a);
}

cm_err cm_anchor_flush(cm_anchor *a)
{
    return a->due ? write_down(a, &a->next) : CM_OKAY;
}

void cm_anchor_free(cm_anchor *a)
{
    if (!a)
        return;
    cm_secret_free(a->key, sizeof *a->key);
    cm_free(a->path);
    cm_free(a);
}

void cm_anchor_free_ptr(cm_anchor **a)
{
    cm_anchor_free(*a);
    *a = NULL;
}
