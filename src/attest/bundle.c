#include <openssl/err.h>

#include "attest/attest_int.h"
#include "attest/bundle.h"
#include "attest/rim.h"
#include "codec/json.h"
#include "codec/text.h"
#include "crypt/ossl.h"

enum { SIGNATURE = 64, SPEC_ID_AT = 32, ITEM_NAME = 256 };

typedef enum {
    CERT,
    CRL,
    TCB_INFO,
    QE_IDENTITY,
    STATEMENT_SIG,
    EVENT_LOG,
    RIM,
    ANSWER,
    STATUS_LIST,
    ROLES
} role;

static const char *const role_name[ROLES] = {
    [CERT] = "certificate",        [CRL] = "revocation list",
    [TCB_INFO] = "TCB info",       [QE_IDENTITY] = "enclave identity",
    [STATEMENT_SIG] = "signature", [EVENT_LOG] = "event log",
    [RIM] = "reference manifests", [ANSWER] = "answer about revocation",
    [STATUS_LIST] = "status list",
};

typedef struct {
    role role;
    cm_buf name, bytes;
} item;

struct cm_attest_bundle {
    const cm_crypt *c;
    item v[CM_BUNDLE_ITEMS];
    size_t n;
    cm_view certs[CM_BUNDLE_ITEMS], crls[CM_BUNDLE_ITEMS], rims[CM_BUNDLE_ITEMS],
        ocsps[CM_BUNDLE_ITEMS];
    size_t n_certs, n_crls, n_rims, n_ocsps;
    struct cm_attest_statement tcb_info[CM_BUNDLE_ITEMS], identity[CM_BUNDLE_ITEMS];
    size_t n_tcb_infos, n_identities;
    uint64_t status_time;
};

cm_err cm_attest_bundle_new(cm_attest_bundle **out, const cm_crypt *c)
{
    cm_attest_bundle *b = NULL;

    CM_TRY(cm_alloc(&b, sizeof *b));
    b->c = c;
    *out = b;
    return CM_OKAY;
}

void cm_attest_bundle_free(cm_attest_bundle *b)
{
    for (size_t i = 0; b && i < b->n; i++) {
        cm_buf_free(&b->v[i].name);
        cm_buf_free(&b->v[i].bytes);
    }
    cm_free(b);
}

void cm_attest_bundle_free_ptr(cm_attest_bundle **b)
{
    cm_attest_bundle_free(*b);
}

/* ---- what a file is ------------------------------------------------------------------------ */

static bool is_cert(const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};

    return cm_ok(cm_pool_add_der(&pool, c, der));
}

static bool is_crl(const cm_crypt *c, cm_view der)
{
    CM_AUTO(cm_attest_crl_done)
    X509_CRL *x = X509_CRL_new_ex(cm_crypt_libctx(c), cm_crypt_propq(c));
    const uint8_t *p = der.p;
    bool good = x && d2i_X509_CRL(&x, &p, (long)der.n) && p == der.p + der.n;

    ERR_clear_error();
    return good;
}

static bool is_event_log(cm_view v)
{
    static const char id[] = "Spec ID Event03";

    return v.n > SPEC_ID_AT + sizeof id &&
           cm_view_eq(cm_view_sub(v, SPEC_ID_AT, sizeof id), CM_VIEW(id));
}

static bool has(const cm_json_node *root, const char *key)
{
    return cm_json_get(root, key) != NULL;
}

/* Intel's answers, or the objects inside them. */
static role statement_of(cm_view text)
{
    cm_json *json = NULL;
    const cm_json_node *root;
    role r = ROLES;

    if (cm_failed(cm_json_parse(&json, text, NULL, NULL)))
        return ROLES;
    root = cm_json_root(json);
    if (has(root, "tcbInfo") || (has(root, "fmspc") && has(root, "tcbLevels")))
        r = TCB_INFO;
    else if (has(root, "enclaveIdentity") || (has(root, "isvprodid") && has(root, "tcbLevels")))
        r = QE_IDENTITY;
    else if (cm_json_size(root) == 1 && cm_json_type_of(cm_json_first(root)) == CM_JSON_OBJECT &&
             has(root, "entries"))
        r = STATUS_LIST;
    cm_json_free(json);
    return r;
}

static bool ends_in(cm_view name, cm_view end)
{
    return name.n > end.n && cm_view_eq(cm_view_sub(name, name.n - end.n, end.n), end);
}

static role role_of(const cm_crypt *c, cm_view name, cm_view v)
{
    if (v.p[0] == 0x30 && is_cert(c, v))
        return CERT;
    if (v.p[0] == 0x30 && is_crl(c, v))
        return CRL;
    if (v.p[0] == 0x30 && cm_ocsp_is(v))
        return ANSWER;
    if (v.p[0] == '{')
        return statement_of(v);
    if (v.n == SIGNATURE && ends_in(name, CM_LIT(".sig")))
        return STATEMENT_SIG;
    if (cm_rim_is(v))
        return RIM;
    return is_event_log(v) ? EVENT_LOG : ROLES;
}

/* ---- adding -------------------------------------------------------------------------------- */

static bool held(const cm_attest_bundle *b, role r, cm_view v)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].role == r && cm_view_eq(cm_buf_view(&b->v[i].bytes), v))
            return true;
    return false;
}

/* "x.json" and "x.sig" */
static bool same_stem(cm_view a, cm_view b)
{
    size_t n = CM_MIN(a.n, b.n);
    size_t stem = 0;

    for (size_t i = 0; i < n && a.p[i] == b.p[i]; i++)
        if (a.p[i] == '.')
            stem = i;
    return stem > 0 && ends_in(a, CM_LIT(".json")) && stem == a.n - 5 && stem == b.n - 4;
}

static cm_view signature_of(const cm_attest_bundle *b, const item *it)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].role == STATEMENT_SIG &&
            same_stem(cm_buf_view(&it->name), cm_buf_view(&b->v[i].name)))
            return cm_buf_view(&b->v[i].bytes);
    return cm_view_of(NULL, 0);
}

/* Anew, since a signature may come before its statement or after it. */
static void index_statements(cm_attest_bundle *b)
{
    b->n_tcb_infos = b->n_identities = 0;
    for (size_t i = 0; i < b->n; i++) {
        const item *it = &b->v[i];
        const struct cm_attest_statement s = {cm_buf_view(&it->bytes), signature_of(b, it)};

        if (it->role == TCB_INFO)
            b->tcb_info[b->n_tcb_infos++] = s;
        else if (it->role == QE_IDENTITY)
            b->identity[b->n_identities++] = s;
    }
}

static void index_item(cm_attest_bundle *b, const item *it)
{
    if (it->role == CERT)
        b->certs[b->n_certs++] = cm_buf_view(&it->bytes);
    else if (it->role == CRL)
        b->crls[b->n_crls++] = cm_buf_view(&it->bytes);
    else if (it->role == RIM)
        b->rims[b->n_rims++] = cm_buf_view(&it->bytes);
    else if (it->role == ANSWER)
        b->ocsps[b->n_ocsps++] = cm_buf_view(&it->bytes);
    else
        index_statements(b);
}

static cm_err add(cm_attest_bundle *b, role r, cm_view name, cm_view v)
{
    CM_AUTO(cm_buf_free) cm_buf n = {.max = ITEM_NAME};
    CM_AUTO(cm_buf_free) cm_buf bytes = {.max = CM_BUNDLE_FILE_MAX};
    item *it = &b->v[b->n];

    if (held(b, r, v))
        return CM_OKAY;
    if (b->n == CM_BUNDLE_ITEMS)
        return CM_FAIL(ATTEST_BUNDLE);
    CM_TRY(cm_buf_append(&n, cm_view_sub(name, 0, CM_MIN(name.n, (size_t)ITEM_NAME))));
    CM_TRY(cm_buf_append(&bytes, v));
    *it = (item){.role = r, .name = cm_buf_take(&n), .bytes = cm_buf_take(&bytes)};
    b->n++;
    index_item(b, it);
    return CM_OKAY;
}

/* Every block of a PEM file that is a certificate or a list. */
static cm_err add_pem(cm_attest_bundle *b, cm_view name, cm_view text, const char **as)
{
    for (;;) {
        CM_AUTO(cm_buf_free) cm_buf der = {.max = CM_BUNDLE_FILE_MAX};
        cm_view label;
        cm_err e = cm_pem_next(&der, &label, &text);
        role r;

        if (cm_failed(e))
            return cm_is(e, CM_NO_MEMORY) ? e : CM_OKAY;
        r = cm_view_eq(label, CM_LIT("CERTIFICATE")) ? CERT
            : cm_view_eq(label, CM_LIT("X509 CRL"))  ? CRL
                                                     : ROLES;
        if (r == ROLES || role_of(b->c, name, cm_buf_view(&der)) != r)
            continue;
        CM_TRY(add(b, r, name, cm_buf_view(&der)));
        *as = role_name[r];
    }
}

cm_err cm_attest_bundle_add(cm_attest_bundle *b, cm_view name, cm_view file, const char **as)
{
    role r;

    *as = NULL;
    if (file.n == 0 || file.n > CM_BUNDLE_FILE_MAX)
        return CM_OKAY;
    r = role_of(b->c, name, file);
    if (r == ROLES)
        return file.p[0] == 0x30 || file.p[0] == '{' ? CM_OKAY : add_pem(b, name, file, as);
    CM_TRY(add(b, r, name, file));
    *as = role_name[r];
    return CM_OKAY;
}

/* ---- giving -------------------------------------------------------------------------------- */

static const item *first(const cm_attest_bundle *b, role r)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].role == r)
            return &b->v[i];
    return NULL;
}

static cm_attest_statements give(const struct cm_attest_statement *v, size_t n, cm_view *first_one,
                                 cm_view *its_signature)
{
    if (n) {
        *first_one = v[0].text;
        *its_signature = v[0].signature;
    }
    return (cm_attest_statements){v, n};
}

void cm_attest_bundle_status_time(cm_attest_bundle *b, uint64_t seconds)
{
    b->status_time = seconds;
}

void cm_attest_bundle_input(const cm_attest_bundle *b, cm_attest_input *in)
{
    const item *log = first(b, EVENT_LOG), *list = first(b, STATUS_LIST);

    in->certs = b->certs;
    in->n_certs = b->n_certs;
    in->crls = b->crls;
    in->n_crls = b->n_crls;
    in->rims = b->rims;
    in->n_rims = b->n_rims;
    in->ocsps = b->ocsps;
    in->n_ocsps = b->n_ocsps;
    if (list)
        in->status_list = cm_buf_view(&list->bytes);
    in->status_time = b->status_time;
    in->tcb_infos = give(b->tcb_info, b->n_tcb_infos, &in->tcb_info, &in->tcb_info_sig);
    in->identities = give(b->identity, b->n_identities, &in->qe_identity, &in->qe_identity_sig);
    if (log)
        in->event_log = cm_buf_view(&log->bytes);
}
