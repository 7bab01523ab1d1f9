#include "base/os.h"
#include "codec/text.h"
#include "pki/der_int.h"
#include "pki/pki_int.h"

/* ---- PEM labels ---------------------------------------------------------------------------- */

static const char *const labels[] = {
    [CM_KEYFILE_PUBLIC] = "PUBLIC KEY",
    [CM_KEYFILE_PRIVATE] = "PRIVATE KEY",
    [CM_KEYFILE_PBES2] = "ENCRYPTED PRIVATE KEY",
    [CM_KEYFILE_ARGON2] = "CASEMATE ENCRYPTED PRIVATE KEY",
};

static cm_err form_of(cm_keyfile_form *form, cm_view label)
{
    static const char *const older[] = {"RSA PRIVATE KEY", "DSA PRIVATE KEY",
                                        "OPENSSH PRIVATE KEY"};

    for (size_t i = 0; i < CM_COUNT(labels); i++)
        if (cm_view_eq(label, cm_view_str(labels[i]))) {
            *form = (cm_keyfile_form)i;
            return CM_OKAY;
        }
    if (cm_view_eq(label, CM_LIT("EC PRIVATE KEY"))) { /* K-29 */
        *form = CM_KEYFILE_PRIVATE;
        return CM_OKAY;
    }
    for (size_t i = 0; i < CM_COUNT(older); i++)
        if (cm_view_eq(label, cm_view_str(older[i])))
            return CM_FAIL(KEY_ALGORITHM);
    return CM_FAIL(KEY_BLOCK);
}

/* ---- from bytes to blocks ------------------------------------------------------------------ */

/* The one or two values of a key file, all of one form. */
typedef struct {
    cm_keyfile_form form;
    size_t n;
    cm_buf v[CM_PARTS];
} blocks;

static void blocks_free(blocks *b)
{
    for (size_t i = 0; i < CM_PARTS; i++)
        cm_buf_free(&b->v[i]);
}

static cm_err blocks_add(blocks *b, cm_keyfile_form form, cm_buf *v)
{
    if (b->n == CM_PARTS || (b->n && form != b->form))
        return CM_FAIL(KEY_BLOCK); /* K-35, K-36 */
    b->form = form;
    b->v[b->n++] = cm_buf_take(v);
    return CM_OKAY;
}

bool cm_pki_blank(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] != ' ' && v.p[i] != '\t' && v.p[i] != '\r' && v.p[i] != '\n')
            return false;
    return true;
}

/* K-35 */
static cm_err from_pem(blocks *b, cm_view text)
{
    cm_keyfile_form form;
    cm_view label;
    cm_err e;

    do {
        CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};

        e = cm_pem_next(&der, &label, &text);
        if (cm_is(e, CM_PEM_NO_BLOCK) && b->n)
            return CM_FAIL(KEY_TRAILING);
        if (cm_err_class(e) == CM_CLASS_MALFORMED || cm_err_class(e) == CM_CLASS_NOTFOUND)
            return CM_FAIL(KEY_MALFORMED);
        CM_TRY(e);
        CM_TRY(form_of(&form, label));
        CM_TRY(blocks_add(b, form, &der));
    } while (!cm_pki_blank(text));
    return b->form == CM_KEYFILE_ARGON2 && b->n > 1 ? CM_FAIL(KEY_BLOCK) : CM_OKAY;
}

/* What a DER value is, by the tags it begins with. */
static cm_err der_form(cm_keyfile_form *form, cm_view value)
{
    cm_der d = cm_der_of(value), in;
    cm_view first;

    CM_TRY(cm_der_enter(&d, CM_DER_SEQUENCE, &in));
    *form = CM_KEYFILE_PRIVATE;
    if (cm_der_at(&in, CM_DER_INTEGER))
        return CM_OKAY;
    CM_TRY(cm_der_value(&in, &first));
    *form = cm_der_at(&in, CM_DER_BITS) ? CM_KEYFILE_PUBLIC : CM_KEYFILE_PBES2;
    return cm_der_at(&in, CM_DER_BITS) || cm_der_at(&in, CM_DER_OCTETS) ? CM_OKAY
                                                                        : CM_FAIL(KEY_BLOCK);
}

/* The one or two values of DER that stands for a key. */
static cm_err from_der(blocks *b, cm_view der)
{
    cm_der d = cm_der_of(der);
    cm_keyfile_form form;
    cm_view value;

    do {
        CM_AUTO(cm_buf_free) cm_buf copy = {.max = CM_KEYFILE_MAX};

        if (!cm_der_at(&d, CM_DER_SEQUENCE) || cm_failed(cm_der_value(&d, &value)))
            return b->n ? CM_FAIL(KEY_TRAILING) : CM_FAIL(KEY_MALFORMED);
        CM_TRY(der_form(&form, value));
        CM_TRY(cm_buf_append(&copy, value));
        CM_TRY(blocks_add(b, form, &copy));
    } while (d.p < d.end);
    return CM_OKAY;
}

static cm_err split(blocks *b, cm_view file)
{
    if (file.n > CM_KEYFILE_MAX)
        return CM_FAIL(TOO_BIG);
    if (file.n == 0)
        return CM_FAIL(KEY_MALFORMED);
    return file.p[0] == CM_DER_SEQUENCE ? from_der(b, file) : from_pem(b, file);
}

cm_err cm_pkey_peek(cm_keyfile_form *form, cm_view file)
{
    CM_AUTO(blocks_free) blocks b = {0};

    CM_TRY(split(&b, file));
    *form = b.form;
    return CM_OKAY;
}

/* ---- from blocks to keys ------------------------------------------------------------------- */

static cm_err ask_view(void *arg, cm_buf *out)
{
    return cm_buf_append(out, *(const cm_view *)arg);
}

cm_passphrase cm_passphrase_of(const cm_view *pass)
{
    return (cm_passphrase){ask_view, (void *)(uintptr_t)pass};
}

/* Replaces encrypted blocks by what they hold. */
static cm_err unlock(blocks *b, const cm_crypt *c, const cm_pkey_reading *o)
{
    CM_AUTO(cm_buf_free) cm_buf pass = {.max = CM_PASSPHRASE_MAX};
    CM_AUTO(blocks_free) blocks open = {.form = CM_KEYFILE_PRIVATE};

    if (b->form != CM_KEYFILE_PBES2 && b->form != CM_KEYFILE_ARGON2)
        return CM_OKAY;
    if (!o->pass.ask)
        return CM_FAIL(KEY_ENCRYPTED);
    CM_TRY(o->pass.ask(o->pass.arg, &pass));
    if (pass.n == 0)
        return CM_FAIL(KEY_PASSPHRASE_SIZE); /* K-48 */
    for (size_t i = 0; i < b->n; i++) {
        CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};

        if (b->form == CM_KEYFILE_PBES2)
            CM_TRY(cm_pbes2_unlock(&der, c, cm_buf_view(&pass), cm_buf_view(&b->v[i]), o));
        else
            CM_TRY(cm_argon2_unlock(&der, c, cm_buf_view(&pass), cm_buf_view(&b->v[i]), o));
        CM_TRY(from_der(&open, cm_buf_view(&der)));
    }
    if (open.form != CM_KEYFILE_PRIVATE)
        return CM_FAIL(KEY_MALFORMED);
    blocks_free(b);
    *b = open;
    open = (blocks){0};
    return CM_OKAY;
}

static cm_err read_blocks(cm_pkey **out, const cm_crypt *c, blocks *b, bool legacy)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *first = NULL, *second = NULL;
    cm_pkey **half[CM_PARTS] = {&first, &second};

    for (size_t i = 0; i < b->n; i++) {
        if (b->form == CM_KEYFILE_PUBLIC)
            CM_TRY(cm_spki_read(half[i], c, cm_buf_view(&b->v[i])));
        else
            CM_TRY(cm_pkcs8_read(half[i], c, cm_buf_view(&b->v[i]), legacy));
    }
    if (second)
        return cm_pkey_join(out, c, first, second); /* K-28 */
    *out = first;
    first = NULL;
    return CM_OKAY;
}

cm_err cm_pkey_read(cm_pkey **out, const cm_crypt *c, cm_view file, const cm_pkey_reading *o)
{
    static const cm_pkey_reading usual = {0};
    CM_AUTO(blocks_free) blocks b = {0};

    o = o ? o : &usual;
    CM_TRY(split(&b, file));
    CM_TRY(unlock(&b, c, o));
    return read_blocks(out, c, &b, o->legacy_expanded);
}

cm_err cm_pkey_load(cm_pkey **out, const cm_crypt *c, const char *path, const cm_pkey_reading *o)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_KEYFILE_MAX + 1};
    CM_AUTO(cm_os_close_fd) int fd = -1;
    cm_keyfile_form form;
    bool shared;

    CM_TRY(cm_os_open_read(&fd, path));
    CM_TRY(cm_buf_reserve(&file, file.max));
    CM_TRY(cm_os_read(fd, file.p, file.max, &file.n));
    CM_TRY(cm_os_is_shared(fd, &shared));
    CM_TRY(cm_pkey_peek(&form, cm_buf_view(&file)));
    if (form == CM_KEYFILE_PRIVATE && shared && !(o && o->any_mode))
        return CM_FAIL(KEY_MODE); /* K-40 */
    return cm_pkey_read(out, c, cm_buf_view(&file), o);
}

/* ---- writing ------------------------------------------------------------------------------- */

static cm_err put_pem(cm_buf *out, cm_keyfile_form form, const cm_buf *der)
{
    return cm_pem_encode(out, cm_view_str(labels[form]), cm_buf_view(der));
}

static cm_err put_argon2(cm_buf *out, const cm_crypt *c, const cm_pkey *k, const cm_protect *p)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX}, locked = {.max = CM_KEYFILE_MAX};

    CM_TRY(cm_pkey_private_der(&der, k));
    CM_TRY(cm_argon2_lock(&locked, c, p, cm_buf_view(&der)));
    return put_pem(out, CM_KEYFILE_ARGON2, &locked);
}

static cm_err put_private_part(cm_buf *out, const cm_crypt *c, const cm_key_part *k,
                               const cm_protect *p)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX}, locked = {.max = CM_KEYFILE_MAX};

    CM_TRY(cm_pkcs8_write(&der, k));
    if (p->mode == CM_PROTECT_NONE)
        return put_pem(out, CM_KEYFILE_PRIVATE, &der);
    CM_TRY(cm_pbes2_lock(&locked, c, p, cm_buf_view(&der)));
    return put_pem(out, CM_KEYFILE_PBES2, &locked);
}

cm_err cm_pkey_write_private(cm_buf *out, const cm_crypt *c, const cm_pkey *k, const cm_protect *p)
{
    CM_AUTO(cm_buf_free) cm_buf pem = {.max = CM_KEYFILE_MAX};
    cm_key_part part[CM_PARTS];
    size_t n = cm_pkey_parts(part, k);

    if (!cm_pkey_has_private(k))
        return CM_FAIL(KEY_NOT_PRIVATE);
    if (p->mode != CM_PROTECT_NONE)
        CM_TRY(cm_protect_check(p));
    if (p->mode == CM_PROTECT_ARGON2)
        CM_TRY(put_argon2(&pem, c, k, p));
    else
        for (size_t i = 0; i < n; i++)
            CM_TRY(put_private_part(&pem, c, &part[i], p));
    return cm_buf_append(out, cm_buf_view(&pem));
}

cm_err cm_pkey_write_public(cm_buf *out, const cm_pkey *k)
{
    CM_AUTO(cm_buf_free) cm_buf pem = {.max = CM_KEYFILE_MAX};
    cm_key_part part[CM_PARTS];
    size_t n = cm_pkey_parts(part, k);

    for (size_t i = 0; i < n; i++) {
        CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_KEYFILE_MAX};

        CM_TRY(cm_spki_write(&der, &part[i]));
        CM_TRY(put_pem(&pem, CM_KEYFILE_PUBLIC, &der));
    }
    return cm_buf_append(out, cm_buf_view(&pem));
}

cm_err cm_pkey_save(const char *path, cm_view file, bool replace)
{
    return cm_os_spit(path, file, 0600, replace); /* K-40 */
}
