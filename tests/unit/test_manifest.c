/* Manifests, signatures and detached signatures: what is written reads back, what is not of this
 * form is refused, and a signature counts for what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/cbor.h"
#include "kit_group.h"
#include "sealed/floe.h"
#include "sealed/manifest.h"

static cm_manifest full(void)
{
    cm_manifest m = {.hd = {1},
                     .digest = {2},
                     .index_digest = {3},
                     .sealed_root = {4},
                     .has_sealed_root = true,
                     .leaves = 5,
                     .size = 20000,
                     .created = UINT64_MAX,
                     .name = CM_LIT("llama"),
                     .version = CM_LIT("3.1"),
                     .format = CM_LIT("gguf"),
                     .licence = CM_LIT("MIT"),
                     .publisher = CM_LIT("Us")};

    m.provenance[0].key = CM_LIT("base");
    m.provenance[0].value = CM_LIT("");
    m.provenance[1].key = CM_LIT("\xc3\xbc");
    m.provenance[1].value = CM_LIT("x");
    m.provenance_n = 2;
    return m;
}

static cm_buf encoded(const cm_manifest *m)
{
    cm_buf b = {.max = CM_MANIFEST_MAX};

    OK(cm_manifest_encode(&b, m));
    return b;
}

/* ---- manifest ------------------------------------------------------------------------------ */

static void round_trip(void **state)
{
    cm_manifest m = full(), got,
                bare = {.name = CM_LIT("n"), .version = CM_LIT("v"), .format = CM_LIT("raw")};
    cm_buf b = encoded(&m), again;

    (void)state;
    OK(cm_manifest_decode(&got, cm_buf_view(&b)));
    assert_memory_equal(got.hd, m.hd, 32);
    assert_memory_equal(got.digest, m.digest, 32);
    assert_memory_equal(got.index_digest, m.index_digest, 32);
    assert_memory_equal(got.sealed_root, m.sealed_root, 32);
    assert_true(got.has_sealed_root && got.leaves == 5 && got.size == 20000);
    assert_true(got.created == UINT64_MAX && cm_view_eq(got.publisher, m.publisher));
    assert_int_equal(got.provenance_n, 2);
    assert_true(cm_view_eq(got.provenance[1].key, m.provenance[1].key));
    again = encoded(&got);
    assert_true(cm_view_eq(cm_buf_view(&b), cm_buf_view(&again)));
    cm_buf_free(&again);
    cm_buf_free(&b);
    b = encoded(&bare);
    OK(cm_manifest_decode(&got, cm_buf_view(&b)));
    assert_true(!got.has_sealed_root && got.licence.n == 0 && got.provenance_n == 0);
    cm_buf_free(&b);
}

static void every_truncation(void **state)
{
    cm_manifest m = full(), got, same;
    cm_buf b = encoded(&m);

    (void)state;
    memset(&got, 0x5a, sizeof got);
    same = got;
    for (size_t n = 0; n < b.n; n++)
        FAILS(SEALED_MANIFEST, cm_manifest_decode(&got, cm_view_of(b.p, n)));
    b.max++;
    OK(cm_buf_byte(&b, 0));
    FAILS(SEALED_MANIFEST, cm_manifest_decode(&got, cm_buf_view(&b)));
    assert_memory_equal(&got, &same, sizeof got);
    cm_buf_free(&b);
}

static void refuse_text(cm_manifest *m, cm_view *text, size_t max)
{
    static char longest[300];
    cm_view was = *text;
    cm_buf b = {.max = CM_MANIFEST_MAX};

    memset(longest, 'a', sizeof longest);
    *text = cm_view_of(longest, max);
    OK(cm_manifest_encode(&b, m));
    cm_buf_free(&b);
    *text = cm_view_of(longest, max + 1);
    FAILS(SEALED_NAME, cm_manifest_encode(&b, m));
    *text = CM_LIT("caf\xe9");
    FAILS(SEALED_NAME, cm_manifest_encode(&b, m)); /* Latin-1 */
    *text = CM_LIT("\xed\xa0\x80");
    FAILS(SEALED_NAME, cm_manifest_encode(&b, m)); /* a surrogate */
    *text = CM_LIT("\xc0\xaf");
    FAILS(SEALED_NAME, cm_manifest_encode(&b, m)); /* longer than need be */
    assert_int_equal(b.n, 0);
    *text = was;
}

static void texts(void **state)
{
    cm_manifest m = full();
    cm_buf b = {.max = CM_MANIFEST_MAX};

    (void)state;
    refuse_text(&m, &m.name, 256);
    refuse_text(&m, &m.version, 128);
    refuse_text(&m, &m.format, 32);
    refuse_text(&m, &m.licence, 128);
    refuse_text(&m, &m.publisher, 256);
    m.name.n = 0;
    FAILS(SEALED_NAME, cm_manifest_encode(&b, &m));
    m = full();
    m.provenance[1].value = CM_LIT("\xff");
    FAILS(SEALED_NAME, cm_manifest_encode(&b, &m));
    m = full();
    m.provenance[0].key = CM_LIT("\xff");
    FAILS(SEALED_NAME, cm_manifest_encode(&b, &m));
}

static void provenance_limits(void **state)
{
    cm_buf big = t_bytes(CM_MANIFEST_MAX, 1), b = {.max = CM_MANIFEST_MAX}, pairs = {.max = 4096};
    cm_manifest m = full(), got;

    (void)state;
    for (size_t i = 0; i < CM_SEALED_PAIRS; i++)
        m.provenance[i].key = m.provenance[i].value = CM_LIT("k");
    m.provenance_n = CM_SEALED_PAIRS;
    OK(cm_manifest_encode(&b, &m));
    OK(cm_manifest_decode(&got, cm_buf_view(&b)));
    assert_int_equal(got.provenance_n, CM_SEALED_PAIRS);
    b.n = 0;
    m.provenance_n++;
    FAILS(SEALED_NAME, cm_manifest_encode(&b, &m));
    memset(big.p, 'x', big.n);
    m.provenance_n = 1;
    m.provenance[0].value = cm_buf_view(&big);
    FAILS(TOO_BIG, cm_manifest_encode(&b, &m));
    assert_int_equal(b.n, 0);
    FAILS(SEALED_MANIFEST, cm_manifest_decode(&got, cm_view_of(big.p, CM_MANIFEST_MAX + 1ul)));
    cm_buf_free(&b);
    cm_buf_free(&big);
    cm_buf_free(&pairs);
}

/* A provenance that the writer would not write, in the place of one pair ["k", "v"]. */
static void odd_provenance(const uint8_t *p, size_t n, const char *want)
{
    static const uint8_t pair[] = {0x0d, 0x81, 0x82, 0x61, 'k', 0x61, 'v'};
    cm_manifest m = full(), got;
    cm_buf b, bad = {.max = 2 * CM_MANIFEST_MAX};
    const uint8_t *at;

    m.provenance_n = 1;
    m.provenance[0].key = CM_LIT("k");
    m.provenance[0].value = CM_LIT("v");
    b = encoded(&m);
    at = memmem(b.p, b.n, pair, sizeof pair);
    assert_non_null(at);
    OK(cm_buf_append(&bad, cm_view_of(b.p, (size_t)(at - b.p) + 1)));
    OK(cm_buf_append(&bad, cm_view_of(p, n)));
    OK(cm_buf_append(&bad, cm_view_of(at + sizeof pair, b.n - (size_t)(at - b.p) - sizeof pair)));
    assert_string_equal(cm_err_name(cm_manifest_decode(&got, cm_buf_view(&bad))), want);
    cm_buf_free(&b);
    cm_buf_free(&bad);
}

static void provenance_form(void **state)
{
    static const uint8_t good[] = {0x81, 0x82, 0x61, 'a', 0x60}, none[] = {0x80},
                         three[] = {0x81, 0x83, 0x60, 0x60, 0x60}, one[] = {0x81, 0x81, 0x60},
                         bytes[] = {0x81, 0x82, 0x40, 0x60}, flat[] = {0x81, 0x60},
                         text[] = {0x81, 0x82, 0x61, 0xff, 0x60};
    static uint8_t large[65400] = {0x81, 0x82, 0x60, 0x79, 65394 >> 8, 65394 & 0xff};
    uint8_t many[2 + 65 * 3] = {0x98, 65};

    (void)state;
    for (size_t i = 0; i < 65; i++)
        memcpy(many + 2 + 3 * i, "\x82\x60\x60", 3);
    odd_provenance(good, sizeof good, "OK");
    odd_provenance(none, sizeof none, "SEALED_MANIFEST");
    odd_provenance(three, sizeof three, "SEALED_MANIFEST");
    odd_provenance(one, sizeof one, "SEALED_MANIFEST");
    odd_provenance(bytes, sizeof bytes, "SEALED_MANIFEST");
    odd_provenance(flat, sizeof flat, "SEALED_MANIFEST");
    odd_provenance(text, sizeof text, "SEALED_MANIFEST");
    odd_provenance(many, sizeof many, "SEALED_MANIFEST");
    memset(large + 6, 'x', sizeof large - 6);
    odd_provenance(large, sizeof large, "SEALED_MANIFEST"); /* well-formed, but past 64 KiB */
}

/* S-12 */
static void belongs(void **state)
{
    cm_core h = {.hd = {1}, .segment = 65536, .leaf = 4096};
    cm_footer f = {.body = CM_FLOE_HEADER + 20000 + CM_FLOE_OVERHEAD};
    cm_manifest m = full();

    (void)state;
    OK(cm_manifest_check(&m, &h, &f));
    h.hd[31] ^= 1;
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    h.hd[31] ^= 1;
    m.leaves = 4;
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    m.leaves = 5;
    m.size = 20001;
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    m.size = 20000;
    f.body++;
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    m.size = 65536; /* S-5: a full segment is followed by an empty one */
    m.leaves = 16;
    f.body = CM_FLOE_HEADER + 65536 + CM_FLOE_OVERHEAD;
    FAILS(SEALED_MANIFEST, cm_manifest_check(&m, &h, &f));
    f.body += CM_FLOE_OVERHEAD;
    OK(cm_manifest_check(&m, &h, &f));
    m.size = CM_MODEL_MAX; /* the largest there is does not go round */
    m.leaves = CM_MODEL_MAX / 4096;
    f.body = CM_FLOE_HEADER + CM_MODEL_MAX + (CM_MODEL_MAX / 65536 + 1) * CM_FLOE_OVERHEAD;
    OK(cm_manifest_check(&m, &h, &f));
}

static void model_size_limit(void **state)
{
    cm_manifest m = full(), got;
    cm_buf b = {.max = CM_MANIFEST_MAX};

    (void)state;
    m.size = CM_MODEL_MAX;
    OK(cm_manifest_encode(&b, &m));
    OK(cm_manifest_decode(&got, cm_buf_view(&b)));
    b.n = 0;
    m.size++;
    assert_true(cm_failed(cm_manifest_encode(&b, &m)));
    cm_buf_free(&b);
}

/* S-14 */
static void levels(void **state)
{
    static const struct {
        cm_sig_id id;
        uint8_t level;
    } sigs[] = {{CM_SIG_MLDSA87, 5},          {CM_SIG_DUAL87, 5},  {CM_SIG_MLDSA65, 3},
                {CM_SIG_DUAL65, 3},           {CM_SIG_MLDSA44, 2}, {CM_SIG_SLHDSA_SHA2_128S, 1},
                {CM_SIG_SLHDSA_SHA2_128F, 1}, {CM_SIG_ED25519, 0}, {(cm_sig_id)0xffff, 0}};
    static const uint8_t tiers[] = {3, 3, 3, 5, 5};

    (void)state;
    for (size_t i = 0; i < CM_COUNT(sigs); i++)
        assert_int_equal(cm_sig_level(sigs[i].id), sigs[i].level);
    for (unsigned t = 0; t < CM_COUNT(tiers); t++)
        assert_int_equal(cm_tier_level(t), tiers[t]);
}

/* ---- signatures ---------------------------------------------------------------------------- */

static const cm_view what = {(const uint8_t *)"a manifest", 10};

static cm_err decode_with(cm_sealed_signature *list, size_t *n, cm_view v, cm_view manifest,
                          const cm_sig_key *trusted)
{
    return cm_signatures_decode(list, n, kit->crypt, v, manifest, &trusted, 1, false);
}

static void signatures(void **state)
{
    const cm_sig_key *signers[] = {kit->dual, kit->mldsa65, kit->mldsa87, kit->ed25519};
    cm_sealed_signature list[CM_SIGNATURES_PER_MODEL];
    cm_buf b = {.max = CM_SIGNATURES_MAX};
    size_t n = 0;

    (void)state;
    OK(cm_signatures_encode(&b, what, signers, 4));
    OK(decode_with(list, &n, cm_buf_view(&b), what, kit->mldsa87));
    assert_int_equal(n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(list[i].valid && !list[i].detached);
        assert_int_equal(list[i].trusted, i == 2);
        assert_true(list[i].alg == cm_sig_key_info(signers[i])->id);
    }
    OK(decode_with(list, &n, cm_buf_view(&b), what, kit->stranger)); /* appended */
    assert_int_equal(n, 8);
    FAILS(SEALED_SIGNATURES, decode_with(list, &n, cm_buf_view(&b), what, kit->dual));
    n = 0;
    OK(decode_with(list, &n, cm_buf_view(&b), CM_LIT("another"), kit->dual));
    for (size_t i = 0; i < n; i++)
        assert_false(list[i].valid);
    assert_true(list[0].trusted); /* trusted and not valid: S-13 makes that an error */
    cm_buf_free(&b);
}

static void signature_limits(void **state)
{
    const cm_sig_key *nine[9];
    cm_sealed_signature list[CM_SIGNATURES_PER_MODEL];
    cm_buf b = {.max = CM_SIGNATURES_MAX};
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < 9; i++)
        nine[i] = kit->ed25519;
    FAILS(TOO_BIG, cm_signatures_encode(&b, what, nine, 9));
    OK(cm_signatures_encode(&b, what, nine, 8));
    OK(decode_with(list, &n, cm_buf_view(&b), what, kit->ed25519));
    b.p[0] = 0x89; /* nine promised */
    n = 0;
    FAILS(SEALED_SIGNATURES, decode_with(list, &n, cm_buf_view(&b), what, kit->ed25519));
    b.p[0] = 0x88;
    for (size_t k = 0; k < b.n; k++)
        FAILS(SEALED_SIGNATURES, decode_with(list, &n, cm_view_of(b.p, k), what, kit->ed25519));
    assert_int_equal(n, 0);
    cm_buf_free(&b);
    OK(cm_signatures_encode(&b, what, NULL, 0));
    OK(decode_with(list, &n, cm_buf_view(&b), what, kit->ed25519));
    assert_int_equal(n, 0);
    cm_buf_free(&b);
}

/* No bit of key or signature may change; a bad key is a signature that is not valid, not an error
 * that keeps the others from being looked at. */
static void signature_every_byte(void **state)
{
    const cm_sig_key *two[2] = {kit->ed25519, kit->stranger};
    cm_sealed_signature list[CM_SIGNATURES_PER_MODEL];
    cm_buf b = {.max = CM_SIGNATURES_MAX};
    size_t n, step;

    (void)state;
    OK(cm_signatures_encode(&b, what, two, 2));
    for (size_t i = 0; i < b.n; i += step) {
        cm_err e;

        n = 0;
        step = i < 140 ? 1 : 29;
        b.p[i] ^= 0x40;
        e = decode_with(list, &n, cm_buf_view(&b), what, kit->stranger);
        if (cm_failed(e))
            FAILS(SEALED_SIGNATURES, e);
        else
            assert_true(n < 2 || !list[0].valid || !list[1].valid || !list[1].trusted);
        b.p[i] ^= 0x40;
    }
    cm_buf_free(&b);
}

static void put_signature(cm_buf *b, uint64_t alg, cm_view pk, cm_view sig)
{
    OK(cm_cbor_put_map(b, 3));
    OK(cm_cbor_put_uint(b, 1));
    OK(cm_cbor_put_uint(b, alg));
    OK(cm_cbor_put_uint(b, 2));
    OK(cm_cbor_put_bytes(b, pk));
    OK(cm_cbor_put_uint(b, 3));
    OK(cm_cbor_put_bytes(b, sig));
}

/* Rubbish under every algorithm's name, and names of a later version. */
static void rubbish_keys(void **state)
{
    uint8_t z[2048];

    (void)state;
    for (unsigned fill = 0; fill < 256; fill += 255)
        for (unsigned alg = 1; alg < 64; alg++) {
            const cm_sig_info *info = cm_sig_info_of(alg);
            cm_sealed_signature list[CM_SIGNATURES_PER_MODEL];
            cm_buf b = {.max = 8192};
            size_t n = 0;

            memset(z, (int)fill, sizeof z);
            OK(cm_cbor_put_array(&b, 2));
            put_signature(&b, alg, cm_view_of(z, info && info->pk < sizeof z ? info->pk : 9),
                          cm_view_of(z, 64));
            put_signature(&b, alg, cm_view_of(z, 33), cm_view_of(z, 65));
            OK(decode_with(list, &n, cm_buf_view(&b), what, kit->stranger));
            assert_int_equal(n, 2);
            assert_true(!list[0].valid && !list[0].trusted && !list[1].valid);
            assert_true((list[0].info == NULL) == (info == NULL));
            cm_buf_free(&b);
        }
}

/* ---- detached ------------------------------------------------------------------------------ */

static void detached(void **state)
{
    const cm_sig_key *signer = kit->ed25519;
    cm_buf s = {.max = 4096}, d = {.max = 8192};
    cm_view got = {0};

    (void)state;
    OK(cm_signatures_encode(&s, what, &signer, 1));
    OK(cm_detached_encode(&d, kit->crypt, what, cm_buf_view(&s)));
    OK(cm_detached_decode(&got, kit->crypt, cm_buf_view(&d), what));
    assert_true(cm_view_eq(got, cm_buf_view(&s)));
    got.n = 99;
    FAILS(SEALED_SIGNATURE, cm_detached_decode(&got, kit->crypt, cm_buf_view(&d), CM_LIT("other")));
    for (size_t n = 0; n < d.n; n++)
        FAILS(SEALED_SIGNATURES, cm_detached_decode(&got, kit->crypt, cm_view_of(d.p, n), what));
    for (size_t i = 0; i < 38; i++) { /* frame, version and hash */
        d.p[i] ^= 1;
        assert_true(cm_failed(cm_detached_decode(&got, kit->crypt, cm_buf_view(&d), what)));
        d.p[i] ^= 1;
    }
    OK(cm_buf_byte(&d, 0));
    FAILS(SEALED_SIGNATURES, cm_detached_decode(&got, kit->crypt, cm_buf_view(&d), what));
    assert_int_equal(got.n, 99);
    cm_buf_free(&s);
    cm_buf_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(texts),
        cmocka_unit_test(provenance_limits),
        cmocka_unit_test(provenance_form),
        cmocka_unit_test(belongs),
        cmocka_unit_test(model_size_limit),
        cmocka_unit_test(levels),
        cmocka_unit_test(signatures),
        cmocka_unit_test(signature_limits),
        cmocka_unit_test(signature_every_byte),
        cmocka_unit_test(rubbish_keys),
        cmocka_unit_test(detached),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
