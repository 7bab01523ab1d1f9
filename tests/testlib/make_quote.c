/* make-quote policy KEY PCR11 NAME VERSION >POLICY
 * make-quote quote KEY PCR11 NONCE-HEX RESETS RESTARTS >PACK
 * make-quote bound KEY PCR11 NONCE-HEX PUBLIC-KEY-FILE MANIFEST-HEX >PACK
 * make-quote rcar KEY PCR11 RESETS PUBLIC-KEY-FILE <CHALLENGE >ATTESTATION
 * make-quote key >SEED; make-quote public SEED-FILE >PUBLIC; make-quote open SEED-FILE <RESPONSE
 * What a machine with a TPM does, for scripts. */
#include <stdio.h>
#include <stdlib.h>

#include "attest/bind.h"
#include "codec/text.h"
#include "quote_kit.h"
#include "release/jwe.h"
#include "release/rcar.h"

enum { ROOM = 1 << 20 };

static cm_crypt *c;

static void must(cm_err e)
{
    if (cm_failed(e)) {
        (void)fprintf(stderr, "make-quote: %s\n", cm_err_name(e));
        exit(1);
    }
}

static unsigned number(const char *text)
{
    uint64_t v = 0;

    must(cm_dec_u64(&v, cm_view_str(text)));
    return (unsigned)v;
}

static void show(cm_view v)
{
    if (fwrite(v.p, 1, v.n, stdout) != v.n || fflush(stdout) != 0)
        exit(1);
}

static void slurp(cm_buf *b, FILE *f)
{
    for (int ch; f && (ch = getc(f)) != EOF;)
        must(cm_buf_byte(b, (uint8_t)ch));
}

static void slurp_file(cm_buf *b, const char *path)
{
    FILE *f = fopen(path, "rb");

    slurp(b, f);
    if (f)
        (void)fclose(f);
}

static void quote(const t_quoter *q, char **argv)
{
    CM_AUTO(cm_buf_free) cm_buf nonce = {.max = 64};
    CM_AUTO(cm_buf_free) cm_buf pack = {.max = ROOM};
    t_quote what = {
        .pcr11 = (uint8_t)number(argv[3]), .resets = number(argv[5]), .restarts = number(argv[6])};

    must(cm_hex_decode(&nonce, cm_view_str(argv[4])));
    what.nonce = cm_buf_view(&nonce);
    t_quote_pack(&pack, q, &what);
    show(cm_buf_view(&pack));
}

/* Evidence bound as casemate attest evidence --bind does it. */
static void bound(const t_quoter *q, char **argv)
{
    CM_AUTO(cm_buf_free) cm_buf nonce = {.max = 64};
    CM_AUTO(cm_buf_free) cm_buf key = {.max = CM_RCAR_KEY};
    CM_AUTO(cm_buf_free) cm_buf manifest = {.max = 64};
    CM_AUTO(cm_buf_free) cm_buf pack = {.max = ROOM};
    cm_binding b = {.role = CM_LIT(CM_BIND_CLIENT), .suite = CM_LIT(CM_JWE_ALG)};
    t_quote what = {.pcr11 = (uint8_t)number(argv[3])};
    uint8_t fresh[CM_BIND_SIZE];
    cm_bound e;
    size_t n;

    must(cm_hex_decode(&nonce, cm_view_str(argv[4])));
    must(cm_hex_decode(&manifest, cm_view_str(argv[6])));
    slurp_file(&key, argv[5]);
    b.nonce = cm_buf_view(&nonce);
    b.hpke_key = cm_buf_view(&key);
    b.manifest = cm_buf_view(&manifest);
    must(cm_bind(&e, c, &b));
    must(cm_bound_for(fresh, &n, c, &e, CM_ATTEST_TPM));
    what.nonce = cm_view_of(fresh, n);
    t_quote_pack(&pack, q, &what);
    show(cm_buf_view(&pack));
}

static void rcar(const t_quoter *q, char **argv)
{
    CM_AUTO(cm_rcar_challenge_done) cm_rcar_challenge ch = {0};
    CM_AUTO(cm_rcar_attestation_done) cm_rcar_attestation a = {.n = 1};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = ROOM};
    CM_AUTO(cm_buf_free) cm_buf key = {.max = CM_RCAR_KEY};
    uint8_t digest[CM_HASH_MAX];
    t_quote what = {.pcr11 = (uint8_t)number(argv[3]), .resets = number(argv[4])};

    slurp(&text, stdin);
    must(cm_rcar_challenge_read(&ch, cm_buf_view(&text)));
    slurp_file(&key, argv[5]);
    if (key.n != CM_RCAR_KEY)
        exit(1);
    memcpy(a.nonce, ch.nonce, sizeof a.nonce);
    memcpy(a.key, key.p, key.n);
    must(cm_rcar_report_data(digest, c, ch.hash, a.nonce, a.key, CM_LIT("")));
    what.nonce = cm_view_of(digest, cm_hash_size(ch.hash));
    a.piece[0] = (cm_rcar_piece){.kind = CM_ATTEST_TPM, .evidence = {.max = ROOM}};
    t_quote_pack(&a.piece[0].evidence, q, &what);
    text.n = 0;
    must(cm_rcar_attestation_put(&text, &a));
    show(cm_buf_view(&text));
}

static int with_quoter(char **argv, int argc)
{
    t_quoter *q = t_quoter_new(c, (uint8_t)number(argv[2]));
    CM_AUTO(cm_buf_free) cm_buf text = {.max = ROOM};

    if (strcmp(argv[1], "policy") == 0 && argc == 6) {
        t_quote_policy(&text, q, argv[4], number(argv[5]), (uint8_t)number(argv[3]), "");
        show(cm_buf_view(&text));
    } else if (strcmp(argv[1], "quote") == 0 && argc == 7) {
        quote(q, argv);
    } else if (strcmp(argv[1], "bound") == 0 && argc == 7) {
        bound(q, argv);
    } else if (strcmp(argv[1], "rcar") == 0 && argc == 6) {
        rcar(q, argv);
    } else {
        return 2;
    }
    t_quoter_done(q);
    return 0;
}

static int with_key(char **argv, int argc)
{
    CM_AUTO(cm_kem_key_free_ptr) cm_kem_key *k = NULL;
    CM_AUTO(cm_buf_free) cm_buf seed = {.max = 64};
    CM_AUTO(cm_buf_free) cm_buf text = {.max = ROOM};
    CM_AUTO(cm_buf_free) cm_buf plain = {.max = ROOM};

    if (argc == 2) {
        must(cm_kem_generate(&k, c, CM_KEM_MLKEM768));
        show(cm_kem_seed(k));
        return 0;
    }
    slurp_file(&seed, argv[2]);
    must(cm_kem_from_seed(&k, c, CM_KEM_MLKEM768, cm_buf_view(&seed)));
    if (strcmp(argv[1], "public") == 0) {
        show(cm_kem_public(k));
        return 0;
    }
    slurp(&text, stdin);
    must(cm_jwe_open(&plain, c, k, cm_buf_view(&text)));
    show(cm_buf_view(&plain));
    return 0;
}

int main(int argc, char **argv)
{
    int status = 2;

    must(cm_crypt_new(&c, CM_PROFILE_DEFAULT));
    if (argc >= 5)
        status = with_quoter(argv, argc);
    else if (argc >= 2)
        status = with_key(argv, argc);
    cm_crypt_free(c);
    return status;
}
