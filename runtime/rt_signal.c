/* SIGINT and SIGTERM in commands with checkpoints: the first asks the program to save and stop when it next
 * comes by a checkpoint, the second ends it at once. A thread waits for them, so nothing else is interrupted.
 */
#include "rt_checkpoint.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct rt_signals {
    pthread_t thread;
    sigset_t waited, before; /* what the thread waits for; the mask of the program's thread before */
    atomic_int received;
};

static const int stopping[] = {SIGINT, SIGTERM};

static void *wait_for_signals(void *argument) {
    rt_signals *signals = argument;
    int which = 0;
    if (sigwait(&signals->waited, &which) != 0) return NULL;
    atomic_store(&signals->received, which);
    fprintf(stderr, "%s: stopping at the next checkpoint; once more stops at once\n", strsignal(which));
    if (sigwait(&signals->waited, &which) != 0) return NULL;
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, which);
    signal(which, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
    raise(which);
    return NULL;
}

/* What is ignored, as under nohup, stays so. */
static bool is_ignored(int which) {
    struct sigaction action;
    return sigaction(which, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

rt_signals *rt_signals_start(void) {
    rt_signals *signals = rt_allocate(sizeof *signals);
    *signals = (rt_signals){.received = 0};
    sigemptyset(&signals->waited);
    for (size_t i = 0; i < sizeof stopping / sizeof *stopping; i++)
        if (!is_ignored(stopping[i])) sigaddset(&signals->waited, stopping[i]);
    signal(SIGXFSZ, SIG_IGN); /* a file that grows beyond a limit is an error of write */
    pthread_sigmask(SIG_BLOCK, &signals->waited, &signals->before);
    if (pthread_create(&signals->thread, NULL, wait_for_signals, signals) == 0) return signals;
    pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
    free(signals);
    return NULL;
}

bool rt_signals_received(rt_signals *signals) { return signals && atomic_load(&signals->received) != 0; }

void rt_signals_stop(rt_signals *signals) {
    if (!signals) return;
    pthread_cancel(signals->thread);
    pthread_join(signals->thread, NULL);
    pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
    free(signals);
}
