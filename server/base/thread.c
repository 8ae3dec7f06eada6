/* base/thread.c: how threads that serve are started. SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include "base/aside.h"
#include <errno.h>
#include <signal.h>
#include <stddef.h>

struct birth {
    void *(*run)(void *arg);
    void *arg;
    pthread_t thread;
    int error;
};

/* Priority and blocked signals are those of the thread that starts it. A fault whose signal is
 * blocked ends the process without a word of where it was (fiber/crash.c). */
static void give_birth(void *arg)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct birth *birth = arg;
    sigset_t most, before;

    sigfillset(&most);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&most, faults[i]);
    pthread_sigmask(SIG_SETMASK, &most, &before);
    birth->error = pthread_create(&birth->thread, NULL, birth->run, birth->arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool thread_start(const char *name, void *(*run)(void *arg), void *arg, pthread_t *ret)
{
    struct birth birth = {.run = run, .arg = arg};

    aside_start(give_birth, &birth);
    if (birth.error) {
        errno = birth.error;
        return false;
    }
    pthread_setname_np(birth.thread, name);
    if (ret)
        *ret = birth.thread;
    else
        pthread_detach(birth.thread);
    return true;
}
