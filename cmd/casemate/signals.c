/*
 * Signals are taken by a thread of their own, so nothing runs in a handler: the first one asks the
 * work to stop where it can go on later, the second ends the process; of work that leaves nothing
 * behind, the first does.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli.h"

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

static void *wait_for_signals(void *arg)
{
    cm_cli *cli = arg;
    const uint64_t one = 1;
    sigset_t set;
    int sig;

    stop_signals(&set);
    while (sigwait(&set, &sig) == 0) {
        int none = 0;

        if (!atomic_compare_exchange_strong(&cli->signal, &none, sig) || atomic_load(&cli->abrupt))
            _exit(128 + sig);
        atomic_store(&cli->cancel, true);
        if (write(cli->wake, &one, sizeof one) < 0)
            _exit(128 + sig);
    }
    return NULL;
}

cm_err cm_cli_watch_signals(cm_cli *cli)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;
    pthread_t thread;

    cli->wake = eventfd(0, EFD_CLOEXEC);
    if (cli->wake < 0)
        return CM_FAIL(NO_MEMORY);
    sigaction(SIGPIPE, &ignore, NULL);
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&thread, NULL, wait_for_signals, cli) != 0) {
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        return CM_FAIL(NO_THREAD);
    }
    pthread_detach(thread);
    return CM_OKAY;
}

void cm_cli_release_signals(void)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t set;

    sigaction(SIGPIPE, &usual, NULL);
    stop_signals(&set);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
