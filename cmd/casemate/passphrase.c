/* Passphrases come from a file, a descriptor or the terminal: never from an argument or the
 * environment, which other processes can read. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "base/ct.h"
#include "base/os.h"
#include "cli.h"
#include "codec/text.h"

enum { PASSPHRASE = 1024, FILE_MAX = 4096 };

/* ---- the terminal -------------------------------------------------------------------------- */

struct terminal {
    int fd;
    struct termios before;
};

static void terminal_close(struct terminal *t)
{
    if (t->fd < 0)
        return;
    tcsetattr(t->fd, TCSAFLUSH, &t->before);
    close(t->fd);
}

static cm_err terminal_open(struct terminal *t)
{
    struct termios quiet;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return CM_FAIL(CLI_NO_TERMINAL);
    if (tcgetattr(fd, &t->before) != 0) {
        close(fd);
        return CM_FAIL(CLI_NO_TERMINAL);
    }
    quiet = t->before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fd, TCSAFLUSH, &quiet);
    t->fd = fd;
    return CM_OKAY;
}

/* One character, or CANCELLED when a signal came first. */
static cm_err terminal_char(cm_cli *cli, const struct terminal *t, char *ch)
{
    struct pollfd p[2] = {{t->fd, POLLIN, 0}, {cli->wake, POLLIN, 0}};
    ssize_t r;

    while (poll(p, 2, -1) < 0)
        if (errno != EINTR)
            return CM_FAIL(IO_READ);
    if (p[1].revents)
        return CM_FAIL(CANCELLED);
    r = read(t->fd, ch, 1);
    if (r < 0)
        return cm_os_err(errno, CM_IO_READ);
    if (r == 0)
        *ch = '\n';
    return CM_OKAY;
}

static cm_err terminal_line(cm_cli *cli, const struct terminal *t, const char *prompt, cm_buf *out)
{
    char ch;

    CM_TRY(cm_os_write(t->fd, prompt, strlen(prompt)));
    CM_TRY(cm_os_write(t->fd, ": ", 2));
    for (;;) {
        cm_err e = terminal_char(cli, t, &ch);

        if (cm_failed(e) || ch == '\n') {
            CM_TRY(cm_os_write(t->fd, "\n", 1));
            return e;
        }
        CM_TRY(cm_buf_byte(out, (uint8_t)ch));
    }
}

static cm_err ask(cm_cli *cli, cm_buf *out, const char *prompt, bool is_new)
{
    CM_AUTO(terminal_close) struct terminal t = {.fd = -1};
    CM_AUTO(cm_buf_free) cm_buf one = {.max = PASSPHRASE};
    CM_AUTO(cm_buf_free) cm_buf two = {.max = PASSPHRASE};

    CM_TRY(cm_buf_reserve(&one, PASSPHRASE));
    CM_TRY(cm_buf_reserve(&two, PASSPHRASE));
    CM_TRY(terminal_open(&t));
    CM_TRY(terminal_line(cli, &t, prompt, &one));
    if (is_new) {
        CM_TRY(terminal_line(cli, &t, "The same again", &two));
        if (!cm_ct_equal(cm_buf_view(&one), cm_buf_view(&two)))
            return CM_FAIL(CLI_PASSPHRASES_DIFFER);
    }
    return cm_buf_append(out, cm_buf_view(&one));
}

cm_err cm_cli_ask(cm_cli *cli, cm_buf *out, const char *prompt)
{
    return ask(cli, out, prompt, false);
}

/* ---- files and descriptors ----------------------------------------------------------------- */

/* The first line, without its end. */
static cm_err first_line(cm_buf *out, cm_view v)
{
    const uint8_t *end = v.n ? memchr(v.p, '\n', v.n) : NULL;
    size_t n = end ? (size_t)(end - v.p) : v.n;

    if (n > 0 && end && v.p[n - 1] == '\r')
        n--;
    return cm_buf_append(out, cm_view_of(v.p, n));
}

static cm_err from_fd(cm_buf *out, int fd)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = FILE_MAX};
    size_t got;

    CM_TRY(cm_buf_reserve(&b, FILE_MAX));
    b.n = FILE_MAX; /* all of it is wiped */
    CM_TRY(cm_os_read(fd, b.p, FILE_MAX, &got));
    return first_line(out, cm_view_of(b.p, got));
}

static cm_err from_file(cm_cli *cli, cm_buf *out, const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;

    CM_TRY(cm_cli_about(cli, path, cm_os_open_read(&fd, path), NULL));
    return cm_cli_about(cli, path, from_fd(out, fd), NULL);
}

bool cm_cli_can_ask(const cm_cli *cli, const char *prefix)
{
    char file[CM_CLI_TITLE], fd[CM_CLI_TITLE];
    int tty;

    snprintf(file, sizeof file, "%spassphrase-file", prefix);
    snprintf(fd, sizeof fd, "%spassphrase-fd", prefix);
    if (cm_cli_has(cli, file) || cm_cli_has(cli, fd))
        return true;
    tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0)
        return false;
    close(tty);
    return true;
}

cm_err cm_cli_passphrase(cm_cli *cli, cm_buf *out, const char *prefix, const char *prompt,
                         bool is_new)
{
    char file[CM_CLI_TITLE], fd[CM_CLI_TITLE];
    const char *names[] = {file, fd, NULL};
    uint64_t n = 0;
    cm_err e;

    snprintf(file, sizeof file, "%spassphrase-file", prefix);
    snprintf(fd, sizeof fd, "%spassphrase-fd", prefix);
    CM_TRY(cm_cli_at_most_one(cli, names));
    CM_TRY(cm_cli_number(cli, fd, 0, 1 << 20, &n));
    if (cm_cli_has(cli, file))
        return from_file(cli, out, cm_cli_text(cli, file));
    if (cm_cli_has(cli, fd))
        return from_fd(out, (int)n);
    e = ask(cli, out, prompt, is_new);
    if (cm_is(e, CM_CLI_NO_TERMINAL))
        snprintf(cli->advice, sizeof cli->advice, "give it with --%s or --%s", file, fd);
    return e;
}
