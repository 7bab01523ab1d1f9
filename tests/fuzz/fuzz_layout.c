/*
 * Front, slots and footer of a container, each with the checksum it came with and then with the one
 * that fits, since no fuzzer finds a SHA-256. The first byte picks the part. What is read must be
 * written back as the same bytes.
 */
#include <stdlib.h>

#include "sealed/layout.h"

enum { MAX = 1 << 16, SLOT = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cm_crypt *crypt_;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void sum(uint8_t out[32], cm_view a, cm_view b)
{
    CM_AUTO(cm_buf_free) cm_buf m = {.max = MAX};

    must(cm_ok(cm_buf_append(&m, a)) && cm_ok(cm_buf_append(&m, b)));
    must(cm_ok(cm_hash_once(crypt_, CM_SHA256, out, cm_buf_view(&m))));
}

static void core(cm_view in)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = MAX};
    size_t need = 0;
    cm_core h;
    cm_err e = cm_core_decode(&h, &need, crypt_, in);

    must(need >= CM_PRELUDE && need <= CM_PRELUDE + CM_CORE_MAX + CM_SLOT_ALIGN);
    must(cm_is(e, CM_IO_SHORT) == (in.n < need) || !cm_is(e, CM_IO_SHORT));
    if (cm_failed(e))
        return;
    must(h.body_at == h.slots_at + 2ull * h.slot && h.slots_at <= in.n);
    must(cm_ok(cm_core_encode(&out, crypt_, &h)));
    must(cm_view_eq(cm_buf_view(&out), cm_view_sub(in, 0, out.n)));
}

/* A record alone, in a front made for it: only the record is left to be wrong. */
static void record(uint8_t *b, size_t n)
{
    static const uint8_t magic[8] = {0x89, 'C', 'S', 'M', '1', '\r', '\n', 0x1a};
    CM_AUTO(cm_buf_free) cm_buf front = {.max = MAX};
    size_t room;

    n = CM_MAX(CM_MIN(n, (size_t)CM_CORE_MAX), (size_t)1);
    room = (CM_PRELUDE + n + CM_SLOT_ALIGN - 1) / CM_SLOT_ALIGN * CM_SLOT_ALIGN;
    must(cm_ok(cm_buf_reserve(&front, room)));
    memset(front.p, 0, room);
    front.n = room;
    memcpy(front.p, magic, sizeof magic);
    cm_put_be32(front.p + 8, 1);
    cm_put_be32(front.p + 12, (uint32_t)n);
    cm_put_be32(front.p + 16, SLOT);
    cm_put_be64(front.p + 24, room + 2ull * SLOT);
    memcpy(front.p + CM_PRELUDE, b, n);
    sum(front.p + 32, cm_view_of(front.p, 32), cm_view_of(b, n));
    core(cm_buf_view(&front));
}

static void one_choice(const uint8_t both[2 * SLOT])
{
    const cm_core h = {.slot = SLOT};
    uint8_t back[SLOT];
    cm_slots s;
    cm_err e = cm_slots_decode(&s, crypt_, &h, cm_view_of(both, 2 * (size_t)SLOT));

    if (cm_failed(e)) {
        must(cm_is(e, CM_SEALED_SLOTS));
        return;
    }
    must(s.which < 2 && s.envelope.n <= SLOT - CM_SLOT_HEAD && (!s.other_torn || s.other_used));
    must(cm_ok(cm_slot_encode(back, crypt_, &h, s.sequence, s.envelope)));
    must(memcmp(back, both + s.which * SLOT, SLOT) == 0);
}

static void slots(const uint8_t *b, size_t n)
{
    uint8_t both[2 * SLOT] = {0};

    n = CM_MIN(n, sizeof both);
    memcpy(both, b, n / 2); /* the halves of a short input begin the two slots */
    memcpy(both + SLOT, b + n / 2, CM_MIN(n - n / 2, (size_t)SLOT));
    one_choice(both);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *p = both + i * SLOT;
        uint32_t len = cm_get_be32(p + 12);

        if (len <= SLOT - CM_SLOT_HEAD)
            sum(p + 16, cm_view_of(p + 4, 12), cm_view_of(p + CM_SLOT_HEAD, len));
        one_choice(both);
    }
}

static void one_footer(const uint8_t b[CM_FOOTER], uint64_t size)
{
    const cm_core h = {.slots_at = 4096, .body_at = 12288};
    uint8_t back[CM_FOOTER];
    cm_footer f;

    if (cm_failed(cm_footer_decode(&f, crypt_, &h, b, size)))
        return;
    must(f.body < size && f.tree < size && f.index < size);
    must(cm_ok(cm_footer_encode(back, crypt_, &f)) && memcmp(back, b, sizeof back) == 0);
}

static void footer(const uint8_t *p, size_t n)
{
    uint8_t b[CM_FOOTER] = {0}, h[32];
    uint64_t size = 12288 + CM_FOOTER;

    memcpy(b, p, CM_MIN(n, sizeof b));
    for (unsigned i = 0; i < 3; i++)
        size += cm_get_be64(b + 8 + 8 * i);
    size += (uint64_t)cm_get_be32(b + 32) + cm_get_be32(b + 36);
    one_footer(b, size);
    sum(h, cm_view_of(b, 40), (cm_view){0});
    memcpy(b + 40, h, 24);
    one_footer(b, size);
    one_footer(b, size + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t *b;

    if (n < 2 || n > MAX / 2)
        return 0;
    if (!crypt_)
        must(cm_ok(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)));
    b = malloc(n - 1);
    must(b != NULL);
    memcpy(b, p + 1, n - 1);
    switch (p[0] % 4) {
    case 0:
        core(cm_view_of(b, n - 1));
        break;
    case 1:
        record(b, n - 1);
        break;
    case 2:
        slots(b, n - 1);
        break;
    default:
        footer(b, n - 1);
    }
    free(b);
    return 0;
}
