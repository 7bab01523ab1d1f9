#include "sealed/keys.h"

static const char label[] = "casemate-sealed-v1";

static cm_err bind(cm_buf *out, const char *part, cm_view to)
{
    CM_TRY(cm_buf_append(out, cm_view_str(label)));
    if (part) {
        CM_TRY(cm_buf_byte(out, ' '));
        CM_TRY(cm_buf_append(out, cm_view_str(part)));
    }
    CM_TRY(cm_buf_byte(out, 0));
    return cm_buf_append(out, to);
}

cm_err cm_sealed_context(cm_buf *out, const cm_core *h)
{
    return bind(out, NULL, CM_VIEW(h->hd));
}

cm_err cm_sealed_aad(cm_buf *out, const cm_core *h, const char *part)
{
    return bind(out, part, CM_VIEW(h->hd));
}

static cm_err derive(cm_key32 *out, const cm_crypt *c, const cm_key32 *content, const char *use,
                     cm_view to)
{
    CM_AUTO(cm_buf_free) cm_buf info = {.max = 128};

    CM_TRY(bind(&info, use, to));
    return cm_hkdf_expand(c, CM_SHA384, out->b, sizeof out->b, CM_VIEW(content->b),
                          cm_buf_view(&info));
}

cm_err cm_sealed_keys_derive(cm_sealed_keys *out, const cm_crypt *c, const cm_core *h,
                             const cm_key32 *content)
{
    CM_AUTO(cm_sealed_keys_wipe) cm_sealed_keys k = {0};

    CM_TRY(derive(&k.body, c, content, "body", CM_VIEW(h->hd)));
    CM_TRY(derive(&k.tree, c, content, "tree", CM_VIEW(h->hd)));
    CM_TRY(derive(&k.index, c, content, "index", CM_VIEW(h->hd)));
    *out = k;
    return CM_OKAY;
}

void cm_sealed_keys_wipe(cm_sealed_keys *k)
{
    cm_wipe(k, sizeof *k);
}

static cm_err salt_cipher(cm_gcm **g, const cm_crypt *c, const cm_key32 *content,
                          const uint8_t container[16])
{
    CM_AUTO(cm_key32_wipe) cm_key32 key = {{0}};

    CM_TRY(derive(&key, c, content, "salt", cm_view_of(container, 16)));
    return cm_gcm_new(g, c, &key);
}

cm_err cm_salt_seal(uint8_t out[CM_SEALED_SALT], const cm_crypt *c, const cm_key32 *content,
                    const uint8_t container[16], const uint8_t salt[32])
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;

    CM_TRY(cm_random(c, out, CM_GCM_NONCE));
    CM_TRY(salt_cipher(&g, c, content, container));
    return cm_gcm_seal(g, out + CM_GCM_NONCE, out + CM_GCM_NONCE + 32, out,
                       cm_view_of(container, 16), cm_view_of(salt, 32));
}

cm_err cm_salt_open(uint8_t salt[32], const cm_crypt *c, const cm_key32 *content, const cm_core *h)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    const uint8_t *s = h->sealed_salt;

    CM_TRY(salt_cipher(&g, c, content, h->container));
    return cm_gcm_open(g, salt, s + CM_GCM_NONCE + 32, s, CM_VIEW(h->container),
                       cm_view_of(s + CM_GCM_NONCE, 32));
}
