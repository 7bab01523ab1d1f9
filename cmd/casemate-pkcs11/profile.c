/*
 * Which servers are tokens. The environment names one file: CASEMATE_PKCS11_CONFIG, else
 * CASEMATE_SERVER, else server.json of the home. It is a profile, as `casemate serve` writes one,
 * or a list of slots over profiles:
 *   {"slots": [{"profile": "server.json", "tenant": "prod", "keyspace": "tls", "label": "web",
 *               "passphrase_file": "pass", "types": ["P-256", "RSA-2048"]}]}
 * Paths are relative to the file that holds them.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "module.h"

enum { FILE_BYTES = 64 << 10 };

/* A JSON file and the folder it is in. */
typedef struct {
    cm_json *json;
    char folder[CM_P11_PATH];
} file;

static void file_done(file *f)
{
    cm_json_free(f->json);
}

static cm_err file_load(file *f, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = FILE_BYTES + 1};
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;

    if (n >= sizeof f->folder)
        return CM_FAIL(TOO_BIG);
    memcpy(f->folder, path, n);
    f->folder[n] = 0;
    CM_TRY(cm_os_slurp(&b, path, FILE_BYTES));
    CM_TRY(cm_json_parse(&f->json, cm_buf_view(&b), NULL, NULL));
    return cm_json_type_of(cm_json_root(f->json)) == CM_JSON_OBJECT ? CM_OKAY
                                                                    : CM_FAIL(CLI_PROFILE);
}

static cm_err only(const cm_json_node *object, const char *const *known, size_t n)
{
    for (const cm_json_node *m = cm_json_first(object); m; m = cm_json_next(m)) {
        bool found = false;

        for (size_t i = 0; i < n; i++)
            found = found || cm_view_eq(cm_json_key(m), cm_view_str(known[i]));
        if (!found)
            return CM_FAIL(CLI_PROFILE);
    }
    return CM_OKAY;
}

/* A member's text, taken over what was there before; left when absent. */
static cm_err text(char **out, const cm_json_node *object, const char *key)
{
    const cm_json_node *n = cm_json_get(object, key);
    char *copy;
    cm_view v;

    if (!n)
        return CM_OKAY;
    CM_TRY(cm_json_string(n, &v));
    if (v.n >= CM_P11_PATH || memchr(v.p ? (const void *)v.p : "", 0, v.n))
        return CM_FAIL(CLI_PROFILE);
    CM_TRY(cm_strdup(&copy, v));
    cm_free(*out);
    *out = copy;
    return CM_OKAY;
}

/* A member that names a file, its path made whole. */
static cm_err path(char **out, const file *f, const cm_json_node *object, const char *key)
{
    CM_AUTO(cm_free_ptr) char *given = NULL;
    char whole[CM_P11_PATH];
    int n;

    CM_TRY(text(&given, object, key));
    if (!given || !given[0])
        return CM_OKAY;
    n = snprintf(whole, sizeof whole, "%s%s", given[0] == '/' ? "" : f->folder, given);
    if (n < 0 || (size_t)n >= sizeof whole)
        return CM_FAIL(TOO_BIG);
    cm_free(*out);
    *out = NULL;
    return cm_strdup(out, cm_view_of(whole, (size_t)n));
}

/* ---- a profile ---- */

static cm_err read_profile(cm_p11_slot *s, const file *f)
{
    static const char *const known[] = {"server",   "roots", "certificate", "certificate_key",
                                        "sign_key", "keyid", "token_file",  "tenant"};
    const cm_json_node *o = cm_json_root(f->json);

    CM_TRY(only(o, known, CM_COUNT(known)));
    CM_TRY(text(&s->url, o, "server"));
    CM_TRY(text(&s->keyid, o, "keyid"));
    CM_TRY(text(&s->tenant, o, "tenant"));
    CM_TRY(path(&s->roots_path, f, o, "roots"));
    CM_TRY(path(&s->cert_path, f, o, "certificate"));
    CM_TRY(path(&s->cert_key_path, f, o, "certificate_key"));
    CM_TRY(path(&s->sign_path, f, o, "sign_key"));
    CM_TRY(path(&s->token_path, f, o, "token_file"));
    return s->url && s->url[0] ? CM_OKAY : CM_FAIL(CLI_PROFILE);
}

static cm_err encrypted(bool *out, const char *key_path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_KEYFILE_MAX + 1};
    cm_keyfile_form form;

    if (!key_path)
        return CM_OKAY;
    CM_TRY(cm_os_slurp(&b, key_path, CM_KEYFILE_MAX));
    CM_TRY(cm_pkey_peek(&form, cm_buf_view(&b)));
    *out = *out || form == CM_KEYFILE_PBES2 || form == CM_KEYFILE_ARGON2;
    return CM_OKAY;
}

/* Hosts keep serial numbers in their configuration: it depends on nothing but what is named. */
static cm_err serial(cm_p11_slot *s)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 4 * CM_P11_PATH};
    const char *const parts[] = {s->url, s->tenant, s->keyspace};
    uint8_t hash[32];

    for (size_t i = 0; i < CM_COUNT(parts); i++) {
        CM_TRY(cm_buf_append(&b, cm_view_str(parts[i] ? parts[i] : "")));
        CM_TRY(cm_buf_byte(&b, 0));
    }
    CM_TRY(cm_hash_once(s->crypt, CM_SHA256, hash, cm_buf_view(&b)));
    for (size_t i = 0; i < 8; i++)
        (void)snprintf(s->serial + 2 * i, 3, "%02x", hash[i]);
    return CM_OKAY;
}

static cm_err finish(cm_p11_slot *s)
{
    bool locked = false;

    if (!s->tenant || !s->tenant[0]) {
        cm_free(s->tenant);
        s->tenant = NULL;
        CM_TRY(cm_strdup(&s->tenant, CM_LIT("default")));
    }
    CM_TRY(encrypted(&locked, s->sign_path));
    CM_TRY(encrypted(&locked, s->cert_key_path));
    s->locked = locked && !s->passphrase_path;
    return serial(s);
}

/* ---- slots ---- */

/* Some hosts give up at the first key whose type they do not know. */
static cm_err read_types(uint32_t *out, const cm_json_node *list)
{
    if (list && cm_json_type_of(list) != CM_JSON_ARRAY)
        return CM_FAIL(CLI_PROFILE);
    for (const cm_json_node *n = list ? cm_json_first(list) : NULL; n; n = cm_json_next(n)) {
        const cm_key_type_info *info;
        cm_view v;

        CM_TRY(cm_json_string(n, &v));
        info = cm_key_type_by_name(v);
        if (!info)
            return CM_FAIL(CLI_PROFILE);
        *out |= 1u << info->type;
    }
    return CM_OKAY;
}

static cm_err read_slot(cm_p11_slot *s, const file *f, const cm_json_node *o)
{
    static const char *const known[] = {"profile", "tenant",          "keyspace",
                                        "label",   "passphrase_file", "types"};
    CM_AUTO(cm_free_ptr) char *profile = NULL;
    CM_AUTO(file_done) file inner = {0};

    if (cm_json_type_of(o) != CM_JSON_OBJECT)
        return CM_FAIL(CLI_PROFILE);
    CM_TRY(only(o, known, CM_COUNT(known)));
    CM_TRY(path(&profile, f, o, "profile"));
    if (!profile)
        return CM_FAIL(CLI_PROFILE);
    CM_TRY(file_load(&inner, profile));
    CM_TRY(read_profile(s, &inner));
    CM_TRY(text(&s->tenant, o, "tenant"));
    CM_TRY(text(&s->keyspace, o, "keyspace"));
    CM_TRY(text(&s->label, o, "label"));
    CM_TRY(read_types(&s->types, cm_json_get(o, "types")));
    return path(&s->passphrase_path, f, o, "passphrase_file");
}

static cm_err read_slots(cm_p11_slot *out, size_t *n, const file *f, const cm_json_node *list,
                         cm_crypt *c)
{
    static const char *const known[] = {"slots"};

    CM_TRY(only(cm_json_root(f->json), known, CM_COUNT(known)));
    if (cm_json_type_of(list) != CM_JSON_ARRAY || cm_json_size(list) > CM_P11_SLOTS)
        return CM_FAIL(CLI_PROFILE);
    for (const cm_json_node *o = cm_json_first(list); o; o = cm_json_next(o)) {
        cm_p11_slot *s = &out[*n];

        s->crypt = c;
        ++*n; /* so that the caller frees what a failure leaves */
        CM_TRY(read_slot(s, f, o));
        CM_TRY(finish(s));
    }
    return CM_OKAY;
}

static cm_err home_file(char out[CM_P11_PATH])
{
    const char *home = secure_getenv("CASEMATE_HOME"), *middle = "";
    struct passwd entry, *pw = NULL;
    char room[4096];
    int n;

    if (!home || !home[0]) {
        home = secure_getenv("HOME");
        middle = "/.config/casemate";
    }
    if (!home || !home[0]) {
        if (getpwuid_r(getuid(), &entry, room, sizeof room, &pw) != 0 || !pw)
            return CM_FAIL(CLI_NO_HOME);
        home = pw->pw_dir;
    }
    n = snprintf(out, CM_P11_PATH, "%s%s/server.json", home, middle);
    return n > 0 && n < CM_P11_PATH ? CM_OKAY : CM_FAIL(TOO_BIG);
}

/* *found false: nothing is configured, which is no error: a machine may have the module without. */
static cm_err config_path(char out[CM_P11_PATH], bool *found)
{
    static const char *const names[] = {"CASEMATE_PKCS11_CONFIG", "CASEMATE_SERVER"};
    int n;

    *found = true;
    for (size_t i = 0; i < CM_COUNT(names); i++) {
        const char *given = secure_getenv(names[i]);

        if (!given || !given[0])
            continue;
        n = snprintf(out, CM_P11_PATH, "%s", given);
        return n < CM_P11_PATH ? CM_OKAY : CM_FAIL(TOO_BIG);
    }
    CM_TRY(home_file(out));
    *found = cm_os_exists(out);
    return CM_OKAY;
}

cm_err cm_p11_profiles(cm_p11_slot *out, size_t *n, cm_crypt *c)
{
    CM_AUTO(file_done) file f = {0};
    char where[CM_P11_PATH];
    const cm_json_node *list;
    bool found;

    CM_TRY(config_path(where, &found));
    if (!found)
        return CM_OKAY;
    CM_TRY(file_load(&f, where));
    list = cm_json_get(cm_json_root(f.json), "slots");
    if (list)
        return read_slots(out, n, &f, list, c);
    out[0].crypt = c;
    *n = 1;
    CM_TRY(read_profile(&out[0], &f));
    return finish(&out[0]);
}

void cm_p11_slot_done(cm_p11_slot *s)
{
    char **const texts[] = {&s->url,        &s->keyid,      &s->tenant,         &s->keyspace,
                            &s->label,      &s->sign_path,  &s->cert_path,      &s->cert_key_path,
                            &s->roots_path, &s->token_path, &s->passphrase_path};

    cm_p11_slot_close(s);
    for (size_t i = 0; i < CM_COUNT(texts); i++)
        cm_free(*texts[i]);
    for (size_t i = 0; i < s->keys_n; i++) {
        cm_buf_free(&s->keys[i]->public_key);
        cm_free(s->keys[i]);
    }
    cm_free(s->keys);
    *s = (cm_p11_slot){0};
}
