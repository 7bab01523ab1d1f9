/* casemate settle quote: what a trade on the HMM curve brings. */
#include "receipts.h"

static cm_err amount(cm_cli *cli, cm_u256 *out, const char *option)
{
    const char *text = cm_cli_text(cli, option);

    if (!text)
        return cm_cli_usage(cli, "--%s is missing", option);
    return cm_cli_about(cli, option, cm_u256_parse(out, cm_view_str(text)), NULL);
}

static void put(cm_cli *cli, cm_cli_event *e, const char *name, const cm_u256 *a)
{
    char text[CM_U256_DEC_MAX + 1];

    cm_u256_format(text, a);
    cm_json_put_text(&e->w, name, cm_view_str(text));
    cm_cli_say(cli, "%-12s %s\n", name, text);
}

cm_err cm_cli_settle_quote(cm_cli *cli)
{
    const uint64_t one = UINT64_C(1000000000000000000);
    cm_curve c = {.weight = one};
    cm_u256 in, least = {{0}};
    bool from_y = cm_cli_has(cli, "from-y");
    cm_cli_event e;
    cm_quote q;

    CM_TRY(amount(cli, &c.x, "x"));
    CM_TRY(amount(cli, &c.y, "y"));
    CM_TRY(amount(cli, &in, "in"));
    if (cm_cli_has(cli, "least"))
        CM_TRY(amount(cli, &least, "least"));
    CM_TRY(cm_cli_number(cli, "weight", 0, one, &c.weight));
    CM_TRY(cm_cli_number(cli, "lambda", 0, one, &c.lambda));
    CM_TRY(cm_cli_number(cli, "fee", 0, one, &c.fee));
    CM_TRY(cm_cli_number(cli, "risk", 0, one, &c.risk));
    CM_TRY(cm_curve_swap(&c, &q, from_y, &in, &least));
    cm_cli_event_begin(cli, &e, "quote");
    put(cli, &e, "out", &q.out);
    put(cli, &e, "fee", &q.fee);
    put(cli, &e, "price_before", &q.before);
    put(cli, &e, "price_after", &q.after);
    cm_cli_put_number(cli, &e, "slippage_bp", q.slippage_bp);
    put(cli, &e, "new_x", &c.x);
    put(cli, &e, "new_y", &c.y);
    cm_cli_event_end(cli, &e);
    return CM_OKAY;
}
