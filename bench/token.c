/* token P11D MODULE TOKEN PIN-FILE FOLDER SECONDS: keys of a PKCS#11 token, used directly and
 * through casemate-p11d; for each, how many a second by as many threads as there are processors,
 * and the microseconds of processor that one takes, p11d's included. JSON lines.
 * token sign MODULE LABEL THREADS SECONDS: ML-DSA signatures of a module, likewise. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/pkcs11.h"
#include "hsm/remote.h"

enum {
    THREADS = 16,
    SEED = 32,
    GCM_IV = 12,
    GCM_TAG = 16,
    SIG_MAX = 8192,
    PIN_MAX = 256,
    BATCH = 64
};

struct lane {
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE key;
    CK_MECHANISM m;
    CK_GCM_PARAMS gcm;
    CK_BYTE iv[GCM_IV], sealed[SEED + GCM_TAG];
    cm_hsm hsm;
    cm_hsm_key own;
    cm_buf blob;
    cm_view data; /* to be signed */
    void (*once)(struct lane *l);
    atomic_bool *stop;
    size_t done;
    pthread_t thread;
};

static const cm_view message = {(const uint8_t *)"a message of thirty-two bytes...", 32};
static const cm_view aes_id = {(const uint8_t *)"bench-aes", 9};
static const cm_view aad = {(const uint8_t *)"bench", 5};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "token: %s\n", what);
    exit(1);
}

static void fine(cm_err e, const char *what)
{
    if (cm_failed(e))
        (void)fprintf(stderr, "%s: ", cm_err_name(e));
    must(cm_ok(e), what);
}

/* ---- time ---------------------------------------------------------------------------------- */

static double own_cpu(void)
{
    struct rusage u;

    must(getrusage(RUSAGE_SELF, &u) == 0, "getrusage");
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double cpu_of(pid_t pid)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = 4096};
    unsigned long user = 0, kernel = 0;
    char path[64];
    const char *at;

    if (pid <= 0)
        return 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fine(cm_os_slurp(&text, path, 4095), path);
    fine(cm_buf_byte(&text, 0), path);
    at = strrchr((const char *)text.p, ')');
    must(at && sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                      &kernel) == 2,
         path);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static void *drive(void *arg)
{
    struct lane *l = (struct lane *)arg;

    for (; !atomic_load_explicit(l->stop, memory_order_relaxed); l->done++)
        l->once(l);
    return NULL;
}

/* each: what one call stands for. */
static void measure(const char *name, struct lane *l, size_t n, void (*once)(struct lane *),
                    double seconds, pid_t pid, size_t each)
{
    atomic_bool stop;
    size_t done = 0;
    double cpu, wall;
    uint64_t start;

    atomic_init(&stop, false);
    for (size_t i = 0; i < n; i++)
        once(&l[i]);
    cpu = own_cpu() + cpu_of(pid);
    start = cm_os_monotonic_ns();
    for (size_t i = 0; i < n; i++) {
        l[i].once = once;
        l[i].stop = &stop;
        l[i].done = 0;
        must(pthread_create(&l[i].thread, NULL, drive, &l[i]) == 0, "thread");
    }
    (void)usleep((useconds_t)(1e6 * seconds));
    atomic_store(&stop, true);
    for (size_t i = 0; i < n; i++) {
        must(pthread_join(l[i].thread, NULL) == 0, "thread");
        done += each * l[i].done;
    }
    wall = 1e-9 * (double)(cm_os_monotonic_ns() - start);
    cpu = own_cpu() + cpu_of(pid) - cpu;
    (void)printf("{\"name\":\"%s\",\"per_second\":%.1f,\"cpu_us\":%.2f}\n", name,
                 (double)done / wall, 1e6 * cpu / (double)done);
    (void)fflush(stdout);
}

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

static void sign_batched(struct lane *l)
{
    cm_view msg[BATCH];
    cm_buf sig[BATCH];

    for (size_t i = 0; i < BATCH; i++) {
        msg[i] = l->data;
        sig[i] = (cm_buf){.max = SIG_MAX};
    }
    fine(cm_hsm_sign_many(&l->hsm, &l->own, NULL, msg, BATCH, sig), "sign");
    for (size_t i = 0; i < BATCH; i++)
        cm_buf_free(&sig[i]);
}

static void unwrap_ours(struct lane *l)
{
    CM_AUTO(cm_buf_free) cm_buf seed = {.max = SEED};

    fine(cm_hsm_unwrap(&l->hsm, aes_id, cm_buf_view(&l->blob), aad, &seed), "unwrap");
}

static void unwrap_batched(struct lane *l)
{
    cm_hsm_item item[BATCH];
    cm_buf seed[BATCH];

    for (size_t i = 0; i < BATCH; i++) {
        item[i] = (cm_hsm_item){.aad = aad, .blob = cm_buf_view(&l->blob)};
        seed[i] = (cm_buf){.max = SEED};
    }
    fine(cm_hsm_unwrap_many(&l->hsm, aes_id, item, BATCH, seed), "unwrap");
    for (size_t i = 0; i < BATCH; i++)
        cm_buf_free(&seed[i]);
}

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

static void use_key(struct lane *l, size_t n, CK_ULONG class, cm_view id, CK_ULONG mechanism)
{
    for (size_t i = 0; i < n; i++) {
        l[i].key = object(l[i].f, l[i].s, class, CKA_ID, id);
        l[i].m = (CK_MECHANISM){mechanism, NULL, 0};
    }
}

static void compare(struct lane *l, size_t n, double seconds, pid_t p11d)
{
    use_key(l, n, CKO_PRIVATE_KEY, CM_LIT("bench-p256"), CKM_ECDSA);
    measure("P-256, direct", l, n, sign_direct, seconds, 0, 1);
    measure("P-256, p11d", l, n, sign_ours, seconds, p11d, 1);
    measure("P-256, p11d batched", l, n, sign_batched, seconds, p11d, BATCH);
    use_key(l, n, CKO_SECRET_KEY, aes_id, CKM_AES_GCM);
    for (size_t i = 0; i < n; i++)
        seal_direct(&l[i]);
    measure("unwrap, direct", l, n, unwrap_direct, seconds, 0, 1);
    measure("unwrap, p11d", l, n, unwrap_ours, seconds, p11d, 1);
    measure("unwrap, p11d batched", l, n, unwrap_batched, seconds, p11d, BATCH);
    use_key(l, n, CKO_PRIVATE_KEY, CM_LIT("bench-k1"), CKM_ECDSA);
    measure("secp256k1, direct", l, n, sign_direct, seconds, 0, 1);
}

static void run_token(char **argv)
{
    static struct lane l[THREADS];
    size_t n = CM_MIN((size_t)sysconf(_SC_NPROCESSORS_ONLN), (size_t)THREADS);
    char conf[1024];
    char *env[] = {conf, NULL};
    const char *args[] = {"--module",   argv[2],   "--token", argv[3],  "--pin-file",
                          argv[4],      "--write", argv[5],   "--read", getenv("SOFTHSM2_CONF"),
                          "--sessions", "16",      NULL};
    cm_p11d p = {.program = argv[1], .args = args, .env = env, .connections = (unsigned)n};
    cm_hsm_remote *remote[THREADS];
    int fd[THREADS];

    (void)snprintf(conf, sizeof conf, "SOFTHSM2_CONF=%s", getenv("SOFTHSM2_CONF"));
    fine(cm_p11d_start(&p, fd), argv[1]);
    for (size_t i = 0; i < n; i++) {
        fine(cm_hsm_remote_new(&remote[i], &(cm_hsm_remote_options){.fd = fd[i]}), "connection");
        l[i].hsm = cm_hsm_remote_of(remote[i]);
    }
    make_keys(l, n);
    direct_lanes(l, n, argv);
    compare(l, n, strtod(argv[6], NULL), p.pid);
    for (size_t i = 0; i < n; i++)
        cm_hsm_remote_free(remote[i]);
    cm_p11d_stop(&p);
}

/* ---- a module of ML-DSA keys --------------------------------------------------------------- */

static void run_sign(char **argv)
{
    static struct lane l[THREADS];
    size_t n = CM_MIN((size_t)strtoul(argv[4], NULL, 10), (size_t)THREADS);
    CK_FUNCTION_LIST *f = load(argv[2]);
    CK_SLOT_ID slot;
    CK_ULONG one = 1;

    must(f->C_GetSlotList(1, &slot, &one) == CKR_OK && one == 1, "slot");
    for (size_t i = 0; i < n; i++) {
        l[i] = (struct lane){.f = f, .data = message, .m = {CKM_ML_DSA, NULL, 0}};
        must(f->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &l[i].s) == CKR_OK, "session");
        l[i].key = object(f, l[i].s, CKO_PRIVATE_KEY, CKA_LABEL, cm_view_str(argv[3]));
    }
    measure("ML-DSA-65, module", l, n, sign_direct, strtod(argv[5], NULL), 0, 1);
    must(f->C_Finalize(NULL) == CKR_OK, "end");
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "sign") == 0)
        run_sign(argv);
    else if (argc == 7 && getenv("SOFTHSM2_CONF"))
        run_token(argv);
    else {
        (void)fputs("usage: SOFTHSM2_CONF=FILE token P11D MODULE TOKEN PIN-FILE FOLDER SECONDS\n"
                    "       token sign MODULE LABEL THREADS SECONDS\n",
                    stderr);
        return 2;
    }
    return 0;
}
