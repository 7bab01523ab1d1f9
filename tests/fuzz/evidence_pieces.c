#include "evidence.h"

enum { HEAD = 4 };

void fuzz_pieces_read(fuzz_pieces *out, cm_view input)
{
    out->n = 0;
    while (input.n >= HEAD && out->n < FUZZ_PIECES) {
        size_t n = input.p[1] | (size_t)input.p[2] << 8 | (size_t)input.p[3] << 16;

        n = CM_MIN(n, input.n - HEAD);
        out->v[out->n++] = (fuzz_piece){input.p[0], cm_view_sub(input, HEAD, n)};
        input = cm_view_sub(input, HEAD + n, input.n - HEAD - n);
    }
}

size_t fuzz_pieces_write(uint8_t *out, size_t max, const fuzz_pieces *p)
{
    size_t at = 0;

    for (size_t i = 0; i < p->n; i++) {
        cm_view v = p->v[i].v;

        if (v.n > max || at + HEAD > max - v.n)
            break;
        out[at] = p->v[i].tag;
        out[at + 1] = (uint8_t)v.n;
        out[at + 2] = (uint8_t)(v.n >> 8);
        out[at + 3] = (uint8_t)(v.n >> 16);
        if (v.n)
            memcpy(out + at + HEAD, v.p, v.n);
        at += HEAD + v.n;
    }
    return at;
}

cm_view fuzz_piece_of(const fuzz_pieces *p, uint8_t tag)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].tag == tag)
            return p->v[i].v;
    return cm_view_of(NULL, 0);
}

void fuzz_piece_add(fuzz_pieces *p, uint8_t tag, cm_view v)
{
    if (p->n < FUZZ_PIECES && v.n)
        p->v[p->n++] = (fuzz_piece){tag, v};
}
