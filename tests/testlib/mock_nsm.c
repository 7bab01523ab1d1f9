/* LD_PRELOAD: AWS's Nitro security module behind its ioctl (linux/nsm.h), on whatever file stands
 * for the device. Documents are minted by the program in $MOCK_NSM_FOLDER (made.h), over the nonce
 * that was asked for. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "made.h"

enum { ANSWER_MAX = 12288, REQUEST_MAX = 4096, HEAD_MAX = 32, SHORT = 24 };

typedef struct {
    uint64_t at, n;
} span;

typedef struct {
    span request, answer;
} raw;

#define NSM_RAW 0xc0200a00UL

int ioctl(int fd, unsigned long request, ...);

/* The byte string behind the text "nonce". */
static size_t nonce_of(const unsigned char *request, size_t n, const unsigned char **out)
{
    static const char key[] = "\x65nonce";
    size_t k = sizeof key - 1;

    for (size_t i = 0; i + k + 2 < n; i++) {
        const unsigned char *v = request + i + k;
        size_t size = v[0] == 0x58 ? v[1] : v[0] - 0x40u;

        if (memcmp(request + i, key, k) != 0)
            continue;
        *out = v + (v[0] == 0x58 ? 2 : 1);
        return (v[0] == 0x58 || size < SHORT) && *out + size <= request + n ? size : 0;
    }
    return 0;
}

/* {"Attestation": {"document": ...}} */
static size_t answer(unsigned char *out, size_t max, const char *folder)
{
    static const char head[] = "\xa1\x6b"
                               "Attestation\xa1\x68"
                               "document\x59";
    size_t k = sizeof head - 1, n;

    if (max < k + 2)
        return 0;
    n = made_read(out + k + 2, max - k - 2, folder, "evidence.bin");
    memcpy(out, head, k);
    out[k] = (unsigned char)(n >> 8);
    out[k + 1] = (unsigned char)n;
    return n ? k + 2 + n : 0;
}

static int ask(raw *m)
{
    const char *folder = getenv("MOCK_NSM_FOLDER");
    const unsigned char *request = NULL, *nonce = NULL;
    unsigned char *to = NULL;
    size_t n;

    memcpy(&request, &m->request.at, sizeof request);
    memcpy(&to, &m->answer.at, sizeof to);
    n = nonce_of(request, m->request.n, &nonce);
    if (!folder || n == 0 || !made_run(folder, nonce, n))
        return EIO;
    m->answer.n = answer(to, m->answer.n, folder);
    return m->answer.n ? 0 : EMSGSIZE;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list list;
    void *arg;
    int e;

    va_start(list, request);
    arg = va_arg(list, void *);
    va_end(list);
    if ((request & 0xffffffffUL) != NSM_RAW)
        return (int)syscall(SYS_ioctl, fd, request, arg);
    e = ask(arg);
    errno = e ? e : errno;
    return e ? -1 : 0;
}
