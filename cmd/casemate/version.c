/* casemate version: what a bug report needs to say. */
#include <link.h>
#include <stdio.h>

#include "base/secret.h"
#include "cli.h"
#include "cm_config.h"
#include "crypt/cpu.h"

struct search {
    const char *name;
    bool found;
};

static int look(struct dl_phdr_info *info, size_t n, void *arg)
{
    struct search *s = arg;

    (void)n;
    s->found |= strstr(info->dlpi_name, s->name) != NULL;
    return s->found;
}

/* A library that is not among the loaded objects is part of this one. */
static const char *linkage(const char *library)
{
    struct search s = {library, false};

    dl_iterate_phdr(look, &s);
    return s.found ? "shared" : "static";
}

static const char *arena(void)
{
    static const char *const names[] = {"none", "mlock", "memfd_secret"};
    uint8_t *probe = NULL;

    if (cm_ok(cm_secret_new(&probe, 64)))
        cm_secret_free(probe, 64);
    return names[cm_secret_kind()];
}

static void features(char *text, size_t n)
{
    size_t at = 0;

    for (int k = 0; k < CM_CPU_KINDS && at < n; k++)
        if (cm_cpu_has((cm_cpu_kind)k))
            at += (size_t)snprintf(text + at, n - at, "%s%s", at ? " " : "",
                                   cm_cpu_kind_name((cm_cpu_kind)k));
}

static const char *profile(const cm_cli *cli)
{
    return cm_crypt_profile(cli->crypt) == CM_PROFILE_FIPS ? "fips" : "default";
}

static void event(cm_cli *cli, bool deps)
{
    char kernels[64];
    cm_cli_event e;

    features(kernels, sizeof kernels);
    cm_cli_event_begin(cli, &e, "version");
    cm_json_put_text(&e.w, "version", cm_view_str(CM_CONFIG_VERSION));
    if (deps) {
        cm_json_put_text(&e.w, "profile", cm_view_str(profile(cli)));
        cm_json_put_text(&e.w, "openssl", cm_view_str(cm_crypt_version()));
        cm_json_put_text(&e.w, "openssl_package", cm_view_str(CM_CONFIG_OPENSSL));
        cm_json_put_text(&e.w, "openssl_linked", cm_view_str(linkage("libcrypto.so")));
        cm_json_put_text(&e.w, "secp256k1", cm_view_str(CM_CONFIG_SECP256K1));
        cm_json_put_text(&e.w, "secp256k1_linked", cm_view_str(linkage("libsecp256k1.so")));
        cm_json_put_text(&e.w, "compiler", cm_view_str(CM_CONFIG_COMPILER));
        cm_json_put_text(&e.w, "kernels", cm_view_str(kernels));
        cm_json_put_text(&e.w, "secret_memory", cm_view_str(arena()));
    }
    cm_cli_event_end(cli, &e);
}

cm_err cm_cli_version(cm_cli *cli)
{
    bool deps = cm_cli_has(cli, "deps");
    char kernels[64];

    event(cli, deps);
    cm_cli_say(cli, "casemate %s\n", CM_CONFIG_VERSION);
    if (!deps)
        return CM_OKAY;
    features(kernels, sizeof kernels);
    cm_cli_say(cli, "profile        %s\n", profile(cli));
    cm_cli_say(cli, "openssl        %s, package %s, %s\n", cm_crypt_version(), CM_CONFIG_OPENSSL,
               linkage("libcrypto.so"));
    cm_cli_say(cli, "secp256k1      %s, %s\n", CM_CONFIG_SECP256K1, linkage("libsecp256k1.so"));
    cm_cli_say(cli, "compiler       %s\n", CM_CONFIG_COMPILER);
    cm_cli_say(cli, "kernels        %s\n", kernels);
    cm_cli_say(cli, "secret memory  %s\n", arena());
    return CM_OKAY;
}
