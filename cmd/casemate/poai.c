/* casemate poai sign, poai verify: receipts with keys in files. */
#include <stdio.h>

#include "access.h"
#include "receipts.h"

static const char *const streams[] = {"input", "output", "attestation", "proof", NULL};

/* A digest that stands in the receipt with a claim beside it. */
static cm_err claimed(cm_cli *cli, cm_poai *r, uint8_t at[32], const char *file, const char *digest,
                      uint16_t claim)
{
    bool have = false;

    CM_TRY(cm_cli_content_option(cli, at, file, digest, &have));
    if (have)
        r->claims |= claim;
    return CM_OKAY;
}

static cm_err demanded(cm_cli *cli, bool have, const char *a, const char *b)
{
    return have ? CM_OKAY : cm_cli_usage(cli, "one of --%s and --%s is missing", a, b);
}

static cm_err receipt_of(cm_cli *cli, cm_poai *r)
{
    bool have = false;

    CM_TRY(cm_cli_one_stdin(cli, streams));
    CM_TRY(cm_cli_market_head(cli, &r->head, CM_POAI_TTL_MS));
    CM_TRY(cm_cli_number(cli, "compute-ms", 0, UINT64_MAX, &r->compute_ms));
    CM_TRY(cm_cli_named_option(cli, r->model, "model", "model-name", &have));
    CM_TRY(demanded(cli, have, "model", "model-name"));
    if (cm_cli_has(cli, "model"))
        r->claims |= CM_MARKET_MODEL_ROOT;
    CM_TRY(cm_cli_named_option(cli, r->node, "node", "node-name", &have));
    CM_TRY(demanded(cli, have, "node", "node-name"));
    CM_TRY(
        claimed(cli, r, r->attestation, "attestation", "attestation-digest", CM_MARKET_ATTESTED));
    CM_TRY(claimed(cli, r, r->proof, "proof", "proof-digest", CM_MARKET_PROVEN));
    CM_TRY(cm_cli_content_option(cli, r->input, "input", "input-digest", &have));
    CM_TRY(demanded(cli, have, "input", "input-digest"));
    CM_TRY(cm_cli_content_option(cli, r->output, "output", "output-digest", &have));
    return demanded(cli, have, "output", "output-digest");
}

cm_err cm_cli_poai_sign(cm_cli *cli)
{
    CM_AUTO(cm_cli_market_keys_done) cm_cli_market_keys k = {0};
    CM_AUTO(cm_buf_free) cm_buf record = {.max = CM_MARKET_RECORD_MAX};
    const char *out = cm_cli_text(cli, "out");
    cm_poai r = {.claims = 0};

    if (out && !cm_cli_is_dash(out))
        CM_TRY(cm_cli_check_output(cli, out));
    CM_TRY(cm_cli_market_keys_init(cli, &k, "key", true));
    CM_TRY(receipt_of(cli, &r));
    CM_TRY(cm_poai_sign(&record, cli->crypt, &k.keys, &r));
    CM_TRY(cm_cli_put_file(cli, out, cm_buf_view(&record)));
    cm_cli_show_poai(cli, "receipt", &r);
    return CM_OKAY;
}

/* ---- verifying ----------------------------------------------------------------------------- */

/* What the options say the receipt should be about. */
typedef struct {
    uint8_t model[32], node[32], input[32], output[32], attestation[32], proof[32];
    bool has_model, has_node, has_input, has_output, has_attestation, has_proof;
} expected;

static cm_err expect(cm_cli *cli, expected *x)
{
    CM_TRY(cm_cli_one_stdin(cli, streams));
    CM_TRY(cm_cli_named_option(cli, x->model, "model", "model-name", &x->has_model));
    CM_TRY(cm_cli_named_option(cli, x->node, "node", "node-name", &x->has_node));
    CM_TRY(cm_cli_content_option(cli, x->input, "input", "input-digest", &x->has_input));
    CM_TRY(cm_cli_content_option(cli, x->output, "output", "output-digest", &x->has_output));
    CM_TRY(cm_cli_content_option(cli, x->attestation, "attestation", "attestation-digest",
                                 &x->has_attestation));
    return cm_cli_content_option(cli, x->proof, "proof", "proof-digest", &x->has_proof);
}

static void compare(cm_cli_checks *c, const expected *x, const cm_poai *r)
{
    bool root = cm_cli_has(c->cli, "model"); /* a digest of weights is not one of a name */
    bool same = root == ((r->claims & CM_MARKET_MODEL_ROOT) != 0);

    cm_cli_check_same(c, "the model", x->has_model, CM_VIEW(x->model),
                      same ? CM_VIEW(r->model) : (cm_view){0});
    cm_cli_check_same(c, "the node", x->has_node, CM_VIEW(x->node), CM_VIEW(r->node));
    cm_cli_check_same(c, "the input", x->has_input, CM_VIEW(x->input), CM_VIEW(r->input));
    cm_cli_check_same(c, "the output", x->has_output, CM_VIEW(x->output), CM_VIEW(r->output));
    cm_cli_check_same(c, "the attestation", x->has_attestation, CM_VIEW(x->attestation),
                      CM_VIEW(r->attestation));
    cm_cli_check_same(c, "the proof", x->has_proof, CM_VIEW(x->proof), CM_VIEW(r->proof));
}

static void say_unproven(cm_cli *cli, const cm_poai *r)
{
    const char *list[8];
    size_t n = 0;

    while (n < CM_COUNT(list) - 1 && (list[n] = cm_poai_unproven(r, n)) != NULL)
        n++;
    list[n++] = "that it was not shown before: whoever keeps state remembers its nonce";
    cm_cli_unproven(cli, list, n);
}

static cm_err verify_one(cm_cli *cli, const cm_market_keys *k, const cm_market_policy *p,
                         const expected *x, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf record = {0};
    cm_cli_checks c = {.cli = cli};
    bool read = false;
    cm_poai r;
    cm_err e;

    cm_cli_on(cli, path);
    CM_TRY(cm_cli_read_record(cli, &record, path));
    e = cm_poai_checks(&r, &read, cli->crypt, k, p, cm_buf_view(&record), cm_cli_check_line, &c);
    if (read) {
        compare(&c, x, &r);
        cm_cli_show_poai(cli, "receipt", &r);
        say_unproven(cli, &r);
    }
    return cm_cli_checks_end(&c, e);
}

cm_err cm_cli_poai_verify(cm_cli *cli)
{
    CM_AUTO(cm_cli_market_keys_done) cm_cli_market_keys k = {0};
    expected x = {.has_model = false};
    uint8_t realm[32];
    cm_market_policy p;

    CM_TRY(cm_cli_market_keys_init(cli, &k, "key", false));
    CM_TRY(cm_cli_market_policy(cli, &p, realm));
    CM_TRY(expect(cli, &x));
    if (cm_cli_has(cli, "stored"))
        return cm_cli_poai_stored(cli, &k.keys, &p, cli->args[0]);
    return verify_one(cli, &k.keys, &p, &x, cli->args[0]);
}
