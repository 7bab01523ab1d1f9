/* casemate init, casemate key. */
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "envelope/envelope.h"
#include "keys/ring.h"
#include "ring.h"

/* ---- showing ------------------------------------------------------------------------------- */

struct shown {
    const char *algorithm, *use;
    char fingerprint[2 * CM_FINGERPRINT + 1];
    char recipient[33]; /* of a key that opens models: its name in a container */
    bool post_quantum;
};

static cm_err describe(struct shown *s, const cm_cli *cli, const cm_pkey *k)
{
    uint8_t fp[CM_FINGERPRINT], id[16];

    CM_TRY(cm_pkey_fingerprint(fp, cli->crypt, k));
    *s = (struct shown){
        .algorithm = cm_pkey_algorithm(k),
        .use = cm_pkey_kem(k) ? "opens models" : "signs",
        .post_quantum = cm_pkey_post_quantum(k),
    };
    cm_cli_hex(s->fingerprint, CM_VIEW(fp));
    if (!cm_pkey_kem(k))
        return CM_OKAY;
    CM_TRY(cm_envelope_kem_id(cli->crypt, id, cm_pkey_kem(k)));
    cm_cli_hex(s->recipient, CM_VIEW(id));
    return CM_OKAY;
}

static void put_members(cm_cli_event *e, const struct shown *s)
{
    cm_json_put_text(&e->w, "algorithm", cm_view_str(s->algorithm));
    cm_json_put_bool(&e->w, "post_quantum", s->post_quantum);
    cm_json_put_text(&e->w, "fingerprint", cm_view_str(s->fingerprint));
    if (s->recipient[0])
        cm_json_put_text(&e->w, "recipient", cm_view_str(s->recipient));
}

static void say_key(cm_cli *cli, const struct shown *s)
{
    cm_cli_say(cli, "algorithm    %s%s\n", s->algorithm,
               s->post_quantum ? "" : " (classical: falls to a quantum computer)");
    cm_cli_say(cli, "use          %s\n", s->use);
    cm_cli_say(cli, "fingerprint  %s\n", s->fingerprint);
    if (s->recipient[0])
        cm_cli_say(cli, "recipient    %s\n", s->recipient);
}

static const char *form_name(cm_keyfile_form f)
{
    static const char *const names[] = {
        [CM_KEYFILE_PUBLIC] = "public key",
        [CM_KEYFILE_PRIVATE] = "private key, unprotected",
        [CM_KEYFILE_PBES2] = "private key under a passphrase (PBES2)",
        [CM_KEYFILE_ARGON2] = "private key under a passphrase (Argon2id)",
    };

    return names[f];
}

static bool is_protected(cm_keyfile_form f)
{
    return f == CM_KEYFILE_PBES2 || f == CM_KEYFILE_ARGON2;
}

static bool passphrase_given(const cm_cli *cli)
{
    return cm_cli_has(cli, "key-passphrase-file") || cm_cli_has(cli, "key-passphrase-fd");
}

static cm_err peek(cm_cli *cli, cm_keyfile_form *form, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_KEYFILE_MAX + 1};

    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&file, path, CM_KEYFILE_MAX), NULL));
    return cm_cli_about(cli, path, cm_pkey_peek(form, cm_buf_view(&file)), NULL);
}

cm_err cm_cli_key_show(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    const char *path = cli->args[0];
    cm_keyfile_form form;
    struct shown s = {0};
    cm_cli_event e;
    bool closed;

    CM_TRY(peek(cli, &form, path));
    closed = is_protected(form) && !passphrase_given(cli);
    if (!closed) {
        CM_TRY(cm_cli_load_key(cli, &key, path));
        CM_TRY(describe(&s, cli, key));
    }
    cm_cli_event_begin(cli, &e, "key");
    cm_json_put_text(&e.w, "path", cm_view_str(path));
    cm_json_put_text(&e.w, "form", cm_view_str(form_name(form)));
    cm_json_put_bool(&e.w, "private", form != CM_KEYFILE_PUBLIC);
    cm_json_put_bool(&e.w, "protected", is_protected(form));
    if (!closed)
        put_members(&e, &s);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s\nform         %s\n", path, form_name(form));
    if (closed)
        cm_cli_say(cli, "the rest is behind its passphrase: --key-passphrase-file, or show the "
                        "public file\n");
    else
        say_key(cli, &s);
    return CM_OKAY;
}

cm_err cm_cli_key_fingerprint(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    struct shown s;
    cm_cli_event e;

    CM_TRY(cm_cli_load_key(cli, &key, cli->args[0]));
    CM_TRY(describe(&s, cli, key));
    cm_cli_event_begin(cli, &e, "key");
    cm_json_put_text(&e.w, "path", cm_view_str(cli->args[0]));
    put_members(&e, &s);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s\n", s.fingerprint);
    return CM_OKAY;
}

/* ---- making -------------------------------------------------------------------------------- */

static cm_err report_pair(cm_cli *cli, const cm_pkey *key, const char *path)
{
    CM_AUTO(cm_free_ptr) char *public_path = NULL;
    struct shown s;
    cm_cli_event e;

    CM_TRY(cm_cli_public_name(&public_path, path));
    CM_TRY(describe(&s, cli, key));
    cm_cli_event_begin(cli, &e, "key");
    cm_json_put_text(&e.w, "path", cm_view_str(path));
    cm_json_put_text(&e.w, "public", cm_view_str(public_path));
    put_members(&e, &s);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s\n  private  %s\n  public   %s\n  %s\n", s.algorithm, path, public_path,
               s.fingerprint);
    return CM_OKAY;
}

cm_err cm_cli_key_new(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_buf_free) cm_buf pass = {0};
    const char *type = cm_cli_text(cli, "type"), *path = cm_cli_text(cli, "out");
    const char *algorithm = cm_cli_algorithm(type ? type : "X-Wing");
    cm_protect protect;

    if (!algorithm)
        return cm_cli_usage(cli, "--type %s: there is no such algorithm", type);
    if (!path)
        return cm_cli_usage(cli, "--out is missing");
    cm_cli_on(cli, path);
    CM_TRY(cm_cli_protection(cli, &protect, &pass, "Passphrase for the new key"));
    CM_TRY(cm_cli_make_pair(cli, &key, algorithm, path, &protect));
    return report_pair(cli, key, path);
}

cm_err cm_cli_key_public(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_KEYFILE_MAX};

    CM_TRY(cm_cli_load_key(cli, &key, cli->args[0]));
    CM_TRY(cm_pkey_write_public(&b, key));
    return cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&b));
}

cm_err cm_cli_key_passwd(cm_cli *cli)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    CM_AUTO(cm_buf_free) cm_buf pass = {0};
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_KEYFILE_MAX};
    const char *path = cli->args[0];
    cm_protect protect;

    CM_TRY(cm_cli_load_key(cli, &key, path));
    cm_cli_on(cli, path);
    if (!cm_pkey_has_private(key))
        return CM_FAIL(KEY_NOT_PRIVATE);
    CM_TRY(cm_cli_protection(cli, &protect, &pass, "New passphrase"));
    CM_TRY(cm_pkey_write_private(&file, cli->crypt, key, &protect));
    CM_TRY(cm_pkey_save(path, cm_buf_view(&file), true));
    return report_pair(cli, key, path);
}

/* ---- bringing one's own to a key server ---------------------------------------------------- */

/* The type of a key file's key, and its secret. */
static cm_err secret_of(cm_cli *cli, cm_buf *raw, cm_key_type *type)
{
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    const cm_key_type_info *t;

    CM_TRY(cm_cli_load_key(cli, &key, cli->args[0]));
    cm_cli_on(cli, cli->args[0]);
    if (!cm_pkey_has_private(key))
        return CM_FAIL(KEY_NOT_PRIVATE);
    t = cm_key_type_by_name(cm_view_str(cm_pkey_algorithm(key)));
    if (!t)
        return CM_FAIL(KEY_UNSUPPORTED);
    *type = t->type;
    return cm_buf_append(raw, cm_pkey_kem(key) ? cm_kem_seed(cm_pkey_kem(key))
                                               : cm_sig_seed(cm_pkey_sig(key)));
}

static cm_err secret_as_it_is(cm_cli *cli, cm_buf *raw, cm_key_type *type, const char *name)
{
    const cm_key_type_info *t = cm_key_type_by_name(cm_view_str(name));

    if (!t)
        return cm_cli_usage(cli, "--type %s: there is no such type of key", name);
    *type = t->type;
    return cm_cli_about(cli, cli->args[0], cm_os_slurp(raw, cli->args[0], CM_KEYFILE_MAX), NULL);
}

cm_err cm_cli_key_wrap(cm_cli *cli)
{
    CM_AUTO(cm_buf_free) cm_buf raw = {.max = CM_KEYFILE_MAX + 1};
    CM_AUTO(cm_buf_free) cm_buf to = {.max = CM_KEYFILE_MAX + 1};
    CM_AUTO(cm_buf_free) cm_buf out = {.max = 2 * CM_KEYFILE_MAX};
    const char *path = cm_cli_text(cli, "to"), *name = cm_cli_text(cli, "type");
    cm_key_type type = (cm_key_type)0;

    if (!path)
        return cm_cli_usage(cli, "--to is missing");
    CM_TRY(name ? secret_as_it_is(cli, &raw, &type, name) : secret_of(cli, &raw, &type));
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&to, path, CM_KEYFILE_MAX), NULL));
    CM_TRY(cm_cli_about(cli, path,
                        cm_export_to(&out, cli->crypt, type, cm_buf_view(&raw), cm_buf_view(&to)),
                        NULL));
    return cm_cli_put_file(cli, cm_cli_text(cli, "out"), cm_buf_view(&out));
}

/* ---- the home ------------------------------------------------------------------------------ */

static cm_err make_home(cm_cli *cli, char **home)
{
    CM_AUTO(cm_free_ptr) char *trusted = NULL;

    CM_TRY(cm_cli_home(cli, home, ""));
    CM_TRY(cm_cli_home(cli, &trusted, "trusted"));
    CM_TRY(cm_cli_about(cli, *home, cm_cli_make_folder(*home, 0700), NULL));
    return cm_cli_about(cli, *home, cm_cli_make_folder(trusted, 0700), NULL);
}

/* All or nothing: what is there is looked for before anything is made. */
static cm_err nothing_there(cm_cli *cli)
{
    static const char *const names[] = {"identity.pem",  "identity.pub",          "publisher.pem",
                                        "publisher.pub", "trusted/publisher.pub", NULL};

    for (const char *const *n = names; *n; n++) {
        CM_AUTO(cm_free_ptr) char *path = NULL;

        CM_TRY(cm_cli_home(cli, &path, *n));
        if (access(path, F_OK) == 0) {
            cm_cli_on(cli, *n);
            snprintf(cli->detail, sizeof cli->detail, "%.300s exists already", path);
            snprintf(cli->advice, sizeof cli->advice,
                     "your keys are made; move them away to make new ones, or set CASEMATE_HOME");
            return CM_FAIL(FILE_EXISTS);
        }
    }
    return CM_OKAY;
}

static cm_err make_one(cm_cli *cli, cm_pkey **key, const char *algorithm, const char *name,
                       const cm_protect *p)
{
    CM_AUTO(cm_free_ptr) char *path = NULL;

    CM_TRY(cm_cli_home(cli, &path, name));
    CM_TRY(cm_cli_make_pair(cli, key, algorithm, path, p));
    CM_TRY(report_pair(cli, *key, path));
    cm_cli_on(cli, NULL);
    return CM_OKAY;
}

cm_err cm_cli_init(cm_cli *cli)
{
    CM_AUTO(cm_free_ptr) char *home = NULL;
    CM_AUTO(cm_free_ptr) char *trusted = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *identity = NULL;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *publisher = NULL;
    CM_AUTO(cm_buf_free) cm_buf pass = {0};
    CM_AUTO(cm_buf_free) cm_buf pub = {.max = CM_KEYFILE_MAX};
    uint64_t tier = 0;
    cm_protect protect;

    CM_TRY(cm_cli_number(cli, "tier", 0, 4, &tier));
    CM_TRY(nothing_there(cli));
    CM_TRY(cm_cli_protection(cli, &protect, &pass, "Passphrase for your new keys"));
    CM_TRY(make_home(cli, &home));
    CM_TRY(make_one(cli, &identity, tier < 3 ? "X-Wing" : "ML-KEM-1024", "identity.pem", &protect));
    CM_TRY(make_one(cli, &publisher, tier < 3 ? "ML-DSA-65+Ed25519" : "ML-DSA-87+Ed25519",
                    "publisher.pem", &protect));
    CM_TRY(cm_pkey_write_public(&pub, publisher));
    CM_TRY(cm_cli_home(cli, &trusted, "trusted/publisher.pub"));
    CM_TRY(cm_os_spit(trusted, cm_buf_view(&pub), 0644, false));
    cm_cli_say(cli,
               "\nGive identity.pub to those who seal models for you, publisher.pub to those who "
               "open yours.\nTo trust a publisher, put their public key into %s/trusted.\n",
               home);
    return CM_OKAY;
}
