/* base/aside.c: the lowest priority for pieces of work, in a thread that waits for them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/aside.h"

#include "base/slice.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 19 }; /* a seventieth of an equal share, sched(7) */

static struct {
    pthread_mutex_t lock; /* held from giving an errand to its end */
    sem_t given, done;
    void (*work)(void *arg);
    void *arg;
    bool is_there;
} helper = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void await(sem_t *sem)
{
    while (sem_wait(sem) != 0 && errno == EINTR)
        continue;
}

/* On Linux a nice value is a thread's (setpriority(2), "C library/kernel differences"). Who is
 * woken waits for the rest of a running thread's slice, however low its priority. */
static void *thread_main(void *unused)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    slice_serve();
    for (;;) {
        await(&helper.given);
        helper.work(helper.arg);
        sem_post(&helper.done);
    }
    return NULL;
}

static void start(void)
{
    pthread_t thread;

    sem_init(&helper.given, 0, 0);
    sem_init(&helper.done, 0, 0);
    if (pthread_create(&thread, NULL, thread_main, NULL) != 0)
        return;
    pthread_detach(thread);
    pthread_setname_np(thread, "aside");
    helper.is_there = true;
}

void aside_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, start);
}

void aside_run(void (*work)(void *arg), void *arg)
{
    aside_prepare();
    if (!helper.is_there) {
        work(arg);
        return;
    }
    pthread_mutex_lock(&helper.lock);
    helper.work = work;
    helper.arg = arg;
    sem_post(&helper.given);
    await(&helper.done);
    pthread_mutex_unlock(&helper.lock);
}
