/* casemate enclave run: a measured program, locked in, with its model. */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/text.h"
#include "enclave.h"
#include "enclave/answer.h"
#include "enclave/enclave.h"
#include "hardware.h"

enum { FRAME_MS = 30000, SIGNATURE_MAX = 64 << 10, EVIDENCE_MAX = 4 << 20 };

struct running {
    cm_cli_access access;
    cm_cli_model model;
    cm_cli_plan plan;
    cm_enclave_measured measured;
    cm_enclave *enclave;
    cm_pkey *signer;
    cm_cli_hardware hardware;
    uint64_t timeout_ms, answer_max, listen;
    char digest[65];
};

static void running_done(struct running *r)
{
    cm_enclave_free(r->enclave);
    cm_cli_hardware_done(&r->hardware);
    cm_pkey_free(r->signer);
    cm_enclave_measured_free(&r->measured);
    cm_cli_plan_done(&r->plan);
    cm_cli_model_close(&r->model);
    cm_cli_access_done(&r->access);
}

/* ---- before -------------------------------------------------------------------------------- */

/* What --expect names is what runs, or nothing does. */
static cm_err check_expected(cm_cli *cli, const struct running *r)
{
    CM_AUTO(cm_buf_free) cm_buf want = {.max = CM_ENCLAVE_MANIFEST_MAX + 1};
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = SIGNATURE_MAX + 1};
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    const char *path = cm_cli_text(cli, "expect"), *pub = cm_cli_text(cli, "signed-by");
    char beside[4096];

    if (pub && !path)
        return cm_cli_usage(cli, "--signed-by says whose manifest it is: name it with --expect");
    if (!path)
        return CM_OKAY;
    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&want, path, CM_ENCLAVE_MANIFEST_MAX), NULL));
    if (pub) {
        (void)snprintf(beside, sizeof beside, "%s.sig", path);
        CM_TRY(cm_cli_load_key(cli, &key, pub));
        CM_TRY(cm_cli_about(cli, beside, cm_os_slurp(&sig, beside, SIGNATURE_MAX), NULL));
        CM_TRY(cm_cli_about(
            cli, beside,
            cm_enclave_manifest_check(cli->crypt, key, cm_buf_view(&want), cm_buf_view(&sig)),
            NULL));
    }
    if (!cm_view_eq(cm_buf_view(&want), cm_buf_view(&r->measured.text)))
        return cm_cli_about(cli, path, CM_FAIL(ENCLAVE_CHANGED),
                            "casemate enclave verify MANIFEST --program FILE says what differs");
    return CM_OKAY;
}

static cm_err open_model(cm_cli *cli, struct running *r)
{
    const char *path = cm_cli_text(cli, "model");

    if (!path)
        return CM_OKAY;
    CM_TRY(cm_cli_access_init(cli, &r->access, CM_CLI_KEYS | CM_CLI_TRUST));
    return cm_cli_model_load(cli, &r->model, path, &r->access, true);
}

static cm_err prepare(cm_cli *cli, struct running *r)
{
    uint64_t seconds = 60;

    r->answer_max = 16 << 20;
    r->listen = UINT64_MAX;
    CM_TRY(cm_cli_number(cli, "timeout", 1, 86400, &seconds));
    CM_TRY(cm_cli_size(cli, "answer-max", 1, CM_ENCLAVE_CALL_MAX, &r->answer_max));
    CM_TRY(cm_cli_number(cli, "listen", 3, 1 << 20, &r->listen));
    r->timeout_ms = seconds * 1000;
    if (cm_cli_has(cli, "key"))
        CM_TRY(cm_cli_load_key(cli, &r->signer, cm_cli_text(cli, "key")));
    CM_TRY(open_model(cli, r));
    CM_TRY(cm_cli_plan_init(cli, &r->plan, r->model.s ? cm_sealed_get(r->model.s) : NULL));
    r->plan.plan.listens = r->listen != UINT64_MAX;
    CM_TRY(cm_cli_measure(cli, &r->measured, &r->plan.plan));
    cm_cli_hex(r->digest, CM_VIEW(r->measured.digest));
    return check_expected(cli, r);
}

/* ---- what stands behind it ------------------------------------------------------------------ */

/* Evidence of this machine for this manifest, made for whoever gave the nonce (EN-61). */
static cm_err evidence_for(cm_cli *cli, struct running *r, cm_buf *out,
                           const uint8_t nonce[CM_BIND_NONCE])
{
    cm_bound b;

    CM_TRY(cm_standing_bind(&b, cli->crypt, r->measured.digest, r->signer, nonce));
    return cm_cli_hardware_show(&r->hardware, out, &b);
}

/* --evidence: made before the program is, and nothing runs without it. */
static cm_err write_evidence(cm_cli *cli, struct running *r)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = EVIDENCE_MAX};
    const char *path = cm_cli_text(cli, "evidence");
    uint8_t nonce[CM_BIND_NONCE];
    char hex[2 * CM_BIND_NONCE + 1];
    cm_cli_event e;

    if (!path)
        return cm_cli_has(cli, "nonce")
                   ? cm_cli_usage(cli, "--nonce is for evidence: say where it goes, --evidence")
                   : CM_OKAY;
    CM_TRY(cm_cli_check_output(cli, path));
    CM_TRY(cm_cli_enclave_nonce(cli, nonce));
    CM_TRY(evidence_for(cli, r, &b, nonce));
    cm_cli_hex(hex, CM_VIEW(nonce));
    cm_cli_event_begin(cli, &e, "bound");
    cm_json_put_text(&e.w, "nonce", cm_view_str(hex));
    cm_json_put_text(&e.w, "file", cm_view_str(path));
    cm_cli_event_end(cli, &e);
    cm_cli_note(cli, "nonce     %s\n", hex);
    return cm_cli_put_file(cli, path, cm_buf_view(&b));
}

static cm_err stand_behind(cm_cli *cli, struct running *r)
{
    CM_TRY(cm_cli_hardware_find(cli, &r->hardware));
    CM_TRY(cm_cli_hardware_extend(&r->hardware, r->measured.digest)); /* EN-26 */
    return write_evidence(cli, r);
}

static cm_standing standing(const struct running *r)
{
    return cm_cli_hardware_standing(&r->hardware);
}

/* ---- the start ----------------------------------------------------------------------------- */

static void put_bits(cm_json_writer *w, const char *key, uint32_t bits)
{
    const char *name;

    cm_json_begin_array(w, key);
    for (unsigned i = 0; (name = cm_enclave_has_name(i)) != NULL; i++)
        if (bits & 1u << i)
            cm_json_put_text(w, NULL, cm_view_str(name));
    cm_json_end_array(w);
}

static void say_bits(cm_cli *cli, const char *what, uint32_t bits)
{
    const char *name;

    if (!bits)
        return;
    cm_cli_note(cli, "%s", what);
    for (unsigned i = 0; (name = cm_enclave_has_name(i)) != NULL; i++)
        if (bits & 1u << i)
            cm_cli_note(cli, " %s", name);
    cm_cli_note(cli, "\n");
}

static void say_start(cm_cli *cli, const struct running *r, uint32_t has)
{
    cm_enclave_figures f = {.pid = 0};
    cm_cli_event e;

    if (r->enclave)
        cm_enclave_get(r->enclave, &f);
    cm_cli_event_begin(cli, &e, r->enclave ? "started" : "refused");
    cm_cli_put_standing(&e.w, standing(r));
    cm_cli_put_manifest(&e.w, r->measured.manifest, r->digest);
    if (r->hardware.extended != CM_BACKED_NOT)
        cm_json_put_u64(&e.w, "pcr", r->hardware.pcr);
    put_bits(&e.w, "holds", has);
    put_bits(&e.w, "missing", CM_HAS_ALL & ~has);
    cm_json_put_u64(&e.w, "pid", (uint64_t)f.pid);
    cm_json_put_fixed(&e.w, "start_ms", (double)f.start_ns / 1e6);
    cm_cli_event_end(cli, &e);
    cm_cli_note(cli, "%s\n", cm_standing_text(standing(r)));
    if ((r->hardware.tsm || r->hardware.nsm) && r->hardware.processor == CM_BACKED_NOT)
        cm_cli_note(cli, "evidence  none was asked for, and this machine has some: --evidence\n");
    cm_cli_note(cli, "manifest  %s\n", r->digest);
    say_bits(cli, "holds    ", has);
    say_bits(cli, "MISSING  ", CM_HAS_ALL & ~has);
}

/* Whoever may lock all of this process's memory does. */
static void lock_memory(void)
{
    struct rlimit l;

    if (geteuid() == 0 || (getrlimit(RLIMIT_MEMLOCK, &l) == 0 && l.rlim_cur == RLIM_INFINITY))
        (void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

static cm_err start(cm_cli *cli, struct running *r)
{
    cm_enclave_options o = {.measured = &r->measured,
                            .model = r->model.s,
                            .listen = r->listen == UINT64_MAX ? -1 : (int)r->listen,
                            .output = cli->quiet ? -1 : STDERR_FILENO,
                            .demand = cm_cli_has(cli, "strict") ? CM_HAS_ALL : 0};
    uint32_t has = 0;
    cm_err e;

    lock_memory();
    CM_TRY(stand_behind(cli, r));
    e = cm_enclave_start(&r->enclave, &has, cli->crypt, &o);
    if (cm_ok(e) || cm_is(e, CM_ENCLAVE_WEAK))
        say_start(cli, r, has);
    return cm_cli_about(cli, cli->rest[0], e, NULL);
}

/* ---- calls --------------------------------------------------------------------------------- */

static cm_err hash_request(cm_cli *cli, cm_answer *a, const struct running *r, cm_view request)
{
    memcpy(a->manifest, r->measured.digest, sizeof a->manifest);
    a->simulated = cm_standing_simulated(standing(r));
    return cm_hash_once(cli->crypt, CM_SHA256, a->request, request);
}

/* The answer's record. A program that failed is gone, and the error comes back once it was told. */
static cm_err answer_one(cm_cli *cli, struct running *r, cm_buf *record, cm_view request)
{
    CM_AUTO(cm_buf_free) cm_buf answer = {.max = (size_t)r->answer_max};
    cm_answer a = {.failed = 0};
    cm_err e;

    CM_TRY(hash_request(cli, &a, r, request));
    e = cm_enclave_ask(&answer, r->enclave, request, r->timeout_ms, cli->wake);
    a.failed = e.v;
    a.body = cm_ok(e) ? cm_buf_view(&answer) : (cm_view){0};
    CM_TRY(cm_answer_write(record, cli->crypt, &a, r->signer));
    return e;
}

static cm_err read_all(const struct running *r, int fd, uint8_t *p, size_t n, int wake)
{
    size_t done = 0;

    while (done < n) {
        ssize_t got;

        CM_TRY(cm_enclave_until(r->enclave, fd, FRAME_MS, wake));
        got = read(fd, p + done, n - done);
        if (got <= 0)
            return CM_FAIL(IO_SHORT);
        done += (size_t)got;
    }
    return CM_OKAY;
}

/* Who is asked: the program, or this machine for evidence (EN-53). */
static cm_err read_request(struct running *r, cm_buf *request, bool *evidence, int fd, int wake)
{
    uint8_t head[CM_ANSWER_FRAME];
    uint32_t n;

    CM_TRY(read_all(r, fd, head, sizeof head, wake));
    n = cm_get_be32(head);
    *evidence = n == CM_ANSWER_EVIDENCE;
    if (*evidence)
        n = CM_BIND_NONCE;
    if (n > request->max)
        return CM_FAIL(TOO_BIG);
    CM_TRY(cm_buf_reserve(request, n));
    CM_TRY(read_all(r, fd, request->p, n, wake));
    request->n = n;
    return CM_OKAY;
}

/* A machine that has none, or fails to give it, says so and goes on. */
static cm_err answer_evidence(cm_cli *cli, struct running *r, cm_buf *record, cm_view nonce)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = EVIDENCE_MAX};
    cm_err e = evidence_for(cli, r, &b, nonce.p);
    cm_answer a = {.failed = e.v};

    cli->blamed = false; /* the caller is told */
    CM_TRY(hash_request(cli, &a, r, nonce));
    a.body = cm_ok(e) ? cm_buf_view(&b) : (cm_view){0};
    return cm_answer_write(record, cli->crypt, &a, r->signer);
}

/* What one caller does wrong ends its connection alone; what the program does wrong ends all. */
static cm_err serve_one(cm_cli *cli, struct running *r, int fd)
{
    CM_AUTO(cm_buf_free) cm_buf request = {.max = CM_ENCLAVE_CALL_MAX};
    CM_AUTO(cm_buf_free)
    cm_buf record = {.max = CM_MAX((size_t)r->answer_max, (size_t)EVIDENCE_MAX) + CM_ANSWER_ROOM};
    const struct timeval slow = {FRAME_MS / 1000, 0};
    uint8_t head[CM_ANSWER_FRAME];
    bool evidence = false;
    cm_err e = read_request(r, &request, &evidence, fd, cli->wake), told;

    if (cm_is(e, CM_CANCELLED) || cm_is(e, CM_ENCLAVE_GONE) || cm_is(e, CM_ENCLAVE_PROTOCOL))
        return e;
    if (cm_failed(e))
        return CM_OKAY;
    e = evidence ? answer_evidence(cli, r, &record, cm_buf_view(&request))
                 : answer_one(cli, r, &record, cm_buf_view(&request));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slow, sizeof slow);
    cm_put_be32(head, (uint32_t)record.n);
    told = cm_os_write(fd, head, sizeof head);
    if (cm_ok(told))
        told = cm_os_write(fd, record.p, record.n);
    if (cm_failed(told))
        cm_cli_note(cli, "a caller went away before its answer\n");
    return e;
}

static cm_err open_socket(cm_cli *cli, int *out, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    CM_AUTO(cm_os_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t before;
    int bad;

    if (strlen(path) >= sizeof at.sun_path)
        return cm_cli_usage(cli, "--socket %s: the path is too long", path);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    before = umask(0177);
    bad = fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 16) != 0;
    (void)umask(before);
    if (bad)
        return cm_cli_about(cli, path, CM_FAIL(IO_OPEN), "nothing may be there yet: remove it");
    *out = fd;
    fd = -1;
    return CM_OKAY;
}

static cm_err serve_socket(cm_cli *cli, struct running *r, int listening)
{
    for (;;) {
        CM_AUTO(cm_os_close_fd) int fd = -1;

        CM_TRY(cm_enclave_until(r->enclave, listening, 0, cli->wake));
        fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            CM_TRY(serve_one(cli, r, fd));
    }
}

static cm_err serve_path(cm_cli *cli, struct running *r, const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    cm_err e;

    CM_TRY(open_socket(cli, &fd, path));
    e = start(cli, r);
    if (cm_ok(e))
        e = serve_socket(cli, r, fd);
    cm_os_remove(path);
    return e;
}

/* executeInEnclave(payload, model): one request, one answer, from file to file. */
static cm_err serve_file(cm_cli *cli, struct running *r, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf request = {.max = CM_ENCLAVE_CALL_MAX + 1};
    CM_AUTO(cm_buf_free) cm_buf answer = {.max = (size_t)r->answer_max};

    CM_TRY(cm_cli_about(cli, path, cm_os_slurp(&request, path, CM_ENCLAVE_CALL_MAX), NULL));
    CM_TRY(start(cli, r));
    CM_TRY(cm_enclave_ask(&answer, r->enclave, cm_buf_view(&request), r->timeout_ms, cli->wake));
    return cm_cli_put_file(cli, cm_cli_text(cli, "answer"), cm_buf_view(&answer));
}

static cm_err serve_none(cm_cli *cli, struct running *r)
{
    int status = 0;

    CM_TRY(start(cli, r));
    CM_TRY(cm_enclave_wait(r->enclave, &status, cli->wake));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return CM_OKAY;
    (void)snprintf(cli->detail, sizeof cli->detail, "the program ended with %s %d",
                   WIFEXITED(status) ? "exit code" : "signal",
                   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return CM_FAIL(ENCLAVE_DIED);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static cm_err conclude(cm_cli *cli, const struct running *r, cm_err e)
{
    cm_enclave_figures f;
    char bytes[32], peak[32];
    cm_cli_event ev;

    if (!r->enclave)
        return e;
    cm_enclave_get(r->enclave, &f);
    cm_cli_event_begin(cli, &ev, "done");
    cm_json_put_text(&ev.w, "verb", cm_view_str("enclave run"));
    cm_cli_put_standing(&ev.w, standing(r));
    cm_json_put_text(&ev.w, "digest", cm_view_str(r->digest));
    cm_json_put_u64(&ev.w, "calls", f.calls);
    cm_json_put_u64(&ev.w, "ranges", f.ranges);
    cm_json_put_u64(&ev.w, "range_bytes", f.range_bytes);
    cm_json_put_u64(&ev.w, "peak", f.peak);
    cm_cli_event_end(cli, &ev);
    cm_cli_note(cli, "calls %llu, ranges %llu (%s), most memory %s\n", (unsigned long long)f.calls,
                (unsigned long long)f.ranges, cm_cli_bytes(bytes, f.range_bytes),
                f.peak ? cm_cli_bytes(peak, f.peak) : "unknown");
    return cm_failed(f.failure) ? cm_cli_about(cli, cm_cli_text(cli, "model"), f.failure, NULL) : e;
}

cm_err cm_cli_enclave_run(cm_cli *cli)
{
    static const char *const ways[] = {"socket", "request", NULL};
    CM_AUTO(running_done) struct running r = {.model = {.fd = -1}};
    const char *path = cm_cli_text(cli, "socket"), *request = cm_cli_text(cli, "request");
    cm_err e;

    CM_TRY(cm_cli_at_most_one(cli, ways));
    if (request || cm_cli_has(cli, "answer"))
        cm_cli_data_to_stdout(cli);
    CM_TRY(prepare(cli, &r));
    if (path)
        e = serve_path(cli, &r, path);
    else
        e = request ? serve_file(cli, &r, request) : serve_none(cli, &r);
    return conclude(cli, &r, e);
}
