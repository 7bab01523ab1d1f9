#include "market/keccak.h"

cm_err cm_keccak_parts(const cm_crypt *c, uint8_t out[32], const cm_view *parts, size_t count)
{
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;

    CM_TRY(cm_hasher_new(&h, c, CM_KECCAK256));
    for (size_t i = 0; i < count; i++)
        CM_TRY(cm_hasher_update(h, parts[i]));
    return cm_hasher_final(h, out);
}
