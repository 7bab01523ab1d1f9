#include "pg.h"

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 6000, PAUSE_US = 50000 };

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

static bool find_bin(char out[T_PATH])
{
    glob_t g;
    bool found = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &g) == 0;

    if (found) {
        snprintf(out, T_PATH, "%s", g.gl_pathv[g.gl_pathc - 1]);
        *strrchr(out, '/') = 0;
    }
    globfree(&g);
    return found;
}

/* The server will not run as root. */
static void drop_rights(void)
{
    const struct passwd *u = getpwnam("postgres");

    if (geteuid() == 0)
        must(u && setgroups(0, NULL) == 0 && setgid(u->pw_gid) == 0 && setuid(u->pw_uid) == 0,
             "setuid");
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

static pid_t run(const t_pg *p, const char *const argv[])
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        int fd;

        drop_rights();
        fd = open(t_path(p->dir, "log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        if (chdir(p->dir) == 0)
            execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

bool t_pg_new(t_pg *p)
{
    const struct passwd *u = getpwnam("postgres");
    int status;

    *p = (t_pg){0};
    if (!find_bin(p->bin) || !u) {
        printf("SKIP: PostgreSQL's server is not installed (apt-get install postgresql)\n");
        return false;
    }
    t_mkdir(p->dir);
    if (geteuid() == 0)
        must(chown(p->dir, u->pw_uid, u->pw_gid) == 0, "chown");
    {
        const char *const argv[] = {t_path(p->bin, "initdb"),
                                    "-D",
                                    "data",
                                    "-A",
                                    "trust",
                                    "-U",
                                    "casemate",
                                    "--no-sync",
                                    "--locale=C",
                                    "-E",
                                    "UTF8",
                                    NULL};
        pid_t pid = run(p, argv);

        must(waitpid(pid, &status, 0) == pid && status == 0, "initdb");
    }
    t_pg_start(p);
    return true;
}

void t_pg_start(t_pg *p)
{
    const char *const argv[] = {t_path(p->bin, "postgres"),
                                "-D",
                                "data",
                                "-k",
                                p->dir,
                                "-c",
                                "listen_addresses=",
                                "-c",
                                "shared_buffers=16MB",
                                "-c",
                                "max_connections=40",
                                "-c",
                                "restart_after_crash=on",
                                NULL};

    p->pid = run(p, argv);
    for (int i = 0; i < TRIES; i++) {
        if (t_pg_sql(p, "postgres", "SELECT 1", NULL) == 0)
            return;
        usleep(PAUSE_US);
        /* It leaves at once while a backend of a killed one still has the shared memory. */
        if (waitpid(p->pid, NULL, WNOHANG) == p->pid)
            p->pid = run(p, argv);
    }
    must(false, "PostgreSQL does not start");
}

void t_pg_stop(t_pg *p, int sig)
{
    if (p->pid == 0)
        return;
    kill(p->pid, sig);
    waitpid(p->pid, NULL, 0);
    p->pid = 0;
}

void t_pg_free(t_pg *p)
{
    t_pg_stop(p, SIGQUIT);
    if (p->dir[0])
        t_rmdir(p->dir);
}

int t_pg_sql(const t_pg *p, const char *database, const char *sql, cm_buf *out)
{
    const char *const argv[] = {t_path(p->bin, "psql"),
                                "-h",
                                p->dir,
                                "-U",
                                "casemate",
                                "-d",
                                database,
                                "-qAtX",
                                "-c",
                                sql,
                                NULL};

    return t_run(out, cm_view_of("", 0), argv);
}

const char *t_pg_database(const t_pg *p, const char *name)
{
    static char conninfo[2 * T_PATH];
    char sql[128];

    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    must(t_pg_sql(p, "postgres", sql, NULL) == 0, "CREATE DATABASE");
    snprintf(conninfo, sizeof conninfo, "host=%s user=casemate dbname=%s", p->dir, name);
    return conninfo;
}
