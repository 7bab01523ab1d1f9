/* casemate serve: everything that a key server needs, made on the first run; then the server. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/os.h"
#include "codec/text.h"
#include "device.h"
#include "pki/ca.h"
#include "ring.h"

enum { DAY = 86400, CA_DAYS = 3650, LEAF_DAYS = 365, RENEW_DAYS = 30, PATH_LEN = 4096, HOSTS = 16 };

struct place {
    char dir[PATH_LEN];
    char path[PATH_LEN]; /* of the last in_dir() */
};

static const char *in_dir(struct place *p, const char *name)
{
    snprintf(p->path, sizeof p->path, "%.3900s/%s", p->dir, name);
    return p->path;
}

/* ---- the folder ---------------------------------------------------------------------------- */

static cm_err find_dir(cm_cli *cli, struct place *p)
{
    const char *dir = cm_cli_text(cli, "dir");
    char *real;

    if (dir)
        snprintf(p->dir, sizeof p->dir, "%s", dir);
    else
        CM_TRY(cm_cli_data_dir(p->dir, sizeof p->dir));
    CM_TRY(cm_cli_about(cli, p->dir, cm_cli_make_folder(p->dir, 0700), NULL));
    real = realpath(p->dir, NULL);
    if (!real || strlen(real) > 3900) {
        free(real);
        return cm_cli_about(cli, p->dir, CM_FAIL(IO_OPEN), NULL);
    }
    snprintf(p->dir, sizeof p->dir, "%s", real);
    free(real);
    return CM_OKAY;
}

/* ---- keys and certificates ----------------------------------------------------------------- */

static cm_err put(cm_cli *cli, const char *path, cm_view v, mode_t mode)
{
    return cm_cli_about(cli, path, cm_os_spit(path, v, mode, true), NULL);
}

static cm_err new_key(cm_cli *cli, struct place *p, const char *name, const char *algorithm)
{
    const cm_protect none = {.mode = CM_PROTECT_NONE};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_KEYFILE_MAX};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;

    CM_TRY(cm_pkey_generate(&k, cli->crypt, cm_view_str(algorithm)));
    CM_TRY(cm_pkey_write_private(&b, cli->crypt, k, &none));
    in_dir(p, name);
    return cm_cli_about(cli, p->path, cm_pkey_save(p->path, cm_buf_view(&b), true), NULL);
}

static cm_err load_key(cm_cli *cli, struct place *p, cm_pkey **k, const char *name)
{
    in_dir(p, name);
    return cm_cli_about(cli, p->path, cm_pkey_load(k, cli->crypt, p->path, NULL), NULL);
}

static cm_err load_cert(cm_cli *cli, struct place *p, cm_cert **c, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX + 1};

    in_dir(p, name);
    CM_TRY(cm_cli_about(cli, p->path, cm_os_slurp(&b, p->path, CM_CERT_FILE_MAX), NULL));
    return cm_cli_about(cli, p->path, cm_cert_read(c, cli->crypt, cm_buf_view(&b)), NULL);
}

static cm_err save_cert(cm_cli *cli, struct place *p, const cm_cert *c, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_CERT_FILE_MAX};

    CM_TRY(cm_cert_write(&b, c));
    return put(cli, in_dir(p, name), cm_buf_view(&b), 0644);
}

static cm_err new_root(cm_cli *cli, struct place *p, const char *key, const char *cert,
                       const char *algorithm, const char *title)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    CM_AUTO(cm_cert_free_ptr) cm_cert *c = NULL;
    uint64_t now = cm_os_now();
    const cm_cert_request r = {.role = CM_CERT_ROOT,
                               .common_name = cm_view_str(title),
                               .not_before = now,
                               .not_after = now + (uint64_t)CA_DAYS * DAY};

    CM_TRY(new_key(cli, p, key, algorithm));
    CM_TRY(load_key(cli, p, &k, key));
    CM_TRY(cm_cert_root(&c, cli->crypt, k, &r));
    return save_cert(cli, p, c, cert);
}

struct leaf {
    const char *key, *cert, *ca_key, *ca_cert;
    cm_cert_role role;
    const char *name;
};

static const struct leaf leaves[] = {
    {"server.pem", "server.crt", "ca.pem", "ca-mldsa.crt", CM_CERT_SERVER, "casemate-kmsd"},
    {"server-p256.pem", "server-p256.crt", "ca-p256.pem", "ca-p256.crt", CM_CERT_SERVER,
     "casemate-kmsd"},
    {"admin-tls.pem", "admin.crt", "ca.pem", "ca-mldsa.crt", CM_CERT_CLIENT, "admin"},
};

/* A certificate does not outlive its issuer. */
static cm_err end_of(cm_cli *cli, const cm_cert *ca, uint64_t now, uint64_t *end)
{
    cm_cert_info i;

    CM_TRY(cm_cert_describe(&i, cli->crypt, ca));
    *end = CM_MIN(now + (uint64_t)LEAF_DAYS * DAY, i.not_after);
    return CM_OKAY;
}

static cm_err issue(cm_cli *cli, struct place *p, const struct leaf *l, const cm_view *hosts,
                    size_t n)
{
    const cm_view ips[] = {CM_LIT("127.0.0.1"), CM_LIT("::1")};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *ca_key = NULL;
    CM_AUTO(cm_cert_free_ptr) cm_cert *ca = NULL;
    CM_AUTO(cm_cert_free_ptr) cm_cert *c = NULL;
    cm_cert_request r = {
        .role = l->role, .common_name = cm_view_str(l->name), .not_before = cm_os_now()};

    CM_TRY(load_key(cli, p, &key, l->key));
    CM_TRY(load_key(cli, p, &ca_key, l->ca_key));
    CM_TRY(load_cert(cli, p, &ca, l->ca_cert));
    CM_TRY(end_of(cli, ca, r.not_before, &r.not_after));
    if (l->role == CM_CERT_SERVER) {
        r.dns = hosts;
        r.n_dns = n;
        r.ip = ips;
        r.n_ip = CM_COUNT(ips);
    }
    CM_TRY(cm_cert_issue(&c, cli->crypt, ca, ca_key, key, &r));
    return save_cert(cli, p, c, l->cert);
}

static size_t hosts_of(cm_cli *cli, cm_view hosts[HOSTS])
{
    size_t n = CM_MIN(cm_cli_count(cli, "host"), (size_t)HOSTS - 1);

    for (size_t i = 0; i < n; i++)
        hosts[i] = cm_view_str(cm_cli_nth(cli, "host", i));
    hosts[n] = CM_LIT("localhost");
    return n + 1;
}

/* Both roots in one file: who verifies takes the one that the server's chain leads to. */
static cm_err join_roots(cm_cli *cli, struct place *p)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 2 * CM_CERT_FILE_MAX};

    CM_TRY(cm_os_slurp(&b, in_dir(p, "ca-mldsa.crt"), CM_CERT_FILE_MAX));
    CM_TRY(cm_os_slurp(&b, in_dir(p, "ca-p256.crt"), CM_CERT_FILE_MAX));
    return put(cli, in_dir(p, "ca.crt"), cm_buf_view(&b), 0644);
}

static cm_err make_identities(cm_cli *cli, struct place *p)
{
    cm_view hosts[HOSTS];
    size_t n = hosts_of(cli, hosts);

    CM_TRY(new_root(cli, p, "ca.pem", "ca-mldsa.crt", "ML-DSA-65", "Casemate local authority"));
    CM_TRY(new_root(cli, p, "ca-p256.pem", "ca-p256.crt", "P-256",
                    "Casemate local authority (P-256)"));
    CM_TRY(join_roots(cli, p));
    CM_TRY(new_key(cli, p, "server.pem", "ML-DSA-65"));
    CM_TRY(new_key(cli, p, "server-p256.pem", "P-256"));
    CM_TRY(new_key(cli, p, "admin-tls.pem", "ML-DSA-65"));
    CM_TRY(new_key(cli, p, "admin.pem", "ML-DSA-65"));
    for (size_t i = 0; i < CM_COUNT(leaves); i++)
        CM_TRY(issue(cli, p, &leaves[i], hosts, n));
    return CM_OKAY;
}

/* Certificates that end within a month are issued anew, by the names they have. */
static cm_err renew(cm_cli *cli, struct place *p)
{
    cm_view hosts[HOSTS];
    size_t n = hosts_of(cli, hosts);

    for (size_t i = 0; i < CM_COUNT(leaves); i++) {
        CM_AUTO(cm_cert_free_ptr) cm_cert *c = NULL;
        cm_cert_info info;

        CM_TRY(load_cert(cli, p, &c, leaves[i].cert));
        CM_TRY(cm_cert_describe(&info, cli->crypt, c));
        if (info.not_after > cm_os_now() + (uint64_t)RENEW_DAYS * DAY)
            continue;
        CM_TRY(issue(cli, p, &leaves[i], hosts, n));
        cm_cli_note(cli, "renewed %s\n", leaves[i].cert);
    }
    return CM_OKAY;
}

/* ---- files --------------------------------------------------------------------------------- */

static cm_err new_passphrase(cm_cli *cli, struct place *p)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 128};
    CM_AUTO(cm_key32_wipe) cm_key32 k;

    CM_TRY(cm_random(cli->crypt, k.b, sizeof k.b));
    CM_TRY(cm_hex_encode(&b, CM_VIEW(k.b)));
    CM_TRY(cm_buf_byte(&b, '\n'));
    return put(cli, in_dir(p, "passphrase"), cm_buf_view(&b), 0600);
}

static const char *address_of(cm_cli *cli)
{
    const char *address = cm_cli_text(cli, "listen");

    return address ? address : "127.0.0.1:8443";
}

/* A path as the configuration wants it: from the root, and quoted. */
static void put_path(char *text, size_t room, const char *key, const char *path)
{
    char *real = path ? realpath(path, NULL) : NULL;
    size_t at = strlen(text);

    if (path)
        snprintf(text + at, room - at, "  %s: \"%s\"\n", key, real ? real : path);
    free(real);
}

static bool has_device(const cm_cli *cli)
{
    return cm_cli_has(cli, "hsm-module") || cm_cli_has(cli, "hsm-cloud") ||
           cm_cli_has(cli, "hsm-tpm");
}

static void unseal_config(cm_cli *cli, char *text, size_t room)
{
    const char *token = cm_cli_text(cli, "hsm-token"), *tpm = cm_cli_text(cli, "hsm-tpm"),
               *wrapping = cm_cli_text(cli, "hsm-wrapping");
    size_t at;

    if (!has_device(cli)) {
        snprintf(text, room, "unseal:\n  method: passphrase-file\n  file: passphrase\n");
        return;
    }
    snprintf(text, room, "unseal:\n  method: hsm\nhsm:\n");
    put_path(text, room, "module", cm_cli_text(cli, "hsm-module"));
    put_path(text, room, "cloud", cm_cli_text(cli, "hsm-cloud"));
    put_path(text, room, "pin_file", cm_cli_text(cli, "hsm-pin-file"));
    put_path(text, room, "files", cm_cli_text(cli, "hsm-files"));
    at = strlen(text);
    if (token)
        snprintf(text + at, room - at, "  token: \"%s\"\n", token);
    if (tpm)
        snprintf(text + at, room - at, "  tpm: \"%s\"\n", tpm);
    if (wrapping)
        snprintf(text + strlen(text), room - strlen(text), "  wrapping: %s\n", wrapping);
}

static cm_err write_config(cm_cli *cli, struct place *p, const char *name)
{
    char text[16384], unseal[14000];
    int n;

    unseal_config(cli, unseal, sizeof unseal);
    n = snprintf(text, sizeof text,
                 "# Made by casemate serve. All keys: casemate config explain, docs/config.md\n"
                 "data: .\n"
                 "listeners:\n"
                 "  - address: \"%s\"\n"
                 "    tls: hybrid\n"
                 "    certificates:\n"
                 "      - {certificate: server.crt, key: server.pem}\n"
                 "      - {certificate: server-p256.crt, key: server-p256.pem}\n"
                 "    client_ca: ca.crt\n"
                 "%s",
                 address_of(cli), unseal);

    if (n < 0 || (size_t)n >= sizeof text)
        return CM_FAIL(TOO_BIG);
    return put(cli, in_dir(p, name), cm_view_of(text, (size_t)n), 0600);
}

static cm_err key_id(cm_cli *cli, struct place *p, char hex[65])
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    uint8_t hash[32];

    CM_TRY(load_key(cli, p, &k, "admin.pem"));
    CM_TRY(cm_hash_once(cli->crypt, CM_SHA256, hash, cm_sig_public(cm_pkey_sig(k))));
    cm_cli_hex(hex, CM_VIEW(hash));
    return CM_OKAY;
}

/* Where a client connects to: nobody connects to 0.0.0.0. */
static void url_of(char url[256], const char *address)
{
    const char *colon = strrchr(address, ':');
    size_t n = colon ? (size_t)(colon - address) : strlen(address);
    bool any = (n == 7 && memcmp(address, "0.0.0.0", 7) == 0) ||
               (n == 4 && memcmp(address, "[::]", 4) == 0);

    snprintf(url, 256, "https://%.*s%s", any ? 9 : (int)n, any ? "127.0.0.1" : address,
             colon ? colon : "");
}

/* What speaks to the server as its administrator: --server, CASEMATE_SERVER. */
static cm_err write_profile(cm_cli *cli, struct place *p)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4096};
    cm_json_writer w = {.out = &b};
    const char *tenant = cm_cli_text(cli, "tenant");
    char url[256], id[65];

    url_of(url, address_of(cli));
    CM_TRY(key_id(cli, p, id));
    cm_json_begin_object(&w, NULL);
    cm_json_put_text(&w, "server", cm_view_str(url));
    cm_json_put_text(&w, "roots", CM_LIT("ca.crt"));
    cm_json_put_text(&w, "certificate", CM_LIT("admin.crt"));
    cm_json_put_text(&w, "certificate_key", CM_LIT("admin-tls.pem"));
    cm_json_put_text(&w, "sign_key", CM_LIT("admin.pem"));
    cm_json_put_text(&w, "keyid", cm_view_str(id));
    cm_json_put_text(&w, "tenant", cm_view_str(tenant ? tenant : "default"));
    cm_json_end_object(&w);
    CM_TRY(cm_json_finish(&w));
    CM_TRY(cm_buf_byte(&b, '\n'));
    return put(cli, in_dir(p, "admin.json"), cm_buf_view(&b), 0600);
}

/* ---- the server ---------------------------------------------------------------------------- */

static cm_err find_server(cm_cli *cli, char path[PATH_LEN])
{
    return cm_ok(cm_child_find(path, PATH_LEN, "casemate-kmsd"))
               ? CM_OKAY
               : cm_cli_about(cli, "casemate-kmsd", CM_FAIL(CLI_NO_COMMAND), NULL);
}

/* With MADE it has nothing left to do: a run before this one was broken off behind it. */
static cm_err run(cm_cli *cli, char *const argv[])
{
    enum { MADE = 3 };
    int status = 0;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        cm_cli_release_signals();
        (void)execv(argv[0], argv);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid < 0 || !WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != MADE))
        return cm_cli_about(cli, "casemate-kmsd --init", CM_FAIL(CLI_SERVER_INIT), NULL);
    return CM_OKAY;
}

static cm_err init_server(cm_cli *cli, struct place *p)
{
    char server[PATH_LEN], config[PATH_LEN], key[PATH_LEN], cert[PATH_LEN];
    const char *shares = cm_cli_text(cli, "shares"), *file = cm_cli_text(cli, "shares-file"),
               *tenant = cm_cli_text(cli, "tenant");
    const char *argv[18] = {server,         "--config",
                            config,         "--init",
                            "--admin-key",  key,
                            "--admin-cert", cert,
                            "--tenant",     tenant ? tenant : "default",
                            "--shares",     shares ? shares : "2/3"};

    CM_TRY(find_server(cli, server));
    snprintf(config, sizeof config, "%s", in_dir(p, "kmsd.yaml.new"));
    snprintf(key, sizeof key, "%s", in_dir(p, "admin.pem"));
    snprintf(cert, sizeof cert, "%s", in_dir(p, "admin.crt"));
    if (file) {
        argv[12] = "--shares-file";
        argv[13] = file;
    } else
        cm_cli_say(cli,
                   "Recovery shares of the root key: any %s of them open it. They are shown "
                   "this once.\nGive each to another person, on paper:\n\n",
                   shares ? shares : "2/3");
    CM_TRY(run(cli, (char *const *)(uintptr_t)argv));
    if (!file)
        cm_cli_say(cli, "\n");
    return CM_OKAY;
}

/* The new configuration's name says that identities and passphrase are there. */
static cm_err make_files(cm_cli *cli, struct place *p)
{
    if (cm_os_exists(in_dir(p, "kmsd.yaml.new"))) {
        cm_cli_note(cli, "going on with a first run that was broken off\n");
    } else {
        if (cm_os_exists(in_dir(p, "kms.db")))
            return cm_cli_about(cli, p->path, CM_FAIL(FILE_EXISTS),
                                "a database without kmsd.yaml, its configuration: put that back, "
                                "or move the database away");
        cm_cli_note(cli, "making keys, certificates and the root in %s\n", p->dir);
        CM_TRY(make_identities(cli, p));
        if (!has_device(cli))
            CM_TRY(new_passphrase(cli, p));
    }
    CM_TRY(write_profile(cli, p));
    return write_config(cli, p, "kmsd.yaml.new");
}

static cm_err first_run(cm_cli *cli, struct place *p)
{
    char from[PATH_LEN];

    CM_TRY(make_files(cli, p));
    CM_TRY(init_server(cli, p));
    /* With this name in place the first run is over. */
    snprintf(from, sizeof from, "%s", in_dir(p, "kmsd.yaml.new"));
    if (rename(from, in_dir(p, "kmsd.yaml")) != 0)
        return cm_cli_about(cli, p->path, CM_FAIL(IO_RENAME), NULL);
    return cm_cli_about(cli, p->path, cm_os_sync_dir_of(p->path), NULL);
}

static cm_err say_what_next(cm_cli *cli, struct place *p)
{
    CM_AUTO(cm_cert_free_ptr) cm_cert *c = NULL;
    char fp[2 * CM_FINGERPRINT + 1];
    cm_cert_info i;
    cm_cli_event e;

    CM_TRY(load_cert(cli, p, &c, "server.crt"));
    CM_TRY(cm_cert_describe(&i, cli->crypt, c));
    cm_cli_hex(fp, CM_VIEW(i.fingerprint));
    cm_cli_event_begin(cli, &e, "serve");
    cm_json_put_text(&e.w, "dir", cm_view_str(p->dir));
    cm_json_put_text(&e.w, "fingerprint", cm_view_str(fp));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "config       %s/kmsd.yaml\nauthority    %s/ca.crt\nfingerprint  %s\n", p->dir,
               p->dir, fp);
    cm_cli_say(cli,
               "\nTry, in another terminal:\n"
               "  export CASEMATE_SERVER=%s/admin.json\n"
               "  casemate key create weights --type AES-256\n"
               "  casemate seal MODEL --to-kms weights\n"
               "  casemate top\n\n",
               p->dir);
    return CM_OKAY;
}

cm_err cm_cli_serve(cm_cli *cli)
{
    struct place p = {.dir = ""};
    char server[PATH_LEN], config[PATH_LEN];
    char *argv[] = {server, (char *)(uintptr_t) "--config", config, NULL};

    CM_TRY(find_dir(cli, &p));
    CM_TRY(cm_cli_wrapping(cli, "hsm-wrapping", "hsm-module"));
    if (cm_os_exists(in_dir(&p, "kmsd.yaml")))
        CM_TRY(renew(cli, &p));
    else
        CM_TRY(first_run(cli, &p));
    CM_TRY(say_what_next(cli, &p));
    if (cm_cli_has(cli, "prepare"))
        return CM_OKAY;
    CM_TRY(find_server(cli, server));
    snprintf(config, sizeof config, "%s", in_dir(&p, "kmsd.yaml"));
    (void)fflush(NULL);
    cm_cli_release_signals();
    (void)execv(server, argv);
    return cm_cli_about(cli, server, CM_FAIL(CLI_EXEC), NULL);
}
