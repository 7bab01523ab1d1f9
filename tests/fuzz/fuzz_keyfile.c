/* Key files of any kind. What is read is written and read again as the same key. */
#include <stdlib.h>

#include "pki/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void again(const cm_crypt *c, const cm_pkey *k)
{
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_KEYFILE_MAX};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *other = NULL;
    const cm_protect none = {.mode = CM_PROTECT_NONE};
    uint8_t a[CM_FINGERPRINT], b[CM_FINGERPRINT];
    cm_err e = cm_pkey_has_private(k) ? cm_pkey_write_private(&file, c, k, &none)
                                      : cm_pkey_write_public(&file, k);

    if (cm_is(e, CM_KEY_NO_SEED))
        return;
    must(cm_ok(e));
    must(cm_ok(cm_pkey_read(&other, c, cm_buf_view(&file), NULL)));
    must(cm_ok(cm_pkey_fingerprint(a, c, k)) && cm_ok(cm_pkey_fingerprint(b, c, other)));
    must(memcmp(a, b, sizeof a) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static cm_crypt *c;
    static const cm_view pass = {(const uint8_t *)"fuzz", 4};
    const cm_pkey_reading o = {
        .pass = cm_passphrase_of(&pass),
        .max_memory_kib = 64,
        .max_passes = 2,
        .max_rounds = 100,
        .legacy_expanded = true,
    };
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *k = NULL;
    cm_keyfile_form form;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    (void)cm_failed(cm_pkey_peek(&form, cm_view_of(p, n)));
    if (cm_ok(cm_pkey_read(&k, c, cm_view_of(p, n), &o)))
        again(c, k);
    return 0;
}
