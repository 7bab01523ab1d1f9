#include "access.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"

/* ---- openers that ask when they must ------------------------------------------------------- */

static cm_err lazy_key_claims(void *self, const cm_crypt *c, const cm_stanza *st, bool *is)
{
    const cm_cli_lazy_key *l = self;
    cm_opener o = cm_opener_kem(cm_pkey_kem(l->pub));

    return o.claims(o.self, c, st, is);
}

static cm_err lazy_key_unwrap(void *self, const cm_crypt *c, cm_key32 *key, const cm_stanza *st,
                              cm_view context)
{
    cm_cli_lazy_key *l = self;
    cm_opener o;

    if (!l->key)
        CM_TRY(cm_cli_load_key(l->cli, &l->key, l->path));
    if (!cm_pkey_kem(l->key))
        return CM_FAIL(KEY_ALGORITHM);
    o = cm_opener_kem(cm_pkey_kem(l->key));
    return o.unwrap(o.self, c, key, st, context);
}

static cm_err lazy_passphrase_claims(void *self, const cm_crypt *c, const cm_stanza *st, bool *is)
{
    const cm_cli_lazy_passphrase *l = self;

    (void)c;
    *is = st->kind == CM_STANZA_PASSPHRASE && cm_cli_can_ask(l->cli, "");
    return CM_OKAY;
}

static cm_err lazy_passphrase_unwrap(void *self, const cm_crypt *c, cm_key32 *key,
                                     const cm_stanza *st, cm_view context)
{
    cm_cli_lazy_passphrase *l = self;
    cm_envelope_passphrase p = {0};
    cm_opener o = cm_opener_passphrase(&p);

    if (l->text.n == 0) {
        l->text.max = CM_PASSPHRASE_MAX;
        CM_TRY(cm_cli_passphrase(l->cli, &l->text, "", "Passphrase of the model", false));
    }
    p.text = cm_buf_view(&l->text);
    return o.unwrap(o.self, c, key, st, context);
}

/* ---- keys ---------------------------------------------------------------------------------- */

static bool passphrase_given(const cm_cli *cli, const char *prefix)
{
    char file[CM_CLI_TITLE], fd[CM_CLI_TITLE];

    snprintf(file, sizeof file, "%spassphrase-file", prefix);
    snprintf(fd, sizeof fd, "%spassphrase-fd", prefix);
    return cm_cli_has(cli, file) || cm_cli_has(cli, fd);
}

static bool is_open_file(const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_KEYFILE_MAX + 1};
    cm_keyfile_form form;

    return cm_ok(cm_os_slurp(&b, path, CM_KEYFILE_MAX)) &&
           cm_ok(cm_pkey_peek(&form, cm_buf_view(&b))) &&
           (form == CM_KEYFILE_PRIVATE || form == CM_KEYFILE_PUBLIC);
}

static cm_err lazy_identity(cm_cli *cli, cm_cli_access *a, char **path)
{
    CM_AUTO(cm_free_ptr) char *pub = NULL;

    CM_TRY(cm_cli_home(cli, &pub, "identity.pub"));
    if (access(pub, R_OK) != 0)
        return cm_cli_ring_add(cli, &a->identities, *path);
    CM_TRY(cm_cli_load_key(cli, &a->lazy_key.pub, pub));
    if (!cm_pkey_kem(a->lazy_key.pub))
        return cm_cli_about(cli, pub, CM_FAIL(KEY_ALGORITHM), NULL);
    a->lazy_key.cli = cli;
    a->lazy_key.path = *path;
    *path = NULL;
    a->openers[a->o.openers_n++] = (cm_opener){lazy_key_claims, lazy_key_unwrap, &a->lazy_key};
    return CM_OKAY;
}

static cm_err home_identity(cm_cli *cli, cm_cli_access *a, bool modest)
{
    CM_AUTO(cm_free_ptr) char *path = NULL;
    bool have;

    if (cm_failed(cm_cli_home(cli, &path, "identity.pem")) || access(path, F_OK) != 0) {
        a->no_key = "needs a key (--identity)";
        return CM_OKAY;
    }
    if (is_open_file(path) || passphrase_given(cli, "key-"))
        return cm_cli_ring_home(cli, &a->identities, "identity.pem", &have);
    if (modest) {
        a->no_key = "your identity is under a passphrase: name it with --identity to be asked";
        return CM_OKAY;
    }
    return lazy_identity(cli, a, &path);
}

static cm_err add_passphrase(cm_cli *cli, cm_cli_access *a, bool modest)
{
    if (cm_cli_has(cli, "passphrase") || passphrase_given(cli, "")) {
        a->passphrase_text.max = CM_PASSPHRASE_MAX;
        CM_TRY(cm_cli_passphrase(cli, &a->passphrase_text, "", "Passphrase of the model", false));
        a->passphrase.text = cm_buf_view(&a->passphrase_text);
        a->openers[a->o.openers_n++] = cm_opener_passphrase(&a->passphrase);
    } else if (!modest) {
        a->lazy_passphrase.cli = cli;
        a->openers[a->o.openers_n++] =
            (cm_opener){lazy_passphrase_claims, lazy_passphrase_unwrap, &a->lazy_passphrase};
    }
    return CM_OKAY;
}

static cm_err add_keys(cm_cli *cli, cm_cli_access *a, bool modest)
{
    static const char *const ways[] = {"passphrase", "passphrase-file", "passphrase-fd", NULL};

    CM_TRY(cm_cli_at_most_one(cli, ways));
    CM_TRY(cm_alloc_array(&a->openers, cm_cli_count(cli, "identity") + 6, sizeof *a->openers));
    a->o.openers = a->openers;
    if (cm_cli_has(cli, "identity"))
        CM_TRY(cm_cli_ring_option(cli, &a->identities, "identity"));
    else if (!cm_cli_has(cli, "passphrase") && !passphrase_given(cli, ""))
        CM_TRY(home_identity(cli, a, modest));
    CM_TRY(cm_cli_ring_need_kem(cli, &a->identities));
    for (size_t i = 0; i < a->identities.n; i++) {
        if (!cm_pkey_has_private(a->identities.v[i]))
            return cm_cli_about(cli, a->identities.path[i], CM_FAIL(KEY_NOT_PRIVATE), NULL);
        a->openers[a->o.openers_n++] = cm_opener_kem(cm_pkey_kem(a->identities.v[i]));
    }
    CM_TRY(add_passphrase(cli, a, modest));
    if (a->o.openers_n)
        a->no_key = NULL;
    if (!modest) {
        cm_cli_kms_opener(cli, &a->kms, &a->openers[a->o.openers_n++]);
        cm_cli_tpm_opener(cli, &a->tpm, &a->openers[a->o.openers_n++]);
        cm_cli_attested_opener(cli, &a->attested, &a->openers[a->o.openers_n++]);
    }
    return CM_OKAY;
}

static cm_err add_trust(cm_cli *cli, cm_cli_access *a)
{
    CM_TRY(cm_cli_ring_trusted(cli, &a->publishers));
    CM_TRY(cm_cli_ring_need_sig(cli, &a->publishers, false));
    CM_TRY(cm_alloc_array(&a->trusted, a->publishers.n + 1, sizeof *a->trusted));
    for (size_t i = 0; i < a->publishers.n; i++)
        a->trusted[i] = cm_pkey_sig(a->publishers.v[i]);
    a->o.trusted = a->trusted;
    a->o.trusted_n = a->publishers.n;
    a->o.signature_file = cm_cli_text(cli, "signature");
    a->o.any_publisher = cm_cli_has(cli, "any-publisher");
    a->o.no_signature = cm_cli_has(cli, "unsigned");
    return CM_OKAY;
}

cm_err cm_cli_access_init(cm_cli *cli, cm_cli_access *a, unsigned want)
{
    if (want & CM_CLI_TRUST)
        CM_TRY(add_trust(cli, a));
    if (want & CM_CLI_KEYS) {
        a->o.allow_classical = cm_cli_has(cli, "allow-classical");
        CM_TRY(add_keys(cli, a, want & CM_CLI_MODEST));
    }
    a->o.watch = cm_cli_watch(cli);
    return CM_OKAY;
}

void cm_cli_access_done(cm_cli_access *a)
{
    cm_free(a->openers);
    cm_free(a->trusted);
    cm_cli_kms_done(&a->kms);
    cm_tpm_key_done(&a->tpm);
    cm_cli_attested_done(&a->attested);
    cm_cli_ring_free(&a->identities);
    cm_cli_ring_free(&a->publishers);
    cm_pkey_free(a->lazy_key.pub);
    cm_pkey_free(a->lazy_key.key);
    cm_free(a->lazy_key.path);
    cm_buf_free(&a->lazy_passphrase.text);
    cm_buf_free(&a->passphrase_text);
}

/* ---- a model ------------------------------------------------------------------------------- */

cm_err cm_cli_model_load(cm_cli *cli, cm_cli_model *m, const char *path, const cm_cli_access *a,
                         bool unlock)
{
    cm_cli_on(cli, path);
    if (cm_cli_is_dash(path))
        return CM_FAIL(SEALED_NEEDS_FILE);
    CM_TRY(cm_os_open_read(&m->fd, path));
    CM_TRY(cm_sealed_load(&m->s, cli->crypt, m->fd, &a->o));
    return unlock ? cm_cli_tpm_why(cli, &a->tpm, path, cm_sealed_unlock(m->s)) : CM_OKAY;
}

void cm_cli_model_close(cm_cli_model *m)
{
    cm_sealed_free(m->s);
    if (m->fd >= 0)
        close(m->fd);
    *m = (cm_cli_model){.fd = -1};
}

/* ---- recipients and signers ---------------------------------------------------------------- */

static cm_err passphrase_recipient(cm_cli *cli, cm_cli_recipients *r, const char *prefix)
{
    char ask[CM_CLI_TITLE], file[CM_CLI_TITLE], fd[CM_CLI_TITLE];
    const char *ways[] = {ask, file, fd, NULL};

    snprintf(ask, sizeof ask, "%spassphrase", prefix);
    snprintf(file, sizeof file, "%spassphrase-file", prefix);
    snprintf(fd, sizeof fd, "%spassphrase-fd", prefix);
    CM_TRY(cm_cli_at_most_one(cli, ways));
    if (!cm_cli_has(cli, ask) && !passphrase_given(cli, prefix))
        return CM_OKAY;
    r->passphrase_text.max = CM_PASSPHRASE_MAX;
    CM_TRY(cm_cli_passphrase(cli, &r->passphrase_text, prefix, "Passphrase for the model", true));
    r->passphrase.text = cm_buf_view(&r->passphrase_text);
    r->v[r->n++] = cm_recipient_passphrase(&r->passphrase);
    return CM_OKAY;
}

/* Files of keys, or what a prefix says. */
static cm_err named_recipients(cm_cli *cli, cm_cli_recipients *r, const char *option)
{
    for (size_t i = 0; i < cm_cli_count(cli, option); i++) {
        const char *to = cm_cli_nth(cli, option, i);

        if (cm_cli_is_attested(to)) {
            if (r->attested.cli)
                return cm_cli_usage(cli, "--%s names more than one policy", option);
            CM_TRY(cm_cli_attested_recipient(cli, &r->attested, &r->v[r->n++], to));
            continue;
        }
        if (!cm_cli_is_tpm(to)) {
            CM_TRY(cm_cli_ring_add(cli, &r->keys, to));
            continue;
        }
        if (r->tpms == CM_CLI_TPMS)
            return cm_cli_usage(cli, "--%s names the TPM more than %d times", option, CM_CLI_TPMS);
        CM_TRY(cm_cli_tpm_recipient(cli, &r->tpm[r->tpms], &r->v[r->n++], to));
        r->tpms++;
    }
    return CM_OKAY;
}

cm_err cm_cli_recipients_init(cm_cli *cli, cm_cli_recipients *r, const char *option,
                              const char *kms, const char *prefix)
{
    CM_TRY(cm_alloc_array(&r->v, cm_cli_count(cli, option) + 2, sizeof *r->v));
    CM_TRY(named_recipients(cli, r, option));
    CM_TRY(cm_cli_ring_need_kem(cli, &r->keys));
    for (size_t i = 0; i < r->keys.n; i++)
        r->v[r->n++] = cm_recipient_kem(cm_pkey_kem(r->keys.v[i]));
    if (kms && cm_cli_has(cli, kms))
        CM_TRY(cm_cli_kms_recipient(cli, &r->kms, &r->v[r->n++], kms));
    return prefix ? passphrase_recipient(cli, r, prefix) : CM_OKAY;
}

void cm_cli_recipients_done(cm_cli_recipients *r)
{
    cm_cli_ring_free(&r->keys);
    cm_free(r->v);
    cm_cli_kms_done(&r->kms);
    for (size_t i = 0; i < r->tpms; i++)
        cm_tpm_key_done(&r->tpm[i]);
    cm_cli_attested_done(&r->attested);
    cm_buf_free(&r->passphrase_text);
}

cm_err cm_cli_signers_init(cm_cli *cli, cm_cli_signers *s, const char *option)
{
    bool have;

    if (cm_cli_has(cli, option))
        CM_TRY(cm_cli_ring_option(cli, &s->keys, option));
    else
        CM_TRY(cm_cli_ring_home(cli, &s->keys, "publisher.pem", &have));
    CM_TRY(cm_cli_ring_need_sig(cli, &s->keys, true));
    CM_TRY(cm_alloc_array(&s->v, s->keys.n + 1, sizeof *s->v));
    for (size_t i = 0; i < s->keys.n; i++)
        s->v[i] = cm_pkey_sig(s->keys.v[i]);
    return CM_OKAY;
}

void cm_cli_signers_done(cm_cli_signers *s)
{
    cm_cli_ring_free(&s->keys);
    cm_free(s->v);
}

/* ---- small things -------------------------------------------------------------------------- */

cm_err cm_cli_check_output(cm_cli *cli, const char *out)
{
    CM_AUTO(cm_free_ptr) char *folder = NULL;
    const char *slash;
    size_t n = strlen(out);

    if (access(out, F_OK) == 0 && !cm_cli_has(cli, "force"))
        return cm_cli_about(cli, out, CM_FAIL(FILE_EXISTS), NULL);
    while (n > 1 && out[n - 1] == '/') /* a folder may be named so */
        n--;
    slash = memrchr(out, '/', n);
    if (slash)
        CM_TRY(cm_strdup(&folder, cm_view_of(out, slash == out ? 1 : (size_t)(slash - out))));
    if (access(folder ? folder : ".", W_OK | X_OK) == 0)
        return CM_OKAY;
    return cm_cli_about(cli, out, cm_os_err(errno, CM_IO_OPEN),
                        errno == ENOENT ? "make its folder first" : NULL);
}

bool cm_cli_has_part(const char *out)
{
    char part[4096];
    int n = snprintf(part, sizeof part, "%s.part", out);

    return n > 0 && (size_t)n < sizeof part && access(part, F_OK) == 0;
}

bool cm_cli_is_dash(const char *path)
{
    return strcmp(path, "-") == 0;
}

cm_err cm_cli_threads(cm_cli *cli, unsigned *threads)
{
    uint64_t n = 0;

    CM_TRY(cm_cli_number(cli, "threads", 1, 256, &n));
    *threads = (unsigned)n;
    return CM_OKAY;
}

cm_watch cm_cli_watch(cm_cli *cli)
{
    return (cm_watch){cm_cli_progress_step, cli, &cli->cancel};
}

static double rate_of(const cm_cli *cli, uint64_t bytes)
{
    double s = cm_cli_seconds(cli);

    return s > 0 ? (double)bytes / s : 0;
}

void cm_cli_put_rate(cm_cli *cli, cm_cli_event *e, uint64_t bytes)
{
    cm_json_put_u64(&e->w, "bytes", bytes);
    cm_json_put_fixed(&e->w, "seconds", cm_cli_seconds(cli));
    cm_json_put_u64(&e->w, "bytes_per_second", (uint64_t)rate_of(cli, bytes));
}

const char *cm_cli_rate_text(const cm_cli *cli, char text[96], uint64_t bytes)
{
    char size[32], rate[32];

    snprintf(text, 96, "%s in %.2f s, %s/s", cm_cli_bytes(size, bytes), cm_cli_seconds(cli),
             cm_cli_bytes(rate, (uint64_t)rate_of(cli, bytes)));
    return text;
}
