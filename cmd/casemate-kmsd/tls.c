/* TLS contexts of the listeners, from their files. */
#include "base/os.h"
#include "kmsd.h"

struct files {
    cm_certs chain[CM_CONFIG_CERTIFICATES], roots;
    cm_pkey *key[CM_CONFIG_CERTIFICATES];
    cm_tls_identity identity[CM_CONFIG_CERTIFICATES];
};

static void files_free(struct files *f)
{
    for (size_t i = 0; i < CM_CONFIG_CERTIFICATES; i++) {
        cm_certs_free(&f->chain[i]);
        cm_pkey_free(f->key[i]);
    }
    cm_certs_free(&f->roots);
}

static cm_err complain(const kmsd *d, const char *path, cm_err e)
{
    if (cm_failed(e))
        CM_LOG(d->log, ERROR, "tls_file_failed", cm_log_str("path", path), cm_log_err(e));
    return e;
}

static cm_err read_certs(const kmsd *d, cm_certs *out, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX + 1};

    CM_TRY(complain(d, path, cm_os_slurp(&b, path, CM_CERT_FILE_MAX)));
    return complain(d, path, cm_certs_read(out, d->crypt, cm_buf_view(&b)));
}

static cm_err load(const kmsd *d, struct files *f, cm_tls_options *o, const cm_config_listener *l)
{
    static const cm_tls_policy policies[] = {CM_TLS_HYBRID, CM_TLS_STRICT, CM_TLS_LEGACY};
    static const cm_tls_client_cert client[] = {CM_TLS_CERT_NONE, CM_TLS_CERT_OPTIONAL,
                                                CM_TLS_CERT_REQUIRED};

    for (size_t i = 0; i < l->certificates_n; i++) {
        CM_TRY(read_certs(d, &f->chain[i], l->certificates[i].certificate));
        CM_TRY(complain(d, l->certificates[i].key,
                        cm_pkey_load(&f->key[i], d->crypt, l->certificates[i].key, NULL)));
        f->identity[i] = (cm_tls_identity){.chain = &f->chain[i], .key = f->key[i]};
    }
    if (l->client_ca)
        CM_TRY(read_certs(d, &f->roots, l->client_ca));
    *o = (cm_tls_options){
        .policy = policies[l->tls],
        .identities = f->identity,
        .identities_n = l->certificates_n,
        .roots = l->client_ca ? &f->roots : NULL,
        .client_cert = l->client_ca ? client[l->client_certificates] : CM_TLS_CERT_NONE,
        .alpn = CM_LIT("h2,http/1.1"),
        .resume_s = 7200,
    };
    return CM_OKAY;
}

static cm_err load_one(kmsd *d, size_t i, const cm_config_listener *l, bool reload)
{
    CM_AUTO(files_free) struct files f = {.key = {NULL}};
    cm_tls_options o;
    cm_err e;

    CM_TRY(load(d, &f, &o, l));
    e = reload ? cm_tls_reload(d->tls[i], &o) : cm_tls_server_new(&d->tls[i], d->crypt, &o);
    return complain(d, l->address, e);
}

cm_err cm_kmsd_tls_load(kmsd *d, const cm_config_values *v, bool reload)
{
    for (size_t i = 0; i < v->listeners_n; i++) {
        if (v->listeners[i].tls == CM_CONFIG_TLS_OFF || (reload && !d->tls[i]))
            continue;
        CM_TRY(load_one(d, i, &v->listeners[i], reload));
        if (v->listeners[i].tls == CM_CONFIG_TLS_LEGACY)
            CM_LOG(d->log, WARNING, "legacy_tls", cm_log_str("address", v->listeners[i].address),
                   cm_log_str("meaning", "clients without post-quantum key exchange are let in"));
    }
    return CM_OKAY;
}
