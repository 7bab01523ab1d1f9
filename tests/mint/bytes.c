#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>

#include "mint_int.h"

enum { LABEL_MAX = 64, LONG_FORM = 0x80 };

void mint_must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "mint: %s\n", what);
    exit(1);
}

void mint_put(cm_buf *b, cm_view v)
{
    b->max = MINT_MAX;
    mint_must(cm_ok(cm_buf_append(b, v)), "no memory");
}

void mint_text(cm_buf *b, const char *text)
{
    mint_put(b, cm_view_str(text));
}

void mint_field(cm_buf *b, cm_view v, size_t n)
{
    size_t have = CM_MIN(v.n, n);

    if (have)
        mint_put(b, cm_view_sub(v, 0, have));
    mint_zeros(b, n - have);
}

void mint_zeros(cm_buf *b, size_t n)
{
    static const uint8_t zeros[64];

    for (; n; n -= CM_MIN(n, sizeof zeros))
        mint_put(b, cm_view_of(zeros, CM_MIN(n, sizeof zeros)));
}

void mint_le(cm_buf *b, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)(v >> 8 * i);

        mint_put(b, cm_view_of(&byte, 1));
    }
}

void mint_be(cm_buf *b, uint64_t v, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        uint8_t byte = (uint8_t)(v >> 8 * i);

        mint_put(b, cm_view_of(&byte, 1));
    }
}

void mint_hash(cm_buf *b, const char *name, cm_view v)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t n = 0;

    mint_must(EVP_Q_digest(NULL, name, NULL, v.p, v.n, digest, &n) == 1, "hash");
    mint_put(b, cm_view_of(digest, n));
}

void mint_label(cm_buf *b, const char *label, uint64_t number, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf digest = {.max = MINT_MAX};
    char text[LABEL_MAX];
    int len = snprintf(text, sizeof text, "%s %llu", label, (unsigned long long)number);

    mint_must(len > 0 && (size_t)len < sizeof text, "label");
    mint_hash(&digest, "SHA512", cm_view_of(text, (size_t)len));
    mint_put(b, cm_view_sub(cm_buf_view(&digest), 0, n));
}

uint32_t mint_context(unsigned number)
{
    return number < 0x1f ? 0xa0u | number : 0xbf8000u | (number >> 7) << 8 | (number & 0x7f);
}

void mint_wrap(cm_buf *b, size_t at, uint32_t tag)
{
    CM_AUTO(cm_buf_free) cm_buf content = {.max = MINT_MAX};
    size_t n = b->n - at;

    mint_put(&content, cm_view_of(b->p + at, n));
    b->n = at;
    mint_be(b, tag, tag > 0xff ? 3 : 1);
    if (n < LONG_FORM) {
        mint_be(b, n, 1);
    } else {
        size_t bytes = n < 0x100 ? 1 : n < 0x10000 ? 2 : 3;

        mint_be(b, LONG_FORM | bytes, 1);
        mint_be(b, n, bytes);
    }
    mint_put(b, cm_buf_view(&content));
}

void mint_int(cm_buf *b, uint8_t tag, uint64_t v)
{
    size_t at = b->n, n = 1;

    while (n < 8 && v >> (8 * n - 1))
        n++;
    if (n == 8 && v >> 63)
        mint_be(b, 0, 1);
    mint_be(b, v, n);
    mint_wrap(b, at, tag);
}

void mint_oid(cm_buf *b, const char *dotted)
{
    ASN1_OBJECT *o = OBJ_txt2obj(dotted, 1);
    size_t at = b->n;

    mint_must(o != NULL, dotted);
    mint_put(b, cm_view_of(OBJ_get0_data(o), OBJ_length(o)));
    ASN1_OBJECT_free(o);
    mint_wrap(b, at, 0x06);
}
