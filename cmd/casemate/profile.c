/* Where a server is and as whom to speak to it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "remote.h"
#include "ring.h"

enum { PROFILE_MAX = 64 << 10, PATH_LEN = 4096, TOKEN_MAX = 8192 };

struct profile {
    cm_json *json;
    char folder[PATH_LEN]; /* what its paths are relative to, with its slash */
    cm_buf token;
};

static void profile_done(struct profile *p)
{
    cm_json_free(p->json);
    cm_buf_free(&p->token);
}

cm_err cm_remote_profile(cm_cli *cli, char **path)
{
    const char *given = cm_cli_text(cli, "server");

    if (!given)
        given = getenv("CASEMATE_SERVER");
    if (given && given[0])
        return cm_strdup(path, cm_view_str(given));
    CM_TRY(cm_cli_home(cli, path, "server.json"));
    return cm_os_exists(*path) ? CM_OKAY : CM_FAIL(CLI_NO_SERVER);
}

static cm_err profile_load(cm_cli *cli, struct profile *p)
{
    static const char *const known[] = {"server",   "roots", "certificate", "certificate_key",
                                        "sign_key", "keyid", "token_file",  "tenant"};
    CM_AUTO(cm_free_ptr) char *path = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = PROFILE_MAX + 1};
    const char *slash;
    size_t at;

    CM_TRY(cm_remote_profile(cli, &path));
    cm_cli_on(cli, path);
    slash = strrchr(path, '/');
    if (slash && (size_t)(slash - path) + 1 < sizeof p->folder)
        memcpy(p->folder, path, (size_t)(slash - path) + 1);
    if (strstr(path, "://"))
        return cm_cli_usage(cli,
                            "%s is a URL; --server and CASEMATE_SERVER name a profile, such as the "
                            "admin.json that casemate serve writes",
                            path);
    CM_TRY(cm_os_slurp(&b, path, PROFILE_MAX));
    CM_TRY(cm_json_parse(&p->json, cm_buf_view(&b), NULL, &at));
    if (cm_json_type_of(cm_json_root(p->json)) != CM_JSON_OBJECT)
        return CM_FAIL(CLI_PROFILE);
    for (const cm_json_node *n = cm_json_first(cm_json_root(p->json)); n; n = cm_json_next(n)) {
        bool found = false;

        for (size_t i = 0; i < CM_COUNT(known); i++)
            found = found || cm_view_eq(cm_json_key(n), cm_view_str(known[i]));
        if (!found)
            return CM_FAIL(CLI_PROFILE);
    }
    return CM_OKAY;
}

/* A member's text; empty when absent. */
static cm_err member(const struct profile *p, const char *key, cm_view *v)
{
    const cm_json_node *n = cm_json_get(cm_json_root(p->json), key);

    *v = (cm_view){0};
    return n ? cm_json_string(n, v) : CM_OKAY;
}

/* A member that names a file; text is empty when absent. */
static cm_err member_path(const struct profile *p, const char *key, char path[PATH_LEN])
{
    cm_view v;
    int n;

    path[0] = 0;
    CM_TRY(member(p, key, &v));
    if (v.n == 0)
        return CM_OKAY;
    n = snprintf(path, PATH_LEN, "%s%.*s", v.p[0] == '/' ? "" : p->folder, (int)v.n,
                 (const char *)v.p);
    return n > 0 && n < PATH_LEN ? CM_OKAY : CM_FAIL(TOO_BIG);
}

static cm_err member_certs(cm_cli *cli, const struct profile *p, const char *key, cm_certs *out)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = (1 << 20) + 1};
    char path[PATH_LEN];

    CM_TRY(member_path(p, key, path));
    if (!path[0])
        return CM_OKAY;
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&b, path, 1 << 20), NULL));
    return cm_cli_about(cli, path, cm_certs_read(out, cli->crypt, cm_buf_view(&b)), NULL);
}

static cm_err member_key(cm_cli *cli, const struct profile *p, const char *key, cm_pkey **out)
{
    char path[PATH_LEN];

    CM_TRY(member_path(p, key, path));
    return path[0] ? cm_cli_load_key(cli, out, path) : CM_OKAY;
}

static cm_err member_token(cm_cli *cli, struct profile *p)
{
    char path[PATH_LEN];

    p->token.max = TOKEN_MAX + 1;
    CM_TRY(member_path(p, "token_file", path));
    if (!path[0])
        return CM_OKAY;
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&p->token, path, TOKEN_MAX), NULL));
    while (p->token.n && (p->token.p[p->token.n - 1] == '\n' || p->token.p[p->token.n - 1] == '\r'))
        p->token.n--;
    return CM_OKAY;
}

/* A key is registered under the SHA-256 of its public half. */
static cm_err own_keyid(cm_cli *cli, const cm_sig_key *k, char out[65])
{
    uint8_t hash[32];

    CM_TRY(cm_hash_once(cli->crypt, CM_SHA256, hash, cm_sig_public(k)));
    cm_cli_hex(out, CM_VIEW(hash));
    return CM_OKAY;
}

static cm_err connect_to(cm_cli *cli, cm_remote *r, struct profile *p)
{
    char keyid[65] = "";
    cm_client_options o = {.retries = 3, .call_ms = r->call_ms};
    cm_view tenant;

    CM_TRY(member(p, "server", &o.url));
    CM_TRY(member(p, "keyid", &o.keyid));
    CM_TRY(member(p, "tenant", &tenant));
    if (o.url.n == 0 || tenant.n >= sizeof r->tenant)
        return CM_FAIL(CLI_PROFILE);
    memcpy(r->tenant, tenant.p ? (const char *)tenant.p : "", tenant.n);
    CM_TRY(member_certs(cli, p, "roots", &r->roots));
    CM_TRY(member_certs(cli, p, "certificate", &r->chain));
    CM_TRY(member_key(cli, p, "certificate_key", &r->tls_key));
    CM_TRY(member_key(cli, p, "sign_key", &r->sign_key));
    CM_TRY(member_token(cli, p));
    if (r->roots.n)
        o.roots = &r->roots;
    if (r->chain.n && r->tls_key) {
        r->identity = (cm_tls_identity){&r->chain, r->tls_key};
        o.identity = &r->identity;
    }
    if (r->sign_key)
        o.sign_key = cm_pkey_sig(r->sign_key);
    if (o.sign_key && o.keyid.n == 0) {
        CM_TRY(own_keyid(cli, o.sign_key, keyid));
        o.keyid = cm_view_str(keyid);
    }
    o.token = cm_buf_view(&p->token);
    return cm_client_new(&r->client, cli->crypt, &o);
}

cm_err cm_remote_open(cm_cli *cli, cm_remote *r)
{
    CM_AUTO(profile_done) struct profile p = {0};

    CM_TRY(profile_load(cli, &p));
    CM_TRY(connect_to(cli, r, &p));
    cm_cli_on(cli, NULL);
    return CM_OKAY;
}

void cm_remote_close(cm_remote *r)
{
    cm_client_free(r->client);
    cm_pkey_free(r->sign_key);
    cm_pkey_free(r->tls_key);
    cm_certs_free(&r->chain);
    cm_certs_free(&r->roots);
    *r = (cm_remote){0};
}
