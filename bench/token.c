/* token P11D MODULE TOKEN PIN-FILE FOLDER: keys of a PKCS#11 token, used directly and through
 * casemate-p11d, by as many threads as there are processors, in slices (slice.h). Jobs:
 *   p256-direct p256-one p256-list unwrap-direct unwrap-one unwrap-list k1-direct
 * token sign MODULE LABEL THREADS: ML-DSA signatures of a module, likewise; its job is sign. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "codec/pkcs11.h"
#include "hsm/remote.h"
#include "slice.h"

enum {
    THREADS = 16,
    SEED = 32,
    GCM_IV = 12,
    GCM_TAG = 16,
    SIG_MAX = 8192,
    PIN_MAX = 256,
    LIST = 64
};

enum { P256, AES, K1, KEYS };

struct lane {
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE keys[KEYS], key;
    CK_MECHANISM m;
    CK_GCM_PARAMS gcm;
    CK_BYTE iv[GCM_IV], sealed[SEED + GCM_TAG];
    cm_hsm hsm;
    cm_hsm_key own;
    cm_buf blob;
    cm_view data; /* to be signed */
    struct crew *crew;
    size_t done;
    pthread_t thread;
};

struct job {
    const char *name;
    void (*once)(struct lane *l);
    size_t each, key; /* what one call stands for; its place in keys */
    CK_ULONG mechanism;
};

/* Threads that wait for a slice, work, and wait for the next. */
struct crew {
    struct lane l[THREADS];
    size_t n;
    const struct job *job; /* NULL: the end */
    atomic_bool stop;
    pthread_barrier_t start, end;
};

static const cm_view message = {(const uint8_t *)"a message of thirty-two bytes...", 32};
static const cm_view aes_id = {(const uint8_t *)"bench-aes", 9};
static const cm_view aad = {(const uint8_t *)"bench", 5};

/* ---- directly ------------------------------------------------------------------------------ */

static CK_FUNCTION_LIST *load(const char *module)
{
    CK_RV (*list)(CK_FUNCTION_LIST **) = NULL;
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    void *lib = dlopen(module, RTLD_NOW | RTLD_LOCAL), *at;
    CK_FUNCTION_LIST *f = NULL;

    must(lib != NULL, dlerror());
    at = dlsym(lib, "C_GetFunctionList");
    memcpy(&list, &at, sizeof list);
    must(list && list(&f) == CKR_OK && f->C_Initialize(&args) == CKR_OK, module);
    return f;
}

static CK_SLOT_ID slot_of(CK_FUNCTION_LIST *f, const char *label)
{
    CK_SLOT_ID list[16];
    CK_ULONG n = CM_COUNT(list);
    CK_TOKEN_INFO t;

    must(f->C_GetSlotList(1, list, &n) == CKR_OK, "slots");
    for (CK_ULONG i = 0; i < n; i++)
        if (f->C_GetTokenInfo(list[i], &t) == CKR_OK && memcmp(t.label, label, strlen(label)) == 0)
            return list[i];
    must(false, "no such token");
    return 0;
}

static CK_OBJECT_HANDLE object(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE s, CK_ULONG class,
                               CK_ULONG by, cm_view value)
{
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof class},
                        {by, (void *)(uintptr_t)value.p, value.n}};
    CK_OBJECT_HANDLE h = 0;
    CK_ULONG n = 0;

    must(f->C_FindObjectsInit(s, a, 2) == CKR_OK && f->C_FindObjects(s, &h, 1, &n) == CKR_OK &&
             n == 1 && f->C_FindObjectsFinal(s) == CKR_OK,
         "no such key");
    return h;
}

static void sign_direct(struct lane *l)
{
    CK_BYTE sig[SIG_MAX];
    CK_ULONG n = sizeof sig;

    must(l->f->C_SignInit(l->s, &l->m, l->key) == CKR_OK &&
             l->f->C_Sign(l->s, (CK_BYTE *)(uintptr_t)l->data.p, l->data.n, sig, &n) == CKR_OK,
         "C_Sign");
}

static void gcm_of(struct lane *l)
{
    l->gcm = (CK_GCM_PARAMS){.pIv = l->iv,
                             .ulIvLen = GCM_IV,
                             .ulIvBits = 8 * GCM_IV,
                             .pAAD = (CK_BYTE *)(uintptr_t)aad.p,
                             .ulAADLen = aad.n,
                             .ulTagBits = 8 * GCM_TAG};
    l->m = (CK_MECHANISM){CKM_AES_GCM, &l->gcm, sizeof l->gcm};
}

static void seal_direct(struct lane *l)
{
    CK_BYTE seed[SEED] = {1};
    CK_ULONG n = sizeof l->sealed;

    gcm_of(l);
    must(l->f->C_EncryptInit(l->s, &l->m, l->key) == CKR_OK &&
             l->f->C_Encrypt(l->s, seed, sizeof seed, l->sealed, &n) == CKR_OK &&
             n == sizeof l->sealed,
         "C_Encrypt");
}

static void unwrap_direct(struct lane *l)
{
    CK_BYTE seed[SEED + GCM_TAG];
    CK_ULONG n = sizeof seed;

    must(l->f->C_DecryptInit(l->s, &l->m, l->key) == CKR_OK &&
             l->f->C_Decrypt(l->s, l->sealed, sizeof l->sealed, seed, &n) == CKR_OK && n == SEED,
         "C_Decrypt");
}

/* ---- through casemate-p11d ----------------------------------------------------------------- */

static void sign_ours(struct lane *l)
{
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = SIG_MAX};

    fine(cm_hsm_sign(&l->hsm, &l->own, l->data, &sig), "sign");
}

static void sign_list(struct lane *l)
{
    cm_view msg[LIST];
    cm_buf sig[LIST];

    for (size_t i = 0; i < LIST; i++) {
        msg[i] = l->data;
        sig[i] = (cm_buf){.max = SIG_MAX};
    }
    fine(cm_hsm_sign_many(&l->hsm, &l->own, NULL, msg, LIST, sig), "sign");
    for (size_t i = 0; i < LIST; i++)
        cm_buf_free(&sig[i]);
}

static void unwrap_ours(struct lane *l)
{
    CM_AUTO(cm_buf_free) cm_buf seed = {.max = SEED};

    fine(cm_hsm_unwrap(&l->hsm, aes_id, cm_buf_view(&l->blob), aad, &seed), "unwrap");
}

static void unwrap_list(struct lane *l)
{
    cm_hsm_item item[LIST];
    cm_buf seed[LIST];

    for (size_t i = 0; i < LIST; i++) {
        item[i] = (cm_hsm_item){.aad = aad, .blob = cm_buf_view(&l->blob)};
        seed[i] = (cm_buf){.max = SEED};
    }
    fine(cm_hsm_unwrap_many(&l->hsm, aes_id, item, LIST, seed), "unwrap");
    for (size_t i = 0; i < LIST; i++)
        cm_buf_free(&seed[i]);
}

/* ---- slices -------------------------------------------------------------------------------- */

static void *drive(void *arg)
{
    struct lane *l = (struct lane *)arg;
    struct crew *c = l->crew;

    for (;;) {
        (void)pthread_barrier_wait(&c->start);
        if (!c->job)
            return NULL;
        for (l->done = 0; !atomic_load_explicit(&c->stop, memory_order_relaxed); l->done++)
            c->job->once(l);
        (void)pthread_barrier_wait(&c->end);
    }
}

static void slice(struct crew *c, const struct job *j, double seconds)
{
    size_t done = 0;
    double start;

    c->job = j;
    atomic_store(&c->stop, false);
    for (size_t i = 0; i < c->n; i++) {
        c->l[i].key = c->l[i].keys[j->key];
        c->l[i].m = (CK_MECHANISM){j->mechanism, NULL, 0};
        if (j->mechanism == CKM_AES_GCM)
            gcm_of(&c->l[i]);
    }
    start = slice_now();
    (void)pthread_barrier_wait(&c->start);
    (void)usleep((useconds_t)(1e6 * seconds));
    atomic_store(&c->stop, true);
    (void)pthread_barrier_wait(&c->end);
    for (size_t i = 0; i < c->n; i++)
        done += j->each * c->l[i].done;
    slice_done(done, slice_now() - start);
}

static void slices(struct crew *c, const struct job *jobs, size_t n)
{
    char name[SLICE_JOB];
    double seconds;

    must(pthread_barrier_init(&c->start, NULL, (unsigned)c->n + 1) == 0 &&
             pthread_barrier_init(&c->end, NULL, (unsigned)c->n + 1) == 0,
         "barriers");
    for (size_t i = 0; i < c->n; i++) {
        c->l[i].crew = c;
        must(pthread_create(&c->l[i].thread, NULL, drive, &c->l[i]) == 0, "thread");
    }
    slice_ready();
    while (slice_next(name, &seconds)) {
        const struct job *j = NULL;

        for (size_t i = 0; i < n && !j; i++)
            j = strcmp(jobs[i].name, name) == 0 ? &jobs[i] : NULL;
        must(j != NULL, name);
        slice(c, j, seconds);
    }
    c->job = NULL;
    (void)pthread_barrier_wait(&c->start);
    for (size_t i = 0; i < c->n; i++)
        must(pthread_join(c->l[i].thread, NULL) == 0, "thread");
}

/* ---- a token ------------------------------------------------------------------------------- */

static void make_keys(struct lane *l, size_t n)
{
    const cm_hsm *h = &l[0].hsm;
    const uint8_t seed[SEED] = {1};
    cm_hsm_key aes, k1;

    fine(cm_hsm_generate(h, &aes, CM_HSM_AES256, aes_id, aes_id, false), "AES-256");
    fine(cm_hsm_generate(h, &k1, CM_HSM_SECP256K1, CM_LIT("bench-k1"), CM_LIT("bench-k1"), false),
         "secp256k1");
    fine(cm_hsm_generate(h, &l[0].own, CM_HSM_P256, CM_LIT("bench-p256"), CM_LIT("bench-p256"),
                         false),
         "P-256");
    for (size_t i = 0; i < n; i++) {
        l[i].own = l[0].own;
        l[i].blob = (cm_buf){.max = 1024};
        fine(cm_hsm_wrap(h, aes_id, CM_VIEW(seed), aad, &l[i].blob), "wrap");
    }
}

static void direct_lanes(struct lane *l, size_t n, char **argv)
{
    CM_AUTO(cm_buf_free) cm_buf pin = {.max = PIN_MAX};
    CK_FUNCTION_LIST *f = load(argv[2]);
    CK_SLOT_ID slot = slot_of(f, argv[3]);

    fine(cm_os_slurp(&pin, argv[4], PIN_MAX), argv[4]);
    while (pin.n && pin.p[pin.n - 1] == '\n')
        pin.n--;
    for (size_t i = 0; i < n; i++) {
        l[i].f = f;
        l[i].data = message;
        must(f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &l[i].s) == CKR_OK, "session");
        must(i || f->C_Login(l[i].s, CKU_USER, pin.p, pin.n) == CKR_OK, "login");
    }
}

static void find_keys(struct lane *l)
{
    l->keys[P256] = object(l->f, l->s, CKO_PRIVATE_KEY, CKA_ID, CM_LIT("bench-p256"));
    l->keys[AES] = object(l->f, l->s, CKO_SECRET_KEY, CKA_ID, aes_id);
    l->keys[K1] = object(l->f, l->s, CKO_PRIVATE_KEY, CKA_ID, CM_LIT("bench-k1"));
    l->key = l->keys[AES];
    seal_direct(l);
}

static const struct job token_jobs[] = {
    {"p256-direct", sign_direct, 1, P256, CKM_ECDSA},
    {"p256-one", sign_ours, 1, P256, CKM_ECDSA},
    {"p256-list", sign_list, LIST, P256, CKM_ECDSA},
    {"unwrap-direct", unwrap_direct, 1, AES, CKM_AES_GCM},
    {"unwrap-one", unwrap_ours, 1, AES, CKM_AES_GCM},
    {"unwrap-list", unwrap_list, LIST, AES, CKM_AES_GCM},
    {"k1-direct", sign_direct, 1, K1, CKM_ECDSA},
};

static void run_token(struct crew *c, char **argv)
{
    char conf[1024];
    char *env[] = {conf, NULL};
    const char *args[] = {"--module",   argv[2],   "--token", argv[3],  "--pin-file",
                          argv[4],      "--write", argv[5],   "--read", getenv("SOFTHSM2_CONF"),
                          "--sessions", "16",      NULL};
    cm_p11d p = {.program = argv[1], .args = args, .env = env};
    cm_hsm_remote *remote[THREADS];
    int fd[THREADS];

    c->n = CM_MIN((size_t)sysconf(_SC_NPROCESSORS_ONLN), (size_t)THREADS);
    p.connections = (unsigned)c->n;
    (void)snprintf(conf, sizeof conf, "SOFTHSM2_CONF=%s", getenv("SOFTHSM2_CONF"));
    fine(cm_p11d_start(&p, fd), argv[1]);
    for (size_t i = 0; i < c->n; i++) {
        fine(cm_hsm_remote_new(&remote[i], &(cm_hsm_remote_options){.fd = fd[i]}), "connection");
        c->l[i].hsm = cm_hsm_remote_of(remote[i]);
    }
    make_keys(c->l, c->n);
    direct_lanes(c->l, c->n, argv);
    for (size_t i = 0; i < c->n; i++)
        find_keys(&c->l[i]);
    slices(c, token_jobs, CM_COUNT(token_jobs));
    for (size_t i = 0; i < c->n; i++)
        cm_hsm_remote_free(remote[i]);
    cm_p11d_stop(&p);
}

/* ---- a module of ML-DSA keys --------------------------------------------------------------- */

static void run_sign(struct crew *c, char **argv)
{
    static const struct job job = {"sign", sign_direct, 1, 0, CKM_ML_DSA};
    CK_FUNCTION_LIST *f = load(argv[2]);
    CK_SLOT_ID slot;
    CK_ULONG one = 1;

    c->n = CM_MIN((size_t)strtoul(argv[4], NULL, 10), (size_t)THREADS);
    must(f->C_GetSlotList(1, &slot, &one) == CKR_OK && one == 1, "slot");
    for (size_t i = 0; i < c->n; i++) {
        struct lane *l = &c->l[i];

        *l = (struct lane){.f = f, .data = message};
        must(f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &l->s) == CKR_OK, "session");
        l->keys[0] = object(f, l->s, CKO_PRIVATE_KEY, CKA_LABEL, cm_view_str(argv[3]));
    }
    slices(c, &job, 1);
    must(f->C_Finalize(NULL) == CKR_OK, "end");
}

int main(int argc, char **argv)
{
    static struct crew c;

    if (argc == 5 && strcmp(argv[1], "sign") == 0)
        run_sign(&c, argv);
    else if (argc == 6 && getenv("SOFTHSM2_CONF"))
        run_token(&c, argv);
    else {
        (void)fputs("usage: SOFTHSM2_CONF=FILE token P11D MODULE TOKEN PIN-FILE FOLDER\n"
                    "       token sign MODULE LABEL THREADS\n",
                    stderr);
        return 2;
    }
    return 0;
}
