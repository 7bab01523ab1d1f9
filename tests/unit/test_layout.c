/* The fixed parts of a container: every bound and every checksum, slots in every state that a crash
 * can leave them in, footers that do not add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/cbor.h"
#include "sealed/layout.h"

#define OK(x)       assert_string_equal(cm_err_name(x), "OK")
#define FAILS(r, x) assert_string_equal(cm_err_name(x), #r)

static cm_crypt *crypt_;

static int setup(void **state)
{
    (void)state;
    return cm_failed(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT));
}

static int teardown(void **state)
{
    (void)state;
    cm_crypt_free(crypt_);
    return 0;
}

static cm_core plain_core(void)
{
    return (cm_core){
        .container = {1, 2, 3}, .tier = 2, .segment = 1 << 20, .leaf = 64 << 10, .slot = 8192};
}

static cm_buf encoded(cm_core *h)
{
    cm_buf b = {.max = 1 << 16};

    OK(cm_core_encode(&b, crypt_, h));
    return b;
}

/* Puts the right checksum over whatever the first bytes say. S-1 */
static void mend(cm_buf *b)
{
    cm_buf sum = {.max = 8192};

    OK(cm_buf_append(&sum, cm_view_of(b->p, 32)));
    OK(cm_buf_append(&sum, cm_view_of(b->p + 64, cm_get_be32(b->p + 12))));
    OK(cm_hash_once(crypt_, CM_SHA256, b->p + 32, cm_buf_view(&sum)));
    cm_buf_free(&sum);
}

static cm_err decode(cm_core *h, const cm_buf *b)
{
    size_t need;

    return cm_core_decode(h, &need, crypt_, cm_buf_view(b));
}

/* ---- prelude and core ---------------------------------------------------------------------- */

static void core_round_trip(void **state)
{
    cm_core a = plain_core(), b;
    cm_buf bytes;
    uint8_t hd[32];

    (void)state;
    a.directory = a.salted = true;
    memset(a.sealed_salt, 7, sizeof a.sealed_salt);
    memset(a.policy, 'p', CM_POLICY_MAX);
    a.policy_n = CM_POLICY_MAX;
    bytes = encoded(&a);
    OK(decode(&b, &bytes));
    assert_int_equal(b.slots_at, bytes.n);
    assert_int_equal(b.body_at, bytes.n + 2 * 8192);
    assert_true(b.tier == 2 && b.segment == 1 << 20 && b.leaf == 64 << 10 && b.slot == 8192);
    assert_true(b.directory && b.salted && b.policy_n == CM_POLICY_MAX);
    assert_memory_equal(a.container, b.container, 16);
    assert_memory_equal(a.policy, b.policy, sizeof a.policy);
    assert_memory_equal(a.sealed_salt, b.sealed_salt, sizeof a.sealed_salt);
    assert_memory_equal(a.hd, b.hd, 32);
    OK(cm_hash_once(crypt_, CM_SHA256, hd, cm_view_of(bytes.p + 64, cm_get_be32(bytes.p + 12))));
    assert_memory_equal(hd, b.hd, 32); /* hd is of the core header alone */
    cm_buf_free(&bytes);
}

/* S-1: no bit of it may change, and nothing may be missing. */
static void core_every_byte(void **state)
{
    cm_core a = plain_core(), got, same;
    cm_buf b = encoded(&a);
    size_t need;

    (void)state;
    memset(&got, 0x5a, sizeof got);
    same = got;
    for (size_t i = 0; i < b.n; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            b.p[i] ^= (uint8_t)(1u << bit);
            assert_true(cm_failed(decode(&got, &b)));
            b.p[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t n = 0; n < b.n; n++) {
        FAILS(IO_SHORT, cm_core_decode(&got, &need, crypt_, cm_view_of(b.p, n)));
        assert_int_equal(need, n < CM_PRELUDE ? CM_PRELUDE : b.n);
    }
    assert_memory_equal(&got, &same, sizeof got);
    cm_buf_free(&b);
}

/* S-1: lengths and places, under a checksum that fits. */
static void prelude_lengths(void **state)
{
    static const struct {
        size_t at;
        uint32_t v;
        const char *want;
    } cases[] = {
        {0, 0x8943534e, "SEALED_NOT"},
        {4, 0x310d0a1b, "SEALED_NOT"},
        {8, 0, "SEALED_VERSION"},
        {8, 2, "SEALED_VERSION"},
        {12, 0, "SEALED_HEADER"},
        {12, CM_CORE_MAX + 1, "SEALED_HEADER"},
        {12, UINT32_MAX, "SEALED_HEADER"},
        {16, 0, "SEALED_HEADER"},
        {16, 2048, "SEALED_HEADER"},
        {16, 8193, "SEALED_HEADER"},
        {16, 16384, "SEALED_HEADER"},
        {16, CM_SLOT_MAX + 4096, "SEALED_HEADER"},
        {20, 1, "SEALED_HEADER"},
        {24, 1, "SEALED_HEADER"},
        {28, 4096 + 2 * 8192 + 4096, "SEALED_HEADER"},
        {28, 0, "SEALED_HEADER"},
    };
    cm_core a = plain_core(), got;

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        cm_buf b = encoded(&a);

        cm_put_be32(b.p + cases[i].at, cases[i].v);
        if (cm_get_be32(b.p + 12) <= CM_CORE_MAX)
            mend(&b);
        assert_string_equal(cm_err_name(decode(&got, &b)), cases[i].want);
        cm_buf_free(&b);
    }
}

/* S-1: lengths out of bounds that agree with one another. */
static void consistent_lengths(void **state)
{
    static const struct {
        uint32_t core, slot;
        bool good;
    } cases[] = {{4096, 4096, true},  {4097, 4096, false},
                 {8000, 4096, false}, {4096, 2048, false},
                 {4096, 6144, false}, {4096, CM_SLOT_MAX, true},
                 {4096, 0, false},    {4096, CM_SLOT_MAX + 4096, false}};
    static uint8_t b[16384];

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        uint64_t slots = (64 + cases[i].core + 4095ull) / 4096 * 4096;
        cm_core h = plain_core(), got;
        cm_buf front = encoded(&h);
        size_t need = 0;
        cm_err e;

        memcpy(b, front.p, 32);
        cm_put_be32(b + 12, cases[i].core);
        cm_put_be32(b + 16, cases[i].slot);
        cm_put_be64(b + 24, slots + 2ull * cases[i].slot);
        e = cm_core_decode(&got, &need, crypt_, cm_view_of(b, CM_PRELUDE));
        assert_string_equal(cm_err_name(e), cases[i].good ? "IO_SHORT" : "SEALED_HEADER");
        assert_int_equal(need, cases[i].good ? slots : CM_PRELUDE);
        cm_buf_free(&front);
    }
}

struct odd {
    uint64_t suite, tier, segment, leaf, layout;
    const char *want;
};

static void put_odd(cm_buf *core, const struct odd *o)
{
    const uint64_t v[] = {o->suite, o->tier, o->segment, o->leaf, o->layout};

    OK(cm_cbor_put_map(core, 6));
    OK(cm_cbor_put_uint(core, 1));
    OK(cm_cbor_put_bytes(core, CM_LIT("sixteen bytes...")));
    for (unsigned i = 0; i < CM_COUNT(v); i++) {
        OK(cm_cbor_put_uint(core, i + 2));
        OK(cm_cbor_put_uint(core, v[i]));
    }
}

/* A whole front around any core header. */
static cm_buf front_of(const cm_buf *core)
{
    static const uint8_t magic[8] = {0x89, 'C', 'S', 'M', '1', '\r', '\n', 0x1a};
    cm_buf b = {.max = 8192};

    OK(cm_buf_append(&b, CM_VIEW(magic)));
    OK(cm_buf_be32(&b, 1));
    OK(cm_buf_be32(&b, (uint32_t)core->n));
    OK(cm_buf_be32(&b, 4096));
    OK(cm_buf_be32(&b, 0));
    OK(cm_buf_be64(&b, 3 * 4096));
    OK(cm_buf_reserve(&b, 4096));
    memset(b.p + b.n, 0, 4096 - b.n);
    memcpy(b.p + 64, core->p, core->n);
    b.n = 4096;
    mend(&b);
    return b;
}

/* S-2: a header that is whole, and names what this version does not have. */
static void core_bounds(void **state)
{
    static const struct odd cases[] = {
        {1, 0, 65536, 4096, 0, "OK"},
        {1, 4, 16 << 20, 16 << 20, 1, "OK"},
        {0, 0, 65536, 4096, 0, "SEALED_SUITE"},
        {2, 0, 65536, 4096, 0, "SEALED_SUITE"},
        {1, 5, 65536, 4096, 0, "SEALED_SUITE"},
        {1, 0, 32768, 4096, 0, "SEALED_SUITE"},
        {1, 0, 32 << 20, 4096, 0, "SEALED_SUITE"},
        {1, 0, 65537, 4096, 0, "SEALED_SUITE"},
        {1, 0, 0, 4096, 0, "SEALED_SUITE"},
        {1, 0, 65536, 2048, 0, "SEALED_SUITE"},
        {1, 0, 65536, 131072, 0, "SEALED_SUITE"},
        {1, 0, 65536, 4097, 0, "SEALED_SUITE"},
        {1, 0, 65536, 4096, 2, "SEALED_SUITE"},
        {1, 0, 1ull << 32, 4096, 0, "SEALED_HEADER"},
        {1, UINT64_MAX, 65536, 4096, 0, "SEALED_HEADER"},
    };

    (void)state;
    for (size_t i = 0; i < CM_COUNT(cases); i++) {
        cm_buf core = {.max = 4096}, b;
        cm_core h;

        put_odd(&core, &cases[i]);
        b = front_of(&core);
        assert_string_equal(cm_err_name(decode(&h, &b)), cases[i].want);
        cm_buf_free(&core);
        cm_buf_free(&b);
    }
}

/* What a reader refuses is not written. */
static void core_writer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        cm_core h = plain_core();
        cm_buf b = {.max = 1 << 16};

        switch (i) {
        case 0:
            h.tier = 5;
            break;
        case 1:
            h.segment = 100000;
            break;
        case 2:
            h.segment = 32 << 20;
            break;
        case 3:
            h.leaf = 2 << 20;
            break;
        case 4:
            h.leaf = 1000;
            break;
        case 5:
            h.policy[0] = '\xff';
            h.policy_n = 1;
            break;
        default:
            b.max = 4000;
            break;
        }
        assert_true(cm_failed(cm_core_encode(&b, crypt_, &h)));
        assert_int_equal(b.n, 0);
        cm_buf_free(&b);
    }
}

/* A record with a field that is not of this version, and one with rubbish behind it. */
static void core_form(void **state)
{
    cm_core h = plain_core(), got;
    cm_buf b = encoded(&h), core = {.max = 4096}, bad;
    uint32_t n = cm_get_be32(b.p + 12);

    (void)state;
    OK(cm_buf_append(&core, cm_view_of(b.p + 64, n)));
    OK(cm_buf_byte(&core, 0));
    bad = front_of(&core);
    FAILS(SEALED_HEADER, decode(&got, &bad));
    cm_buf_free(&bad);
    core.p[0]++; /* one pair more: 9: "" */
    core.p[core.n - 1] = 9;
    OK(cm_buf_byte(&core, 0x60));
    bad = front_of(&core);
    FAILS(SEALED_HEADER, decode(&got, &bad));
    cm_buf_free(&bad);
    core.n = 1;
    bad = front_of(&core);
    FAILS(SEALED_HEADER, decode(&got, &bad));
    cm_buf_free(&bad);
    cm_buf_free(&core);
    b.p[64 + n + 5] = 1; /* the gap */
    mend(&b);
    FAILS(SEALED_HEADER, decode(&got, &b));
    cm_buf_free(&b);
}

/* ---- slots --------------------------------------------------------------------------------- */

enum { SLOT = 4096 };

static uint8_t both[2 * SLOT];
static const cm_core small = {.slot = SLOT};

static void put(unsigned which, uint64_t sequence, const char *env)
{
    OK(cm_slot_encode(both + which * SLOT, crypt_, &small, sequence, cm_view_str(env)));
}

static void clear(unsigned which)
{
    memset(both + which * SLOT, 0, SLOT);
}

static cm_slots chosen(void)
{
    cm_slots s;

    OK(cm_slots_decode(&s, crypt_, &small, CM_VIEW(both)));
    return s;
}

static void expect(uint64_t sequence, const char *env, bool used, bool torn)
{
    cm_slots s = chosen();

    assert_true(s.sequence == sequence && cm_view_eq(s.envelope, cm_view_str(env)));
    assert_true(s.other_used == used && s.other_torn == torn);
}

/* S-3, and what each step of S-4 leaves. */
static void slots_in_force(void **state)
{
    cm_slots s = {.sequence = 5};

    (void)state;
    clear(0);
    clear(1);
    FAILS(SEALED_SLOTS, cm_slots_decode(&s, crypt_, &small, CM_VIEW(both)));
    put(0, 1, "one");
    expect(1, "one", false, false);
    put(1, 2, "two");
    expect(2, "two", true, false); /* written, the old one not yet cleared */
    clear(0);
    expect(2, "two", false, false);
    put(0, 3, "three");
    expect(3, "three", true, false);
    both[SLOT - 1] = 1; /* torn: something is where zeros should be */
    expect(2, "two", true, true);
    for (size_t cut = 0; cut < 53; cut++) { /* torn: only the first bytes arrived */
        put(0, 3, "three");
        memset(both + cut, 0, SLOT - cut);
        expect(2, "two", cut > 0, cut > 0);
    }
    put(1, 3, "three");
    both[SLOT + 20] ^= 1;
    put(0, 3, "three");
    both[20] ^= 1;
    FAILS(SEALED_SLOTS, cm_slots_decode(&s, crypt_, &small, CM_VIEW(both)));
    FAILS(SEALED_SLOTS, cm_slots_decode(&s, crypt_, &small, cm_view_of(both, 2 * SLOT - 1)));
    assert_int_equal(s.sequence, 5);
}

static void sequence_extremes(void **state)
{
    (void)state;
    put(0, 0, "zero");
    clear(1);
    expect(0, "zero", false, false);
    put(1, UINT64_MAX, "last");
    expect(UINT64_MAX, "last", true, false);
    put(0, 1ull << 63, "high");
    expect(UINT64_MAX, "last", true, false);
    put(1, (1ull << 63) - 1, "low");
    expect(1ull << 63, "high", true, false); /* unsigned */
    put(0, 7, "a");
    put(1, 7, "b");
    expect(7, "a", true, false); /* the same number twice: always the first */
}

static void slot_every_byte(void **state)
{
    (void)state;
    clear(0);
    put(1, 9, "an envelope");
    for (size_t i = 0; i < SLOT; i++) {
        cm_slots s;

        both[SLOT + i] ^= 0x10;
        FAILS(SEALED_SLOTS, cm_slots_decode(&s, crypt_, &small, CM_VIEW(both)));
        both[SLOT + i] ^= 0x10;
    }
    expect(9, "an envelope", false, false);
}

static void slot_sizes(void **state)
{
    static uint8_t env[SLOT];
    uint8_t slot[SLOT], was[SLOT];

    (void)state;
    memset(slot, 3, sizeof slot);
    memcpy(was, slot, sizeof was);
    FAILS(TOO_BIG, cm_slot_encode(slot, crypt_, &small, 1, cm_view_of(env, SLOT - 47)));
    assert_memory_equal(slot, was, SLOT);
    OK(cm_slot_encode(slot, crypt_, &small, 1, cm_view_of(env, SLOT - 48)));
    assert_int_equal(cm_slot_size(0), 4096);
    assert_int_equal(cm_slot_size(4096 - 48), 4096);
    assert_int_equal(cm_slot_size(4096 - 47), 8192);
    assert_int_equal(cm_slot_size(SIZE_MAX / 2), CM_SLOT_MAX);
}

/* ---- footer: S-15 -------------------------------------------------------------------------- */

static const cm_core at = {.slots_at = 4096, .body_at = 12288};

static cm_err footer(cm_footer f, uint64_t size)
{
    uint8_t b[CM_FOOTER];
    cm_footer got = {.body = 77};
    cm_err e;

    OK(cm_footer_encode(b, crypt_, &f));
    e = cm_footer_decode(&got, crypt_, &at, b, size);
    assert_true(got.body == (cm_ok(e) ? f.body : 77));
    return e;
}

static void footers(void **state)
{
    const cm_footer f = {106, 106, 200, 300, 1};
    const uint64_t size = 12288 + 106 + 106 + 200 + 300 + 1 + 64;
    cm_footer big = f;
    uint8_t b[CM_FOOTER];
    cm_footer got;

    (void)state;
    OK(footer(f, size));
    FAILS(SEALED_FOOTER, footer(f, size + 1));
    FAILS(SEALED_FOOTER, footer(f, size - 1));
    FAILS(SEALED_FOOTER, footer(f, 0));
    FAILS(SEALED_FOOTER, footer((cm_footer){106, 106, 200, 0, 301}, size));
    FAILS(SEALED_FOOTER, footer((cm_footer){106, 106, 200, 301, 0}, size));
    FAILS(SEALED_FOOTER, footer((cm_footer){106, 106, 200, CM_MANIFEST_MAX + 1, 1},
                                size - 300 + CM_MANIFEST_MAX + 1));
    FAILS(SEALED_FOOTER,
          footer((cm_footer){106, 106, 200, 300, CM_SIGNATURES_MAX + 1}, size + CM_SIGNATURES_MAX));
    big.body = UINT64_MAX - 50; /* sums that go round */
    FAILS(SEALED_FOOTER, footer(big, size - 106 - 51));
    big = f;
    big.tree = UINT64_MAX;
    FAILS(SEALED_FOOTER, footer(big, size - 107));
    big = f;
    big.index = 1ull << 63;
    FAILS(SEALED_FOOTER, footer(big, size));
    OK(cm_footer_encode(b, crypt_, &f));
    for (size_t i = 0; i < sizeof b; i++) {
        b[i] ^= 2;
        FAILS(SEALED_FOOTER, cm_footer_decode(&got, crypt_, &at, b, size));
        b[i] ^= 2;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_round_trip),   cmocka_unit_test(core_every_byte),
        cmocka_unit_test(prelude_lengths),   cmocka_unit_test(consistent_lengths),
        cmocka_unit_test(core_bounds),       cmocka_unit_test(core_writer),
        cmocka_unit_test(core_form),         cmocka_unit_test(slots_in_force),
        cmocka_unit_test(sequence_extremes), cmocka_unit_test(slot_every_byte),
        cmocka_unit_test(slot_sizes),        cmocka_unit_test(footers),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
