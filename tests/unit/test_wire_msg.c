/* Messages: both forms, refusals, limits, text, descriptions, the arena. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire_sample.h"

#define IS(e, reason) assert_string_equal(cm_err_name(e), cm_err_name(CM_FAIL(reason)))
#define OK(e)         assert_string_equal(cm_err_name(e), cm_err_name(CM_OKAY))

struct t {
    cm_arena *a;
    cm_buf b;
    cm_msg_fault fault;
};

static int begin(void **state)
{
    static struct t t;

    t = (struct t){.b = {.max = 1 << 20}};
    OK(cm_arena_new(&t.a, 1 << 20));
    *state = &t;
    return 0;
}

static int end(void **state)
{
    struct t *t = *state;

    cm_arena_free(t->a);
    cm_buf_free(&t->b);
    return 0;
}

static cm_msg *from_json(struct t *t, const char *json)
{
    cm_msg *m = NULL;
    cm_err e = cm_msg_from_json(&m, t->a, &sample, cm_view_str(json), &t->fault);

    if (cm_failed(e))
        print_error("%s: %s %s\n", json, t->fault.field, t->fault.why);
    OK(e);
    return m;
}

#define WHOLE                                                                                    \
    "{\"name\":\"n\\u00e4me\",\"data\":\"AAEC/w==\",\"count\":18446744073709551615,\"on\":true," \
    "\"kind\":\"ml-dsa-65\",\"inner\":{\"id\":7,\"label\":\"x\",\"next\":{\"id\":0}},"           \
    "\"names\":[\"a\",\"\"],\"blobs\":[\"\",\"AA==\"],\"numbers\":[0,1,300],"                    \
    "\"flags\":[true,false],\"kinds\":[\"other\"],\"inners\":[{\"id\":1},{\"id\":2}],"           \
    "\"small\":100,\"form\":\"message\"}"

static void all_kinds_both_ways(void **state)
{
    struct t *t = *state;
    cm_buf proto = {.max = 4096}, again = {.max = 4096};
    cm_msg *m = from_json(t, WHOLE);

    assert_true(cm_view_eq(cm_msg_view(m, S_NAME), CM_LIT("n\xc3\xa4me")));
    assert_true(cm_view_eq(cm_msg_view(m, S_DATA), CM_LIT("\0\1\2\xff")));
    assert_true(cm_msg_number(m, S_COUNT, 0) == UINT64_MAX);
    assert_int_equal(cm_msg_number(m, S_KIND, 0), 2);
    assert_int_equal(m->v[S_INNERS].n, 2);
    assert_int_equal(cm_msg_number(m->v[S_INNERS].msgs[1], I_ID, 0), 2);
    OK(cm_msg_to_proto(&proto, m));
    OK(cm_msg_from_proto(&m, t->a, &sample, cm_buf_view(&proto), &t->fault));
    OK(cm_msg_to_proto(&again, m));
    assert_true(cm_view_eq(cm_buf_view(&proto), cm_buf_view(&again)));
    OK(cm_msg_to_json(&t->b, m));
    m = NULL;
    OK(cm_msg_from_json(&m, t->a, &sample, cm_buf_view(&t->b), &t->fault));
    again.n = 0;
    OK(cm_msg_to_proto(&again, m));
    assert_true(cm_view_eq(cm_buf_view(&proto), cm_buf_view(&again)));
    cm_buf_free(&proto);
    cm_buf_free(&again);
}

static void proto_bytes_are_those_of_the_encoding(void **state)
{
    struct t *t = *state;
    cm_msg *m = from_json(t, "{\"name\":\"hi\",\"count\":300,\"on\":false,\"inner\":{\"id\":1},"
                             "\"numbers\":[1,128],\"small\":1}");

    OK(cm_msg_to_proto(&t->b, m));
    assert_true(
        cm_view_eq(cm_buf_view(&t->b), CM_LIT("\x0a\x02hi\x18\xac\x02\x20\x00\x32\x02\x08\x01"
                                              "\x4a\x03\x01\x80\x01\xc0\x3e\x01")));
}

/* Long inner messages take more than the one byte that is left for their length. */
static void long_inner_messages(void **state)
{
    static const cm_field f[] = {{.number = 1, .name = "b", .type = CM_F_BYTES, .max = 100000},
                                 {.number = 2, .name = "m", .type = CM_F_MSG, .message = &sample}};
    static cm_field g[2];
    static const cm_message outer = {"Outer", g, 2, NULL};
    struct t *t = *state;
    static uint8_t bytes[70000];
    cm_msg *m, *inner, *back;

    memcpy(g, f, sizeof g);
    g[1].message = &outer;
    for (size_t n = 120; n < sizeof bytes; n = n * 3 / 2) {
        cm_arena_reset(t->a);
        t->b.n = 0;
        OK(cm_msg_new(&m, t->a, &outer));
        OK(cm_msg_new(&inner, t->a, &outer));
        inner->v[0].set = m->v[1].set = true;
        inner->v[0].view = cm_view_of(bytes, n);
        m->v[1].msg = inner;
        OK(cm_msg_to_proto(&t->b, m));
        OK(cm_msg_from_proto(&back, t->a, &outer, cm_buf_view(&t->b), NULL));
        assert_true(cm_view_eq(cm_msg_view(back->v[1].msg, 0), cm_view_of(bytes, n)));
    }
}

static void absence_is_kept(void **state)
{
    struct t *t = *state;
    cm_msg *m = from_json(t, "{\"name\":\"\",\"count\":0,\"names\":[],\"inner\":null}");

    assert_true(m->v[S_NAME].set && m->v[S_COUNT].set);
    assert_false(m->v[S_NAMES].set || m->v[S_INNER].set || m->v[S_ON].set);
    OK(cm_msg_to_proto(&t->b, m));
    assert_true(cm_view_eq(cm_buf_view(&t->b), CM_LIT("\x0a\x00\x18\x00")));
    OK(cm_msg_from_proto(&m, t->a, &sample, cm_buf_view(&t->b), NULL));
    t->b.n = 0;
    OK(cm_msg_to_json(&t->b, m));
    assert_true(cm_view_eq(cm_buf_view(&t->b), CM_LIT("{\"name\":\"\",\"count\":0}")));
    assert_int_equal(cm_msg_number(m, S_SMALL, 42), 42);
}

static void numbers_may_be_strings(void **state)
{
    cm_msg *m = from_json(*state, "{\"count\":\"18446744073709551615\",\"numbers\":[\"3\",4]}");

    assert_true(cm_msg_number(m, S_COUNT, 0) == UINT64_MAX);
    assert_int_equal(m->v[S_NUMBERS].numbers[0], 3);
}

/* ---- refusals ----------------------------------------------------------------------------- */

struct bad_json {
    const char *json, *field;
    cm_reason reason;
};

static const struct bad_json bad_json[] = {
    {"", "", CM_JSON_MALFORMED},
    {"[]", "", CM_MSG_FIELD},
    {"7", "", CM_MSG_FIELD},
    {"{\"name\":7}", "name", CM_MSG_FIELD},
    {"{\"name\":true}", "name", CM_MSG_FIELD},
    {"{\"name\":[]}", "name", CM_MSG_FIELD},
    {"{\"name\":\"12345678901234567890123456789012345678901234567890123456789012345\"}", "name",
     CM_MSG_FIELD},
    {"{\"nam\":\"x\"}", "nam", CM_MSG_UNKNOWN},
    {"{\"Name\":\"x\"}", "Name", CM_MSG_UNKNOWN},
    {"{\"name\\u0000\":\"x\"}", "name", CM_MSG_UNKNOWN},
    {"{\"\":1}", "", CM_MSG_UNKNOWN},
    {"{\"name\":\"a\",\"name\":\"b\"}", "", CM_JSON_DUPLICATE},
    {"{\"name\":\"\\ud800\"}", "", CM_JSON_MALFORMED},
    {"{\"name\":\"a\"}x", "", CM_JSON_MALFORMED},
    {"{\"data\":\"AA\"}", "data", CM_MSG_FIELD},
    {"{\"data\":\"AAB=\"}", "data", CM_MSG_FIELD},
    {"{\"data\":\"A_==\"}", "data", CM_MSG_FIELD},
    {"{\"data\":\" AA=\"}", "data", CM_MSG_FIELD},
    {"{\"data\":0}", "data", CM_MSG_FIELD},
    {"{\"count\":-1}", "count", CM_MSG_FIELD},
    {"{\"count\":1.0}", "count", CM_MSG_FIELD},
    {"{\"count\":1e3}", "count", CM_MSG_FIELD},
    {"{\"count\":18446744073709551616}", "count", CM_MSG_FIELD},
    {"{\"count\":\"01\"}", "count", CM_MSG_FIELD},
    {"{\"count\":\"\"}", "count", CM_MSG_FIELD},
    {"{\"count\":true}", "count", CM_MSG_FIELD},
    {"{\"small\":101}", "small", CM_MSG_FIELD},
    {"{\"on\":1}", "on", CM_MSG_FIELD},
    {"{\"on\":\"true\"}", "on", CM_MSG_FIELD},
    {"{\"kind\":\"AES-256\"}", "kind", CM_MSG_FIELD},
    {"{\"kind\":1}", "kind", CM_MSG_FIELD},
    {"{\"kinds\":[\"other\",\"none\"]}", "kinds[1]", CM_MSG_FIELD},
    {"{\"inner\":[]}", "inner", CM_MSG_FIELD},
    {"{\"inner\":{}}", "inner.id", CM_MSG_FIELD},
    {"{\"inner\":{\"id\":1,\"next\":{}}}", "inner.next.id", CM_MSG_FIELD},
    {"{\"inner\":{\"id\":1,\"label\":\"12345678901234567\"}}", "inner.label", CM_MSG_FIELD},
    {"{\"inners\":[{\"id\":1},{\"id\":true}]}", "inners[1].id", CM_MSG_FIELD},
    {"{\"inners\":[{\"id\":1},null]}", "inners[1]", CM_MSG_FIELD},
    {"{\"inners\":{}}", "inners", CM_MSG_FIELD},
    {"{\"names\":\"a\"}", "names", CM_MSG_FIELD},
    {"{\"names\":[null]}", "names[0]", CM_MSG_FIELD},
    {"{\"names\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]}", "names", CM_MSG_FIELD},
    {"{\"names\":[\"123456789\"]}", "names[0]", CM_MSG_FIELD},
    {"{\"inner\":{\"id\":1,\"next\":{\"id\":1,\"next\":{\"id\":1,\"next\":{\"id\":1,\"next\":"
     "{\"id\":1,\"next\":{\"id\":1,\"next\":{\"id\":1,\"next\":{\"id\":1}}}}}}}}}",
     "inner.next.next.next.next.next.next.next", CM_MSG_FIELD},
};

static void json_refusals(void **state)
{
    struct t *t = *state;

    for (size_t i = 0; i < CM_COUNT(bad_json); i++) {
        cm_msg *m = (cm_msg *)t;
        cm_err e = cm_msg_from_json(&m, t->a, &sample, cm_view_str(bad_json[i].json), &t->fault);

        if (!cm_is(e, bad_json[i].reason) || strcmp(t->fault.field, bad_json[i].field) != 0)
            fail_msg("%s: %s at %s", bad_json[i].json, cm_err_name(e), t->fault.field);
        assert_ptr_equal(m, t);
        assert_true(strlen(t->fault.why) > 5);
        e = cm_msg_from_json(&m, t->a, &sample, cm_view_str(bad_json[i].json), NULL);
        assert_true(cm_is(e, bad_json[i].reason));
    }
}

#define P(text) CM_LIT(text)

struct bad_proto {
    cm_view bytes;
    const char *field;
    cm_reason reason;
};

static void proto_refusals(void **state)
{
    const struct bad_proto bad[] = {
        {P("\x00\x00"), "", CM_MSG_MALFORMED},      /* field 0 */
        {P("\x0a"), "name", CM_MSG_MALFORMED},      /* no length */
        {P("\x0a\x02x"), "name", CM_MSG_MALFORMED}, /* ends early */
        {P("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "name", CM_MSG_MALFORMED},
        {P("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "count", CM_MSG_MALFORMED},
        {P("\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "count", CM_MSG_MALFORMED},
        {P("\x18\x80"), "count", CM_MSG_MALFORMED},
        {P("\x08\x01"), "name", CM_MSG_FIELD},              /* another wire type */
        {P("\x1a\x01\x01"), "count", CM_MSG_FIELD},         /* packed, but single */
        {P("\x19\0\0\0\0\0\0\0\0"), "count", CM_MSG_FIELD}, /* fixed64 for a varint */
        {P("\x0b\x0c"), "name", CM_MSG_FIELD},              /* a group */
        {P("\xa3\x06\xa4\x06"), "", CM_MSG_MALFORMED},      /* an unknown group */
        {P("\xa6\x06\x00"), "", CM_MSG_MALFORMED},          /* wire type 6 */
        {P("\xa7\x06\x00"), "", CM_MSG_MALFORMED},          /* wire type 7 */
        {P("\xa1\x06\0\0\0\0\0\0\0"), "", CM_MSG_MALFORMED},
        {P("\xa5\x06\0\0\0"), "", CM_MSG_MALFORMED},
        {P("\xf8\xff\xff\xff\xff\x01\x00"), "", CM_MSG_MALFORMED}, /* number over 2^29 */
        {P("\x0a\x01\xff"), "name", CM_MSG_FIELD},                 /* not UTF-8 */
        {P("\x0a\x03\xed\xa0\x80"), "name", CM_MSG_FIELD},         /* a surrogate */
        {P("\x28\x03"), "kind", CM_MSG_FIELD},                     /* no such value */
        {P("\x5a\x01\x00"), "kinds", CM_MSG_FIELD},                /* unspecified in a list */
        {P("\xc0\x3e\x65"), "small", CM_MSG_FIELD},
        {P("\x32\x00"), "inner.id", CM_MSG_FIELD},
        {P("\x32\x04\x08\x01\x12\xff"), "inner.label", CM_MSG_MALFORMED},
        {P("\x62\x02\x08\x01\x62\x00"), "inners[1].id", CM_MSG_FIELD},
        {P("\x3a\x00\x3a\x00\x3a\x00\x3a\x00\x3a\x00\x3a\x00"), "names", CM_MSG_FIELD},
        {P("\x4a\x0a\0\0\0\0\0\0\0\0\0\0"), "numbers", CM_MSG_FIELD},
        {P("\x4a\x02\x01\x80"), "numbers", CM_MSG_MALFORMED},
    };
    struct t *t = *state;

    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        cm_msg *m = (cm_msg *)t;
        cm_err e = cm_msg_from_proto(&m, t->a, &sample, bad[i].bytes, &t->fault);

        if (!cm_is(e, bad[i].reason) || strcmp(t->fault.field, bad[i].field) != 0)
            fail_msg("%zu: %s at %s (%s)", i, cm_err_name(e), t->fault.field, t->fault.why);
        assert_ptr_equal(m, t);
    }
}

static void deep_proto_is_refused(void **state)
{
    struct t *t = *state;
    uint8_t in[64], *p;
    size_t n;
    cm_msg *m;

    for (unsigned depth = 1; depth < 12; depth++) {
        cm_err e;

        p = in + sizeof in;
        for (unsigned i = 0; i < depth; i++) {
            n = (size_t)(in + sizeof in - p);
            p -= 2;
            p[0] = 0x08;
            p[1] = 1;
            if (i == 0)
                continue;
            p[0] = 0x1a;
            p[1] = (uint8_t)n;
            p -= 2;
            p[0] = 0x08;
            p[1] = 1;
        }
        n = (size_t)(in + sizeof in - p);
        p -= 2;
        p[0] = 0x32;
        p[1] = (uint8_t)n;
        e = cm_msg_from_proto(&m, t->a, &sample, cm_view_of(p, n + 2), &t->fault);
        assert_true(depth <= 7 ? cm_ok(e) : cm_is(e, CM_MSG_FIELD));
    }
}

/* Every prefix, and every byte changed: refused or read, never more than that, and what is read
 * can be written and read again. */
static void mutations(void **state)
{
    struct t *t = *state;
    cm_buf proto = {.max = 4096}, back = {.max = 1 << 16};
    size_t refused = 0, taken = 0;
    cm_msg *m;

    OK(cm_msg_to_proto(&proto, from_json(t, WHOLE)));
    for (size_t i = 0; i < proto.n; i++)
        for (unsigned x = 0; x < 32; x++) {
            cm_view v = cm_view_of(proto.p, x == 0 ? i : proto.n);

            proto.p[i] ^= (uint8_t)(x ? x * 8 + x / 8 : 0);
            cm_arena_reset(t->a);
            back.n = 0;
            if (cm_ok(cm_msg_from_proto(&m, t->a, &sample, v, &t->fault))) {
                OK(cm_msg_check(m, &t->fault));
                OK(cm_msg_to_json(&back, m));
                OK(cm_msg_from_json(&m, t->a, &sample, cm_buf_view(&back), &t->fault));
                taken++;
            } else {
                refused++;
            }
            proto.p[i] ^= (uint8_t)(x ? x * 8 + x / 8 : 0);
        }
    print_message("protobuf: %zu malformed refused, %zu read\n", refused, taken);
    assert_true(refused > 1000 && taken > 100);
    cm_buf_free(&proto);
    cm_buf_free(&back);
}

static void json_mutations(void **state)
{
    static const char bytes[] = "\"{}[]:,\\\x01\x80 x9-";
    struct t *t = *state;
    char text[] = WHOLE;
    size_t n = sizeof text - 1, refused = 0, taken = 0;
    cm_msg *m;

    for (size_t i = 0; i < n; i++)
        for (size_t x = 0; x < sizeof bytes; x++) {
            char old = text[i];
            cm_view v = cm_view_of(text, bytes[x] ? n : i);

            text[i] = bytes[x];
            cm_arena_reset(t->a);
            if (cm_ok(cm_msg_from_json(&m, t->a, &sample, v, &t->fault)))
                taken++;
            else
                refused++;
            text[i] = old;
        }
    print_message("JSON: %zu malformed refused, %zu read\n", refused, taken);
    assert_true(refused > 1000 && taken > 50);
}

/* ---- the wire's freedoms ------------------------------------------------------------------ */

static void last_one_wins_and_messages_merge(void **state)
{
    struct t *t = *state;
    cm_msg *m;

    OK(cm_msg_from_proto(&m, t->a, &sample,
                         P("\x18\x01\x18\x02\x32\x02\x08\x05\x32\x03\x12\x01x\x0a\x01"
                           "a\x0a\x01"
                           "b"),
                         &t->fault));
    assert_int_equal(cm_msg_number(m, S_COUNT, 0), 2);
    assert_true(cm_view_eq(cm_msg_view(m, S_NAME), CM_LIT("b")));
    assert_int_equal(cm_msg_number(m->v[S_INNER].msg, I_ID, 0), 5);
    assert_true(cm_view_eq(cm_msg_view(m->v[S_INNER].msg, I_LABEL), CM_LIT("x")));
}

static void unknown_fields_are_skipped_so_far(void **state)
{
    struct t *t = *state;
    cm_buf in = {.max = 4096};
    cm_msg *m;

    OK(cm_msg_from_proto(&m, t->a, &sample,
                         P("\xa0\x06\x05\xa1\x06\0\0\0\0\0\0\0\0\xa2\x06\x02xx\xa5\x06\0\0\0\0"
                           "\x18\x07"),
                         &t->fault));
    assert_int_equal(cm_msg_number(m, S_COUNT, 0), 7);
    for (unsigned i = 0; i < 256; i++)
        OK(cm_buf_append(&in, P("\xa0\x06\x05")));
    OK(cm_msg_from_proto(&m, t->a, &sample, cm_buf_view(&in), &t->fault));
    OK(cm_buf_append(&in, P("\xa0\x06\x05")));
    IS(cm_msg_from_proto(&m, t->a, &sample, cm_buf_view(&in), &t->fault), MSG_LIMIT);
    cm_buf_free(&in);
}

static void packed_and_not(void **state)
{
    struct t *t = *state;
    cm_msg *m;

    OK(cm_msg_from_proto(&m, t->a, &sample, P("\x48\x01\x4a\x02\x02\x03\x48\x84\x00\x50\x02"),
                         &t->fault));
    assert_int_equal(m->v[S_NUMBERS].n, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(m->v[S_NUMBERS].numbers[i], i + 1);
    assert_int_equal(m->v[S_FLAGS].numbers[0], 1);
}

static void unspecified_is_absent(void **state)
{
    struct t *t = *state;
    cm_msg *m;

    OK(cm_msg_from_proto(&m, t->a, &sample, P("\x28\x01\x28\x00\x70\x00"), &t->fault));
    assert_false(m->v[S_KIND].set);
    assert_true(m->v[S_DEEP].set && m->v[S_DEEP].number == 0);
}

/* ---- text, check, memory ------------------------------------------------------------------ */

static cm_err set(struct t *t, cm_msg *m, size_t field, const char *text)
{
    return cm_msg_set_text(m, t->a, field, cm_view_str(text), &t->fault);
}

static void fields_from_text(void **state)
{
    struct t *t = *state;
    cm_msg *m;

    OK(cm_msg_new(&m, t->a, &sample));
    OK(set(t, m, S_NAME, "x"));
    OK(set(t, m, S_NAME, "x"));
    IS(set(t, m, S_NAME, "y"), MSG_FIELD);
    OK(set(t, m, S_DATA, "_-8"));
    assert_true(cm_view_eq(cm_msg_view(m, S_DATA), CM_LIT("\xff\xef")));
    OK(set(t, m, S_DATA, "/+8="));
    IS(set(t, m, S_DATA, "/+8"), MSG_FIELD);
    OK(set(t, m, S_COUNT, "12"));
    IS(set(t, m, S_COUNT, "-1"), MSG_FIELD);
    OK(set(t, m, S_ON, "true"));
    IS(set(t, m, S_ON, "yes"), MSG_FIELD);
    OK(set(t, m, S_KIND, "other"));
    IS(set(t, m, S_KIND, "300"), MSG_FIELD);
    IS(set(t, m, S_INNER, "{}"), MSG_FIELD);
    IS(set(t, m, S_SMALL, "101"), MSG_FIELD);
    for (unsigned i = 0; i < 5; i++) {
        OK(set(t, m, S_NAMES, "ab"));
        OK(set(t, m, S_NUMBERS, "7"));
    }
    IS(set(t, m, S_NAMES, "ab"), MSG_FIELD);
    assert_string_equal(t->fault.field, "names");
    OK(cm_msg_check(m, &t->fault));
    assert_true(cm_view_eq(m->v[S_NAMES].views[4], CM_LIT("ab")));
    assert_int_equal(m->v[S_NUMBERS].numbers[4], 7);
}

static void path_fields_come_later(void **state)
{
    static const cm_field f[] = {{.number = 1,
                                  .name = "id",
                                  .type = CM_F_TEXT,
                                  .flags = CM_FF_REQUIRED | CM_FF_PATH,
                                  .max = 9},
                                 {.number = 2, .name = "x", .type = CM_F_U64}};
    static const cm_message type = {"Get", f, 2, NULL};
    struct t *t = *state;
    cm_msg *m;

    OK(cm_msg_from_json(&m, t->a, &type, CM_LIT("{\"x\":1}"), &t->fault));
    IS(cm_msg_check(m, &t->fault), MSG_FIELD);
    assert_string_equal(t->fault.field, "id");
    OK(cm_msg_set_text(m, t->a, 0, CM_LIT("k"), &t->fault));
    OK(cm_msg_check(m, &t->fault));
    /* What a body says against its own address. */
    OK(cm_msg_from_json(&m, t->a, &type, CM_LIT("{\"id\":\"other\"}"), &t->fault));
    IS(cm_msg_set_text(m, t->a, 0, CM_LIT("k"), &t->fault), MSG_FIELD);
    IS(cm_msg_from_proto(&m, t->a, &type, P("\x10\x01"), &t->fault), MSG_FIELD);
}

static void check_finds_what_code_did_wrong(void **state)
{
    struct t *t = *state;
    cm_msg *m = from_json(t, WHOLE);

    m->v[S_INNERS].msgs[1]->v[I_ID].set = false;
    IS(cm_msg_check(m, &t->fault), MSG_FIELD);
    assert_string_equal(t->fault.field, "inners[1].id");
    m = from_json(t, WHOLE);
    m->v[S_KIND].number = 9;
    IS(cm_msg_check(m, &t->fault), MSG_FIELD);
    IS(cm_msg_to_json(&t->b, m), MSG_FIELD);
    m = from_json(t, WHOLE);
    m->v[S_NUMBERS].n = 10;
    IS(cm_msg_check(m, &t->fault), MSG_FIELD);
}

static void the_arena_is_bounded_and_wiped(void **state)
{
    static const uint8_t zeros[64];
    cm_arena *a;
    uint8_t *p, *q;

    (void)state;
    OK(cm_arena_new(&a, 10000));
    OK(cm_arena_get(a, &p, 64));
    memset(p, 's', 64);
    IS(cm_arena_get(a, &q, 10000), MSG_LIMIT);
    IS(cm_arena_get(a, &q, SIZE_MAX), MSG_LIMIT);
    OK(cm_arena_get(a, &q, 5000));
    memset(q, 's', 5000);
    IS(cm_arena_get(a, &q, 2000), MSG_LIMIT);
    cm_arena_reset(a);
    OK(cm_arena_get(a, &p, 64));
    assert_memory_equal(p, zeros, 64);
    OK(cm_arena_get(a, &q, 5000));
    assert_ptr_equal(q, p + 64); /* as much as before, in one piece */
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(q[i], 0);
    cm_arena_free(a);
}

/* What was made elsewhere counts, and goes with the rest. */
static void the_arena_adopts(void **state)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 20000};
    cm_arena *a;
    cm_view v, w;
    uint8_t *p;

    (void)state;
    OK(cm_arena_new(&a, 20000));
    for (unsigned i = 0; i < 2; i++) {
        OK(cm_buf_append(&b, CM_LIT("first")));
        OK(cm_arena_adopt(a, &v, &b));
        assert_int_equal(b.n + b.cap, 0);
        OK(cm_buf_reserve(&b, 9000));
        OK(cm_buf_append(&b, CM_LIT("second")));
        OK(cm_arena_adopt(a, &w, &b));
        assert_true(cm_view_eq(v, CM_LIT("first")) && cm_view_eq(w, CM_LIT("second")));
        OK(cm_buf_reserve(&b, 9000));
        IS(cm_arena_adopt(a, &w, &b), MSG_LIMIT);
        assert_true(b.cap >= 9000); /* still the caller's */
        cm_buf_free(&b);
        IS(cm_arena_get(a, &p, 9000), MSG_LIMIT);
        cm_arena_reset(a);
    }
    cm_arena_free(a);
}

/* A secret in a request is gone with the arena: its text too, not only its value. */
static void secrets_leave_with_the_arena(void **state)
{
    struct t *t = *state;
    cm_msg *m = from_json(t, "{\"data\":\"c2VjcmV0IHNlY3JldA==\",\"name\":\"secret\"}");
    const uint8_t *data = cm_msg_view(m, S_DATA).p, *name = cm_msg_view(m, S_NAME).p;

    assert_memory_equal(data, "secret secret", 13);
    cm_arena_reset(t->a);
    for (unsigned i = 0; i < 13; i++)
        assert_int_equal(data[i], 0);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(name[i], 0);
}

static void outputs_stay_on_failure(void **state)
{
    struct t *t = *state;
    cm_msg *m = from_json(t, WHOLE);
    cm_buf all = {.max = 4096};

    OK(cm_msg_to_proto(&all, m));
    for (size_t max = 0; max < all.n; max++) {
        cm_buf b = {.max = max};

        IS(cm_msg_to_proto(&b, m), TOO_BIG);
        assert_int_equal(b.n, 0);
        cm_buf_free(&b);
    }
    cm_buf_free(&all);
}

/* ---- descriptions ------------------------------------------------------------------------- */

static void descriptions(void **state)
{
    struct t *t = *state;
    cm_json_writer w = {.out = &t->b};
    const cm_message *list[4];
    cm_json *j;
    size_t n = 0;

    OK(cm_msg_collect(list, &n, 4, &sample));
    OK(cm_msg_collect(list, &n, 4, &sample_inner));
    assert_int_equal(n, 2);
    n = 0;
    IS(cm_msg_collect(list, &n, 1, &sample), MSG_LIMIT);
    assert_int_equal(n, 0);
    OK(cm_msg_describe_proto(&t->b, &sample));
    OK(cm_buf_byte(&t->b, 0));
    assert_non_null(strstr((char *)t->b.p, "  enum Kind {\n    KIND_UNSPECIFIED = 0;\n"
                                           "    KIND_AES_256 = 1;\n"));
    assert_non_null(strstr((char *)t->b.p, "  // What it is called.\n  optional string name = 1;"));
    assert_non_null(strstr((char *)t->b.p, "  repeated Inner inners = 12;\n"));
    assert_non_null(strstr((char *)t->b.p, "    FORM_MESSAGE = 0;\n    FORM_DIGEST = 1;\n"));
    t->b.n = 0;
    cm_msg_describe_openapi(&w, &sample_inner);
    OK(cm_json_finish(&w));
    OK(cm_json_parse(&j, cm_buf_view(&t->b), NULL, NULL));
    assert_int_equal(cm_json_size(cm_json_get(cm_json_root(j), "required")), 1);
    assert_int_equal(cm_json_size(cm_json_get(cm_json_root(j), "properties")), I_N);
    cm_json_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds_both_ways),
        cmocka_unit_test(proto_bytes_are_those_of_the_encoding),
        cmocka_unit_test(long_inner_messages),
        cmocka_unit_test(absence_is_kept),
        cmocka_unit_test(numbers_may_be_strings),
        cmocka_unit_test(json_refusals),
        cmocka_unit_test(proto_refusals),
        cmocka_unit_test(deep_proto_is_refused),
        cmocka_unit_test(mutations),
        cmocka_unit_test(json_mutations),
        cmocka_unit_test(last_one_wins_and_messages_merge),
        cmocka_unit_test(unknown_fields_are_skipped_so_far),
        cmocka_unit_test(packed_and_not),
        cmocka_unit_test(unspecified_is_absent),
        cmocka_unit_test(fields_from_text),
        cmocka_unit_test(path_fields_come_later),
        cmocka_unit_test(check_finds_what_code_did_wrong),
        cmocka_unit_test(the_arena_is_bounded_and_wiped),
        cmocka_unit_test(the_arena_adopts),
        cmocka_unit_test(secrets_leave_with_the_arena),
        cmocka_unit_test(outputs_stay_on_failure),
        cmocka_unit_test(descriptions),
    };
    struct CMUnitTest each[CM_COUNT(tests)];

    for (size_t i = 0; i < CM_COUNT(tests); i++) {
        each[i] = tests[i];
        each[i].setup_func = begin;
        each[i].teardown_func = end;
    }
    return cmocka_run_group_tests(each, NULL, NULL);
}
