#ifndef CM_SEALED_KEYS_H
#define CM_SEALED_KEYS_H
/* What a container derives from its content key: spec/sealed.md, Keys. */
#include "sealed/floe.h"
#include "sealed/layout.h"

enum { CM_TREE_RUN = 1024, CM_TREE_SEGMENT = CM_TREE_RUN * 32, CM_INDEX_SEGMENT = 64 << 10 };

typedef struct {
    cm_key32 body, tree, index;
} cm_sealed_keys;

CM_MUST cm_err cm_sealed_keys_derive(cm_sealed_keys *out, const cm_crypt *c, const cm_core *h,
                                     const cm_key32 *content);
void cm_sealed_keys_wipe(cm_sealed_keys *k);

/** "casemate-sealed-v1" 0x00 hd: what the envelope is bound to. */
CM_MUST cm_err cm_sealed_context(cm_buf *out, const cm_core *h);
/** "casemate-sealed-v1 PART" 0x00 hd: the FLOE AAD of a part. */
CM_MUST cm_err cm_sealed_aad(cm_buf *out, const cm_core *h, const char *part);

/** The salt is bound to the container id, since hd covers the sealed salt itself. */
CM_MUST cm_err cm_salt_seal(uint8_t out[CM_SEALED_SALT], const cm_crypt *c, const cm_key32 *content,
                            const uint8_t container[16], const uint8_t salt[32]);
CM_MUST cm_err cm_salt_open(uint8_t salt[32], const cm_crypt *c, const cm_key32 *content,
                            const cm_core *h);

#endif
