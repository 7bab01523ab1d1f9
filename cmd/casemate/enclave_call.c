/* casemate enclave call: one request to a program that casemate enclave run --socket serves. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/text.h"
#include "enclave.h"
#include "enclave/answer.h"
#include "enclave/enclave.h"

static cm_err read_request(cm_cli *cli, cm_buf *b)
{
    const char *path = cm_cli_text(cli, "request");
    size_t got;

    if (path && !cm_cli_is_dash(path))
        return cm_cli_about(cli, path, cm_os_slurp(b, path, CM_ENCLAVE_CALL_MAX), NULL);
    CM_TRY(cm_buf_reserve(b, b->max));
    CM_TRY(cm_cli_about(cli, "stdin", cm_os_read(STDIN_FILENO, b->p, b->max, &got), NULL));
    b->n = got;
    return got > CM_ENCLAVE_CALL_MAX ? cm_cli_about(cli, "stdin", CM_FAIL(TOO_BIG), NULL) : CM_OKAY;
}

static cm_err connect_to(int *out, const char *path, uint64_t seconds)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const struct timeval wait = {(time_t)seconds, 0};
    CM_AUTO(cm_os_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof at.sun_path)
        return CM_FAIL(IO_OPEN);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0)
        return CM_FAIL(CLIENT_REFUSED);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    *out = fd;
    fd = -1;
    return CM_OKAY;
}

/* evidence: request is a nonce (EN-53). */
static cm_err exchange(cm_buf *record, int fd, cm_view request, bool evidence)
{
    uint8_t head[CM_ANSWER_FRAME];
    size_t got;
    uint32_t n;

    cm_put_be32(head, evidence ? CM_ANSWER_EVIDENCE : (uint32_t)request.n);
    CM_TRY(cm_os_write(fd, head, sizeof head));
    CM_TRY(cm_os_write(fd, request.p, request.n));
    CM_TRY(cm_os_read(fd, head, sizeof head, &got));
    n = cm_get_be32(head);
    if (got < sizeof head)
        return CM_FAIL(ENCLAVE_GONE);
    CM_TRY(cm_buf_reserve(record, n));
    CM_TRY(cm_os_read(fd, record->p, n, &got));
    record->n = got;
    return got == n ? CM_OKAY : CM_FAIL(ENCLAVE_GONE);
}

/* The request, or the nonce that stands for it. */
static cm_err what_to_ask(cm_cli *cli, cm_buf *b)
{
    uint8_t nonce[CM_BIND_NONCE];

    if (!cm_cli_has(cli, "evidence"))
        return read_request(cli, b);
    CM_TRY(cm_cli_check_output(cli, cm_cli_text(cli, "evidence")));
    CM_TRY(cm_cli_enclave_nonce(cli, nonce));
    return cm_buf_append(b, CM_VIEW(nonce));
}

static void say_nonce(cm_cli *cli, cm_view nonce)
{
    char hex[2 * CM_BIND_NONCE + 1];
    cm_cli_event e;

    cm_cli_hex(hex, nonce);
    cm_cli_event_begin(cli, &e, "bound");
    cm_json_put_text(&e.w, "nonce", cm_view_str(hex));
    cm_json_put_text(&e.w, "file", cm_view_str(cm_cli_text(cli, "evidence")));
    cm_cli_event_end(cli, &e);
    cm_cli_note(cli, "nonce     %s\n", hex);
}

static cm_err expected_digest(cm_cli *cli, uint8_t digest[32], bool *has)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 33};
    const char *text = cm_cli_text(cli, "manifest");

    *has = text != NULL;
    if (!text)
        return CM_OKAY;
    if (cm_failed(cm_hex_decode(&b, cm_view_str(text))) || b.n != 32)
        return cm_cli_usage(cli, "--manifest %s: not a digest of 64 hexadecimal digits", text);
    memcpy(digest, b.p, 32);
    return CM_OKAY;
}

static void report(cm_cli *cli, const cm_answer *a, bool checked, bool is_signed)
{
    char hex[65], request[65];
    cm_cli_event e;

    cm_cli_hex(hex, CM_VIEW(a->manifest));
    cm_cli_event_begin(cli, &e, "answer");
    cm_json_put_bool(&e.w, "simulated", a->simulated);
    cm_json_put_text(&e.w, "manifest", cm_view_str(hex));
    cm_json_put_text(&e.w, "request", cm_view_str(cm_cli_hex(request, CM_VIEW(a->request))));
    cm_json_put_bool(&e.w, "manifest_checked", checked);
    cm_json_put_bool(&e.w, "signature_checked", is_signed);
    cm_json_put_u64(&e.w, "bytes", a->body.n);
    cm_cli_event_end(cli, &e);
    cm_cli_note(cli, "%smanifest  %s%s%s\n", a->simulated ? "SIMULATED\n" : "", hex,
                checked ? "" : ", which nobody asked for (--manifest)",
                is_signed ? ", signed by the key that was named" : "");
}

cm_err cm_cli_enclave_call(cm_cli *cli)
{
    CM_AUTO(cm_buf_free) cm_buf request = {.max = CM_ENCLAVE_CALL_MAX + 1};
    CM_AUTO(cm_buf_free) cm_buf record = {.max = CM_ENCLAVE_CALL_MAX + CM_ANSWER_ROOM};
    CM_AUTO(cm_os_close_fd) int fd = -1;
    CM_AUTO(cm_pkey_free_ptr) cm_pkey *key = NULL;
    const char *path = cm_cli_text(cli, "socket");
    static const char *const ways[] = {"request", "evidence", NULL};
    bool evidence = cm_cli_has(cli, "evidence");
    uint64_t seconds = 120;
    uint8_t digest[32];
    bool has = false;
    cm_answer a;

    cm_cli_data_to_stdout(cli);
    if (!path)
        return cm_cli_usage(cli, "--socket is missing");
    CM_TRY(cm_cli_at_most_one(cli, ways));
    if (!evidence && cm_cli_has(cli, "nonce"))
        return cm_cli_usage(cli, "--nonce is for evidence: say where it goes, --evidence");
    CM_TRY(cm_cli_number(cli, "timeout", 1, 86400, &seconds));
    CM_TRY(expected_digest(cli, digest, &has));
    if (cm_cli_has(cli, "signed-by"))
        CM_TRY(cm_cli_load_key(cli, &key, cm_cli_text(cli, "signed-by")));
    CM_TRY(what_to_ask(cli, &request));
    CM_TRY(cm_cli_about(cli, path, connect_to(&fd, path, seconds), NULL));
    CM_TRY(cm_cli_about(cli, path, exchange(&record, fd, cm_buf_view(&request), evidence), NULL));
    CM_TRY(cm_cli_about(cli, path, cm_answer_read(&a, cm_buf_view(&record)), NULL));
    CM_TRY(cm_cli_about(
        cli, path, cm_answer_check(cli->crypt, &a, has ? digest : NULL, cm_buf_view(&request), key),
        NULL));
    report(cli, &a, has, key != NULL);
    if (evidence)
        say_nonce(cli, cm_buf_view(&request));
    return cm_cli_put_file(cli, cm_cli_text(cli, evidence ? "evidence" : "answer"), a.body);
}
