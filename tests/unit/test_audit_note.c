/* Entries, blinding, notes, keys, signers and receipts: forms and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "audit/blind.h"
#include "audit/verify.h"
#include "codec/text.h"
#include "crypt/merkle.h"
#include "hex.h"
#include "log_kit.h"

#define assert_reason(reason, e) assert_string_equal(cm_err_name(CM_FAIL(reason)), cm_err_name(e))
#define assert_okay(e)           assert_string_equal("OK", cm_err_name(e))

static cm_crypt *crypt;

static int start(void **state)
{
    (void)state;
    return cm_ok(cm_crypt_new(&crypt, CM_PROFILE_DEFAULT)) ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    cm_crypt_free(crypt);
    return 0;
}

/* ---- entries ---- */

static void an_entry_has_one_form(void **state)
{
    cm_buf a = {.max = 4096}, b = {.max = 4096};
    cm_audit_entry e = t_log_entry(7), got; /* denied, with a reason */

    (void)state;
    e.key_version = 3;
    assert_okay(cm_audit_entry_encode(&a, &e)); /* */
    assert_okay(cm_audit_entry_decode(&got, cm_buf_view(&a)));
    assert_okay(cm_audit_entry_encode(&b, &got));
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
    assert_int_equal(e.time_ms, got.time_ms);
    assert_int_equal(3, got.key_version);
    assert_int_equal(CM_AUDIT_DENY, got.decision);
    assert_int_equal(CM_COMMIT_BUDGET, got.reason);
    for (size_t n = 0; n < a.n; n++) {
        assert_reason(AUDIT_ENTRY, cm_audit_entry_decode(&got, cm_view_of(a.p, n)));
    }
    assert_okay(cm_buf_byte(&a, 0));
    assert_reason(AUDIT_ENTRY, cm_audit_entry_decode(&got, cm_buf_view(&a)));
    cm_buf_free(&a);
    cm_buf_free(&b);
}

/* A known answer, worked out by hand from the table in spec/audit.md. */
static void an_entry_byte_by_byte(void **state)
{
    static const char want[] = "a6" /* map of 6 */
                               "0001"
                               "0101"
                               "0250000102030405060708090a0b0c0d0e0f"
                               "05645369676e" /* "Sign" */
                               "0a02"
                               "0b1a00071203";
    cm_audit_entry e = {.time_ms = 1,
                        .id = t_hex("000102030405060708090a0b0c0d0e0f"),
                        .op = CM_LIT("Sign"),
                        .decision = CM_AUDIT_DENY,
                        .reason = 0x071203};
    cm_buf b = {.max = 4096};
    cm_view v = t_hex(want);

    (void)state;
    assert_okay(cm_audit_entry_encode(&b, &e));
    assert_int_equal(v.n, b.n);
    assert_memory_equal(v.p, b.p, v.n);
    cm_buf_free(&b);
}

/* the entries of logs from before there was a custody read on, and are written as they were.
 */
static void an_entry_with_a_custody(void **state)
{
    static const char want[] = "a6000201010250000102030405060708090a0b0c0d0e0f"
                               "05694372656174654b6579"        /* "CreateKey" */
                               "0a010c6a68736d2d6e6174697665"; /* "hsm-native" */
    cm_audit_entry e = {.time_ms = 1,
                        .id = t_hex("000102030405060708090a0b0c0d0e0f"),
                        .op = CM_LIT("CreateKey"),
                        .decision = CM_AUDIT_ALLOW,
                        .custody = CM_LIT("hsm-native")};
    cm_audit_entry got;
    cm_buf b = {.max = 4096};
    cm_view v = t_hex(want);

    (void)state;
    assert_okay(cm_audit_entry_encode(&b, &e));
    assert_int_equal(v.n, b.n);
    assert_memory_equal(v.p, b.p, v.n);
    assert_okay(cm_audit_entry_decode(&got, cm_buf_view(&b)));
    assert_true(cm_view_eq(got.custody, e.custody));
    b.p[2] = 1; /* version 1 has none, and version 2 always one */
    assert_reason(AUDIT_ENTRY, cm_audit_entry_decode(&got, cm_buf_view(&b)));
    assert_reason(AUDIT_ENTRY,
                  cm_audit_entry_decode(&got, t_hex("a5000201010250000102030405060708090a0b0c0d0e0f"
                                                    "05645369676e0a01")));
    assert_reason(AUDIT_ENTRY,
                  cm_audit_entry_decode(&got, t_hex("a6000201010250000102030405060708090a0b0c0d0e0f"
                                                    "05645369676e0a010c60")));
    cm_buf_free(&b);
}

static void an_entry_out_of_bounds(void **state)
{
    static uint8_t big[2000];
    cm_audit_entry e;
    cm_buf b = {.max = 8192};

    (void)state; /* */
#define REFUSED(change)                                             \
    do {                                                            \
        e = t_log_entry(7);                                         \
        change;                                                     \
        assert_reason(BAD_ARGUMENT, cm_audit_entry_encode(&b, &e)); \
        assert_int_equal(0, b.n);                                   \
    } while (0)
    REFUSED(e.id.n = 15);
    REFUSED(e.id.n = 0);
    REFUSED(e.op.n = 0);
    REFUSED(e.op = CM_LIT("\xff"));
    REFUSED(e.op = cm_view_of(big, 65));
    REFUSED(e.tenant = cm_view_of(big, 257));
    REFUSED(e.resource = cm_view_of(big, 1025));
    REFUSED(e.principal = cm_view_of(big, 31));
    REFUSED(e.request = cm_view_of(big, 33));
    REFUSED(e.evidence = cm_view_of(big, 1));
    REFUSED(e.custody = cm_view_of(big, 33));
    REFUSED(e.decision = (cm_audit_decision)0);
    REFUSED(e.decision = (cm_audit_decision)4);
    REFUSED(e.decision = CM_AUDIT_ALLOW);
    REFUSED(e.time_ms = UINT64_MAX);
#undef REFUSED
    /* an allowing entry with a reason, as bytes; a version from the future */
    assert_reason(AUDIT_ENTRY,
                  cm_audit_entry_decode(&e, t_hex("a6000101010250000102030405060708090a0b0c0d0e0f"
                                                  "05645369676e0a010b05")));
    assert_reason(AUDIT_ENTRY,
                  cm_audit_entry_decode(&e, t_hex("a5000301010250000102030405060708090a0b0c0d0e0f"
                                                  "05645369676e0a01")));
    assert_okay(cm_audit_entry_decode(&e, t_hex("a5000101010250000102030405060708090a0b0c0d0e0f"
                                                "05645369676e0a01")));
    cm_buf_free(&b);
}

/* */
static void blinding(void **state)
{
    uint8_t salt[32] = {1}, a[32], b[32], want[32];
    cm_buf m = {.max = 256};

    (void)state;
    assert_okay(cm_audit_blind(crypt, a, CM_VIEW(salt), "principal", CM_LIT("alice")));
    assert_okay(cm_buf_append(&m, CM_LIT("casemate/blind/v1\0principal\0alice")));
    assert_okay(cm_hmac(crypt, CM_SHA256, want, CM_VIEW(salt), cm_buf_view(&m)));
    assert_memory_equal(want, a, 32);
    assert_okay(cm_audit_blind(crypt, b, CM_VIEW(salt), "address", CM_LIT("alice")));
    assert_memory_not_equal(a, b, 32);
    salt[0] = 2;
    assert_okay(cm_audit_blind(crypt, b, CM_VIEW(salt), "principal", CM_LIT("alice")));
    assert_memory_not_equal(a, b, 32);
    assert_reason(BAD_ARGUMENT,
                  cm_audit_blind(crypt, b, cm_view_of(salt, 31), "principal", CM_LIT("alice")));
    cm_buf_free(&m);
}

/* ---- notes ---- */

static void a_note_of_another_program(void **state)
{
    /* The example of C2SP signed-note. */
    static const char key[] =
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    static const char note[] = "This is an example message.\n\n"
                               "\xe2\x80\x94 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXpp"
                               "zi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    char other[sizeof note];
    uint64_t by = 0;
    cm_vkey k = {0};
    cm_buf b = {.max = 4096};
    cm_note n;

    (void)state;
    assert_okay(cm_vkey_parse(&k, crypt, cm_view_str(key))); /* */
    assert_okay(cm_vkey_text(&b, &k));
    assert_memory_equal(key, b.p, b.n);
    assert_okay(cm_note_parse(&n, cm_view_str(note)));
    assert_int_equal(28, n.text.n);
    assert_okay(cm_note_check(&n, &k, 1, &by, NULL));
    assert_int_equal(1, by);
    memcpy(other, note, sizeof note);
    other[0] = 't';
    assert_okay(cm_note_parse(&n, cm_view_str(note)));
    n.text = cm_view_of(other, 28);
    assert_reason(AUDIT_SIGNATURE, cm_note_check(&n, &k, 1, &by, NULL));
    cm_vkey_done(&k);
    cm_buf_free(&b);
}

static void notes_that_are_none(void **state)
{
    static const char *const bad[] = {
        "",
        "text\n",
        "text\n\n",
        "\n\n",
        "text\n\n\xe2\x80\x94 name AAAAAAA=",               /* no newline */
        "text\n\n- name AAAAAAA=\n",                        /* no em dash */
        "text\n\n\xe2\x80\x94 name AAAAAA==\n",             /* no signature */
        "text\n\n\xe2\x80\x94 name AAAAAAA\n",              /* no base64 */
        "text\n\n\xe2\x80\x94 AAAAAAA=\n",                  /* no name */
        "text\n\n\xe2\x80\x94 na+me AAAAAAA=\n",            /* plus */
        "text\n\n\xe2\x80\x94 na\xc2\xa0me AAAAAAA=\n",     /* no-break space */
        "text\n\n\xe2\x80\x94 na\xe2\x80\x83me AAAAAAA=\n", /* em space */
        "te\txt\n\n\xe2\x80\x94 name AAAAAAA=\n",           /* control character */
        "te\xffxt\n\n\xe2\x80\x94 name AAAAAAA=\n",         /* no UTF-8 */
        "text\n\n\xe2\x80\x94 name AAAAAAA=\nrest\n",       /* not a signature */
        "text\n\n\xe2\x80\x94 name AAAAAAA=\n\n",           /* empty line at the end */
    };
    cm_buf many = {.max = 1 << 16};
    cm_note n;

    (void)state; /* */
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        assert_reason(AUDIT_NOTE, cm_note_parse(&n, cm_view_str(bad[i])));
    }
    assert_okay(cm_note_parse(&n, CM_LIT("a\n\nb\n\n\xe2\x80\x94 name AAAAAAA=\n")));
    assert_int_equal(5, n.text.n); /* the last empty line counts */
    assert_okay(cm_buf_append(&many, CM_LIT("text\n\n")));
    for (unsigned i = 0; i < CM_NOTE_LINES; i++) {
        assert_okay(cm_buf_append(&many, CM_LIT("\xe2\x80\x94 name AAAAAAA=\n")));
    }
    assert_okay(cm_note_parse(&n, cm_buf_view(&many)));
    assert_okay(cm_buf_append(&many, CM_LIT("\xe2\x80\x94 name AAAAAAA=\n")));
    assert_reason(AUDIT_NOTE, cm_note_parse(&n, cm_buf_view(&many)));
    cm_buf_free(&many);
}

static void checkpoints_that_are_none(void **state)
{
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    static const char *const bad[] = {
        "",
        "origin\n",
        "origin\n12\n",
        "\n12\n" ROOT,
        "origin\n012\n" ROOT,
        "origin\n+12\n" ROOT,
        "origin\n-1\n" ROOT,
        "origin\n18446744073709551616\n" ROOT,
        "origin\n0\n" ROOT, /* not the empty tree's root */
        "origin\n12\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
        "origin\n12\n" ROOT "extension",
        "origin\n12\n" ROOT "extension\n\nanother\n",
    };
    cm_checkpoint c;

    (void)state; /* */
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        assert_reason(AUDIT_CHECKPOINT, cm_checkpoint_parse(&c, cm_view_str(bad[i])));
    }
    assert_okay(cm_checkpoint_parse(&c, CM_LIT("origin\n12\n" ROOT "extension\n")));
    assert_int_equal(12, c.size);
    assert_int_equal(10, c.extensions.n);
    assert_okay(cm_checkpoint_parse(
        &c, CM_LIT("origin\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")));
#undef ROOT
}

/* ---- keys and signers ---- */

typedef struct {
    cm_audit_keys keys;
    cm_audit_local *local;
    cm_vkey vkeys[3];
    size_t n;
    uint64_t now;
} signer;

static uint64_t now_of(void *arg)
{
    return *(uint64_t *)arg;
}

static void signer_init(signer *s)
{
    uint8_t seed[32] = {9};
    const cm_vkey *k;

    *s = (signer){.now = 1679315147};
    assert_okay(cm_audit_keys_derive(&s->keys, crypt, CM_VIEW(seed)));
    assert_okay(cm_audit_local_new(&s->local, crypt, "log.example", &s->keys, now_of, &s->now));
    k = cm_audit_local_vkeys(s->local, &s->n);
    memcpy(s->vkeys, k, s->n * sizeof *k);
}

static void signer_done(signer *s)
{
    cm_audit_local_free(s->local);
    cm_audit_keys_done(&s->keys);
}

static cm_err sign_note(signer *s, cm_buf *note, uint64_t size, uint8_t fill)
{
    cm_audit_signer x = cm_audit_local_signer(s->local);
    cm_buf lines = {.max = CM_NOTE_MAX};
    uint8_t root[32];
    cm_err e;

    memset(root, fill, sizeof root);
    if (size == 0) {
        cm_merkle_root(root, NULL, 0);
    }
    note->n = 0;
    assert_okay(cm_checkpoint_text(note, CM_LIT("log.example"), size, root));
    e = x.sign(x.self, &lines, cm_buf_view(note));
    assert_okay(cm_buf_byte(note, '\n'));
    assert_okay(cm_buf_append(note, cm_buf_view(&lines)));
    cm_buf_free(&lines);
    return e;
}

/* any line, any bit, any key missing. */
static void every_line_of_the_log_counts(void **state)
{
    signer s;
    cm_buf note = {.max = CM_NOTE_MAX};
    cm_audit_checked c;
    cm_audit_trust t;
    cm_note n;

    (void)state;
    signer_init(&s);
    t = (cm_audit_trust){.log = s.vkeys, .log_n = s.n};
    assert_int_equal(3, s.n);
    assert_okay(sign_note(&s, &note, 12, 1));
    assert_okay(cm_audit_check_note(&c, &t, cm_buf_view(&note)));
    assert_int_equal(12, c.checkpoint.size);
    assert_okay(cm_note_parse(&n, cm_buf_view(&note)));
    for (size_t i = 0; i < note.n; i += i < 100 ? 1 : 37) { /* */
        note.p[i] ^= 1;
        assert_true(cm_failed(cm_audit_check_note(&c, &t, cm_buf_view(&note))));
        note.p[i] ^= 1;
    }
    for (size_t skip = 0; skip < 3; skip++) {
        cm_buf less = {.max = CM_NOTE_MAX};
        cm_view lines = n.lines, was;
        cm_note_line l;

        assert_okay(cm_buf_append(&less, n.text));
        assert_okay(cm_buf_byte(&less, '\n'));
        for (size_t i = 0; was = lines, cm_note_next(&lines, &l); i++) {
            if (i != skip) {
                assert_okay(cm_buf_append(&less, cm_view_sub(was, 0, was.n - lines.n)));
            }
        }
        assert_reason(AUDIT_UNSIGNED, cm_audit_check_note(&c, &t, cm_buf_view(&less)));
        cm_buf_free(&less);
    }
    t.origin = "other.example";
    assert_reason(AUDIT_ORIGIN, cm_audit_check_note(&c, &t, cm_buf_view(&note)));
    cm_buf_free(&note);
    signer_done(&s);
}

/* */
static void a_signer_does_not_contradict_itself(void **state)
{
    signer s;
    cm_audit_signer x;
    cm_buf note = {.max = CM_NOTE_MAX}, lines = {.max = CM_NOTE_MAX};

    (void)state;
    signer_init(&s);
    x = cm_audit_local_signer(s.local);
    assert_okay(sign_note(&s, &note, 0, 0));
    assert_okay(sign_note(&s, &note, 12, 1));
    assert_okay(sign_note(&s, &note, 12, 1));
    assert_reason(AUDIT_FORK, sign_note(&s, &note, 12, 2));
    assert_reason(AUDIT_FORK, sign_note(&s, &note, 11, 1));
    assert_okay(sign_note(&s, &note, 13, 3));
    assert_reason(AUDIT_ORIGIN,
                  x.sign(x.self, &lines,
                         CM_LIT("a.example\n14\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n")));
    assert_reason(
        AUDIT_ORIGIN,
        x.sign(x.self, &lines,
               CM_LIT("log.example\n14\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nx\n")));
    assert_reason(AUDIT_CHECKPOINT, x.sign(x.self, &lines, CM_LIT("log.example\n14\n")));
    assert_int_equal(0, lines.n);
    cm_buf_free(&note);
    signer_done(&s);
}

/* keys are a matter of the seed; texts of keys that do not fit are refused. */
static void key_texts(void **state)
{
    signer s, again;
    cm_buf a = {.max = 1 << 16}, b = {.max = 1 << 16};
    cm_vkey k = {0};
    uint8_t *nl, *from;

    (void)state;
    signer_init(&s);
    signer_init(&again);
    assert_okay(cm_audit_local_public(&a, s.local));
    assert_okay(cm_audit_local_public(&b, again.local));
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
    from = a.p;
    for (size_t i = 0; i < 3; i++, from = nl + 1) {
        nl = memchr(from, '\n', (size_t)(a.p + a.n - from));
        assert_non_null(nl);
        assert_okay(cm_vkey_parse(&k, crypt, cm_view_of(from, (size_t)(nl - from))));
        assert_int_equal(s.vkeys[i].id, k.id);
        assert_int_equal(s.vkeys[i].type, k.type);
        cm_vkey_done(&k);
        for (uint8_t *p = from; p < nl; p += p < from + 40 ? 1 : 31) {
            *p ^= 1;
            assert_reason(AUDIT_KEY,
                          cm_vkey_parse(&k, crypt, cm_view_of(from, (size_t)(nl - from))));
            *p ^= 1;
        }
        assert_reason(AUDIT_KEY,
                      cm_vkey_parse(&k, crypt, cm_view_of(from, (size_t)(nl - from) - 4)));
    }
    assert_reason(AUDIT_KEY, cm_vkey_init(&k, crypt, "a", CM_VKEY_ED25519, s.keys.mldsa44));
    assert_reason(BAD_ARGUMENT, cm_vkey_init(&k, crypt, "a b", CM_VKEY_ED25519, s.keys.ed25519));
    cm_buf_free(&a);
    cm_buf_free(&b);
    signer_done(&s);
    signer_done(&again);
}

/* witnesses of both kinds, each counted once. */
static void witnesses(void **state)
{
    static const char *const names[] = {"w1.example", "w2.example"};
    signer s;
    cm_buf note = {.max = CM_NOTE_MAX};
    cm_audit_keys wk[2] = {0};
    cm_vkey w[2];
    cm_audit_checked c;
    cm_audit_trust t;
    cm_note n;

    (void)state;
    signer_init(&s);
    for (uint8_t i = 0; i < 2; i++) {
        uint8_t seed[32] = {i};

        assert_okay(cm_audit_keys_derive(&wk[i], crypt, CM_VIEW(seed)));
        assert_okay(cm_vkey_init(&w[i], crypt, names[i],
                                 i ? CM_VKEY_COSIGN_ED25519 : CM_VKEY_COSIGN_MLDSA44,
                                 i ? wk[i].ed25519 : wk[i].mldsa44));
    }
    t = (cm_audit_trust){.log = s.vkeys, .log_n = s.n, .witness = w, .witness_n = 2, .quorum = 1};
    assert_okay(sign_note(&s, &note, 12, 1));
    assert_reason(AUDIT_QUORUM, cm_audit_check_note(&c, &t, cm_buf_view(&note)));
    assert_okay(cm_note_parse(&n, cm_buf_view(&note)));
    assert_okay(cm_vkey_sign(&note, &w[0], n.text, 1000));
    assert_okay(cm_audit_check_note(&c, &t, cm_buf_view(&note)));
    assert_int_equal(1, c.witnesses);
    assert_int_equal(1000, c.time);
    t.quorum = 2;
    assert_reason(AUDIT_QUORUM, cm_audit_check_note(&c, &t, cm_buf_view(&note)));
    assert_okay(cm_note_parse(&n, cm_buf_view(&note)));
    assert_okay(cm_vkey_sign(&note, &w[0], n.text, 999)); /* the same one again */
    assert_reason(AUDIT_QUORUM, cm_audit_check_note(&c, &t, cm_buf_view(&note)));
    assert_okay(cm_note_parse(&n, cm_buf_view(&note)));
    assert_okay(cm_vkey_sign(&note, &w[1], n.text, 998));
    assert_okay(cm_audit_check_note(&c, &t, cm_buf_view(&note)));
    assert_int_equal(3, c.witnesses);
    assert_int_equal(998, c.time);
    for (size_t i = 0; i < 2; i++) {
        cm_audit_keys_done(&wk[i]);
    }
    cm_buf_free(&note);
    signer_done(&s);
}

/* ---- receipts ---- */

static void receipts_that_are_none(void **state)
{
#define NOTE                                                           \
    "log.example\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n" \
    "\xe2\x80\x94 log.example AAAAAAA=\n"
#define HASH "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    static const char *const bad[] = {
        "",
        "c2sp.org/tlog-proof@v2\nindex 0\n\n" NOTE,
        "c2sp.org/tlog-proof@v1x\nindex 0\n\n" NOTE,
        "c2sp.org/tlog-proof@v1\n\n" NOTE,
        "c2sp.org/tlog-proof@v1\nindex 00\n\n" NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\nextra AA==\n\n" NOTE,
        "c2sp.org/tlog-proof@v1\nextra A\nindex 0\n\n" NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\n" NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n" NOTE,
        "c2sp.org/tlog-proof@v1\nindex 0\n\n",
    };
    cm_buf b = {.max = 1 << 16};
    cm_receipt r = {0};

    (void)state; /* */
    for (size_t i = 0; i < CM_COUNT(bad); i++) {
        assert_true(cm_failed(cm_receipt_parse(&r, cm_view_str(bad[i]))));
        assert_int_equal(0, r.index);
    }
    assert_okay(cm_receipt_parse(
        &r, CM_LIT("c2sp.org/tlog-proof@v1\nextra AAE=\nindex 73894\n" HASH HASH "\n" NOTE)));
    assert_int_equal(73894, r.index);
    assert_int_equal(64, r.proof_n);
    assert_int_equal(2, r.extra.n);
    assert_okay(
        cm_receipt_put(&b, r.index, cm_view_of(r.proof, r.proof_n), cm_buf_view(&r.extra), r.note));
    assert_memory_equal("c2sp.org/tlog-proof@v1\nextra AAE=\nindex 73894\n" HASH HASH "\n" NOTE,
                        b.p, b.n);
    cm_receipt_done(&r);
    b.n = 0;
    assert_okay(cm_buf_append(&b, CM_LIT("c2sp.org/tlog-proof@v1\nindex 1\n")));
    for (unsigned i = 0; i < 65; i++) {
        assert_okay(cm_buf_append(&b, CM_LIT(HASH)));
    }
    assert_okay(cm_buf_append(&b, CM_LIT("\n" NOTE)));
    assert_reason(AUDIT_RECEIPT, cm_receipt_parse(&r, cm_buf_view(&b)));
    cm_buf_free(&b);
#undef NOTE
#undef HASH
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_has_one_form),
        cmocka_unit_test(an_entry_byte_by_byte),
        cmocka_unit_test(an_entry_with_a_custody),
        cmocka_unit_test(an_entry_out_of_bounds),
        cmocka_unit_test(blinding),
        cmocka_unit_test(a_note_of_another_program),
        cmocka_unit_test(notes_that_are_none),
        cmocka_unit_test(checkpoints_that_are_none),
        cmocka_unit_test(every_line_of_the_log_counts),
        cmocka_unit_test(a_signer_does_not_contradict_itself),
        cmocka_unit_test(key_texts),
        cmocka_unit_test(witnesses),
        cmocka_unit_test(receipts_that_are_none),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
