#include "swtpm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 1200, PAUSE_US = 50000 };

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "swtpm: %s\n", what);
    abort();
}

static bool has(const char *program)
{
    const char *const argv[] = {"sh", "-c", "command -v \"$0\" >/dev/null", program, NULL};

    return t_run(NULL, (cm_view){0}, argv) == 0;
}

/* The CA of the endorsement keys is the test's own: setup needs nobody's rights then. */
static bool set_up(const char *dir)
{
    static const char script[] =
        "set -e; cd \"$0\"; mkdir ca; "
        "printf 'statedir = %s/ca\\nsigningkey = %s/ca/key.pem\\nissuercert = %s/ca/issuer.pem\\n"
        "certserial = %s/ca/serial\\n' \"$0\" \"$0\" \"$0\" \"$0\" >ca.conf; : >ca.options; "
        "printf 'create_certs_tool = %s\\ncreate_certs_tool_config = %s/ca.conf\\n"
        "create_certs_tool_options = %s/ca.options\\n' "
        "\"$(command -v swtpm_localca || echo /usr/bin/swtpm_localca)\" \"$0\" \"$0\" >setup.conf; "
        "swtpm_setup --tpm2 --config setup.conf --tpm-state \"$0\" --create-ek-cert --overwrite "
        "--pcr-banks sha256,sha384 >setup.log 2>&1";
    const char *const argv[] = {"sh", "-c", script, dir, NULL};

    return t_run(NULL, (cm_view){0}, argv) == 0;
}

void t_swtpm_start(t_swtpm *s)
{
    char state[T_PATH + 32], server[T_PATH + 64], control[T_PATH + 64], bus[T_PATH + 64];
    const char *const argv[] = {"swtpm",
                                "socket",
                                "--tpm2",
                                "--tpmstate",
                                state,
                                "--flags",
                                "not-need-init,startup-clear",
                                "--server",
                                server,
                                "--ctrl",
                                control,
                                "--log",
                                bus,
                                NULL};

    (void)snprintf(state, sizeof state, "dir=%s", s->dir);
    (void)snprintf(server, sizeof server, "type=unixio,path=%s/s", s->dir);
    (void)snprintf(control, sizeof control, "type=unixio,path=%s/s.ctrl", s->dir);
    (void)snprintf(bus, sizeof bus, "file=%s/bus,level=20", s->dir);
    (void)unlink(t_path(s->dir, "s"));
    (void)unlink(t_path(s->dir, "s.ctrl"));
    s->pid = t_start(t_path(s->dir, "log"), argv);
    for (unsigned i = 0; i < TRIES; i++) {
        struct stat st;

        if (stat(t_path(s->dir, "s"), &st) == 0 && stat(t_path(s->dir, "s.ctrl"), &st) == 0)
            return;
        must(waitpid(s->pid, NULL, WNOHANG) == 0, "ended at once");
        (void)usleep(PAUSE_US);
    }
    must(false, "did not start");
}

bool t_swtpm_new(t_swtpm *s, const char *dir, const char *name, bool certified)
{
    (void)snprintf(s->dir, sizeof s->dir, "%s", t_path(dir, name));
    (void)snprintf(s->tcti, sizeof s->tcti, "swtpm:path=%s", t_path(s->dir, "s"));
    must(mkdir(s->dir, 0700) == 0, "no folder");
    if (!has("swtpm") || (certified && (!has("swtpm_setup") || !set_up(s->dir)))) {
        printf("SKIP: no TPM to emulate (swtpm, swtpm-tools)\n");
        return false;
    }
    t_swtpm_start(s);
    return true;
}

void t_swtpm_kill(t_swtpm *s)
{
    if (s->pid > 0) {
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
    }
    s->pid = 0;
}
