/*
 * Whole containers of any bytes, opened with the keys that the corpus was sealed to and read in
 * every way there is. Each input is taken as it is and once more with its checksums mended, since
 * no fuzzer finds a SHA-256. The limits are those of the reader: nothing may crash, hang or say
 * INTERNAL, and what is refused leaves the output alone.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/os.h"
#include "sealed/layout.h"
#include "sealed/sealed.h"

enum { MAX = 1 << 18, READ = 300000 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cm_crypt *crypt_;
static cm_kem_key *mine;
static cm_sig_key *publisher;
static int null = -1;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void setup(void)
{
    uint8_t seed[32];

    if (crypt_)
        return;
    must(cm_ok(cm_crypt_new(&crypt_, CM_PROFILE_DEFAULT)));
    memset(seed, 1, sizeof seed);
    must(cm_ok(cm_kem_from_seed(&mine, crypt_, CM_KEM_XWING, CM_VIEW(seed))));
    memset(seed, 7, sizeof seed);
    must(cm_ok(cm_sig_from_seed(&publisher, crypt_, CM_SIG_MLDSA65, CM_VIEW(seed))));
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    must(null >= 0);
}

static void outcome(cm_err e)
{
    must(cm_err_class(e) != CM_CLASS_INTERNAL);
}

/* ---- checksums that fit -------------------------------------------------------------------- */

static void sum(uint8_t *out, size_t out_n, cm_view a, cm_view b)
{
    CM_AUTO(cm_buf_free) cm_buf m = {.max = MAX + 64};
    uint8_t h[32];

    must(cm_ok(cm_buf_append(&m, a)) && cm_ok(cm_buf_append(&m, b)));
    must(cm_ok(cm_hash_once(crypt_, CM_SHA256, h, cm_buf_view(&m))));
    memcpy(out, h, out_n);
}

static void mend(uint8_t *p, size_t n)
{
    uint32_t core, slot;
    uint64_t at;

    if (n < 4096 + CM_FOOTER)
        return;
    core = cm_get_be32(p + 12);
    slot = cm_get_be32(p + 16);
    at = (CM_PRELUDE + (uint64_t)core + 4095) / 4096 * 4096;
    if (core <= CM_CORE_MAX)
        sum(p + 32, 32, cm_view_of(p, 32), cm_view_of(p + CM_PRELUDE, CM_MIN(core, 4032u)));
    for (unsigned i = 0; i < 2; i++, at += slot) {
        uint32_t len;

        if (at + CM_SLOT_HEAD > n)
            break;
        len = cm_get_be32(p + at + 12);
        if (len <= n - at - CM_SLOT_HEAD)
            sum(p + at + 16, 32, cm_view_of(p + at + 4, 12),
                cm_view_of(p + at + CM_SLOT_HEAD, len));
    }
    sum(p + n - 24, 24, cm_view_of(p + n - CM_FOOTER, 40), (cm_view){0});
}

/* ---- every way to read --------------------------------------------------------------------- */

static void count_line(void *arg, cm_check v, const char *what, const char *why)
{
    must(what && why);
    *(unsigned *)arg += v == CM_CHECK_FAIL;
}

static void read_some(cm_sealed *s)
{
    CM_AUTO(cm_free_ptr) uint8_t *out = NULL;
    uint64_t size = cm_sealed_get(s)->size;
    size_t n = (size_t)CM_MIN(size, (uint64_t)READ);
    const cm_index *x;
    const cm_dir *d;

    must(cm_ok(cm_alloc(&out, n + 1)));
    outcome(cm_sealed_read(s, out, n, 0));
    outcome(cm_sealed_read(s, out, n, size - n));
    must(cm_is(cm_sealed_read(s, out, 1, size), CM_BAD_ARGUMENT));
    outcome(cm_sealed_index(s, &x));
    outcome(cm_sealed_dir(s, &d));
}

static void load(int fd, const cm_open_options *o)
{
    cm_sealed *s = NULL;
    unsigned lines = 0, failed = 0;
    cm_err e = cm_sealed_load(&s, crypt_, fd, o);

    outcome(e);
    must(cm_ok(e) == (s != NULL));
    if (s) {
        e = cm_sealed_unlock(s);
        outcome(e);
        if (cm_ok(e))
            read_some(s);
        cm_sealed_free(s);
    }
    e = cm_sealed_verify(crypt_, fd, o, count_line, &lines, &failed);
    outcome(e);
    must(cm_failed(e) || lines == failed);
}

static void all_ways(const uint8_t *p, size_t n)
{
    CM_AUTO(cm_os_close_fd) int fd = memfd_create("container", MFD_CLOEXEC);
    cm_opener opener = cm_opener_kem(mine);
    const cm_sig_key *trusted = publisher;
    cm_open_options o = {
        .openers = &opener, .openers_n = 1, .trusted = &trusted, .trusted_n = 1, .threads = 1};

    must(fd >= 0 && cm_ok(cm_os_pwrite(fd, p, n, 0)));
    load(fd, &o);
    o.any_publisher = o.no_signature = true;
    load(fd, &o);
    must(lseek(fd, 0, SEEK_SET) == 0);
    outcome(cm_unseal_stream(crypt_, &o, fd, null));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t *b;

    if (n == 0 || n > MAX)
        return 0;
    setup();
    all_ways(p, n);
    b = malloc(n);
    must(b != NULL);
    memcpy(b, p, n);
    mend(b, n);
    if (memcmp(b, p, n) != 0)
        all_ways(b, n);
    free(b);
    return 0;
}
