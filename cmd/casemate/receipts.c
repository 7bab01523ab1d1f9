#include "receipts.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "base/os.h"
#include "codec/text.h"
#include "market/keccak.h"

enum { PIECE = 1 << 20 };

/* ---- keys ---------------------------------------------------------------------------------- */

static cm_err place(cm_cli *cli, cm_cli_market_keys *k, size_t i, const char *option)
{
    const cm_sig_key *key = cm_pkey_sig(k->ring.v[i]);
    cm_sig_id id = key ? cm_sig_key_info(key)->id : 0;
    const cm_sig_key **at = id == CM_SIG_SECP256K1 ? &k->keys.secp : &k->keys.mldsa;

    if (id != CM_SIG_SECP256K1 && id != CM_SIG_MLDSA65)
        return cm_cli_about(cli, k->ring.path[i], CM_FAIL(KEY_ALGORITHM),
                            "receipts are signed with secp256k1 and ML-DSA-65: casemate key new "
                            "--type secp256k1, or ML-DSA-65");
    if (*at)
        return cm_cli_usage(cli, "--%s: two keys of one kind", option);
    *at = key;
    return CM_OKAY;
}

cm_err cm_cli_market_keys_init(cm_cli *cli, cm_cli_market_keys *k, const char *option,
                               bool with_private)
{
    if (!cm_cli_has(cli, option))
        return cm_cli_usage(cli, "--%s is missing", option);
    CM_TRY(cm_cli_ring_option(cli, &k->ring, option));
    for (size_t i = 0; i < k->ring.n; i++) {
        CM_TRY(place(cli, k, i, option));
        if (with_private && !cm_pkey_has_private(k->ring.v[i]))
            return cm_cli_about(cli, k->ring.path[i], CM_FAIL(KEY_NOT_PRIVATE), NULL);
    }
    return CM_OKAY;
}

void cm_cli_market_keys_done(cm_cli_market_keys *k)
{
    cm_cli_ring_free(&k->ring);
}

/* ---- values -------------------------------------------------------------------------------- */

/* Addresses are written with 0x before them. */
cm_err cm_cli_hex_value(cm_cli *cli, uint8_t *out, size_t n, cm_view text, const char *what)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 64};

    if (text.n == 2 * n + 2 && text.p[0] == '0' && text.p[1] == 'x')
        text = cm_view_sub(text, 2, 2 * n);
    if (text.n != 2 * n || cm_failed(cm_hex_decode(&b, text)))
        return cm_cli_usage(cli, "%s: not %zu hex digits", what, 2 * n);
    memcpy(out, b.p, n);
    return CM_OKAY;
}

cm_err cm_cli_market_hex(cm_cli *cli, uint8_t *out, size_t n, const char *option, bool *have)
{
    const char *text = cm_cli_text(cli, option);
    char what[CM_CLI_TITLE];

    *have = text != NULL;
    snprintf(what, sizeof what, "--%s", option);
    return text ? cm_cli_hex_value(cli, out, n, cm_view_str(text), what) : CM_OKAY;
}

cm_err cm_cli_named_option(cm_cli *cli, uint8_t out[32], const char *option, const char *named,
                           bool *have)
{
    const char *const both[] = {option, named, NULL};
    const char *text = cm_cli_text(cli, named);

    CM_TRY(cm_cli_at_most_one(cli, both));
    if (!text)
        return cm_cli_market_hex(cli, out, 32, option, have);
    *have = true;
    return CM_KECCAK(cli->crypt, out, cm_view_str(text));
}

static cm_err hash_fd(cm_cli *cli, uint8_t out[32], int fd)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    CM_AUTO(cm_free_ptr) uint8_t *piece = NULL;
    const char *name = cm_cli_text(cli, "hash");
    bool keccak = name && strcmp(name, "keccak256") == 0;
    uint64_t done = 0;

    CM_TRY(cm_alloc(&piece, PIECE));
    CM_TRY(cm_hasher_new(&h, cli->crypt, keccak ? CM_KECCAK256 : CM_SHA256));
    for (size_t n = PIECE; n == PIECE; done += n) {
        if (atomic_load(&cli->cancel))
            return CM_FAIL(CANCELLED);
        CM_TRY(cm_os_read(fd, piece, PIECE, &n));
        CM_TRY(cm_hasher_update(h, cm_view_of(piece, n)));
        cm_cli_progress_step(cli, done + n, 0);
    }
    return cm_hasher_final(h, out);
}

static cm_err hash_file(cm_cli *cli, uint8_t out[32], const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;

    if (cm_cli_is_dash(path))
        return hash_fd(cli, out, STDIN_FILENO);
    CM_TRY(cm_cli_about(cli, path, cm_os_open_read(&fd, path), NULL));
    return cm_cli_about(cli, path, hash_fd(cli, out, fd), NULL);
}

cm_err cm_cli_content_option(cm_cli *cli, uint8_t out[32], const char *file, const char *digest,
                             bool *have)
{
    const char *const both[] = {file, digest, NULL};
    const char *path = cm_cli_text(cli, file);
    cm_err e;

    CM_TRY(cm_cli_at_most_one(cli, both));
    if (!path)
        return cm_cli_market_hex(cli, out, 32, digest, have);
    *have = true;
    e = hash_file(cli, out, path);
    cm_cli_progress_end(cli);
    return e;
}

cm_err cm_cli_one_stdin(cm_cli *cli, const char *const *names)
{
    const char *first = NULL;

    for (; *names; names++) {
        const char *path = cm_cli_text(cli, *names);

        if (!path || !cm_cli_is_dash(path))
            continue;
        if (first)
            return cm_cli_usage(cli, "--%s and --%s can't both be read from stdin", first, *names);
        first = *names;
    }
    return CM_OKAY;
}

/* ---- time and demands ---------------------------------------------------------------------- */

uint64_t cm_cli_now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

cm_err cm_cli_market_head(cm_cli *cli, cm_market_head *h, uint64_t longest_ms)
{
    uint64_t ttl = longest_ms / 1000;
    bool have = false;

    h->issued_ms = cm_cli_now_ms();
    CM_TRY(cm_cli_number(cli, "issued-ms", 1, UINT64_MAX - longest_ms, &h->issued_ms));
    CM_TRY(cm_cli_number(cli, "ttl", 1, longest_ms / 1000, &ttl));
    h->expires_ms = h->issued_ms + ttl * 1000;
    CM_TRY(cm_cli_named_option(cli, h->realm, "realm", "realm-name", &have));
    CM_TRY(cm_cli_market_hex(cli, h->nonce, 32, "nonce", &have));
    return have ? CM_OKAY : cm_random(cli->crypt, h->nonce, sizeof h->nonce);
}

cm_err cm_cli_market_policy(cm_cli *cli, cm_market_policy *p, uint8_t realm[32])
{
    static const char *const clocks[] = {"at-ms", "any-time", NULL};
    const char *need = cm_cli_text(cli, "need");
    uint64_t skew = CM_MARKET_SKEW_MS / 1000;
    bool have = false;

    *p = (cm_market_policy){.now_ms = cm_cli_now_ms(), .any_time = cm_cli_has(cli, "any-time")};
    CM_TRY(cm_cli_at_most_one(cli, clocks));
    CM_TRY(cm_cli_number(cli, "at-ms", 1, UINT64_MAX, &p->now_ms));
    CM_TRY(cm_cli_number(cli, "skew", 0, 86400, &skew));
    p->skew_ms = skew * 1000;
    if (need && strcmp(need, "secp256k1") == 0)
        p->need = CM_MARKET_SECP;
    else if (need)
        p->need = strcmp(need, "both") == 0 ? CM_MARKET_SECP | CM_MARKET_MLDSA : CM_MARKET_MLDSA;
    CM_TRY(cm_cli_named_option(cli, realm, "realm", "realm-name", &have));
    p->realm = have ? realm : NULL;
    return CM_OKAY;
}

/* ---- a line a check ------------------------------------------------------------------------ */

void cm_cli_check_line(void *arg, cm_market_verdict v, const char *what, cm_err why)
{
    static const char *const words[] = {"PASS", "SKIP", "FAIL"};
    static const char *const colors[] = {"\033[32m", "\033[33m", "\033[31m"};
    cm_cli_checks *c = arg;
    cm_cli *cli = c->cli;
    cm_cli_event e;

    c->n[v]++;
    cm_cli_event_begin(cli, &e, "check");
    cm_json_put_text(&e.w, "verdict", cm_view_str(words[v]));
    cm_json_put_text(&e.w, "what", cm_view_str(what));
    if (v == CM_MARKET_FAILS)
        cm_json_put_text(&e.w, "why", cm_view_str(cm_err_name(why)));
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%s%s%s  %s%s%s\n", cm_cli_color(cli, stdout, colors[v]), words[v],
               cm_cli_color(cli, stdout, "\033[0m"), what, v == CM_MARKET_FAILS ? ": " : "",
               v == CM_MARKET_FAILS ? cm_err_what(why) : "");
}

void cm_cli_check_same(cm_cli_checks *c, const char *what, bool asked, cm_view want, cm_view have)
{
    if (!asked)
        cm_cli_check_line(c, CM_MARKET_NOT_ASKED, what, CM_OKAY);
    else if (cm_view_eq(want, have))
        cm_cli_check_line(c, CM_MARKET_HOLDS, what, CM_OKAY);
    else
        cm_cli_check_line(c, CM_MARKET_FAILS, what, CM_FAIL(MARKET_OTHER));
}

void cm_cli_unproven(cm_cli *cli, const char *const *list, size_t n)
{
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "unproven");
    cm_json_begin_array(&e.w, "that");
    for (size_t i = 0; i < n; i++) {
        cm_json_put_text(&e.w, NULL, cm_view_str(list[i]));
        cm_cli_say(cli, "%-12s %s\n", i == 0 ? "not proved:" : "", list[i]);
    }
    cm_json_end_array(&e.w);
    cm_cli_event_end(cli, &e);
}

cm_err cm_cli_checks_end(cm_cli_checks *c, cm_err verdict)
{
    cm_cli *cli = c->cli;
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, "done");
    cm_json_put_u64(&e.w, "passed", c->n[CM_MARKET_HOLDS]);
    cm_json_put_u64(&e.w, "skipped", c->n[CM_MARKET_NOT_ASKED]);
    cm_json_put_u64(&e.w, "failed", c->n[CM_MARKET_FAILS]);
    cm_cli_event_end(cli, &e);
    cm_cli_say(cli, "%u passed, %u skipped, %u failed\n", c->n[CM_MARKET_HOLDS],
               c->n[CM_MARKET_NOT_ASKED], c->n[CM_MARKET_FAILS]);
    if (cm_ok(verdict) && c->n[CM_MARKET_FAILS])
        return CM_FAIL(MARKET_OTHER);
    return verdict;
}

/* ---- records ------------------------------------------------------------------------------- */

cm_err cm_cli_read_record(cm_cli *cli, cm_buf *out, const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    bool dash = cm_cli_is_dash(path);
    size_t got = 0;

    out->max = CM_MARKET_RECORD_MAX + 1;
    CM_TRY(cm_buf_reserve(out, out->max));
    if (!dash)
        CM_TRY(cm_cli_about(cli, path, cm_os_open_read(&fd, path), NULL));
    CM_TRY(cm_cli_about(cli, path, cm_os_read(dash ? STDIN_FILENO : fd, out->p, out->max, &got),
                        NULL));
    out->n = got;
    return got < out->max ? CM_OKAY : cm_cli_about(cli, path, CM_FAIL(MARKET_MALFORMED), NULL);
}

void cm_cli_put_hex(cm_cli *cli, cm_cli_event *e, const char *name, cm_view v)
{
    char text[65];

    cm_json_put_hex(&e->w, name, v);
    cm_cli_say(cli, "%-12s %s\n", name, cm_cli_hex(text, v));
}

void cm_cli_put_number(cm_cli *cli, cm_cli_event *e, const char *name, uint64_t v)
{
    cm_json_put_u64(&e->w, name, v);
    cm_cli_say(cli, "%-12s %llu\n", name, (unsigned long long)v);
}

static const char *algorithms(uint16_t algs)
{
    static const char *const names[] = {"", "secp256k1", "ml-dsa-65", "secp256k1 and ml-dsa-65",
                                        "those of its batch's head"};

    return algs < CM_COUNT(names) ? names[algs] : "";
}

static void put_time(cm_cli *cli, cm_cli_event *e, const char *name, uint64_t ms)
{
    char date[32];

    cm_json_put_u64(&e->w, name, ms);
    cm_cli_say(cli, "%-12s %llu (%s)\n", name, (unsigned long long)ms,
               cm_cli_date(date, ms / 1000));
}

void cm_cli_put_head(cm_cli *cli, cm_cli_event *e, const cm_market_head *h)
{
    cm_json_put_text(&e->w, "algorithms", cm_view_str(algorithms(h->algs)));
    cm_cli_say(cli, "%-12s %s\n", "algorithms", algorithms(h->algs));
    cm_cli_put_hex(cli, e, "key_id", CM_VIEW(h->key_id));
    cm_cli_put_hex(cli, e, "realm", CM_VIEW(h->realm));
    cm_cli_put_hex(cli, e, "nonce", CM_VIEW(h->nonce));
    put_time(cli, e, "issued_ms", h->issued_ms);
    put_time(cli, e, "expires_ms", h->expires_ms);
}

void cm_cli_show_poai(cm_cli *cli, const char *event, const cm_poai *r)
{
    uint8_t digest[32];
    cm_cli_event e;

    cm_cli_event_begin(cli, &e, event);
    if (cm_ok(cm_poai_digest(cli->crypt, digest, r)))
        cm_cli_put_hex(cli, &e, "digest", CM_VIEW(digest));
    cm_cli_put_head(cli, &e, &r->head);
    cm_cli_put_hex(cli, &e, r->claims & CM_MARKET_MODEL_ROOT ? "model" : "model_name_digest",
                   CM_VIEW(r->model));
    cm_cli_put_hex(cli, &e, "node", CM_VIEW(r->node));
    cm_cli_put_hex(cli, &e, "input", CM_VIEW(r->input));
    cm_cli_put_hex(cli, &e, "output", CM_VIEW(r->output));
    cm_cli_put_number(cli, &e, "compute_ms", r->compute_ms);
    if (r->claims & CM_MARKET_ATTESTED)
        cm_cli_put_hex(cli, &e, "attestation", CM_VIEW(r->attestation));
    if (r->claims & CM_MARKET_PROVEN)
        cm_cli_put_hex(cli, &e, "proof", CM_VIEW(r->proof));
    cm_cli_event_end(cli, &e);
}

void cm_cli_show_settlement(cm_cli *cli, const char *event, const cm_settlement *s)
{
    char amount[CM_U256_DEC_MAX + 1];
    uint8_t digest[32];
    cm_cli_event e;

    cm_u256_format(amount, &s->amount);
    cm_cli_event_begin(cli, &e, event);
    if (cm_ok(cm_settle_digest(cli->crypt, digest, s)))
        cm_cli_put_hex(cli, &e, "digest", CM_VIEW(digest));
    cm_cli_put_head(cli, &e, &s->head);
    cm_cli_put_hex(cli, &e, "job", CM_VIEW(s->job));
    cm_cli_put_hex(cli, &e, "provider", CM_VIEW(s->provider));
    cm_cli_put_hex(cli, &e, "consumer", CM_VIEW(s->consumer));
    cm_cli_put_hex(cli, &e, "asset", CM_VIEW(s->asset));
    cm_json_put_text(&e.w, "amount_wei", cm_view_str(amount));
    cm_cli_say(cli, "%-12s %s\n", "amount_wei", amount);
    cm_cli_put_hex(cli, &e, "receipt", CM_VIEW(s->receipt));
    cm_cli_event_end(cli, &e);
}
