/* What release_python.py asks: a line of words in hex (- for none) in, a line out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/text.h"
#include "release/ear.h"
#include "release/jwe.h"

enum { LINE_MAX = 1 << 20, WORDS = 8 };

typedef struct {
    cm_crypt *c;
    cm_kem_key *k;
    cm_pkey *authority;
    cm_buf word[WORDS];
    size_t n;
} probe;

static void must(cm_err e)
{
    if (cm_failed(e)) {
        (void)fprintf(stderr, "%s\n", cm_err_name(e));
        exit(1);
    }
}

static void say(cm_view v)
{
    if (v.n == 0)
        (void)putchar('-');
    for (size_t i = 0; i < v.n; i++)
        (void)printf("%02x", v.p[i]);
    (void)putchar('\n');
    (void)fflush(stdout);
}

static cm_view word(const probe *p, size_t i)
{
    return i < p->n ? cm_buf_view(&p->word[i]) : cm_view_of(NULL, 0);
}

static cm_hash hash_of(cm_view name)
{
    return cm_view_eq(name, CM_LIT("sha384"))   ? CM_SHA384
           : cm_view_eq(name, CM_LIT("sha512")) ? CM_SHA512
                                                : CM_SHA256;
}

/* A token of a machine with two GPUs, keyed to our ML-KEM key. */
static void token(probe *p, cm_ear_form form, cm_buf *out)
{
    cm_appraised piece[3] = {{.r = {.kind = CM_ATTEST_SNP}},
                             {.r = {.kind = CM_ATTEST_NVIDIA}},
                             {.r = {.kind = CM_ATTEST_NVIDIA}}};
    cm_trust trust[3] = {
        {{2, 2, 3, 0, 2, 2, 0, 0}}, {{0, 0, 3, 0, 32, 0, 0, 0}}, {{0, 0, 0, 0, 2, 0, 0, 0}}};
    cm_decision d = {
        .answer = {.accepted = true, .tier = 3}, .n = 3, .piece = piece, .trust = trust};
    cm_ear_bound b = {.policy = "fleet", .version = 3, .manifest_n = 32};
    cm_ear_authority by = {CM_LIT("https://kms.example"), CM_LIT("casemate probe")};
    cm_challenge ch = {.kind = CM_ATTEST_SNP};
    cm_ear e;

    memset(ch.nonce, 0x4e, sizeof ch.nonce);
    memset(d.boot, 0x42, sizeof d.boot);
    memset(b.manifest, 0x4d, b.manifest_n);
    memset(b.digest, 0x50, sizeof b.digest);
    must(cm_ear_hold(&b, p->c, CM_KEM_MLKEM768, cm_kem_public(p->k), CM_LIT("an SPKI")));
    must(cm_ear_make(&e, p->c, &d, &ch, &b, &by, 1800000000, 0));
    must(cm_ear_sign(out, p->c, form, &e, p->authority));
}

static void answer(probe *p, const char *verb, const char *name)
{
    CM_AUTO(cm_buf_free) cm_buf out = {.max = LINE_MAX};
    uint8_t d[CM_HASH_MAX];

    if (strcmp(verb, "public") == 0) {
        say(cm_kem_public(p->k));
    } else if (strcmp(verb, "seal") == 0) {
        must(cm_jwe_seal_to(&out, p->c, word(p, 0), word(p, 1)));
        say(cm_buf_view(&out));
    } else if (strcmp(verb, "open") == 0) {
        must(cm_jwe_open(&out, p->c, p->k, word(p, 0)));
        say(cm_buf_view(&out));
    } else if (strcmp(verb, "report") == 0) {
        cm_hash h = hash_of(cm_view_str(name));

        must(cm_rcar_report_data(d, p->c, h, word(p, 1).p, word(p, 2).p, word(p, 3)));
        say(cm_view_of(d, cm_hash_size(h)));
    } else if (strcmp(verb, "token") == 0) {
        token(p, strcmp(name, "cwt") == 0 ? CM_EAR_CWT : CM_EAR_JWT, &out);
        say(cm_buf_view(&out));
    } else if (strcmp(verb, "authority") == 0) {
        must(cm_pkey_public_der(&out, p->authority));
        say(cm_buf_view(&out));
    } else if (strcmp(verb, "device") == 0) {
        must(cm_rcar_device_data(d, p->c, hash_of(cm_view_str(name)), word(p, 1).p, word(p, 2).p));
        say(cm_view_of(d, 32));
    }
}

int main(void)
{
    static char line[LINE_MAX];
    probe p = {0};

    must(cm_crypt_new(&p.c, CM_PROFILE_DEFAULT));
    must(cm_kem_generate(&p.k, p.c, CM_KEM_MLKEM768));
    must(cm_pkey_generate(&p.authority, p.c, CM_LIT("ML-DSA-65")));
    for (size_t i = 0; i < WORDS; i++)
        p.word[i].max = LINE_MAX;
    while (fgets(line, sizeof line, stdin)) {
        char *rest = NULL;
        const char *verb = strtok_r(line, " \n", &rest), *name = NULL;

        p.n = 0;
        for (char *w; verb && p.n < WORDS && (w = strtok_r(NULL, " \n", &rest)); p.n++) {
            name = name ? name : w;
            p.word[p.n].n = 0;
            if (cm_failed(cm_hex_decode(&p.word[p.n], cm_view_str(w))))
                p.word[p.n].n = 0; /* a name, or none */
        }
        if (verb)
            answer(&p, verb, name ? name : "");
    }
    for (size_t i = 0; i < WORDS; i++)
        cm_buf_free(&p.word[i]);
    cm_kem_key_free(p.k);
    cm_pkey_free(p.authority);
    cm_crypt_free(p.c);
    return 0;
}
