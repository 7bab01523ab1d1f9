/* What other verifiers forgot: each of twelve documented faults by its name, as a test that fails
 * if this verifier had it. */
#include "mint_kit.h"

#include "attest/bind.h"

/* 1. CVE-2026-22696: the quoting enclave's identity was fetched and never verified. */
static void identity_of_quoting_enclave_is_verified(void **state)
{
    static const char *const kinds[] = {"tdx-v4", "tdx-v5-td15", "sgx-v3"};
    judge *j = *state;

    for (size_t i = 0; i < CM_COUNT(kinds); i++) {
        mint *m = sound(kinds[i]);

        refused(j, kinds[i], "unsigned-identity", CM_CHECK_QUOTING);
        refused(j, kinds[i], "stale-identity", CM_CHECK_QUOTING);
        refused(j, kinds[i], "strange-qe", CM_CHECK_QUOTING);
        refused(j, kinds[i], "old-qe", CM_CHECK_TCB);
        /* Without it nothing passes in its place. */
        m->in.qe_identity = cm_view_of(NULL, 0);
        expect(cm_is(verdict(j, m, 0), CM_ATTEST_INCOMPLETE), j, m);
        expect(!passes(j, CM_CHECK_QUOTING) && !passes(j, CM_CHECK_TCB), j, m);
        mint_free(m);
    }
}

static void extra_cert(mint *m, const char *kind, const char *defect, const mint **other)
{
    mint *o = with(kind, defect);

    m->cert[m->in.n_certs++] = o->cert[0];
    *other = o;
}

/* 2. A name that contains "SEV" made of the chip's certificate an intermediate one: its HWID was
 * never compared, an INTEGER was its last byte, missing OIDs and dates did not matter, and odd
 * input ended the process. */
static void chip_certificate_is_compared_whole(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 1183, 1185};
    judge *j = *state;
    mint *m = sound("snp-v3-genoa");
    const mint *other = NULL;

    refused(j, m->kind, "wrong-hwid", CM_CHECK_IDENTITY);
    refused(j, m->kind, "no-hwid", CM_CHECK_IDENTITY);
    refused(j, m->kind, "long-integer", CM_CHECK_TCB_BOUND);
    refused(j, m->kind, "missing-oid", CM_CHECK_TCB_BOUND);
    refused(j, m->kind, "expired", CM_CHECK_CHAIN);
    refused(j, m->kind, "not-yet", CM_CHECK_CHAIN);
    /* Two of the one name: neither is chosen (AT-21). */
    extra_cert(m, m->kind, "wrong-hwid", &other);
    expect(cm_is(verdict(j, m, UINT32_MAX), CM_ATTEST_REFUSED) && fails(j, CM_CHECK_CHAIN), j, m);
    mint_free((mint *)(uintptr_t)other);
    /* The same one twice, from the attester's table and from the operator, is one. */
    m->cert[m->in.n_certs - 1] = m->cert[0];
    expect(cm_ok(verdict(j, m, 0)), j, m);
    m->in.n_certs--;
    for (size_t i = 0; i < CM_COUNT(sizes); i++) {
        uint8_t odd[1185];

        memset(odd, 0xff, sizeof odd);
        m->in.evidence = cm_view_of(odd, sizes[i]);
        expect(cm_is(verdict(j, m, UINT32_MAX), CM_ATTEST_REFUSED), j, m);
        m->in.evidence = cm_buf_view(&m->file[0].bytes);
        m->cert[0] = cm_view_of(odd, sizes[i]);
        expect(cm_failed(verdict(j, m, UINT32_MAX)), j, m);
        m->cert[0] = cm_buf_view(&m->file[1].bytes);
    }
    mint_free(m);
}

/* 3. Turin was refused: its FMC extension, its HWID of 8 bytes, its order of the TCB, and bit 6 of
 * the platform's information under a policy that does not know it. */
static void turin_is_accepted(void **state)
{
    judge *j = *state;
    mint *m = sound("snp-v5-turin");
    const cm_attest_claim *platform;

    expect(cm_ok(verdict(j, m, 0)), j, m);
    platform = cm_attest_find(&j->r, "platform_info");
    assert_true(platform && platform->u & 1u << 6 && !(m->p.snp.platform_required & 1u << 6));
    /* Its first byte is the FMC's, no other product's boot loader. */
    m->p.snp.floor.fmc = 2;
    expect(cm_failed(verdict(j, m, UINT32_MAX)) && fails(j, CM_CHECK_TCB), j, m);
    mint_free(m);
    refused(j, "snp-v5-turin", "wrong-hwid", CM_CHECK_IDENTITY);
    refused(j, "snp-v4-turin", "missing-oid", CM_CHECK_TCB_BOUND);
}

/* 4. A report was parsed and written again before its signature was verified: what the reader did
 * not know was lost. */
static void signed_bytes_are_those_that_came(void **state)
{
    enum { MITIGATION = 0x1f8, LATER = 0x290, END = 0x2a0 };
    judge *j = *state;
    mint *m = sound("snp-v5-turin");
    uint8_t *p = m->file[0].bytes.p;

    assert_false(cm_all_zero(cm_view_of(p + LATER, END - LATER)));
    expect(cm_ok(verdict(j, m, 0)), j, m);
    assert_true(cm_attest_find(&j->r, "launch_mitigation")->u == 3);
    for (size_t i = MITIGATION; i < END; i++) {
        p[i] ^= 0x10;
        expect(cm_failed(verdict(j, m, UINT32_MAX)) && fails(j, CM_CHECK_SIGNATURE), j, m);
        p[i] ^= 0x10;
    }
    mint_free(m);
    /* The vendor's JSON with another space in it says the same and is not what was signed. */
    refused(j, "tdx-v4", "edited-statement", CM_CHECK_COLLATERAL);
}

/* 5. The TCB was what the report said of itself; nothing was fresh; what configures the guest was
 * not measured (TOB-WAPI-8, 7, 13, 17). */
static void nothing_vouches_for_itself(void **state)
{
    judge *j = *state;
    mint *m = sound("snp-v3-milan");

    refused(j, m->kind, "tcb-claimed", CM_CHECK_TCB_BOUND);
    refused(j, m->kind, "replayed", CM_CHECK_FRESH);
    refused(j, m->kind, "another-config", CM_CHECK_CONFIG);
    m->p.fresh = m->p.config = cm_view_of(NULL, 0);
    expect(cm_is(verdict(j, m, 0), CM_ATTEST_INCOMPLETE), j, m);
    expect(j->r.check[CM_CHECK_FRESH].verdict == CM_VERDICT_SKIP, j, m);
    expect(j->r.check[CM_CHECK_CONFIG].verdict == CM_VERDICT_SKIP, j, m);
    mint_free(m);
    refused(j, "tdx-v5", "other-events", CM_CHECK_EVENTS);
}

static bool same_key(const cm_root *a, const cm_root *b)
{
    return cm_view_eq(a->spki, b->spki);
}

/* 6. A back end for tests could be reached in production: by a kind called "sample", by a key that
 * came with the evidence. */
static void no_test_back_end(void **state)
{
    static const char *const names[] = {"sample", "test", "mock", "none", "unknown", ""};
    const cm_roots released = cm_roots_pinned(), minted = mint_roots();
    judge *j = *state;
    mint *m = sound("nitro");

    for (size_t i = 0; i < CM_COUNT(names); i++)
        assert_int_equal(cm_attest_kind_of(cm_view_str(names[i])), CM_ATTEST_UNKNOWN);
    for (size_t i = 0; i < released.n; i++)
        for (size_t k = 0; k < minted.n; k++)
            assert_false(same_key(&released.v[i], &minted.v[k]));
    assert_true(cm_ok(cm_attest_verify(&j->r, j->c, &m->in, &m->p)));
    expect(cm_is(cm_attest_decide(&j->r, UINT32_MAX), CM_ATTEST_REFUSED), j, m);
    expect(fails(j, CM_CHECK_CHAIN), j, m);
    mint_free(m);
}

/* 7. A leaf on P-521 ended the process, trusted or not. */
static void odd_curves_are_refused(void **state)
{
    static const char *const defects[] = {"p256-leaf", "p521-leaf"};
    judge *j = *state;

    for (size_t i = 0; i < CM_COUNT(defects); i++) {
        mint *m = with("nitro", defects[i]);

        refused(j, "nitro", defects[i], CM_CHECK_SIGNATURE);
        assert_true(cm_ok(cm_attest_verify(&j->r, j->c, &m->in, &m->p))); /* untrusted */
        expect(cm_is(cm_attest_decide(&j->r, UINT32_MAX), CM_ATTEST_REFUSED), j, m);
        mint_free(m);
    }
}

/* 8. A condition that was always true let certificates on hold pass; a pair of manifests without an
 * active measurement only warned, and then "matched". */
static void hold_and_emptiness_are_failures(void **state)
{
    static const char *const kinds[] = {"nitro", "tdx-v4", "sgx-v3", "app-attest", "android-rkp"};
    judge *j = *state;
    mint *m = sound("nvidia");
    cm_view none = cm_view_of(NULL, 0);

    for (size_t i = 0; i < CM_COUNT(kinds); i++)
        refused(j, kinds[i], "held", CM_CHECK_REVOCATION);
    m->p.n_measurements = 0;
    expect(cm_is(verdict(j, m, m->skips), CM_ATTEST_INCOMPLETE), j, m);
    expect(!passes(j, CM_CHECK_MEASUREMENT), j, m);
    m->p.measurements = &none;
    m->p.n_measurements = 1;
    expect(cm_is(verdict(j, m, UINT32_MAX), CM_ATTEST_REFUSED), j, m);
    expect(fails(j, CM_CHECK_MEASUREMENT), j, m);
    mint_free(m);
}

/* 9. A nonce from a symmetric exporter alone: evidence could be sent back to whoever made it. */
static void evidence_cannot_be_reflected(void **state)
{
    static const uint8_t exporter[CM_BIND_EXPORTER] = {7}, nonce[CM_BIND_NONCE] = {8};
    static const uint8_t manifest[32] = {1};
    judge *j = *state;
    cm_binding server = {.role = CM_LIT(CM_BIND_SERVER),
                         .tls_key = CM_LIT("server's key"),
                         .peer_key = CM_LIT("client's key"),
                         .exporter = CM_VIEW(exporter),
                         .nonce = CM_VIEW(nonce),
                         .manifest = CM_VIEW(manifest)};
    cm_binding client = server;
    cm_bound e, back;
    mint *m;

    client.role = CM_LIT(CM_BIND_CLIENT);
    assert_true(cm_ok(cm_bind(&e, j->c, &server)) && cm_ok(cm_bind(&back, j->c, &client)));
    m = mint_new("tdx-v5", &(mint_spec){.at = AT, .nonce = CM_VIEW(e.e)});
    expect(cm_ok(verdict(j, m, m->skips)), j, m);
    m->p.fresh = CM_VIEW(back.e);
    expect(cm_failed(verdict(j, m, UINT32_MAX)) && fails(j, CM_CHECK_FRESH), j, m);
    /* Nor do the two keys change places unseen. */
    client = server;
    client.tls_key = server.peer_key;
    client.peer_key = server.tls_key;
    assert_true(cm_ok(cm_bind(&back, j->c, &client)));
    expect(cm_failed(verdict(j, m, UINT32_MAX)) && fails(j, CM_CHECK_FRESH), j, m);
    mint_free(m);
}

/* 10. A chain was extended by a key of an app, which was attested itself. */
static void attested_key_signs_no_chain(void **state)
{
    refused(*state, "android-rsa", "extended", CM_CHECK_CHAIN);
    refused(*state, "android-ec", "extended", CM_CHECK_CHAIN);
    refused(*state, "android-rkp", "extended", CM_CHECK_CHAIN);
}

/* 11. A client that asked for no evidence was content with none. Here nothing is accepted but what
 * was asked and passed: not no evidence, not a result that was never filled, not a chain alone. */
static void nothing_is_not_enough(void **state)
{
    judge *j = *state;
    cm_attest_result never = {0};
    const char *kind;

    assert_true(cm_is(cm_attest_decide(&never, UINT32_MAX), CM_ATTEST_REFUSED));
    for (size_t i = 0; (kind = mint_kind(i)) != NULL; i++) {
        mint *m = sound(kind);
        const cm_attest_policy blank = {.now = AT};

        m->p = blank;
        expect(cm_failed(verdict(j, m, 0)), j, m);
        m->in.evidence = cm_view_of(NULL, 0);
        assert_true(cm_is(cm_attest_verify(&j->r, j->c, &m->in, &m->p), CM_ATTEST_KIND));
        mint_free(m);
    }
}

/* 12. Whoever came could register an attestation key. Here a key is a TPM's because its maker
 * certified it or the policy names it; that it signed well is nothing. */
static void key_needs_an_owner(void **state)
{
    judge *j = *state;
    mint *m = sound("tpm-listed");

    expect(cm_ok(verdict(j, m, m->skips)), j, m);
    m->p.n_chips = 0;
    expect(cm_is(verdict(j, m, UINT32_MAX), CM_ATTEST_REFUSED), j, m);
    expect(fails(j, CM_CHECK_CHAIN) && passes(j, CM_CHECK_SIGNATURE), j, m);
    mint_free(m);
    refused(j, "tpm-listed", "unlisted", CM_CHECK_CHAIN);
    refused(j, "tpm", "no-certificate", CM_CHECK_CHAIN);
    refused(j, "tpm", "wrong-root", CM_CHECK_CHAIN);
    refused(j, "app-assertion", "other-key", CM_CHECK_SIGNATURE);
}

/* Ours: with the certificates of other vendors among what the operator has, no GPU's report was
 * judged by its own (AT-91). */
static void others_have_certificates_too(void **state)
{
    judge *j = *state;
    mint *m = sound("nvidia"), *again = mint_new("nvidia", &(mint_spec){.at = AT + 1});
    mint *other[] = {sound("snp-v5-turin"), sound("tdx-v5")};
    size_t last = m->in.n_certs - 1;
    const cm_view device = m->cert[last];

    for (size_t i = 0; i < CM_COUNT(other); i++)
        for (size_t k = 0; k < other[i]->in.n_certs; k++)
            m->cert[m->in.n_certs++] = other[i]->cert[k];
    m->cert[m->in.n_certs++] = device;
    expect(cm_ok(verdict(j, m, m->skips)), j, m);
    m->cert[m->in.n_certs - 1] = again->cert[last]; /* another certificate for the same key */
    expect(cm_is(verdict(j, m, m->skips), CM_ATTEST_REFUSED) && fails(j, CM_CHECK_CHAIN), j, m);
    for (size_t i = 0; i < CM_COUNT(other); i++)
        mint_free(other[i]);
    mint_free(again);
    mint_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JUDGE_TEST(identity_of_quoting_enclave_is_verified),
        JUDGE_TEST(chip_certificate_is_compared_whole),
        JUDGE_TEST(turin_is_accepted),
        JUDGE_TEST(signed_bytes_are_those_that_came),
        JUDGE_TEST(nothing_vouches_for_itself),
        JUDGE_TEST(no_test_back_end),
        JUDGE_TEST(odd_curves_are_refused),
        JUDGE_TEST(hold_and_emptiness_are_failures),
        JUDGE_TEST(evidence_cannot_be_reflected),
        JUDGE_TEST(attested_key_signs_no_chain),
        JUDGE_TEST(nothing_is_not_enough),
        JUDGE_TEST(key_needs_an_owner),
        JUDGE_TEST(others_have_certificates_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
