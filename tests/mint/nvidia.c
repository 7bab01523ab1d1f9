/* Reports of NVIDIA's GPUs. */
#include <string.h>

#include "mint_int.h"

enum {
    OLD_FORM = 1, /* of the certificate's FWID */
    BLOCKS = 5,
    DIGEST = 48,
    HALF = 48,
    CAS = 4,
};

static void put_record(cm_buf *b, const mint *m, cm_view code)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        CM_AUTO(cm_buf_free) cm_buf value = {.max = MINT_MAX};

        if (i == 0)
            mint_put(&value, code);
        else
            mint_label(&value, "block", i, DIGEST);
        mint_be(b, mint_bad(m, "index-twice") && i == 2 ? 2 : i + 1, 1);
        mint_be(b, 1, 1);
        mint_le(b, DIGEST + 3, 2);
        mint_be(b, i, 1);
        mint_le(b, mint_bad(m, "short-block") && i == 1 ? DIGEST - 1 : DIGEST, 2);
        mint_put(b, cm_buf_view(&value));
    }
}

static void put_opaque(cm_buf *b, const mint *m, cm_view fwid)
{
    CM_AUTO(cm_buf_free) cm_buf tlv = {.max = MINT_MAX};

    for (unsigned i = 0; i <= (mint_bad(m, "driver-twice") ? 1u : 0u); i++) {
        mint_le(&tlv, 3, 2);
        mint_le(&tlv, 10, 2);
        mint_text(&tlv, "580.95.05\n");
    }
    mint_le(&tlv, 6, 2);
    mint_le(&tlv, 14, 2);
    mint_text(&tlv, "96.00.CF.00.02");
    mint_le(&tlv, 20, 2);
    mint_le(&tlv, fwid.n, 2);
    mint_put(&tlv, fwid);
    mint_le(b, tlv.n, 2);
    mint_put(b, cm_buf_view(&tlv));
}

static void put_report(cm_buf *b, const mint *m, EVP_PKEY *key, cm_view fwid)
{
    CM_AUTO(cm_buf_free) cm_buf record = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf mine = {.max = MINT_MAX};

    put_record(&record, m, cm_buf_view(&m->measurement));
    mint_put(b, CM_LIT("\x11\xe0\x01\xff"));
    mint_put(b, cm_buf_view(&m->nonce));
    mint_zeros(b, 1);
    mint_put(b, mint_bad(m, "unknown-version") ? CM_LIT("\x12\x60\x00\x00")
                                               : CM_LIT("\x11\x60\x00\x00"));
    mint_be(b, BLOCKS, 1);
    mint_le(b, record.n, 3);
    mint_put(b, cm_buf_view(&record));
    /* The answer's own nonce is not the one that was asked for, as the defect has it. */
    if (mint_bad(m, "replayed"))
        mint_put(b, cm_buf_view(&m->want_nonce));
    else
        mint_label(b, "answer", 0, 32);
    put_opaque(b, m, fwid);
    mint_ecdsa(&mine, key, "SHA384", cm_buf_view(b), HALF, false);
    mint_put(b, cm_buf_view(&mine));
    b->p[b->n - 1] ^= mint_bad(m, "bad-signature");
}

/* ---- certificates -------------------------------------------------------------------------- */

static void put_fwid(cm_buf *b, cm_view fwid)
{
    size_t at = b->n, in;

    mint_oid(b, "2.16.840.1.101.3.4.2.2");
    in = b->n;
    mint_put(b, fwid);
    mint_wrap(b, in, 0x04);
    mint_wrap(b, at, 0x30);
}

/* What stands last is another digest: a reader of the last bytes takes that. */
static void put_dice(cm_buf *b, const mint *m, EVP_PKEY *key, cm_view fwid, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf other = {.max = MINT_MAX};

    mint_label(&other, "other firmware", 0, DIGEST);
    if (variant & OLD_FORM) {
        mint_int(b, 0x02, 1);
        mint_spki(b, key);
        put_fwid(b, mint_bad(m, "other-firmware") ? cm_buf_view(&other) : fwid);
    } else {
        put_fwid(b, mint_bad(m, "other-firmware") ? cm_buf_view(&other) : fwid);
        put_fwid(b, mint_bad(m, "other-firmware") ? fwid : cm_buf_view(&other));
        mint_wrap(b, 0, mint_context(6));
    }
    mint_wrap(b, 0, 0x30);
}

static void add_chain(mint *m, EVP_PKEY *leaf_key, cm_view fwid, unsigned variant)
{
    static const char *const key[] = {"p384:nvidia-root", "p384:nvidia-identity",
                                      "p384:nvidia-provisioner", "p384:nvidia-brom"};
    static const char *const file[] = {"root.der", "identity.der", "provisioner.der", "brom.der",
                                       "leaf.der"};
    CM_AUTO(cm_buf_free) cm_buf dice = {.max = MINT_MAX};
    EVP_PKEY *keys[CAS + 1];
    X509 *x[CAS + 1];
    mint_ext ext = {.oid = variant & OLD_FORM ? "2.23.133.5.4.1" : "2.23.133.5.4.1.1"};

    put_dice(&dice, m, leaf_key, fwid, variant);
    ext.der = cm_buf_view(&dice);
    for (size_t i = 0; i <= CAS; i++) {
        mint_cert s = {.cn = file[i], .serial = 0x200 + i, .ca = i < CAS};

        keys[i] = i == 0 ? mint_root_key(m, key[0]) : i < CAS ? mint_key(key[i]) : leaf_key;
        s.key = keys[i];
        s.signer = keys[i ? i - 1 : 0];
        s.issuer = i ? x[i - 1] : NULL;
        s.from = m->spec.at - MINT_YEAR;
        s.to = 253402300799; /* the end of 9999 */
        if (i == CAS) {
            s.ext = &ext;
            s.n_ext = !mint_bad(m, "missing-oid");
            if (mint_bad(m, "expired") || mint_bad(m, "not-yet"))
                mint_dates(m, &s);
        }
        x[i] = mint_cert_new(&s);
        mint_add_cert(m, file[i], x[i]);
    }
    for (size_t i = 0; i <= CAS; i++) {
        X509_free(x[i]);
        if (i < CAS)
            EVP_PKEY_free(keys[i]);
    }
}

void mint_nvidia(mint *m, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf record = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf fwid = {.max = MINT_MAX};
    EVP_PKEY *key = mint_key("p384:gpu");

    mint_label(&fwid, "firmware", 0, DIGEST);
    put_report(&b, m, key, cm_buf_view(&fwid));
    m->in.evidence = mint_keep(m, "evidence.bin", &b);
    add_chain(m, key, cm_buf_view(&fwid), variant);
    put_record(&record, m, cm_buf_view(&m->want_measurement));
    m->want_measurement.n = 0;
    mint_hash(&m->want_measurement, "SHA384", cm_buf_view(&record));
    m->one_measurement = cm_buf_view(&m->want_measurement);
    m->skips = CM_CHECK_BIT(REVOCATION);
    EVP_PKEY_free(key);
}
