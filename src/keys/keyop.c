#include "keys/keyop.h"

void cm_keyop_done_with(cm_keyop *op)
{
    cm_buf_free(&op->out);
    cm_buf_free(&op->out2);
}
