/* Records of keys, versions and tenants that nobody wrote: what reads must write back the same. */
#include <stdlib.h>

#include "keys/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const cm_crypt *crypt_of(void)
{
    static cm_crypt *c;

    if (!c)
        must(cm_ok(cm_crypt_new(&c, CM_PROFILE_DEFAULT)));
    return c;
}

static void key(cm_view in)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_KEY_RECORD_MAX};
    cm_key_record k;
    cm_err e = cm_key_record_get(&k, in);

    must(cm_ok(e) || cm_is(e, CM_KEY_RECORD));
    if (cm_failed(e))
        return;
    must(k.min_decrypt <= k.current && k.tags_n <= CM_TAGS_MAX && cm_key_type_of(k.type));
    must(cm_ok(cm_key_record_put(&out, &k)) && cm_view_eq(cm_buf_view(&out), in));
}

static void version(cm_view in)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_VERSION_RECORD_MAX};
    cm_version_record r;
    cm_err e = cm_version_record_get(&r, crypt_of(), in);

    must(cm_ok(e) || cm_is(e, CM_KEY_RECORD));
    if (cm_ok(e))
        must(cm_ok(cm_version_record_put(&out, crypt_of(), &r)) &&
             cm_view_eq(cm_buf_view(&out), in));
}

static void tenant(cm_view in)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = CM_TENANT_RECORD_MAX};
    cm_tenant_record t;
    cm_err e = cm_tenant_record_get(&t, in);

    must(cm_ok(e) || cm_is(e, CM_KEY_RECORD));
    if (cm_ok(e))
        must(cm_ok(cm_tenant_record_put(&out, &t)) && cm_view_eq(cm_buf_view(&out), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    key(cm_view_of(p, n));
    version(cm_view_of(p, n));
    tenant(cm_view_of(p, n));
    return 0;
}
