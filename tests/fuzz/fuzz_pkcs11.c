/* What a host passes to the PKCS#11 module and what a server answers with: templates, parameters of
 * mechanisms, the SPKI of an RSA key. Memory is exact copies, so that a byte too far is seen. */
#include <stdlib.h>

#include "module.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { ATTRIBUTES = 8 };

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* A length that may lie: what is not there has no pointer. */
static CK_ULONG length(const uint8_t **p, size_t *n)
{
    CK_ULONG v = *n ? **p : 0;

    if (*n) {
        ++*p;
        --*n;
    }
    return v;
}

static void *bytes(const uint8_t **p, size_t *n, CK_ULONG want)
{
    void *copy;

    if (want == 0 || want > *n)
        return NULL;
    copy = malloc(want);
    must(copy != NULL);
    memcpy(copy, *p, want);
    *p += want;
    *n -= want;
    return copy;
}

static void templates(const uint8_t *p, size_t n)
{
    static const CK_ATTRIBUTE_TYPE types[] = {CKA_CLASS, CKA_TOKEN, CKA_VALUE_LEN, CKA_LABEL};
    CK_ATTRIBUTE a[ATTRIBUTES];
    CK_ULONG count = 0, number = 7;
    bool truth = false;

    while (count < ATTRIBUTES && n) {
        CK_ULONG len = length(&p, &n);

        a[count].type = types[len % CM_COUNT(types)];
        a[count].ulValueLen = len;
        a[count].pValue = bytes(&p, &n, len);
        count++;
    }
    if (cm_p11_template_check(a, count) == CKR_OK)
        for (size_t i = 0; i < CM_COUNT(types); i++) {
            (void)cm_p11_template_number(&number, a, count, types[i]);
            (void)cm_p11_template_bool(&truth, a, count, types[i]);
        }
    for (CK_ULONG i = 0; i < count; i++)
        free(a[i].pValue);
}

static void parameters(const uint8_t *p, size_t n)
{
    for (size_t i = 0; cm_p11_mech_at(i); i++) {
        const cm_p11_mech *k = cm_p11_mech_at(i), *out = NULL;
        CM_AUTO(cm_buf_free) cm_buf extra = {0};
        uint8_t *copy = n ? malloc(n) : NULL;
        CK_MECHANISM m = {k->type, copy, n};

        /* Pointers inside a parameter are the host's to get right: none are made up here. */
        if (copy) {
            memcpy(copy, p, n);
            if (k->how != CM_P11_BOX)
                memset(copy, 0, n);
        }
        if (cm_p11_mech_parse(&out, &extra, &m, k->flags) == CKR_OK)
            must(out == k && extra.n <= CM_P11_AAD);
        free(copy);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    cm_view modulus = {0};

    if (cm_ok(cm_p11_rsa_modulus(&modulus, cm_view_of(n ? (const void *)p : "", n))))
        must(modulus.n > 0 && modulus.p >= p && modulus.p + modulus.n <= p + n &&
             modulus.p[0] != 0);
    templates(p, n);
    parameters(p, n);
    return 0;
}
