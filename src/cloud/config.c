/* What a configuration says. */
#include <stdio.h>

#include "cloud/cloud_int.h"
#include "run/link.h"

enum { TIMEOUT_MS = 10000 };

static cm_err text(const cm_json_node *o, const char *name, char *out, size_t max, bool needed)
{
    const cm_json_node *n = cm_json_get(o, name);
    cm_view v;

    if (!n)
        return needed ? CM_FAIL(CLOUD_CONFIG) : CM_OKAY;
    if (cm_failed(cm_json_string(n, &v)) || v.n == 0 || v.n >= max || memchr(v.p, 0, v.n))
        return CM_FAIL(CLOUD_CONFIG);
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return CM_OKAY;
}

/* Without TLS only to this machine, and to the places where clouds keep their metadata. */
static cm_err url(const char *s, bool metadata)
{
    static const char *const here[] = {"127.0.0.1", "::1", "localhost"};
    cm_link_url u;

    if (cm_failed(cm_link_url_parse(&u, cm_view_str(s))) || u.unix_socket || u.rest.n > 1)
        return CM_FAIL(CLOUD_CONFIG);
    if (u.tls)
        return CM_OKAY;
    for (size_t i = 0; i < CM_COUNT(here); i++)
        if (strcmp(u.host, here[i]) == 0)
            return CM_OKAY;
    return metadata && strcmp(u.host, "metadata.google.internal") == 0 ? CM_OKAY
                                                                       : CM_FAIL(CLOUD_CONFIG);
}

/* It becomes part of paths. */
static cm_err place(const char *s)
{
    char name[NAME_MAX_];

    return s[0] && cm_failed(cm_cloud_name(name, cm_view_str(s))) ? CM_FAIL(CLOUD_CONFIG) : CM_OKAY;
}

/* One of two words; absent: the first. */
static cm_err choice(const cm_json_node *o, const char *name, const char *no, const char *yes,
                     bool *out)
{
    char word[32] = "";

    CM_TRY(text(o, name, word, sizeof word, false));
    *out = strcmp(word, yes) == 0;
    return *out || !word[0] || strcmp(word, no) == 0 ? CM_OKAY : CM_FAIL(CLOUD_CONFIG);
}

/* A name that is misspelt would be a setting that is not there. */
static cm_err known_names(const cm_json_node *o)
{
    static const char *const names[] = {"provider",   "endpoint", "tokens",       "region",
                                        "key_ring",   "secrets",  "key_exchange", "wrapping",
                                        "timeout_ms", "ca_file"};

    for (const cm_json_node *m = cm_json_first(o); m; m = cm_json_next(m)) {
        bool known = false;

        for (size_t i = 0; i < CM_COUNT(names); i++)
            known |= cm_view_eq(cm_json_key(m), cm_view_str(names[i]));
        if (!known)
            return CM_FAIL(CLOUD_CONFIG);
    }
    return CM_OKAY;
}

static cm_err read(struct cloud_config *o, const struct cloud_service **service,
                   const cm_json_node *j)
{
    static const struct cloud_service *const all[] = {&cm_cloud_aws, &cm_cloud_gcp,
                                                      &cm_cloud_azure};
    bool aws, gcp;
    char word[32];

    CM_TRY(known_names(j));
    CM_TRY(text(j, "provider", word, sizeof word, true));
    *service = NULL;
    for (size_t i = 0; i < CM_COUNT(all); i++)
        if (strcmp(all[i]->name, word) == 0)
            *service = all[i];
    if (!*service)
        return CM_FAIL(CLOUD_CONFIG);
    aws = *service == &cm_cloud_aws;
    gcp = *service == &cm_cloud_gcp;
    CM_TRY(text(j, "endpoint", o->endpoint, sizeof o->endpoint, true));
    CM_TRY(text(j, "tokens", o->tokens, sizeof o->tokens, !aws));
    CM_TRY(text(j, "region", o->place, sizeof o->place, aws));
    CM_TRY(text(j, "key_ring", o->place, sizeof o->place, gcp));
    CM_TRY(text(j, "secrets", o->secrets, sizeof o->secrets, !gcp));
    CM_TRY(text(j, "ca_file", o->ca, sizeof o->ca, false));
    CM_TRY(choice(j, "key_exchange", "hybrid", "legacy", &o->legacy));
    CM_TRY(choice(j, "wrapping", "aes", "rsa-not-post-quantum", &o->classical));
    if (o->classical && (aws || gcp))
        return CM_FAIL(CLOUD_CONFIG);
    if (cm_json_get(j, "timeout_ms") &&
        (cm_failed(cm_json_u64(cm_json_get(j, "timeout_ms"), &o->timeout_ms)) ||
         o->timeout_ms < 1 || o->timeout_ms > 600000))
        return CM_FAIL(CLOUD_CONFIG);
    CM_TRY(url(o->endpoint, false));
    CM_TRY(place(o->place));
    return o->tokens[0] ? url(o->tokens, gcp && !o->secrets[0]) : CM_OKAY;
}

cm_err cm_cloud_read_config(struct cloud_config *o, const struct cloud_service **service,
                            cm_view config)
{
    const cm_json_limits limits = {.bytes = CM_CLOUD_CONFIG_MAX, .nodes = 64, .depth = 4};
    CM_AUTO(cm_json_free_ptr) cm_json *j = NULL;
    struct cloud_config got = {.timeout_ms = TIMEOUT_MS};

    if (cm_failed(cm_json_parse(&j, config, &limits, NULL)))
        return CM_FAIL(CLOUD_CONFIG);
    CM_TRY(read(&got, service, cm_json_root(j)));
    *o = got;
    return CM_OKAY;
}

cm_err cm_cloud_secret(const cm_cloud *k, const char *name, cm_view *out)
{
    const cm_json_node *root = k->secret ? cm_json_root(k->secret) : NULL;

    return cm_ok(cm_json_string(cm_json_get(root, name), out)) && out->n ? CM_OKAY
                                                                         : CM_FAIL(CLOUD_SECRETS);
}
