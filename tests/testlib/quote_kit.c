#include "quote_kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec/text.h"

enum { AK_ATTRIBUTES = 0x50072, ROOM = 4096, PCR = 32 };

static void must(bool good)
{
    if (!good) {
        (void)fprintf(stderr, "quote_kit failed\n");
        exit(2);
    }
}

static void put(cm_buf *b, cm_view v)
{
    must(cm_ok(cm_buf_append(b, v)));
}

static void be16(cm_buf *b, uint16_t v)
{
    must(cm_ok(cm_buf_be16(b, v)));
}

static void sized(cm_buf *b, cm_view v)
{
    be16(b, (uint16_t)v.n);
    put(b, v);
}

static void make_area(t_quoter *q)
{
    cm_view point = cm_sig_public(q->ak);
    cm_buf b = {.max = ROOM};

    be16(&b, 0x0023); /* ECC */
    be16(&b, 0x000b); /* SHA-256 */
    must(cm_ok(cm_buf_be32(&b, AK_ATTRIBUTES)));
    be16(&b, 0);      /* authPolicy */
    be16(&b, 0x0010); /* symmetric: NULL */
    be16(&b, 0x0018); /* ECDSA */
    be16(&b, 0x000b);
    be16(&b, 0x0003); /* P-256 */
    be16(&b, 0x0010); /* kdf: NULL */
    sized(&b, cm_view_sub(point, 1, 32));
    sized(&b, cm_view_sub(point, 33, 32));
    q->area.max = ROOM;
    sized(&q->area, cm_buf_view(&b));
    q->name[0] = 0;
    q->name[1] = 0x0b;
    must(cm_ok(cm_hash_once(q->c, CM_SHA256, q->name + 2, cm_buf_view(&b))));
    cm_buf_free(&b);
}

t_quoter *t_quoter_new(const cm_crypt *c, uint8_t number)
{
    t_quoter *q = NULL;
    uint8_t seed[32];

    memset(seed, number, sizeof seed);
    must(cm_ok(cm_alloc(&q, sizeof *q)));
    q->c = c;
    must(cm_ok(cm_sig_from_seed(&q->ak, c, CM_SIG_P256, CM_VIEW(seed))));
    make_area(q);
    return q;
}

void t_quoter_done(t_quoter *q)
{
    cm_sig_key_free(q->ak);
    cm_buf_free(&q->area);
    cm_free(q);
}

void t_quote_measurement(uint8_t out[32], const cm_crypt *c, uint8_t pcr11)
{
    uint8_t value[PCR];

    memset(value, pcr11, sizeof value);
    must(cm_ok(cm_hash_once(c, CM_SHA256, out, CM_VIEW(value))));
}

static void make_quote(cm_buf *b, const t_quoter *q, const t_quote *what)
{
    uint8_t digest[32];

    t_quote_measurement(digest, q->c, what->pcr11);
    put(b, CM_LIT("\xff\x54\x43\x47\x80\x18"));
    sized(b, CM_VIEW(q->name));
    sized(b, what->nonce);
    must(cm_ok(cm_buf_be64(b, 123456)));
    must(cm_ok(cm_buf_be32(b, what->resets)));
    must(cm_ok(cm_buf_be32(b, what->restarts)));
    put(b, CM_LIT("\x01"));
    must(cm_ok(cm_buf_be64(b, 0x0102030405060708)));
    must(cm_ok(cm_buf_be32(b, 1)));
    be16(b, 0x000b);
    put(b, CM_LIT("\x03\x00\x08\x00"));
    sized(b, CM_VIEW(digest));
}

void t_quote_pack(cm_buf *out, const t_quoter *q, const t_quote *what)
{
    cm_buf quote = {.max = ROOM}, signature = {.max = ROOM};
    uint8_t raw[64], value[PCR];
    cm_attest_input in = {.kind = CM_ATTEST_TPM};

    make_quote(&quote, q, what);
    must(cm_ok(cm_sign_raw(q->ak, raw, cm_buf_view(&quote))));
    be16(&signature, 0x0018);
    be16(&signature, 0x000b);
    sized(&signature, cm_view_of(raw, 32));
    sized(&signature, cm_view_of(raw + 32, 32));
    memset(value, what->pcr11, sizeof value);
    in.evidence = cm_buf_view(&quote);
    in.part[CM_PART_SIGNATURE] = cm_buf_view(&signature);
    in.part[CM_PART_AK] = cm_buf_view(&q->area);
    in.part[CM_PART_PCRS] = CM_VIEW(value);
    must(cm_ok(cm_attest_pack_put(out, &in)));
    cm_buf_free(&quote);
    cm_buf_free(&signature);
}

void t_quote_policy(cm_buf *out, const t_quoter *q, const char *name, unsigned version,
                    uint8_t pcr11, const char *more)
{
    char text[ROOM];
    uint8_t digest[32];
    cm_buf chip = {.max = 128}, measured = {.max = 128};

    t_quote_measurement(digest, q->c, pcr11);
    must(cm_ok(cm_hex_encode(&chip, CM_VIEW(q->name))));
    must(cm_ok(cm_hex_encode(&measured, CM_VIEW(digest))));
    (void)snprintf(
        text, sizeof text,
        "casemate_policy: 1\nname: %s\nversion: %u\nevidence:\n  tpm:\n"
        "    measurements:\n"
        "      - {value: %.*s, name: image %u, provenance: made by a test}\n"
        "    pcrs: [11]\n    chips: [%.*s]\n    may_skip: [revocation, platform, events]\n%s",
        name, version, (int)measured.n, (char *)measured.p, pcr11, (int)chip.n, (char *)chip.p,
        more);
    put(out, cm_view_str(text));
    cm_buf_free(&chip);
    cm_buf_free(&measured);
}
