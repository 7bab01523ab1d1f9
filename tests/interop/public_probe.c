/* What a program sees through <casemate/market.h>, for market_public.py: lines of a word and hex
 * fields in (- is an empty one); "OKAY" and a result, or an error's name, out. */
#include <casemate/market.h>
#include <stdio.h>

enum { FIELDS = 8, FIELD = 8192 };

typedef struct {
    uint8_t b[FIELDS][FIELD];
    size_t n[FIELDS];
} fields;

static fields in;

static bool take(size_t i)
{
    static char text[2 * FIELD + 1];
    unsigned v;

    in.n[i] = 0;
    if (scanf(" %16384[0-9a-f-]", text) != 1)
        return false;
    for (const char *p = text; p[0] != 0 && p[0] != '-' && p[1] != 0; p += 2) {
        if (sscanf(p, "%2x", &v) != 1)
            return false;
        in.b[i][in.n[i]++] = (uint8_t)v;
    }
    return true;
}

static cm_view field(size_t i)
{
    return cm_view_of(in.b[i], in.n[i]);
}

static cm_err receipt(uint8_t out[32], const cm_verifier *v, const cm_market_policy *p)
{
    cm_poai r;
    cm_err e = cm_verifier_poai(&r, v, p, field(2));

    return cm_ok(e) ? cm_verifier_poai_digest(out, v, &r) : e;
}

static cm_err settlement(uint8_t out[32], const cm_verifier *v, const cm_market_policy *p)
{
    cm_settlement s;
    cm_err e = cm_verifier_settlement(&s, v, p, field(2));

    return cm_ok(e) ? cm_verifier_settlement_digest(out, v, &s) : e;
}

static cm_err bridge(uint8_t out[32], const cm_verifier *v)
{
    uint8_t again[CM_BRIDGE_RECEIPT];
    cm_bridge_receipt r;
    cm_err e = cm_bridge_decode(&r, field(2));

    if (cm_failed(e))
        return e;
    cm_bridge_encode(again, &r);
    if (memcmp(again, in.b[2], sizeof again) != 0)
        return CM_FAIL(BAD_ARGUMENT);
    return cm_verifier_bridge_hash(out, v, &r);
}

static cm_claim claim(void)
{
    cm_claim m;

    m.task = cm_u256_from_be(in.b[2]);
    memcpy(m.intent, in.b[3], 32);
    memcpy(m.model, in.b[4], 32);
    memcpy(m.prompt, in.b[5], 32);
    memcpy(m.block, in.b[6], 32);
    memcpy(m.operator_address, in.b[7], 20);
    return m;
}

static cm_err answer(uint8_t out[32], char what, const cm_verifier *v)
{
    cm_market_policy p = {0, 0, 0, NULL, true};
    cm_claim m;

    switch (what) {
    case 'r':
        return receipt(out, v, &p);
    case 's':
        return settlement(out, v, &p);
    case 'b':
        return bridge(out, v);
    case 'c':
        m = claim();
        return cm_verifier_challenge(out, v, &m);
    case 'd': /* output and runtime in the place of the keys */
        m = claim();
        return cm_verifier_report_data(out, v, &m, in.b[0], in.b[1]);
    case 'k':
        return cm_verifier_claim_key(out, v, in.b[2], in.b[3], in.b[4]);
    default:
        return CM_FAIL(BAD_ARGUMENT);
    }
}

static cm_verifier *any_keys(void)
{
    /* The generator: hashes do not ask whose. */
    static const uint8_t point[33] = {
        0x02, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0,
        0x62, 0x95, 0xce, 0x87, 0x0b, 0x07, 0x02, 0x9b, 0xfc, 0xdb, 0x2d,
        0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
    };
    cm_verifier *v = NULL;
    cm_err e = cm_verifier_new(&v, cm_view_of(point, sizeof point), cm_view_of(NULL, 0));

    return cm_ok(e) ? v : NULL;
}

int main(void)
{
    char what;
    int n;

    while (scanf(" %c %d", &what, &n) == 2 && n <= FIELDS) {
        cm_verifier *v = NULL;
        uint8_t out[32];
        cm_err e = CM_OKAY;

        for (int i = 0; i < n; i++)
            if (!take((size_t)i))
                return 1;
        if (what == 'r' || what == 's')
            e = cm_verifier_new(&v, field(0), field(1));
        else
            v = any_keys();
        if (cm_ok(e))
            e = answer(out, what, v);
        printf("%s", cm_ok(e) ? "OKAY " : cm_err_name(e));
        for (size_t i = 0; cm_ok(e) && i < sizeof out; i++)
            printf("%02x", out[i]);
        printf("\n");
        cm_verifier_free(v);
    }
    return 0;
}
