/* Signed receipts and settlements as JSON lines, for readers made from spec/market.md alone. */
#include <stdio.h>
#include <stdlib.h>

#include "market/batch.h"
#include "market/keccak.h"

enum { LEAVES = 11 };

static const uint64_t now = 1800000000000u;
static cm_crypt *crypt;
static cm_sig_key *secp, *mldsa;

static void must(cm_err e)
{
    if (cm_failed(e)) {
        fprintf(stderr, "%s\n", cm_err_name(e));
        exit(1);
    }
}

static void hex(const char *name, cm_view v)
{
    printf("\"%s\":\"", name);
    for (size_t i = 0; i < v.n; i++)
        printf("%02x", v.p[i]);
    printf("\"");
}

static void line(const char *kind, const cm_market_keys *k, cm_view record)
{
    printf("{\"kind\":\"%s\",", kind);
    hex("secp", k->secp ? cm_sig_public(k->secp) : (cm_view){0});
    printf(",");
    hex("mldsa", k->mldsa ? cm_sig_public(k->mldsa) : (cm_view){0});
    printf(",");
    hex("record", record);
    printf("}\n");
}

static cm_poai receipt(uint64_t i)
{
    cm_poai r = {.head = {.issued_ms = now, .expires_ms = now + CM_POAI_TTL_MS},
                 .claims = (uint16_t)(i % 8),
                 .compute_ms = i};

    cm_put_be64(r.head.nonce, i + 1);
    memset(r.head.realm, 0x52, 32);
    memset(r.model, 1, 32);
    memset(r.node, 2, 32);
    memset(r.input, 3, 32);
    memset(r.output, 4, 32);
    if (r.claims & CM_MARKET_ATTESTED)
        memset(r.attestation, 5, 32);
    if (r.claims & CM_MARKET_PROVEN)
        memset(r.proof, 6, 32);
    return r;
}

static void single(const cm_market_keys *k, uint64_t i)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};
    CM_AUTO(cm_buf_free) cm_buf sb = {.max = CM_MARKET_RECORD_MAX};
    cm_settlement s = {.head = {.issued_ms = now + 1, .expires_ms = now + CM_SETTLE_TTL_MS},
                       .amount = {{i, 0, 0, UINT64_MAX}}};
    cm_poai r = receipt(i);

    must(cm_poai_sign(&b, crypt, k, &r));
    line("receipt", k, cm_buf_view(&b));
    s.head.nonce[0] = s.job[0] = s.provider[0] = s.consumer[0] = 9;
    memset(s.head.realm, 0x52, 32);
    must(cm_poai_digest(crypt, s.receipt, &r));
    must(cm_settle_sign(&sb, crypt, k, &s));
    line("settlement", k, cm_buf_view(&sb));
}

static void batch(const cm_market_keys *k)
{
    CM_AUTO(cm_buf_free) cm_buf head = {.max = CM_MARKET_RECORD_MAX};
    CM_AUTO(cm_batch_tree_free_ptr) cm_batch_tree *tree = NULL;
    cm_batch_head h = {.head = {.issued_ms = now, .expires_ms = now + 1}};
    uint8_t leaf[LEAVES][32], id[32];
    cm_poai r[LEAVES];

    must(cm_market_key_id(crypt, id, k));
    for (uint64_t i = 0; i < LEAVES; i++) {
        r[i] = receipt(100 + i);
        must(cm_batch_leaf(leaf[i], &r[i], id));
    }
    h.head.nonce[0] = 1;
    memset(h.head.realm, 0x52, 32);
    must(cm_batch_tree_new(&tree, (const uint8_t(*)[32])leaf, LEAVES));
    must(cm_batch_seal(&head, crypt, k, &h, tree));
    for (size_t i = 0; i < LEAVES; i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_MARKET_RECORD_MAX};

        must(cm_batch_record(&b, tree, i, &r[i], cm_buf_view(&head)));
        line("receipt", k, cm_buf_view(&b));
    }
}

int main(void)
{
    const uint8_t seed[32] = {0x42};

    must(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT));
    must(cm_sig_from_seed(&secp, crypt, CM_SIG_SECP256K1, CM_VIEW(seed)));
    must(cm_sig_from_seed(&mldsa, crypt, CM_SIG_MLDSA65, CM_VIEW(seed)));
    for (uint64_t i = 0; i < 24; i++)
        single(&(cm_market_keys){i % 3 != 1 ? secp : NULL, i % 3 != 0 ? mldsa : NULL}, i);
    batch(&(cm_market_keys){.secp = secp});
    batch(&(cm_market_keys){secp, mldsa});
    cm_sig_key_free(secp);
    cm_sig_key_free(mldsa);
    cm_crypt_free(crypt);
    return 0;
}
