/*
 * Boot records, shares and threshold groups nobody made. The first byte picks. Whatever a record's
 * checksum is, it is also tried with the right one, so that what lies behind is reached; it must
 * never open.
 */
#include <stdlib.h>

#include "codec/cbor.h"
#include "keys/frost.h"
#include "keys/unseal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cm_crypt *crypt_;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void try_open(cm_view v)
{
    static const uint8_t secret[32] = {1};
    cm_unseal_key key = {.kind = CM_UNSEAL_KEYFILE, .secret = CM_VIEW(secret)};
    cm_root *root = NULL;
    cm_boot_info info;

    if (cm_ok(cm_boot_inspect(&info, crypt_, v)))
        must(info.n >= 1 && info.n <= CM_BOOT_SLOTS && info.sequence > 0);
    must(cm_failed(cm_boot_open(&root, crypt_, v, &key)) && root == NULL);
}

static void with_checksum(cm_view v)
{
    static const cm_cbor_field f[] = {
        {1, CM_CBOR_UINT, true, 0, UINT64_MAX},  {2, CM_CBOR_BYTES, true, 0, UINT64_MAX},
        {3, CM_CBOR_UINT, true, 0, UINT64_MAX},  {4, CM_CBOR_UINT, true, 0, UINT64_MAX},
        {5, CM_CBOR_ARRAY, true, 0, UINT64_MAX}, {6, CM_CBOR_BYTES, true, 0, UINT64_MAX},
        {7, CM_CBOR_BYTES, true, 0, UINT64_MAX},
    };
    cm_buf out = {.max = CM_BOOT_MAX + 64};
    cm_cbor_value x[7] = {0};
    uint8_t sum[32];
    cm_cbor c;

    if (cm_ok(cm_cbor_open(&c, v, NULL)) && cm_ok(cm_cbor_record(&c, f, x, 7, NULL)) &&
        cm_ok(cm_cbor_put_record(&out, f, x, 6))) {
        must(cm_ok(cm_hash_once(crypt_, CM_SHA256, sum, cm_buf_view(&out))));
        x[6].v = CM_VIEW(sum);
        out.n = 0;
        if (cm_ok(cm_cbor_put_record(&out, f, x, 7)))
            try_open(cm_buf_view(&out));
    }
    cm_buf_free(&out);
}

static void share(cm_view v)
{
    cm_buf t = {.max = 256};
    cm_share s, back;

    if (cm_ok(cm_share_parse(&s, crypt_, v))) {
        must(cm_ok(cm_share_print(&t, crypt_, &s)) && t.n == CM_SHARE_CHARS);
        must(cm_ok(cm_share_parse(&back, crypt_, cm_buf_view(&t))));
        must(cm_view_eq(cm_view_of(&s, sizeof s), cm_view_of(&back, sizeof back)));
    }
    cm_buf_free(&t);
}

static void group(cm_view v)
{
    cm_buf b = {.max = CM_FROST_GROUP_MAX};
    cm_frost_group g;

    if (cm_ok(cm_frost_get_group(&g, v)))
        must(cm_ok(cm_frost_put_group(&b, &g)) && cm_view_eq(cm_buf_view(&b), v));
    cm_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!crypt_)
        must(cm_ok(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)));
    if (n < 1 || n > CM_BOOT_MAX)
        return 0;
    if (p[0] % 4 == 0)
        try_open(cm_view_of(p + 1, n - 1));
    else if (p[0] % 4 == 1)
        with_checksum(cm_view_of(p + 1, n - 1));
    else if (p[0] % 4 == 2)
        share(cm_view_of(p + 1, n - 1));
    else
        group(cm_view_of(p + 1, n - 1));
    return 0;
}
