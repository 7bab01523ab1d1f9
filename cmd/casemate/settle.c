/* casemate settle sign, settle verify: settlements with keys in files. */
#include <stdio.h>

#include "access.h"
#include "receipts.h"

/* The receipt behind --receipt, verified with --receipt-key if there is one. */
static cm_err receipt_of(cm_cli *cli, cm_poai *r, const cm_market_policy *p, cm_market_line line,
                         cm_cli_checks *c)
{
    CM_AUTO(cm_cli_market_keys_done) cm_cli_market_keys k = {0};
    CM_AUTO(cm_buf_free) cm_buf record = {0};
    const char *path = cm_cli_text(cli, "receipt");
    bool read = false;

    CM_TRY(cm_cli_read_record(cli, &record, path));
    if (!cm_cli_has(cli, "receipt-key")) {
        cm_err e = record.n < CM_POAI_SIZE ? CM_FAIL(MARKET_MALFORMED)
                                           : cm_poai_decode(r, cm_view_of(record.p, CM_POAI_SIZE));

        return cm_cli_about(cli, path, e, NULL);
    }
    CM_TRY(cm_cli_market_keys_init(cli, &k, "receipt-key", false));
    if (!line)
        return cm_cli_about(cli, path,
                            cm_poai_verify(r, cli->crypt, &k.keys, p, cm_buf_view(&record)), NULL);
    return cm_cli_about(
        cli, path, cm_poai_checks(r, &read, cli->crypt, &k.keys, p, cm_buf_view(&record), line, c),
        NULL);
}

static cm_err address(cm_cli *cli, uint8_t out[20], const char *option)
{
    bool have = false;

    CM_TRY(cm_cli_market_hex(cli, out, 20, option, &have));
    return have ? CM_OKAY : cm_cli_usage(cli, "--%s is missing", option);
}

static cm_err amount_of(cm_cli *cli, cm_u256 *out)
{
    const char *text = cm_cli_text(cli, "amount");
    cm_err e;

    if (!text)
        return cm_cli_usage(cli, "--amount is missing");
    e = cm_u256_parse(out, cm_view_str(text));
    return cm_cli_about(cli, "--amount", e, NULL);
}

static cm_err settlement_of(cm_cli *cli, cm_settlement *s)
{
    bool have = false;

    CM_TRY(cm_cli_market_head(cli, &s->head, CM_SETTLE_TTL_MS));
    CM_TRY(cm_cli_named_option(cli, s->job, "job", "job-name", &have));
    if (!have)
        return cm_cli_usage(cli, "one of --job and --job-name is missing");
    CM_TRY(address(cli, s->provider, "provider"));
    CM_TRY(address(cli, s->consumer, "consumer"));
    CM_TRY(cm_cli_market_hex(cli, s->asset, 20, "asset", &have));
    return amount_of(cli, &s->amount);
}

/* M-15, as any verifier of the settlement will see it. */
static cm_err bind(cm_cli *cli, cm_settlement *s)
{
    static const char *const ways[] = {"receipt-key", "any-receipt", NULL};
    cm_market_policy p = {.now_ms = s->head.issued_ms, .skew_ms = CM_MARKET_SKEW_MS};
    cm_poai r;

    if (!cm_cli_has(cli, "receipt"))
        return cm_cli_usage(cli, "--receipt is missing");
    CM_TRY(cm_cli_at_most_one(cli, ways));
    if (!cm_cli_has(cli, "receipt-key") && !cm_cli_has(cli, "any-receipt"))
        return cm_cli_usage(cli, "whose receipt is it? --receipt-key verifies it, --any-receipt "
                                 "settles it unseen");
    CM_TRY(receipt_of(cli, &r, &p, NULL, NULL));
    if (!cm_cli_has(cli, "realm") && !cm_cli_has(cli, "realm-name"))
        memcpy(s->head.realm, r.head.realm, sizeof s->head.realm);
    CM_TRY(cm_poai_digest(cli->crypt, s->receipt, &r));
    return cm_cli_about(cli, cm_cli_text(cli, "receipt"),
                        cm_settle_binds(cli->crypt, s, &r, CM_MARKET_SKEW_MS), NULL);
}

cm_err cm_cli_settle_sign(cm_cli *cli)
{
    CM_AUTO(cm_cli_market_keys_done) cm_cli_market_keys k = {0};
    CM_AUTO(cm_buf_free) cm_buf record = {.max = CM_MARKET_RECORD_MAX};
    const char *out = cm_cli_text(cli, "out");
    cm_settlement s = {.amount = {{0}}};

    if (out && !cm_cli_is_dash(out))
        CM_TRY(cm_cli_check_output(cli, out));
    CM_TRY(cm_cli_market_keys_init(cli, &k, "key", true));
    CM_TRY(settlement_of(cli, &s));
    CM_TRY(bind(cli, &s));
    CM_TRY(cm_settle_sign(&record, cli->crypt, &k.keys, &s));
    CM_TRY(cm_cli_put_file(cli, out, cm_buf_view(&record)));
    cm_cli_show_settlement(cli, "settlement", &s);
    return CM_OKAY;
}

/* ---- verifying ----------------------------------------------------------------------------- */

/* What the options say the settlement should be. */
typedef struct {
    uint8_t job[32], provider[20], consumer[20], asset[20], amount[32];
    bool has_job, has_provider, has_consumer, has_asset, has_amount;
} expected;

static cm_err expect(cm_cli *cli, expected *x)
{
    cm_u256 amount;

    CM_TRY(cm_cli_named_option(cli, x->job, "job", "job-name", &x->has_job));
    CM_TRY(cm_cli_market_hex(cli, x->provider, 20, "provider", &x->has_provider));
    CM_TRY(cm_cli_market_hex(cli, x->consumer, 20, "consumer", &x->has_consumer));
    CM_TRY(cm_cli_market_hex(cli, x->asset, 20, "asset", &x->has_asset));
    x->has_amount = cm_cli_has(cli, "amount");
    if (!x->has_amount)
        return CM_OKAY;
    CM_TRY(amount_of(cli, &amount));
    cm_u256_to_be(x->amount, &amount);
    return CM_OKAY;
}

static void compare(cm_cli_checks *c, const expected *x, const cm_settlement *s)
{
    uint8_t amount[32];

    cm_u256_to_be(amount, &s->amount);
    cm_cli_check_same(c, "the job", x->has_job, CM_VIEW(x->job), CM_VIEW(s->job));
    cm_cli_check_same(c, "the provider", x->has_provider, CM_VIEW(x->provider),
                      CM_VIEW(s->provider));
    cm_cli_check_same(c, "the consumer", x->has_consumer, CM_VIEW(x->consumer),
                      CM_VIEW(s->consumer));
    cm_cli_check_same(c, "the asset", x->has_asset, CM_VIEW(x->asset), CM_VIEW(s->asset));
    cm_cli_check_same(c, "the amount", x->has_amount, CM_VIEW(x->amount), CM_VIEW(amount));
}

/* The receipt's own time is over long before the settlement's: only the binding looks at it. */
static cm_err check_receipt(cm_cli_checks *c, const cm_settlement *s, const cm_market_policy *p)
{
    static const char what[] = "bound to its receipt, in its time";
    cm_market_policy archive = {.any_time = true, .realm = p->realm};
    cm_cli *cli = c->cli;
    cm_poai r;
    cm_err e;

    if (!cm_cli_has(cli, "receipt")) {
        cm_cli_check_line(c, CM_MARKET_NOT_ASKED, what, CM_OKAY);
        return CM_OKAY;
    }
    cm_cli_say(cli, "the receipt:\n");
    CM_TRY(receipt_of(cli, &r, &archive, cm_cli_check_line, c));
    cm_cli_say(cli, "both:\n");
    e = cm_settle_binds(cli->crypt, s, &r, p->skew_ms);
    cm_cli_check_line(c, cm_ok(e) ? CM_MARKET_HOLDS : CM_MARKET_FAILS, what, e);
    return e;
}

static void say_unproven(cm_cli *cli)
{
    static const char *const list[] = {
        "that the money was moved: a chain or a bank says so",
        "that the job was not settled before: whoever keeps state refuses a second time",
        "that the receipt was signed by anyone: name its key with --receipt-key",
    };

    cm_cli_unproven(cli, list, cm_cli_has(cli, "receipt-key") ? 2 : 3);
}

cm_err cm_cli_settle_verify(cm_cli *cli)
{
    CM_AUTO(cm_cli_market_keys_done) cm_cli_market_keys k = {0};
    CM_AUTO(cm_buf_free) cm_buf record = {0};
    cm_cli_checks c = {.cli = cli};
    expected x = {.has_job = false};
    uint8_t realm[32];
    cm_market_policy p;
    cm_settlement s;
    bool read = false;
    cm_err e, second = CM_OKAY;

    CM_TRY(cm_cli_market_keys_init(cli, &k, "key", false));
    CM_TRY(cm_cli_market_policy(cli, &p, realm));
    CM_TRY(expect(cli, &x));
    cm_cli_on(cli, cli->args[0]);
    CM_TRY(cm_cli_read_record(cli, &record, cli->args[0]));
    e = cm_settle_checks(&s, &read, cli->crypt, &k.keys, &p, cm_buf_view(&record),
                         cm_cli_check_line, &c);
    if (read) {
        compare(&c, &x, &s);
        second = check_receipt(&c, &s, &p);
        cm_cli_show_settlement(cli, "settlement", &s);
        say_unproven(cli);
    }
    return cm_cli_checks_end(&c, cm_failed(e) ? e : second);
}
