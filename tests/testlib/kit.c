#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"

#define MUST(x)                                                                             \
    do {                                                                                    \
        cm_err must_ = (x);                                                                 \
        if (cm_failed(must_)) {                                                             \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #x, cm_err_name(must_)); \
            exit(1);                                                                        \
        }                                                                                   \
    } while (0)

static cm_kem_key *kem(const t_kit *k, cm_kem_id id, uint8_t fill)
{
    uint8_t seed[CM_KEM_SEED_MAX];
    cm_kem_key *key = NULL;

    memset(seed, fill, sizeof seed);
    MUST(cm_kem_from_seed(&key, k->crypt, id, cm_view_of(seed, cm_kem_info_of(id)->seed)));
    return key;
}

static cm_sig_key *sig(const t_kit *k, cm_sig_id id, uint8_t fill)
{
    uint8_t seed[CM_SIG_SEED_MAX];
    cm_sig_key *key = NULL;

    memset(seed, fill, sizeof seed);
    MUST(cm_sig_from_seed(&key, k->crypt, id, cm_view_of(seed, cm_sig_info_of(id)->seed)));
    return key;
}

t_kit *t_kit_new(void)
{
    t_kit *k = calloc(1, sizeof *k);

    MUST(cm_crypt_new(&k->crypt, CM_PROFILE_DEFAULT));
    k->xwing = kem(k, CM_KEM_XWING, 1);
    k->other = kem(k, CM_KEM_XWING, 2);
    k->mlkem768 = kem(k, CM_KEM_MLKEM768, 3);
    k->mlkem1024 = kem(k, CM_KEM_MLKEM1024, 4);
    k->x25519 = kem(k, CM_KEM_X25519, 5);
    k->dual = sig(k, CM_SIG_DUAL65, 6);
    k->mldsa65 = sig(k, CM_SIG_MLDSA65, 7);
    k->mldsa87 = sig(k, CM_SIG_MLDSA87, 8);
    k->ed25519 = sig(k, CM_SIG_ED25519, 9);
    k->stranger = sig(k, CM_SIG_MLDSA65, 10);
    t_mkdir(k->dir);
    return k;
}

void t_kit_done(t_kit *k)
{
    cm_kem_key *kems[] = {k->xwing, k->other, k->mlkem768, k->mlkem1024, k->x25519};
    cm_sig_key *sigs[] = {k->dual, k->mldsa65, k->mldsa87, k->ed25519, k->stranger};

    for (size_t i = 0; i < CM_COUNT(kems); i++)
        cm_kem_key_free(kems[i]);
    for (size_t i = 0; i < CM_COUNT(sigs); i++)
        cm_sig_key_free(sigs[i]);
    cm_crypt_free(k->crypt);
    t_rmdir(k->dir);
    free(k);
}

/* ---- bytes and files ----------------------------------------------------------------------- */

cm_buf t_bytes(size_t n, uint64_t seed)
{
    cm_buf b = {.max = n + 1};
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;

    MUST(cm_buf_reserve(&b, n + 1));
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        b.p[i] = (uint8_t)x;
    }
    b.n = n;
    return b;
}

cm_buf t_whole_file(const char *path)
{
    cm_buf b = {.max = 64 << 20};

    t_get_file(&b, path);
    return b;
}

bool t_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* ---- containers ---------------------------------------------------------------------------- */

cm_seal_options t_seal_options(const t_kit *k, cm_recipient *r)
{
    *r = cm_recipient_kem(k->xwing);
    return (cm_seal_options){
        .to = r,
        .to_n = 1,
        .signers = (const cm_sig_key *const *)&k->dual,
        .signers_n = 1,
        .segment = 64 << 10,
        .leaf = 4 << 10,
        .name = "tiny",
        .version = "1",
        .created = 1700000000,
        .threads = 2,
    };
}

cm_open_options t_open_options(const t_kit *k, cm_opener *o, const cm_sig_key *trusted[1])
{
    *o = cm_opener_kem(k->xwing);
    trusted[0] = k->dual;
    return (cm_open_options){
        .openers = o, .openers_n = 1, .trusted = trusted, .trusted_n = 1, .threads = 2};
}

static cm_err read_all(cm_sealed *s, cm_buf *plain)
{
    size_t n = (size_t)cm_sealed_get(s)->size;
    const cm_index *x;

    CM_TRY(cm_sealed_unlock(s));
    CM_TRY(cm_sealed_index(s, &x));
    cm_buf_free(plain);
    plain->max = CM_MAX(plain->max, n + 1);
    CM_TRY(cm_buf_reserve(plain, n + 1));
    CM_TRY(cm_sealed_read(s, plain->p, n, 0));
    plain->n = n;
    return CM_OKAY;
}

cm_err t_open_with(const t_kit *k, const char *path, const cm_open_options *o, cm_buf *plain)
{
    CM_AUTO(cm_sealed_free_ptr) cm_sealed *s = NULL;
    CM_AUTO(cm_os_close_fd) int fd = -1;

    CM_TRY(cm_os_open_read(&fd, path));
    CM_TRY(cm_sealed_load(&s, k->crypt, fd, o));
    return read_all(s, plain);
}

cm_err t_open(const t_kit *k, const char *path, cm_buf *plain)
{
    cm_opener opener;
    const cm_sig_key *trusted[1];
    cm_open_options o = t_open_options(k, &opener, trusted);

    return t_open_with(k, path, &o, plain);
}

const char *t_sealed_as(const t_kit *k, const char *name, size_t n, cm_seal_result *r,
                        void (*change)(cm_seal_options *))
{
    char file[64];
    cm_recipient to;
    cm_seal_options o = t_seal_options(k, &to);
    cm_buf b = t_bytes(n, n);
    cm_seal_result own;
    const char *in, *out;

    snprintf(file, sizeof file, "%s.plain", name);
    in = t_path(k->dir, file);
    t_put_file(in, cm_buf_view(&b));
    snprintf(file, sizeof file, "%s.sealed", name);
    out = t_path(k->dir, file);
    o.replace = true;
    if (change)
        change(&o);
    MUST(cm_seal(r ? r : &own, k->crypt, &o, in, -1, out, -1));
    cm_buf_free(&b);
    return out;
}

void t_expect_plain(const t_kit *k, const char *path, size_t n)
{
    cm_buf want = t_bytes(n, n), got = {0};

    MUST(t_open(k, path, &got));
    if (!cm_view_eq(cm_buf_view(&want), cm_buf_view(&got))) {
        fprintf(stderr, "%s does not hold what was sealed\n", path);
        exit(1);
    }
    cm_buf_free(&want);
    cm_buf_free(&got);
}
