/* A log of measured boot: one event for each register. */
#include <string.h>

#include "mint_int.h"

static void put_head(cm_buf *b, const mint_log_spec *s)
{
    static const char id[16] = "Spec ID Event03";

    mint_le(b, s->first, 4);
    mint_le(b, 3, 4); /* EV_NO_ACTION */
    mint_zeros(b, 20);
    mint_le(b, 33, 4);
    mint_put(b, CM_VIEW(id));
    mint_zeros(b, 4);
    mint_put(b, CM_LIT("\x00\x02\x00\x02"));
    mint_le(b, 1, 4);
    mint_le(b, s->alg, 2);
    mint_le(b, s->size, 2);
    mint_le(b, 0, 1);
}

void mint_log(cm_buf *b, uint8_t reg[][MINT_REGISTER], const mint_log_spec *s)
{
    put_head(b, s);
    for (uint32_t i = 0; i < s->n; i++) {
        CM_AUTO(cm_buf_free) cm_buf both = {.max = MINT_MAX};
        CM_AUTO(cm_buf_free) cm_buf after = {.max = MINT_MAX};

        mint_zeros(&both, s->size);
        if (i == 0 && s->code.n)
            mint_field(&both, s->code, s->size);
        else
            mint_label(&both, "event", i, s->size);
        mint_le(b, s->first + i, 4);
        mint_le(b, 5, 4); /* EV_ACTION */
        mint_le(b, 1, 4);
        mint_le(b, s->alg, 2);
        mint_put(b, cm_view_of(both.p + s->size, s->size));
        mint_le(b, 5, 4);
        mint_text(b, "event");
        mint_hash(&after, s->hash, cm_buf_view(&both));
        memcpy(reg[i], after.p, s->size);
    }
}
