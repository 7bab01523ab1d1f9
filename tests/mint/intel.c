/* Quotes of SGX enclaves and TDs. */
#include <string.h>

#include "intel_int.h"

enum { PAIR = 64, REGISTERS = 4, ENCLAVE = 384, RTMR = 48 };

/* ---- bodies -------------------------------------------------------------------------------- */

static void put_header(cm_buf *b, const mint *m, unsigned variant)
{
    static const uint8_t vendor[] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                     0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

    mint_le(b, mint_bad(m, "unknown-version") ? 6 : variant & 0xf, 2);
    mint_le(b, mint_bad(m, "wrong-algorithm") ? 3 : 2, 2);
    mint_le(b, variant & MINT_TDX ? 0x81 : 0, 4);
    mint_zeros(b, 4);
    mint_put(b, CM_VIEW(vendor));
    mint_zeros(b, 20);
    if ((variant & 0xf) < 5)
        return;
    mint_le(b, !(variant & MINT_TDX) ? 1 : variant & MINT_TD15 ? 3 : 2, 2);
    mint_le(b, !(variant & MINT_TDX) ? ENCLAVE : variant & MINT_TD15 ? 648 : 584, 4);
}

static void put_enclave(cm_buf *b, const mint *m)
{
    mint_label(b, "CPUSVN", 0, 16);
    mint_zeros(b, 32);
    mint_le(b, mint_bad(m, "debug") ? 7 : 5, 8);
    mint_le(b, 0xe7, 8);
    mint_put(b, cm_buf_view(&m->measurement));
    mint_zeros(b, 32);
    mint_label(b, "MRSIGNER", 0, 32);
    mint_zeros(b, 32);
    mint_put(b, cm_buf_view(&m->config));
    mint_le(b, 1, 2);
    mint_le(b, 1, 2);
    mint_zeros(b, 60);
    mint_field(b, cm_buf_view(&m->nonce), 64);
}

/* Of the launch, or of now. */
static void put_td_svn(cm_buf *b, const mint *m, unsigned variant, bool launch)
{
    uint8_t svn[MINT_SVNS];

    mint_tdx_svn(svn, variant);
    if (launch && mint_bad(m, "relaunch"))
        svn[0]--;
    if (mint_bad(m, "old-module"))
        svn[0]--;
    if (mint_bad(m, "unknown-module"))
        svn[1] = 9;
    if (mint_bad(m, "old-loader"))
        svn[2]--;
    mint_put(b, CM_VIEW(svn));
}

static void put_td(cm_buf *b, const mint *m, unsigned variant, uint8_t reg[REGISTERS][RTMR])
{
    uint64_t attributes =
        (mint_bad(m, "no-sept-ve") ? 0 : 1u << 28) | (mint_bad(m, "debug") ? 1 : 0);

    put_td_svn(b, m, variant, true);
    mint_label(b, "MRSEAM", 0, 48);
    mint_zeros(b, 48); /* MRSIGNERSEAM: the vendor's own */
    mint_le(b, mint_bad(m, "seam-attributes") ? 1 : 0, 8);
    mint_le(b, attributes, 8);
    mint_le(b, 0xe702e7, 8);
    mint_put(b, cm_buf_view(&m->measurement));
    mint_put(b, cm_buf_view(&m->config));
    mint_zeros(b, 96); /* owner and its configuration */
    for (size_t i = 0; i < REGISTERS; i++)
        mint_put(b, cm_view_of(reg[i], RTMR));
    mint_field(b, cm_buf_view(&m->nonce), 64);
    if (!(variant & MINT_TD15))
        return;
    put_td_svn(b, m, variant, false);
    if (mint_bad(m, "service-td"))
        mint_label(b, "service", 0, 48);
    else
        mint_zeros(b, 48);
}

/* ---- what vouches for it ------------------------------------------------------------------- */

static void put_qe_report(cm_buf *b, const mint *m, cm_view key, cm_view auth)
{
    CM_AUTO(cm_buf_free) cm_buf both = {.max = MINT_MAX};
    size_t at = b->n;

    mint_label(b, "QE CPUSVN", 0, 16);
    mint_zeros(b, 32);
    mint_le(b, mint_bad(m, "debug-qe") ? 0x17 : 0x15, 8);
    mint_le(b, 0xe7, 8);
    mint_label(b, "QE", 0, 32);
    mint_zeros(b, 32);
    mint_put(b, cm_view_of(mint_qe_mrsigner, 32));
    b->p[b->n - 1] ^= mint_bad(m, "strange-qe");
    mint_zeros(b, 96);
    mint_le(b, mint_bad(m, "other-product-qe") ? 1 : 2, 2);
    mint_le(b, MINT_QE_SVN - (mint_bad(m, "old-qe") ? 1 : 0), 2);
    mint_zeros(b, 60);
    mint_put(&both, key);
    mint_put(&both, auth);
    mint_hash(b, "SHA256", cm_buf_view(&both));
    b->p[b->n - 1] ^= mint_bad(m, "unbound-key");
    mint_zeros(b, 32);
    b->p[b->n - 1] ^= mint_bad(m, "bound-more");
    mint_must(b->n - at == ENCLAVE, "size of a report");
}

static void put_chain(cm_buf *b, const mint_intel_pki *k)
{
    CM_AUTO(cm_buf_free) cm_buf pem = {.max = MINT_MAX};

    mint_pem(&pem, k->x_pck);
    mint_pem(&pem, k->x_ca);
    mint_pem(&pem, k->x_root);
    mint_le(b, 5, 2);
    mint_le(b, pem.n, 4);
    mint_put(b, cm_buf_view(&pem));
}

/* The quoting enclave's part: its report, signed with the PCK, and the chain. */
static void put_qe(cm_buf *b, const mint *m, const mint_intel_pki *k, cm_view key)
{
    CM_AUTO(cm_buf_free) cm_buf auth = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf report = {.max = MINT_MAX};

    mint_label(&auth, "auth", 0, 32);
    put_qe_report(&report, m, key, cm_buf_view(&auth));
    mint_put(b, cm_buf_view(&report));
    mint_ecdsa(b, k->pck, "SHA256", cm_buf_view(&report), PAIR / 2, false);
    b->p[b->n - 1] ^= mint_bad(m, "bad-qe-signature");
    mint_le(b, auth.n, 2);
    mint_put(b, cm_buf_view(&auth));
    put_chain(b, k);
}

static void put_signature(cm_buf *b, const mint *m, const mint_intel_pki *k, unsigned variant)
{
    EVP_PKEY *key = mint_key("p256:attestation");
    CM_AUTO(cm_buf_free) cm_buf data = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf qe = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf point = {.max = MINT_MAX};

    mint_point(&point, key);
    mint_ecdsa(&data, key, "SHA256", cm_buf_view(b), PAIR / 2, false);
    data.p[0] ^= mint_bad(m, "bad-signature");
    mint_put(&data, cm_buf_view(&point));
    put_qe(&qe, m, k, cm_buf_view(&point));
    if ((variant & 0xf) >= 4) {
        mint_le(&data, 6, 2);
        mint_le(&data, qe.n, 4);
    }
    mint_put(&data, cm_buf_view(&qe));
    mint_le(b, data.n, 4);
    mint_put(b, cm_buf_view(&data));
    EVP_PKEY_free(key);
}

void mint_intel(mint *m, unsigned variant)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf log = {.max = MINT_MAX};
    uint8_t reg[REGISTERS][RTMR];
    mint_intel_pki k = {0};

    mint_intel_pki_new(m, &k);
    put_header(&b, m, variant);
    mint_log(&log, reg, &(mint_log_spec){0x0c, "SHA384", RTMR, 1, REGISTERS, {0}});
    reg[3][0] ^= mint_bad(m, "other-events");
    if (variant & MINT_TDX)
        put_td(&b, m, variant, reg);
    else
        put_enclave(&b, m);
    put_signature(&b, m, &k, variant);
    m->in.evidence = mint_keep(m, "evidence.bin", &b);
    if (variant & MINT_TDX)
        m->in.event_log = mint_keep(m, "ccel.bin", &log);
    mint_intel_collateral(m, &k, variant);
    m->p.intel.evaluation = MINT_EVALUATION;
    m->p.intel.attributes_required = 1u << 28;
    mint_intel_pki_done(&k);
}
