/*
 * Ciphertexts, sealed keys and exports nobody made, brought to a keyring: nothing opens, nothing
 * comes back, and nothing but the kinds of failure that say so. The first byte chooses where the
 * rest goes.
 */
#include <stdlib.h>

#include "keys/ring.h"
#include "keys/wirefmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cm_crypt *crypt_;
static cm_keyring *ring;
static cm_buf kek, aes, kem;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static cm_keyop op_of(cm_keyop_code code, cm_key_type type, const cm_buf *sealed)
{
    return (cm_keyop){.code = code,
                      .bind = {.tenant = CM_LIT("acme"),
                               .path = CM_LIT("p"),
                               .version = 1,
                               .type = type,
                               .kek_version = 1},
                      .kek = cm_buf_view(&kek),
                      .key = cm_buf_view(sealed)};
}

static cm_buf made(cm_keyop_code code, cm_key_type type)
{
    cm_buf none = {0};
    cm_keyop op = op_of(code, type, &none);

    cm_keyring_exec(ring, &op);
    must(cm_ok(op.result));
    cm_buf_free(&op.out2);
    return op.out;
}

static void setup(void)
{
    cm_root root = {.n = 1, .kem = {{.number = 1}}};
    cm_keyring_options o = {.root = &root, .keks = 4, .keys = 4};

    if (ring)
        return;
    must(cm_ok(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)));
    o.crypt = crypt_;
    must(cm_ok(cm_keyring_new(&ring, &o)));
    kek = made(CM_KEYOP_NEW_TENANT, 0);
    aes = made(CM_KEYOP_CREATE, CM_KEY_AES_256);
    kem = made(CM_KEYOP_CREATE, CM_KEY_ML_KEM_768);
}

/* All that is sealed here was sealed just now with random keys: no input can be any of it. */
static void refused(cm_keyop op)
{
    cm_keyring_exec(ring, &op);
    must(cm_failed(op.result) && !op.out.p && !op.out2.p);
    must(cm_is(op.result, CM_CRYPT_TAG) || cm_err_class(op.result) == CM_CLASS_MALFORMED ||
         cm_err_class(op.result) == CM_CLASS_INVALID || cm_is(op.result, CM_KEYOP_SIZE));
}

/* What is imported may well be a key; then it is one. */
static void imported(cm_key_type type, cm_view v)
{
    cm_keyop op = op_of(CM_KEYOP_IMPORT, type, &aes);

    op.data = v;
    cm_keyring_exec(ring, &op);
    must(cm_ok(op.result) == (op.out.n > 0));
    must(cm_ok(op.result) || cm_err_class(op.result) != CM_CLASS_INTERNAL);
    cm_keyop_done_with(&op);
}

static void opened(unsigned what, cm_view v)
{
    static const cm_keyop_code codes[] = {CM_KEYOP_DECRYPT, CM_KEYOP_UNWRAP, CM_KEYOP_REWRAP};
    cm_keyop op = op_of(codes[what % 3], CM_KEY_AES_256, &aes);

    op.data = v;
    op.more = cm_buf_view(&aes);
    op.n = 1;
    refused(op);
    op = op_of(CM_KEYOP_UNWRAP, CM_KEY_ML_KEM_768, &kem);
    op.data = v;
    refused(op);
    op.code = CM_KEYOP_IMPORT_WRAPPED;
    op.type2 = CM_KEY_AES_256;
    refused(op);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view v = cm_view_of(p + 1, n ? n - 1 : 0);
    uint64_t version;
    cm_keyop op;

    if (n == 0 || n > CM_KEYOP_DATA_MAX)
        return 0;
    setup();
    (void)cm_failed(cm_keyop_version_of(&version, v));
    opened(p[0], v);
    op = op_of(CM_KEYOP_PUBLIC, (cm_key_type)(p[0] % CM_KEY_TYPE_END), &aes);
    op.key = v;
    if (cm_key_type_of(op.bind.type))
        refused(op);
    op = op_of(CM_KEYOP_PUBLIC, CM_KEY_AES_256, &aes);
    op.kek = v;
    refused(op);
    imported(p[0] % 2 ? CM_KEY_ED25519 : CM_KEY_RSA_2048, v);
    return 0;
}
