#include "hex.h"

#include <stdio.h>
#include <stdlib.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t t_unhex(uint8_t *out, size_t max, const char *hex)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        int hi = digit(hex[2 * i]), lo = digit(hex[2 * i + 1]);

        if (i >= max || hi < 0 || lo < 0 || strlen(hex) % 2) {
            fprintf(stderr, "bad hex in a test: %.40s\n", hex);
            abort();
        }
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return n;
}

cm_view t_hex(const char *hex)
{
    static uint8_t room[8][4096];
    static unsigned next;
    uint8_t *p = room[next++ % 8];

    return cm_view_of(p, t_unhex(p, sizeof room[0], hex));
}
