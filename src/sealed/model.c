/* The public face: include/casemate/model.h over the container. */
#include <casemate/model.h>

#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"
#include "base/secret.h"
#include "cm_config.h"
#include "pki/keyfile.h"
#include "sealed/sealed.h"

enum { KEYS_MAX = 64, TEXTS = 5 };

struct cm_model {
    cm_crypt *crypt;
    int fd;
    cm_sealed *sealed;
    cm_pkey *keys[2 * KEYS_MAX]; /* identities, then publishers */
    size_t keys_n;
    cm_opener openers[KEYS_MAX + 1];
    const cm_sig_key *trusted[KEYS_MAX];
    size_t openers_n, trusted_n;
    cm_envelope_passphrase passphrase;
    char *texts[TEXTS];
    void *map;
    size_t map_n;
};

static const char *const text_names[TEXTS] = {"name", "version", "format", "licence", "publisher"};

unsigned cm_abi_version(void)
{
    return CM_ABI_VERSION;
}

const char *cm_version(void)
{
    return CM_CONFIG_VERSION;
}

/* ---- opening ------------------------------------------------------------------------------- */

static cm_err load_key(cm_model *m, const char *path, const char *pass)
{
    cm_view text = pass ? cm_view_str(pass) : (cm_view){0};
    cm_pkey_reading reading = {.pass = pass ? cm_passphrase_of(&text) : (cm_passphrase){0}};

    CM_TRY(cm_pkey_load(&m->keys[m->keys_n], m->crypt, path, &reading));
    m->keys_n++;
    return CM_OKAY;
}

static cm_err load_identities(cm_model *m, const cm_model_options *o)
{
    for (size_t i = 0; i < o->identity_count; i++) {
        CM_TRY(load_key(m, o->identities[i], o->passphrase));
        if (!cm_pkey_kem(m->keys[m->keys_n - 1]) || !cm_pkey_has_private(m->keys[m->keys_n - 1]))
            return CM_FAIL(KEY_NOT_PRIVATE);
        m->openers[m->openers_n++] = cm_opener_kem(cm_pkey_kem(m->keys[m->keys_n - 1]));
    }
    if (!o->passphrase)
        return CM_OKAY;
    m->passphrase.text = cm_view_str(o->passphrase);
    m->openers[m->openers_n++] = cm_opener_passphrase(&m->passphrase);
    return CM_OKAY;
}

static cm_err load_publishers(cm_model *m, const cm_model_options *o)
{
    for (size_t i = 0; i < o->publisher_count; i++) {
        CM_TRY(load_key(m, o->publishers[i], NULL));
        if (!cm_pkey_sig(m->keys[m->keys_n - 1]))
            return CM_FAIL(KEY_ALGORITHM);
        m->trusted[m->trusted_n++] = cm_pkey_sig(m->keys[m->keys_n - 1]);
    }
    return CM_OKAY;
}

static cm_err copy_texts(cm_model *m)
{
    const cm_sealed_info *i = cm_sealed_get(m->sealed);
    cm_view v[TEXTS] = {i->name, i->version, i->format, i->licence, i->publisher};

    for (size_t k = 0; k < TEXTS; k++)
        if (v[k].n)
            CM_TRY(cm_strdup(&m->texts[k], v[k]));
    return CM_OKAY;
}

/* The passphrase is the caller's: nothing of it is kept once the container is unlocked. */
static cm_err open_model(cm_model *m, const char *path, const cm_model_options *o)
{
    cm_open_options so = {
        .openers = m->openers,
        .trusted = m->trusted,
        .any_publisher = o->flags & CM_MODEL_ANY_PUBLISHER,
        .no_signature = o->flags & CM_MODEL_UNSIGNED,
        .allow_classical = o->flags & CM_MODEL_CLASSICAL,
        .threads = o->threads,
    };

    CM_TRY(cm_crypt_new(&m->crypt, CM_PROFILE_DEFAULT));
    CM_TRY(load_identities(m, o));
    CM_TRY(load_publishers(m, o));
    so.openers_n = m->openers_n;
    so.trusted_n = m->trusted_n;
    CM_TRY(cm_os_open_read(&m->fd, path));
    CM_TRY(cm_sealed_load(&m->sealed, m->crypt, m->fd, &so));
    CM_TRY(cm_sealed_unlock(m->sealed));
    m->passphrase.text = (cm_view){0};
    return copy_texts(m);
}

cm_err cm_model_open(cm_model **out, const char *path, const cm_model_options *o)
{
    cm_model *m;
    cm_err e;

    if (o->abi != CM_ABI_VERSION || o->identity_count > KEYS_MAX || o->publisher_count > KEYS_MAX)
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(cm_alloc(&m, sizeof *m));
    m->fd = -1;
    e = open_model(m, path, o);
    if (cm_failed(e)) {
        cm_model_close(m);
        return e;
    }
    *out = m;
    return CM_OKAY;
}

void cm_model_close(cm_model *m)
{
    if (!m)
        return;
    if (m->map)
        munmap(m->map, m->map_n);
    cm_sealed_free(m->sealed);
    for (size_t i = 0; i < m->keys_n; i++)
        cm_pkey_free(m->keys[i]);
    for (size_t i = 0; i < TEXTS; i++)
        cm_free(m->texts[i]);
    cm_os_close_fd(&m->fd);
    cm_crypt_free(m->crypt);
    cm_free(m);
}

cm_sealed *cm_sealed_of_model(struct cm_model *m)
{
    return m->sealed;
}

/* ---- asking -------------------------------------------------------------------------------- */

uint64_t cm_model_size(const cm_model *m)
{
    return cm_sealed_get(m->sealed)->size;
}

void cm_model_digest(const cm_model *m, uint8_t digest[32])
{
    memcpy(digest, cm_sealed_get(m->sealed)->digest, 32);
}

const char *cm_model_text(const cm_model *m, const char *what)
{
    for (size_t i = 0; i < TEXTS; i++)
        if (strcmp(what, text_names[i]) == 0)
            return m->texts[i];
    return NULL;
}

unsigned cm_model_tier(const cm_model *m)
{
    return cm_sealed_get(m->sealed)->tier;
}

/* ---- tensors ------------------------------------------------------------------------------- */

/* Names in the index end with a NUL that the view does not count: see cm_index_decode(). */
static void give(cm_model_tensor *out, const cm_tensor *t)
{
    *out = (cm_model_tensor){
        .name = (const char *)t->name.p,
        .dtype = t->dtype,
        .dims = t->dims,
        .offset = t->offset,
        .size = t->size,
    };
    memcpy(out->shape, t->shape, sizeof out->shape);
}

cm_err cm_model_tensor_count(cm_model *m, size_t *n)
{
    const cm_index *x;

    CM_TRY(cm_sealed_index(m->sealed, &x));
    *n = x->tensors.n;
    return CM_OKAY;
}

cm_err cm_model_tensor_at(cm_model *m, size_t i, cm_model_tensor *t)
{
    const cm_index *x;

    CM_TRY(cm_sealed_index(m->sealed, &x));
    if (i >= x->tensors.n)
        return CM_FAIL(SEALED_NO_TENSOR);
    give(t, &x->tensors.v[i]);
    return CM_OKAY;
}

cm_err cm_model_tensor_by_name(cm_model *m, const char *name, cm_model_tensor *t)
{
    const cm_index *x;
    const cm_tensor *found;

    CM_TRY(cm_sealed_index(m->sealed, &x));
    found = cm_tensors_find(&x->tensors, cm_view_str(name));
    if (!found)
        return CM_FAIL(SEALED_NO_TENSOR);
    give(t, found);
    return CM_OKAY;
}

/* ---- reading ------------------------------------------------------------------------------- */

cm_err cm_model_read(cm_model *m, void *p, size_t n, uint64_t off)
{
    return cm_sealed_read(m->sealed, p, n, off);
}

cm_err cm_model_memfd(cm_model *m, int *fd)
{
    return cm_sealed_memfd(m->sealed, fd);
}

cm_err cm_model_map(cm_model *m, const void **p, size_t *n)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    uint64_t size = cm_model_size(m);
    void *map;

    if (!m->map && size) {
        CM_TRY(cm_sealed_memfd(m->sealed, &fd));
        map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
            return CM_FAIL(NO_MEMORY);
        m->map = map;
        m->map_n = (size_t)size;
    }
    *p = m->map;
    *n = m->map_n;
    return CM_OKAY;
}
