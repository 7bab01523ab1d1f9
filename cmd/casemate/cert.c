/* casemate cert: a small certificate authority. */
#include <stdio.h>

#include "base/os.h"
#include "pki/ca.h"
#include "ring.h"

enum { DAY = 86400, DAYS_MAX = 36500 };

static const char *must_have(cm_cli *cli, const char *option, cm_err *e)
{
    const char *v = cm_cli_text(cli, option);

    if (!v && cm_ok(*e))
        *e = cm_cli_usage(cli, "--%s is missing", option);
    return v;
}

static cm_err read_cert(cm_cli *cli, cm_cert **out, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX + 1};

    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&b, path, CM_CERT_FILE_MAX), NULL));
    return cm_cli_about(cli, path, cm_cert_read(out, cli->crypt, cm_buf_view(&b)), NULL);
}

static cm_err role_of(cm_cli *cli, const char *name, cm_cert_role *role)
{
    static const struct {
        const char *name;
        cm_cert_role role;
    } roles[] = {{"intermediate", CM_CERT_INTERMEDIATE},
                 {"server", CM_CERT_SERVER},
                 {"client", CM_CERT_CLIENT},
                 {"root", CM_CERT_ROOT}};

    for (size_t i = 0; i < CM_COUNT(roles); i++)
        if (strcmp(roles[i].name, name) == 0) {
            *role = roles[i].role;
            return CM_OKAY;
        }
    return cm_cli_usage(cli, "there is no role %s", name);
}

/* ---- what is asked for --------------------------------------------------------------------- */

struct request {
    cm_cert_request r;
    cm_view dns[CM_CERT_SANS_MAX], ip[CM_CERT_SANS_MAX];
};

static bool knows(const cm_cli *cli, const char *option)
{
    const cm_cli_option *o;

    for (size_t i = 0; (o = cm_cli_option_at(cli->command, i)) != NULL; i++)
        if (strcmp(o->name, option) == 0)
            return true;
    return false;
}

static cm_err names(cm_cli *cli, const char *option, cm_view *list, size_t *n)
{
    if (!knows(cli, option))
        return CM_OKAY;
    *n = cm_cli_count(cli, option);
    if (*n > CM_CERT_SANS_MAX)
        return cm_cli_usage(cli, "--%s is given more than %d times", option, CM_CERT_SANS_MAX);
    for (size_t i = 0; i < *n; i++)
        list[i] = cm_view_str(cm_cli_nth(cli, option, i));
    return CM_OKAY;
}

static cm_err fill_times(cm_cli *cli, cm_cert_request *r, uint64_t days, uint64_t pathlen)
{
    if (knows(cli, "days"))
        CM_TRY(cm_cli_number(cli, "days", 1, DAYS_MAX, &days));
    if (knows(cli, "pathlen"))
        CM_TRY(cm_cli_number(cli, "pathlen", 0, 16, &pathlen));
    r->not_before = cm_os_now();
    r->not_after = r->not_before + days * DAY;
    r->pathlen = (uint8_t)pathlen;
    return CM_OKAY;
}

static cm_err fill(cm_cli *cli, struct request *q, cm_cert_role role, uint64_t days,
                   uint64_t pathlen)
{
    cm_err e = CM_OKAY;
    const char *name = must_have(cli, "name", &e), *organization;

    CM_TRY(e);
    organization = cm_cli_text(cli, "organization");
    *q = (struct request){.r = {.role = role,
                                .common_name = cm_view_str(name),
                                .organization = cm_view_str(organization ? organization : "")}};
    q->r.dns = q->dns;
    q->r.ip = q->ip;
    CM_TRY(names(cli, "dns", q->dns, &q->r.n_dns));
    CM_TRY(names(cli, "ip", q->ip, &q->r.n_ip));
    return fill_times(cli, &q->r, days, pathlen);
}

/* ---- issuing ------------------------------------------------------------------------------- */

static cm_err put_cert(cm_cli *cli, const cm_cert *cert)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX};

    CM_TRY(cm_cert_write(&b, cert));
    return cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&b));
}

cm_err cm_cli_cert_root(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
    cm_err e = CM_OKAY;
    const char *path = must_have(cli, "key", &e);
    struct request q;

    CM_TRY(e);
    CM_TRY(fill(cli, &q, CM_CERT_ROOT, 3650, 1));
    CM_TRY(cm_cli_load_key(cli, &key, path));
    CM_TRY(cm_cli_about(cli, path, cm_cert_root(&cert, cli->crypt, key, &q.r), NULL));
    return put_cert(cli, cert);
}

static cm_err load_issuer(cm_cli *cli, cm_cert **ca, cm_pkey **key)
{
    cm_err e = CM_OKAY;
    const char *ca_path = must_have(cli, "ca", &e), *key_path = must_have(cli, "ca-key", &e);

    CM_TRY(e);
    CM_TRY(read_cert(cli, ca, ca_path));
    CM_TRY(cm_cli_load_key(cli, key, key_path));
    cm_cli_on(cli, ca_path);
    return CM_OKAY;
}

/* A certificate can't outlive its issuer's: without --days it ends with it, and so it does when
 * the same days were asked for both, one after the other. */
static cm_err end_with_issuer(cm_cli *cli, cm_cert_request *r, const cm_cert *issuer)
{
    cm_cert_info i;

    CM_TRY(cm_cert_describe(&i, cli->crypt, issuer));
    if (r->not_after > i.not_after &&
        (!cm_cli_has(cli, "days") || r->not_after - i.not_after < DAY))
        r->not_after = i.not_after;
    return CM_OKAY;
}

cm_err cm_cli_cert_issue(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *subject = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *issuer_key = NULL;
    CM_AUTO(cm_cert_free_ptr) cm_cert *issuer = NULL;
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
    cm_err e = CM_OKAY;
    const char *path = must_have(cli, "key", &e);
    cm_cert_role role;
    struct request q;

    CM_TRY(e);
    CM_TRY(role_of(cli, cli->command->name, &role));
    CM_TRY(fill(cli, &q, role, role == CM_CERT_INTERMEDIATE ? 1825 : 365, 0));
    CM_TRY(cm_cli_load_key(cli, &subject, path));
    CM_TRY(load_issuer(cli, &issuer, &issuer_key));
    CM_TRY(end_with_issuer(cli, &q.r, issuer));
    CM_TRY(cm_cert_issue(&cert, cli->crypt, issuer, issuer_key, subject, &q.r));
    return put_cert(cli, cert);
}

cm_err cm_cli_cert_request(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX};
    cm_err e = CM_OKAY;
    const char *path = must_have(cli, "key", &e), *name = cm_cli_text(cli, "role");
    cm_cert_role role;
    struct request q;

    CM_TRY(e);
    CM_TRY(role_of(cli, name ? name : "server", &role));
    CM_TRY(fill(cli, &q, role, 1, 0));
    CM_TRY(cm_cli_load_key(cli, &key, path));
    CM_TRY(cm_cli_about(cli, path, cm_csr_write(&b, cli->crypt, key, &q.r), NULL));
    return cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&b));
}

cm_err cm_cli_cert_sign(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *issuer_key = NULL;
    CM_AUTO(cm_cert_free_ptr) cm_cert *issuer = NULL;
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
    CM_AUTO(cm_buf_free) cm_buf csr = {.max = CM_CERT_FILE_MAX + 1};
    const char *path = cli->args[0], *name = cm_cli_text(cli, "role");
    cm_cert_request r = {0};

    CM_TRY(role_of(cli, name ? name : "server", &r.role));
    CM_TRY(fill_times(cli, &r, 365, 0));
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&csr, path, CM_CERT_FILE_MAX), NULL));
    CM_TRY(load_issuer(cli, &issuer, &issuer_key));
    CM_TRY(end_with_issuer(cli, &r, issuer));
    CM_TRY(cm_cli_about(cli, path,
                        cm_csr_issue(&cert, cli->crypt, issuer, issuer_key, cm_buf_view(&csr), &r),
                        NULL));
    return put_cert(cli, cert);
}

/* ---- looking ------------------------------------------------------------------------------- */

cm_err cm_cli_cert_show(cm_cli *cli)
{
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
    char from[32], to[32], fp[2 * CM_FINGERPRINT + 1], name[CM_CLI_LINE], issuer[CM_CLI_LINE];
    cm_cert_info i;
    cm_cli_event e;

    CM_TRY(read_cert(cli, &cert, cli->args[0]));
    CM_TRY(cm_cert_describe(&i, cli->crypt, cert));
    cm_cli_hex(fp, CM_VIEW(i.fingerprint));
    cm_cli_event_begin(cli, &e, "certificate");
    cm_json_put_text(&e.w, "subject", cm_view_str(i.subject));
    cm_json_put_text(&e.w, "issuer", cm_view_str(i.issuer));
    cm_json_put_text(&e.w, "serial", cm_view_str(i.serial));
    cm_json_put_text(&e.w, "algorithm", cm_view_str(i.algorithm));
    cm_json_put_u64(&e.w, "not_before", i.not_before);
    cm_json_put_u64(&e.w, "not_after", i.not_after);
    cm_json_put_bool(&e.w, "ca", i.ca);
    cm_json_put_bool(&e.w, "self_issued", i.self_issued);
    cm_json_put_bool(&e.w, "post_quantum", i.post_quantum);
    cm_json_put_text(&e.w, "fingerprint", cm_view_str(fp));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "subject      %s\nissuer       %s%s\n",
               cm_cli_clean(name, sizeof name, cm_view_str(i.subject)),
               cm_cli_clean(issuer, sizeof issuer, cm_view_str(i.issuer)),
               i.self_issued ? " (itself)" : "");
    cm_cli_say(cli, "role         %s\nserial       %s\n", i.ca ? "authority" : "leaf", i.serial);
    cm_cli_say(cli, "valid        %s to %s\n", cm_cli_date(from, i.not_before),
               cm_cli_date(to, i.not_after));
    cm_cli_say(cli, "signed with  %s\npost-quantum %s\nfingerprint  %s\n", i.algorithm,
               i.post_quantum ? "yes" : "no: signature or key is classical", fp);
    return CM_OKAY;
}

static cm_err read_many(cm_cli *cli, cm_certs *all, const char *option)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX + 1};

    for (size_t i = 0; i < cm_cli_count(cli, option); i++) {
        const char *path = cm_cli_nth(cli, option, i);

        CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&b, path, CM_CERT_FILE_MAX), NULL));
    }
    return b.n ? cm_certs_read(all, cli->crypt, cm_buf_view(&b)) : CM_OKAY;
}

static cm_cert_use use_of(const char *text)
{
    if (text && strcmp(text, "server") == 0)
        return CM_CERT_FOR_SERVER;
    return text && strcmp(text, "client") == 0 ? CM_CERT_FOR_CLIENT : CM_CERT_FOR_ANY;
}

cm_err cm_cli_cert_verify(cm_cli *cli)
{
    CM_AUTO(cm_cert_free_ptr) cm_cert *cert = NULL;
    CM_AUTO(cm_certs_free) cm_certs roots = {0};
    CM_AUTO(cm_certs_free) cm_certs extra = {0};
    const char *host = cm_cli_text(cli, "host"), *path = cli->args[0];
    cm_cert_trust t = {
        .roots = &roots,
        .extra = &extra,
        .now = cm_os_now(),
        .use = use_of(cm_cli_text(cli, "use")),
        .host = cm_view_str(host ? host : ""),
        .post_quantum_only = !cm_cli_has(cli, "allow-classical"),
    };
    cm_cli_event e;

    if (!cm_cli_has(cli, "root"))
        return cm_cli_usage(cli, "--root is missing: name a certificate to trust");
    CM_TRY(read_cert(cli, &cert, path));
    CM_TRY(read_many(cli, &roots, "root"));
    CM_TRY(read_many(cli, &extra, "chain"));
    CM_TRY(cm_cli_about(cli, path, cm_cert_verify(cli->crypt, cert, &t), NULL));
    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_text(&e.w, "path", cm_view_str(path));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s: leads to a trusted root\n", path);
    return CM_OKAY;
}
