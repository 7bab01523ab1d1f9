/*
 * What a publisher signs. The first byte picks the reader: a manifest, an array of signatures, a
 * detached signature. What is read must be written back as the same bytes; no signature here is
 * valid by a key of ours.
 */
#include <stdlib.h>

#include "sealed/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cm_crypt *crypt_;
static cm_sig_key *ours;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void setup(void)
{
    static const uint8_t seed[32] = {1};

    if (crypt_)
        return;
    must(cm_ok(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)));
    must(cm_ok(cm_sig_from_seed(&ours, crypt_, CM_SIG_ED25519, CM_VIEW(seed))));
}

static void manifest(cm_view in)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_MANIFEST_MAX};
    const cm_core h = {.segment = 65536, .leaf = 4096};
    const cm_footer f = {.body = 106};
    cm_manifest m;
    cm_err e = cm_manifest_decode(&m, in);

    if (cm_failed(e)) {
        must(cm_is(e, CM_SEALED_MANIFEST));
        return;
    }
    must(cm_ok(cm_manifest_encode(&out, &m)));
    must(cm_view_eq(cm_buf_view(&out), in));
    e = cm_manifest_check(&m, &h, &f);
    must(cm_failed(e) || m.size == 0);
}

static void signatures(cm_view in)
{
    cm_sealed_signature list[CM_SIGNATURES_PER_MODEL];
    const cm_sig_key *trusted = ours;
    size_t n = 0;
    cm_err e = cm_signatures_decode(list, &n, crypt_, in, CM_LIT("a manifest"), &trusted, 1, false);

    if (cm_failed(e)) {
        must(cm_is(e, CM_SEALED_SIGNATURES) && n == 0);
        return;
    }
    must(n <= CM_SIGNATURES_PER_MODEL);
    for (size_t i = 0; i < n; i++)
        must(!list[i].trusted || list[i].alg == CM_SIG_ED25519);
}

static void detached(cm_view in)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_SIGNATURES_MAX + 128};
    cm_view array;
    cm_err e = cm_detached_decode(&array, crypt_, in, CM_LIT("a manifest"));

    if (cm_failed(e)) {
        must(cm_is(e, CM_SEALED_SIGNATURES) || cm_is(e, CM_SEALED_SIGNATURE));
        return;
    }
    must(cm_ok(cm_detached_encode(&out, crypt_, CM_LIT("a manifest"), array)));
    must(cm_view_eq(cm_buf_view(&out), in));
    signatures(array);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view in = cm_view_of(p + 1, n - 1);

    if (n == 0)
        return 0;
    setup();
    if (p[0] % 3 == 0)
        manifest(in);
    else if (p[0] % 3 == 1)
        signatures(in);
    else
        detached(in);
    return 0;
}
