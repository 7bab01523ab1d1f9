/* Seeds: minted sets as pieces. CASEMATE_FUZZ_DEFECTS in the environment: with each defect too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/core_names.h>
#include <openssl/ocsp.h>
#include <openssl/rsa.h>

#include "appraise/reference.h"
#include "attest/rim.h"
#include "codec/cbor.h"
#include "codec/text.h"
#include "evidence.h"
#include "mint_int.h"
#include "release/ear.h"

enum { PATH_SIZE = 4096, AT = 1800000000, RSA_MAX = 512 };

static const char *folder;

static void put(const char *format, const char *name, const fuzz_pieces *p)
{
    static uint8_t out[FUZZ_MAX];
    char path[PATH_SIZE];
    size_t n = fuzz_pieces_write(out, sizeof out, p);
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", folder, format);
    (void)mkdir(path, 0777);
    fuzz_must(snprintf(path, sizeof path, "%s/%s/%s", folder, format, name) < PATH_SIZE);
    f = fopen(path, "wb");
    fuzz_must(f && fwrite(out, 1, n, f) == n && fclose(f) == 0);
}

static void put_one(const char *format, const char *name, uint8_t tag, cm_view v)
{
    fuzz_pieces p = {.n = 0};

    fuzz_piece_add(&p, tag, v);
    put(format, name, &p);
}

/* ---- sets ----------------------------------------------------------------------------------- */

static void pieces_of(fuzz_pieces *p, const mint *m, const uint8_t *kind)
{
    const cm_attest_input *in = &m->in;

    p->n = 0;
    fuzz_piece_add(p, FUZZ_KIND, cm_view_of(kind, 1));
    fuzz_piece_add(p, FUZZ_EVIDENCE, in->evidence);
    for (size_t i = 0; i < in->n_certs; i++)
        fuzz_piece_add(p, FUZZ_CERT, in->certs[i]);
    for (size_t i = 0; i < in->n_crls; i++)
        fuzz_piece_add(p, FUZZ_CRL, in->crls[i]);
    fuzz_piece_add(p, FUZZ_TCB, in->tcb_info);
    fuzz_piece_add(p, FUZZ_TCB_SIG, in->tcb_info_sig);
    fuzz_piece_add(p, FUZZ_QE, in->qe_identity);
    fuzz_piece_add(p, FUZZ_QE_SIG, in->qe_identity_sig);
    fuzz_piece_add(p, FUZZ_LOG, in->event_log);
    fuzz_piece_add(p, FUZZ_STATUS, in->status_list);
    for (size_t i = 0; i < CM_PART_COUNT; i++)
        fuzz_piece_add(p, (uint8_t)(FUZZ_PART + i), in->part[i]);
    fuzz_piece_add(p, FUZZ_FRESH, m->p.fresh);
    fuzz_piece_add(p, FUZZ_CONFIG, m->p.config);
    fuzz_piece_add(p, FUZZ_MEASUREMENT, m->one_measurement);
    fuzz_piece_add(p, FUZZ_KEY, m->p.apple.key);
}

/* The lists of these, and packs: the others are alike. */
static bool is_sample(const mint *m)
{
    static const char *const kinds[] = {"snp-v3-milan", "nitro", "tdx-v4",
                                        "app-attest",   "tpm",   "sgx-v3"};

    for (size_t i = 0; i < CM_COUNT(kinds); i++)
        if (!m->spec.defect && strcmp(m->kind, kinds[i]) == 0)
            return true;
    return false;
}

/* By what is in it, for formats that are a part of a set. */
static void put_parts(const mint *m, const char *name, const fuzz_pieces *p)
{
    CM_AUTO(cm_buf_free) cm_buf pack = {.max = MINT_MAX};

    if (m->in.tcb_info.n)
        put("intel-tcb", name, p);
    if (m->in.n_crls && is_sample(m))
        put("crl", name, p);
    if (m->in.status_list.n && strcmp(name, "android-ec") == 0)
        put("status-list", name, p);
    if (m->in.event_log.n)
        put_one("eventlog", name, FUZZ_LOG, m->in.event_log);
    if (m->in.part[CM_PART_AK].n && m->in.n_certs) {
        fuzz_pieces some = {.n = 0};

        fuzz_piece_add(&some, FUZZ_CERT, m->in.certs[0]);
        fuzz_piece_add(&some, FUZZ_PART + CM_PART_AK, m->in.part[CM_PART_AK]);
        put("credential", name, &some);
    }
    if (!is_sample(m))
        return;
    mint_must(cm_ok(cm_attest_pack_put(&pack, &m->in)), "pack");
    put_one("pack", name, FUZZ_EVIDENCE, cm_buf_view(&pack));
}

static void put_set(const char *kind, const char *defect)
{
    mint *m = mint_new(kind, &(mint_spec){.at = AT, .defect = defect});
    uint8_t number = (uint8_t)m->in.kind;
    char name[128];
    fuzz_pieces p;

    (void)snprintf(name, sizeof name, "%s%s%s", kind, defect ? "-" : "", defect ? defect : "");
    pieces_of(&p, m, &number);
    put(cm_attest_kind_name(m->in.kind), name, &p);
    put_parts(m, name, &p);
    mint_free(m);
}

static void put_sets(void)
{
    bool bad = getenv("CASEMATE_FUZZ_DEFECTS") != NULL;
    const mint_defect *d;
    const char *kind;

    for (size_t k = 0; (kind = mint_kind(k)) != NULL; k++) {
        put_set(kind, NULL);
        for (size_t i = 0; bad && (d = mint_defect_at(i)) != NULL; i++)
            if (mint_defect_of(d, kind))
                put_set(kind, d->name);
    }
}

/* ---- Azure: a minted report over a JSON text, a minted quote --------------------------------- */

static void rsa_number(cm_buf *out, const EVP_PKEY *key, const char *name)
{
    uint8_t v[RSA_MAX];
    BIGNUM *bn = NULL;
    int n;

    mint_must(EVP_PKEY_get_bn_param(key, name, &bn) == 1, "RSA number");
    n = BN_bn2bin(bn, v);
    mint_must(n > 0 && cm_ok(cm_base64_encode(out, cm_view_of(v, (size_t)n), true)), "base64");
    BN_free(bn);
}

static void azure_json(cm_buf *json)
{
    EVP_PKEY *key = mint_key("ask");

    mint_text(json, "{\"keys\":[{\"kid\":\"HCLAkPub\",\"key_ops\":[\"sign\"],\"kty\":\"RSA\","
                    "\"e\":\"");
    rsa_number(json, key, OSSL_PKEY_PARAM_RSA_E);
    mint_text(json, "\",\"n\":\"");
    rsa_number(json, key, OSSL_PKEY_PARAM_RSA_N);
    mint_text(json, "\"}],\"vm-configuration\":{\"secure-boot\":true,\"vmUniqueId\":\"1\"},"
                    "\"user-data\":\"00\"}");
    EVP_PKEY_free(key);
}

static void put_azure(const char *name, const char *kind, uint64_t type)
{
    CM_AUTO(cm_buf_free) cm_buf json = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf digest = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    uint8_t number = CM_ATTEST_AZURE, sig[256] = {1};
    mint *hw, *tpm = mint_new("tpm", &(mint_spec){.at = AT});
    fuzz_pieces p;

    azure_json(&json);
    mint_hash(&digest, "SHA256", cm_buf_view(&json));
    hw = mint_new(kind, &(mint_spec){.at = AT, .nonce = cm_buf_view(&digest)});
    mint_text(&b, "HCLA");
    mint_le(&b, 2, 4);
    mint_le(&b, 32 + 1184 + 20 + json.n, 4);
    mint_le(&b, 2, 4);
    mint_zeros(&b, 16);
    mint_field(&b, hw->in.evidence, 1184);
    mint_le(&b, 20 + json.n, 4);
    mint_le(&b, 1, 4);
    mint_le(&b, type, 4);
    mint_le(&b, 1, 4);
    mint_le(&b, json.n, 4);
    mint_put(&b, cm_buf_view(&json));
    hw->in.event_log = tpm->in.event_log;
    hw->p.fresh = tpm->p.fresh;
    pieces_of(&p, hw, &number);
    p.v[1].v = cm_buf_view(&b);
    fuzz_piece_add(&p, FUZZ_PART + CM_PART_QUOTE, tpm->in.evidence);
    fuzz_piece_add(&p, FUZZ_PART + CM_PART_SIGNATURE, CM_VIEW(sig));
    fuzz_piece_add(&p, FUZZ_PART + CM_PART_PCRS, tpm->in.part[CM_PART_PCRS]);
    if (type == 4)
        fuzz_piece_add(&p, FUZZ_PART + CM_PART_TD_QUOTE, hw->in.evidence);
    put("azure-vtpm", name, &p);
    mint_free(hw);
    mint_free(tpm);
}

/* ---- RA-TLS ---------------------------------------------------------------------------------- */

static void ratls_claims(cm_buf *out, EVP_PKEY *key)
{
    CM_AUTO(cm_buf_free) cm_buf spki = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf digest = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf one = {.max = MINT_MAX};

    mint_spki(&spki, key);
    mint_hash(&digest, "SHA256", cm_buf_view(&spki));
    mint_must(cm_ok(cm_cbor_put_array(&one, 2)) && cm_ok(cm_cbor_put_uint(&one, 1)) &&
                  cm_ok(cm_cbor_put_bytes(&one, cm_buf_view(&digest))) &&
                  cm_ok(cm_cbor_put_map(out, 1)) &&
                  cm_ok(cm_cbor_put_text(out, CM_LIT("pubkey-hash"))) &&
                  cm_ok(cm_cbor_put_bytes(out, cm_buf_view(&one))),
              "claims");
}

static void put_ratls(const char *kind)
{
    CM_AUTO(cm_buf_free) cm_buf claims = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf digest = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf v = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf der = {.max = MINT_MAX};
    EVP_PKEY *key = mint_key("p384:ratls");
    uint8_t number = CM_ATTEST_RATLS;
    mint_ext ext = {.oid = "2.23.133.5.4.9"};
    mint_cert s = {.cn = "enclave", .key = key, .serial = 1, .from = AT - 100, .to = AT + 100};
    fuzz_pieces p;
    mint *m;
    X509 *x;

    ratls_claims(&claims, key);
    mint_hash(&digest, "SHA256", cm_buf_view(&claims));
    m = mint_new(kind, &(mint_spec){.at = AT, .nonce = cm_buf_view(&digest)});
    mint_put(&v, CM_LIT("\xd9\xea\x60")); /* the tag 60000 */
    mint_must(cm_ok(cm_cbor_put_array(&v, 2)) && cm_ok(cm_cbor_put_bytes(&v, m->in.evidence)) &&
                  cm_ok(cm_cbor_put_bytes(&v, cm_buf_view(&claims))),
              "evidence");
    ext.der = cm_buf_view(&v);
    s.ext = &ext;
    s.n_ext = 1;
    x = mint_cert_new(&s);
    mint_der(&der, x);
    pieces_of(&p, m, &number);
    p.v[1].v = cm_buf_view(&der);
    put("ratls", kind, &p);
    X509_free(x);
    EVP_PKEY_free(key);
    mint_free(m);
}

/* ---- the platform's certificate, out of a quote ---------------------------------------------- */

static void put_pck(void)
{
    CM_AUTO(cm_buf_free) cm_buf der = {.max = MINT_MAX};
    mint *m = mint_new("tdx-v4", &(mint_spec){.at = AT});
    cm_view label, rest = m->in.evidence;
    const uint8_t *at = memmem(rest.p, rest.n, "-----BEGIN", 10);

    mint_must(at != NULL, "PCK certificate");
    rest = cm_view_of(at, rest.n - (size_t)(at - rest.p));
    mint_must(cm_ok(cm_pem_next(&der, &label, &rest)), "PCK certificate");
    put_one("pck", "tdx-v4", FUZZ_CERT, cm_buf_view(&der));
    mint_free(m);
}

/* ---- answers about revocation ---------------------------------------------------------------- */

static void put_ocsp(const char *name, int status, int reason)
{
    EVP_PKEY *key;
    X509 *about = fuzz_ocsp_subject(&key), *ca = X509_new();
    OCSP_BASICRESP *b = OCSP_BASICRESP_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, AT - 60), *to = ASN1_TIME_set(NULL, AT + 60);
    uint8_t nonce[] = "0123456789abcdef", *der = NULL;
    fuzz_pieces p = {.n = 0};
    OCSP_RESPONSE *r;
    OCSP_CERTID *id;
    int n;

    mint_must(b && ca && X509_set_subject_name(ca, X509_get_issuer_name(about)) == 1 &&
                  X509_set_issuer_name(ca, X509_get_issuer_name(about)) == 1 &&
                  X509_set_pubkey(ca, key) == 1 && X509_gmtime_adj(X509_getm_notBefore(ca), 0) &&
                  X509_gmtime_adj(X509_getm_notAfter(ca), MINT_DAY) &&
                  X509_sign(ca, key, EVP_sha384()) > 0,
              "responder");
    id = OCSP_cert_to_id(EVP_sha384(), about, ca);
    mint_must(id && OCSP_basic_add1_status(b, id, status, reason, from, from, to) &&
                  OCSP_basic_add1_nonce(b, nonce, 16) == 1 &&
                  OCSP_basic_sign(b, ca, key, EVP_sha384(), NULL, 0) == 1,
              "answer");
    r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, b);
    n = i2d_OCSP_RESPONSE(r, &der);
    fuzz_piece_add(&p, FUZZ_OCSP, cm_view_of(der, (size_t)n));
    fuzz_piece_add(&p, FUZZ_FRESH, cm_view_of(nonce, 16));
    put("ocsp", name, &p);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(r);
    OCSP_BASICRESP_free(b);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_free(ca);
}

/* ---- reference manifests ----------------------------------------------------------------------
 */

/* Of the minted driver and firmware, with a value for the first measurements. */
static void put_rims(void)
{
    static const uint8_t signer[32] = {1};
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_RIM_FILE_MAX};
    CM_AUTO(cm_buf_free) cm_buf value = {.max = MINT_MAX};
    mint *m = mint_new("nvidia", &(mint_spec){.at = AT});
    uint8_t number = CM_ATTEST_NVIDIA;
    cm_rim rim[2] = {{.id = CM_LIT("NV_GPU_VBIOS_1010_0200_882_9600CF0002"),
                      .product = CM_LIT("GH100"),
                      .version = CM_LIT("96.00.CF.00.02")},
                     {.id = CM_LIT("NV_GPU_DRIVER_GH100_580.95.05"),
                      .product = CM_LIT("GH100"),
                      .version = CM_LIT("580.95.05")}};
    fuzz_pieces p;

    mint_label(&value, "block", 1, 48);
    for (size_t i = 0; i < CM_COUNT(rim); i++) {
        rim[i].signer = CM_VIEW(signer);
        rim[i].from = AT - 100;
        rim[i].until = AT + 100;
        rim[i].row[1 + i] = cm_buf_view(&value);
    }
    mint_must(cm_ok(cm_rim_put(&file, rim, CM_COUNT(rim))), "manifests");
    m->one_measurement = cm_view_of(NULL, 0);
    pieces_of(&p, m, &number);
    fuzz_piece_add(&p, FUZZ_RIM, cm_buf_view(&file));
    put("rim", "both", &p);
    mint_free(m);
}

static const char images[] =
    "casemate_policy: 1\nname: images\nversion: 3\nevidence:\n  snp:\n    measurements:\n"
    "      - {value: aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    "00112233445566778899, name: one, provenance: built here, until: 2037-01-02}\n";

static void put_manifest(void)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = MINT_MAX};
    CM_AUTO(cm_policy_free_ptr) cm_policy *policy = NULL;
    cm_policy_fault f;

    mint_must(cm_ok(cm_policy_read(&policy, cm_view_str(images), &f)) &&
                  cm_ok(cm_manifest_sign(&file, fuzz_signer(), policy, AT - 100, AT + 100)),
              "manifest");
    put_one("ref-manifest", "images", FUZZ_EVIDENCE, cm_buf_view(&file));
}

/* A CoRIM of one digest, and the same in a COSE_Sign1, whose signature nobody looks at. */
static void put_corim(void)
{
    static const char head[] = "\xd9\x01\xf5\xa2\x00\x69"
                               "corim one\x01\x81\xd9\x01\xfa\x58\x5e\xa2\x01\xa1\x00\x65"
                               "comid\x04\xa1\x00\x81\x82\xa1\x00\xa2\x01\x64"
                               "ACME\x02\x6a"
                               "RoadRunner\x81\xa1\x01\xa1\x02\x81\x82\x07\x58\x30";
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf file = {.max = MINT_MAX};
    uint8_t digest[48] = {0xab}, sig[3309] = {1};

    mint_put(&b, cm_view_of(head, sizeof head - 1));
    b.p[22] = (uint8_t)(b.n - 23 + sizeof digest);
    mint_put(&b, CM_VIEW(digest));
    put_one("corim", "plain", FUZZ_EVIDENCE, cm_buf_view(&b));
    mint_put(&file, CM_LIT("\xd2\x84\x44\xa1\x01\x38\x30\xa0"));
    mint_must(cm_ok(cm_cbor_put_bytes(&file, cm_buf_view(&b))) &&
                  cm_ok(cm_cbor_put_bytes(&file, CM_VIEW(sig))),
              "CoRIM");
    put_one("corim", "signed", FUZZ_EVIDENCE, cm_buf_view(&file));
}

/* ---- result tokens ----------------------------------------------------------------------------
 */

static void put_ears(void)
{
    static const cm_ear_authority by = {{(const uint8_t *)"https://kms.example", 19},
                                        {(const uint8_t *)"casemate test", 13}};
    cm_appraised piece[2] = {{.r = {.kind = CM_ATTEST_SNP}}, {.r = {.kind = CM_ATTEST_NVIDIA}}};
    cm_trust trust[2] = {{{2, 2, 3, 0, 2, 2, 0, 0}}, {{0, 0, 3, 0, 32, 0, 0, 0}}};
    cm_decision d = {
        .answer = {.accepted = true, .tier = 3}, .n = 2, .piece = piece, .trust = trust};
    cm_challenge ch = {.kind = CM_ATTEST_SNP};
    cm_ear_bound b = fuzz_ear_bound();
    cm_ear e;

    mint_must(cm_ok(cm_ear_make(&e, fuzz_crypt(), &d, &ch, &b, &by, AT, 0)), "token");
    for (cm_ear_form form = CM_EAR_JWT; form <= CM_EAR_CWT; form++) {
        CM_AUTO(cm_buf_free) cm_buf token = {.max = CM_EAR_MAX};

        mint_must(cm_ok(cm_ear_sign(&token, fuzz_crypt(), form, &e, fuzz_signer())), "token");
        put_one("ear", form == CM_EAR_JWT ? "jwt" : "cwt", FUZZ_EVIDENCE, cm_buf_view(&token));
    }
}

/* ---- what machines answer ---------------------------------------------------------------------
 */

static void put_answers(void)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf table = {.max = MINT_MAX};
    mint *nitro = mint_new("nitro", &(mint_spec){.at = AT});
    mint *snp = mint_new("snp-v3-milan", &(mint_spec){.at = AT, .nonce = CM_LIT("bound")});
    fuzz_pieces p = {.n = 0};

    mint_put(&b, CM_LIT("\xa1\x6b"
                        "Attestation\xa1\x68"
                        "document"));
    mint_must(cm_ok(cm_cbor_put_bytes(&b, nitro->in.evidence)), "answer");
    put_one("nsm", "document", FUZZ_EVIDENCE, cm_buf_view(&b));
    put_one("nsm", "error", FUZZ_EVIDENCE,
            CM_LIT("\xa1\x65"
                   "Error\x6f"
                   "InvalidArgument"));
    mint_label(&table, "guid", 0, 16);
    mint_le(&table, 48, 4);
    mint_le(&table, snp->in.certs[0].n, 4);
    mint_zeros(&table, 24);
    mint_put(&table, snp->in.certs[0]);
    fuzz_piece_add(&p, 'p', CM_LIT("sev_guest\n"));
    fuzz_piece_add(&p, 'e', snp->in.evidence);
    fuzz_piece_add(&p, 'a', cm_buf_view(&table));
    fuzz_piece_add(&p, 'v', CM_LIT("7\n"));
    fuzz_piece_add(&p, 'w', CM_LIT("8\n"));
    put("tsm", "snp", &p);
    p.v[0].v = CM_LIT("tdx_guest");
    put("tsm", "tdx", &p);
    mint_free(nitro);
    mint_free(snp);
}

void fuzz_seeds(const char *dir)
{
    folder = dir;
    (void)mkdir(dir, 0777);
    put_sets();
    put_azure("snp", "snp-v3-milan", 2);
    put_azure("tdx", "tdx-v4", 4);
    put_ratls("sgx-v3");
    put_ratls("tdx-v4");
    put_pck();
    put_ocsp("good", V_OCSP_CERTSTATUS_GOOD, 0);
    put_ocsp("revoked", V_OCSP_CERTSTATUS_REVOKED, OCSP_REVOKED_STATUS_KEYCOMPROMISE);
    put_ocsp("held", V_OCSP_CERTSTATUS_REVOKED, OCSP_REVOKED_STATUS_CERTIFICATEHOLD);
    put_ocsp("unknown", V_OCSP_CERTSTATUS_UNKNOWN, 0);
    put_rims();
    put_manifest();
    put_corim();
    put_ears();
    put_answers();
}
