#include "enclave/manifest.h"

#include <stdlib.h>

#include "codec/cbor.h"
#include "codec/text.h"

#define KIND  "casemate-enclave/1"
#define LABEL "CASEMATE ENCLAVE SIGNATURE"

static const char context[] = "casemate-enclave-manifest-v1";

enum { FINGERPRINT = 32, LIST_MAX = CM_ENCLAVE_MANIFEST_MAX };

enum { F_KIND, F_FILES, F_ARGS, F_ENV, F_MODEL, F_MEMORY, F_DELIVERY, F_LISTENS, FIELDS };

/* EN-1 */
static const cm_cbor_field fields[FIELDS] = {
    {F_KIND, CM_CBOR_TEXT, true, sizeof KIND - 1, sizeof KIND - 1},
    {F_FILES, CM_CBOR_ARRAY, true, 1, LIST_MAX},
    {F_ARGS, CM_CBOR_ARRAY, true, 1, LIST_MAX},
    {F_ENV, CM_CBOR_ARRAY, true, 1, LIST_MAX},
    {F_MODEL, CM_CBOR_ARRAY, false, 1, LIST_MAX},
    {F_MEMORY, CM_CBOR_UINT, true, CM_ENCLAVE_MEMORY_MIN, CM_ENCLAVE_MEMORY_MAX},
    {F_DELIVERY, CM_CBOR_UINT, true, 0, CM_ENCLAVE_STREAM},
    {F_LISTENS, CM_CBOR_BOOL, true, 0, 1},
};

/* ---- order --------------------------------------------------------------------------------- */

static int file_order(const cm_enclave_file *a, const cm_enclave_file *b)
{
    return a->role != b->role ? (a->role > b->role) - (a->role < b->role)
                              : cm_view_compare(a->name, b->name);
}

static int by_file(const void *a, const void *b)
{
    return file_order(a, b);
}

static int by_name(const void *a, const void *b)
{
    const cm_enclave_env *x = a, *y = b;

    return cm_view_compare(x->name, y->name);
}

static bool text_fits(cm_view v)
{
    return v.n <= CM_ENCLAVE_TEXT && (v.n == 0 || !memchr(v.p, 0, v.n));
}

static bool files_fit(const cm_enclave_manifest *m)
{
    size_t single[CM_ENCLAVE_ROLES] = {0};

    for (size_t i = 0; i < m->files_n; i++) {
        const cm_enclave_file *f = &m->files[i];

        if (f->role >= CM_ENCLAVE_ROLES || f->name.n == 0 || !text_fits(f->name) ||
            (i > 0 && file_order(f - 1, f) >= 0))
            return false;
        single[f->role]++;
    }
    return single[CM_ENCLAVE_PROGRAM] == 1 && single[CM_ENCLAVE_LOADER] <= 1 &&
           single[CM_ENCLAVE_CONFIG] <= 1;
}

static bool env_fits(const cm_enclave_manifest *m)
{
    for (size_t i = 0; i < m->env_n; i++) {
        const cm_enclave_env *e = &m->env[i];

        if (e->name.n == 0 || memchr(e->name.p, '=', e->name.n) || !text_fits(e->name) ||
            !text_fits(e->value) || !cm_enclave_env_allowed(e->name) ||
            (i > 0 && by_name(e - 1, e) >= 0))
            return false;
    }
    return true;
}

/* What holds of every manifest beyond the sizes of its fields (EN-1). */
static bool fits(const cm_enclave_manifest *m)
{
    for (size_t i = 0; i < m->args_n; i++)
        if (!text_fits(m->args[i]))
            return false;
    return m->args_n > 0 && files_fit(m) && env_fits(m) && m->memory >= CM_ENCLAVE_MEMORY_MIN &&
           m->memory <= CM_ENCLAVE_MEMORY_MAX;
}

/* ---- writing ------------------------------------------------------------------------------- */

static cm_err put_files(cm_buf *b, const cm_enclave_manifest *m)
{
    CM_TRY(cm_cbor_put_array(b, m->files_n));
    for (size_t i = 0; i < m->files_n; i++) {
        CM_TRY(cm_cbor_put_array(b, 4));
        CM_TRY(cm_cbor_put_uint(b, m->files[i].role));
        CM_TRY(cm_cbor_put_bytes(b, m->files[i].name));
        CM_TRY(cm_cbor_put_uint(b, m->files[i].size));
        CM_TRY(cm_cbor_put_bytes(b, CM_VIEW(m->files[i].sha256)));
    }
    return CM_OKAY;
}

static cm_err put_args(cm_buf *b, const cm_enclave_manifest *m)
{
    CM_TRY(cm_cbor_put_array(b, m->args_n));
    for (size_t i = 0; i < m->args_n; i++)
        CM_TRY(cm_cbor_put_bytes(b, m->args[i]));
    return CM_OKAY;
}

static cm_err put_env(cm_buf *b, const cm_enclave_manifest *m)
{
    CM_TRY(cm_cbor_put_array(b, m->env_n));
    for (size_t i = 0; i < m->env_n; i++) {
        CM_TRY(cm_cbor_put_array(b, 2));
        CM_TRY(cm_cbor_put_bytes(b, m->env[i].name));
        CM_TRY(cm_cbor_put_bytes(b, m->env[i].value));
    }
    return CM_OKAY;
}

static cm_err put_model(cm_buf *b, const cm_enclave_manifest *m)
{
    CM_TRY(cm_cbor_put_array(b, 2));
    CM_TRY(cm_cbor_put_bytes(b, CM_VIEW(m->model)));
    return cm_cbor_put_uint(b, m->model_size);
}

cm_err cm_enclave_manifest_write(cm_buf *out, cm_enclave_manifest *m)
{
    CM_AUTO(cm_buf_free) cm_buf files = {.max = LIST_MAX};
    CM_AUTO(cm_buf_free) cm_buf args = {.max = LIST_MAX};
    CM_AUTO(cm_buf_free) cm_buf env = {.max = LIST_MAX};
    CM_AUTO(cm_buf_free) cm_buf model = {.max = 128};
    cm_cbor_value v[FIELDS] = {0};

    qsort(m->files, m->files_n, sizeof *m->files, by_file);
    qsort(m->env, m->env_n, sizeof *m->env, by_name);
    if (!fits(m))
        return CM_FAIL(BAD_ARGUMENT);
    CM_TRY(put_files(&files, m));
    CM_TRY(put_args(&args, m));
    CM_TRY(put_env(&env, m));
    CM_TRY(put_model(&model, m));
    v[F_KIND] = (cm_cbor_value){true, 0, CM_LIT(KIND)};
    v[F_FILES] = (cm_cbor_value){true, 0, cm_buf_view(&files)};
    v[F_ARGS] = (cm_cbor_value){true, 0, cm_buf_view(&args)};
    v[F_ENV] = (cm_cbor_value){true, 0, cm_buf_view(&env)};
    v[F_MODEL] = (cm_cbor_value){m->delivery != CM_ENCLAVE_NO_MODEL, 0, cm_buf_view(&model)};
    v[F_MEMORY] = (cm_cbor_value){true, m->memory, {0}};
    v[F_DELIVERY] = (cm_cbor_value){true, m->delivery, {0}};
    v[F_LISTENS] = (cm_cbor_value){true, m->listens, {0}};
    return cm_cbor_put_record(out, fields, v, FIELDS);
}

/* ---- reading ------------------------------------------------------------------------------- */

static cm_err list(cm_cbor *c, cm_view v, uint64_t *n, uint64_t max)
{
    CM_TRY(cm_cbor_open(c, v, NULL));
    CM_TRY(cm_cbor_array(c, n));
    return *n <= max ? CM_OKAY : CM_FAIL(ENCLAVE_MANIFEST);
}

static cm_err tuple(cm_cbor *c, uint64_t want)
{
    uint64_t n;

    CM_TRY(cm_cbor_array(c, &n));
    return n == want ? CM_OKAY : CM_FAIL(ENCLAVE_MANIFEST);
}

static cm_err digest_of(cm_cbor *c, uint8_t out[32])
{
    cm_view v;

    CM_TRY(cm_cbor_bytes(c, &v));
    if (v.n != 32)
        return CM_FAIL(ENCLAVE_MANIFEST);
    memcpy(out, v.p, 32);
    return CM_OKAY;
}

static cm_err get_files(cm_enclave_manifest *m, cm_view v)
{
    uint64_t n, role;
    cm_cbor c;

    CM_TRY(list(&c, v, &n, CM_ENCLAVE_FILES));
    for (; m->files_n < n; m->files_n++) {
        cm_enclave_file *f = &m->files[m->files_n];

        CM_TRY(tuple(&c, 4));
        CM_TRY(cm_cbor_uint(&c, &role));
        CM_TRY(cm_cbor_bytes(&c, &f->name));
        CM_TRY(cm_cbor_uint(&c, &f->size));
        CM_TRY(digest_of(&c, f->sha256));
        if (role >= CM_ENCLAVE_ROLES)
            return CM_FAIL(ENCLAVE_MANIFEST);
        f->role = (cm_enclave_role)role;
    }
    return cm_cbor_end(&c);
}

static cm_err get_args(cm_enclave_manifest *m, cm_view v)
{
    uint64_t n;
    cm_cbor c;

    CM_TRY(list(&c, v, &n, CM_ENCLAVE_ARGS));
    for (; m->args_n < n; m->args_n++)
        CM_TRY(cm_cbor_bytes(&c, &m->args[m->args_n]));
    return cm_cbor_end(&c);
}

static cm_err get_env(cm_enclave_manifest *m, cm_view v)
{
    uint64_t n;
    cm_cbor c;

    CM_TRY(list(&c, v, &n, CM_ENCLAVE_ENV));
    for (; m->env_n < n; m->env_n++) {
        CM_TRY(tuple(&c, 2));
        CM_TRY(cm_cbor_bytes(&c, &m->env[m->env_n].name));
        CM_TRY(cm_cbor_bytes(&c, &m->env[m->env_n].value));
    }
    return cm_cbor_end(&c);
}

static cm_err get_model(cm_enclave_manifest *m, cm_view v)
{
    cm_cbor c;

    CM_TRY(cm_cbor_open(&c, v, NULL));
    CM_TRY(tuple(&c, 2));
    CM_TRY(digest_of(&c, m->model));
    return cm_cbor_uint(&c, &m->model_size);
}

static cm_err get_all(cm_enclave_manifest *m, cm_view text)
{
    cm_cbor_value v[FIELDS];

    CM_TRY(cm_cbor_whole(text, fields, v, FIELDS));
    if (!cm_view_eq(v[F_KIND].v, CM_LIT(KIND)))
        return CM_FAIL(ENCLAVE_MANIFEST);
    m->memory = v[F_MEMORY].u;
    m->delivery = (cm_enclave_delivery)v[F_DELIVERY].u;
    m->listens = v[F_LISTENS].u;
    if (v[F_MODEL].present != (m->delivery != CM_ENCLAVE_NO_MODEL))
        return CM_FAIL(ENCLAVE_MANIFEST);
    CM_TRY(get_files(m, v[F_FILES].v));
    CM_TRY(get_args(m, v[F_ARGS].v));
    CM_TRY(get_env(m, v[F_ENV].v));
    if (v[F_MODEL].present)
        CM_TRY(get_model(m, v[F_MODEL].v));
    return fits(m) ? CM_OKAY : CM_FAIL(ENCLAVE_MANIFEST);
}

cm_err cm_enclave_manifest_read(cm_enclave_manifest **out, cm_view text)
{
    cm_enclave_manifest *m;
    cm_err e;

    if (text.n > CM_ENCLAVE_MANIFEST_MAX)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_alloc(&m, sizeof *m));
    e = get_all(m, text);
    if (cm_ok(e))
        *out = m;
    else
        cm_free(m);
    return e;
}

/* EN-2 */
cm_err cm_enclave_manifest_digest(uint8_t out[CM_ENCLAVE_DIGEST], const cm_crypt *c, cm_view text)
{
    return cm_hash_once(c, CM_SHA256, out, text);
}

const char *cm_enclave_role_name(cm_enclave_role role)
{
    static const char *const names[] = {"program", "loader", "library", "config", "data", "policy"};

    return role < CM_COUNT(names) ? names[role] : "unknown";
}

const char *cm_enclave_delivery_name(cm_enclave_delivery d)
{
    static const char *const names[] = {"none", "memory", "stream"};

    return d < CM_COUNT(names) ? names[d] : "unknown";
}

/* EN-5 */
bool cm_enclave_env_allowed(cm_view name)
{
    static const char *const heads[] = {"LD_",    "GLIBC_",    "MALLOC_",
                                        "GCONV_", "CASEMATE_", "LISTEN_"};
    static const char *const names[] = {"LOCPATH",     "NLSPATH",     "HOSTALIASES",
                                        "RES_OPTIONS", "LOCALDOMAIN", "GETCONF_DIR",
                                        "TMPDIR",      "TZDIR",       "RESOLV_HOST_CONF"};

    for (size_t i = 0; i < CM_COUNT(heads); i++)
        if (name.n >= strlen(heads[i]) &&
            cm_view_eq(cm_view_sub(name, 0, strlen(heads[i])), cm_view_str(heads[i])))
            return false;
    for (size_t i = 0; i < CM_COUNT(names); i++)
        if (cm_view_eq(name, cm_view_str(names[i])))
            return false;
    return true;
}

/* ---- signatures (EN-3) --------------------------------------------------------------------- */

static bool is_mldsa(const cm_sig_key *k)
{
    cm_sig_id id = k ? cm_sig_key_info(k)->id : CM_SIG_ED25519;

    return id == CM_SIG_MLDSA65 || id == CM_SIG_MLDSA87 || id == CM_SIG_DUAL65 ||
           id == CM_SIG_DUAL87;
}

cm_err cm_enclave_manifest_sign(cm_buf *out, const cm_crypt *c, const cm_pkey *key, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = FINGERPRINT + CM_SIG_MAX};
    const cm_sig_key *k = cm_pkey_sig(key);

    if (!is_mldsa(k) || !cm_sig_has_private(k))
        return CM_FAIL(ENCLAVE_SIGNER);
    CM_TRY(cm_buf_reserve(&b, FINGERPRINT + cm_sig_key_info(k)->sig));
    CM_TRY(cm_pkey_fingerprint(b.p, c, key));
    CM_TRY(cm_sign(k, b.p + FINGERPRINT, cm_view_str(context), text));
    b.n = FINGERPRINT + cm_sig_key_info(k)->sig;
    return cm_pem_encode(out, CM_LIT(LABEL), cm_buf_view(&b));
}

cm_err cm_enclave_manifest_check(const cm_crypt *c, const cm_pkey *key, cm_view text,
                                 cm_view signature)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = FINGERPRINT + CM_SIG_MAX};
    uint8_t fp[FINGERPRINT];
    cm_view label;

    CM_TRY(cm_pem_next(&b, &label, &signature));
    CM_TRY(cm_pkey_fingerprint(fp, c, key));
    if (!cm_view_eq(label, CM_LIT(LABEL)) || signature.n != 0 || b.n <= FINGERPRINT ||
        !is_mldsa(cm_pkey_sig(key)) || !cm_view_eq(CM_VIEW(fp), cm_view_of(b.p, FINGERPRINT)))
        return CM_FAIL(ENCLAVE_SIGNER);
    return cm_verify(cm_pkey_sig(key), cm_view_str(context), text,
                     cm_view_sub(cm_buf_view(&b), FINGERPRINT, b.n - FINGERPRINT));
}
