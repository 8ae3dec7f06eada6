/* base/aside.c: the lowest priority for pieces of work, in a thread that waits for them; and the
 * way back to who gave the work, for what must not have that priority. SPDX-License-Identifier:
 * Apache-2.0 */
#include "base/aside.h"

#include "base/slice.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stoa/api.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 19 }; /* a seventieth of an equal share, sched(7) */

struct errand {
    void (*run)(void *arg); /* NULL: none */
    void *arg;
};

/* One of the two threads waits while the other runs: whoever posts has left the errand before. */
static struct {
    pthread_mutex_t lock; /* held from giving work to its end */
    sem_t to_helper, to_giver;
    struct errand work, start;
    bool is_there;
} helper = {.lock = PTHREAD_MUTEX_INITIALIZER};
static __thread bool is_helper;

static void await(sem_t *sem)
{
    while (sem_wait(sem) != 0 && errno == EINTR)
        continue;
}

/* On Linux a nice value is a thread's (setpriority(2), "C library/kernel differences"). It says how
 * much of a busy processor the thread has, the slice how soon others have theirs. */
static void *thread_main(void *unused)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    slice_give_way();
    is_helper = true;
    for (;;) {
        await(&helper.to_helper);
        helper.work.run(helper.work.arg);
        sem_post(&helper.to_giver);
    }
    return NULL;
}

static void make_helper(void)
{
    pthread_t thread;

    sem_init(&helper.to_helper, 0, 0);
    sem_init(&helper.to_giver, 0, 0);
    if (pthread_create(&thread, NULL, thread_main, NULL) != 0)
        return;
    pthread_detach(thread);
    pthread_setname_np(thread, "aside");
    helper.is_there = true;
}

void aside_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_helper);
}

void aside_run(void (*work)(void *arg), void *arg)
{
    stoa_assert(!is_helper); /* it would wait for itself */
    aside_prepare();
    if (!helper.is_there) {
        work(arg);
        return;
    }
    pthread_mutex_lock(&helper.lock);
    helper.work = (struct errand){work, arg};
    sem_post(&helper.to_helper);
    await(&helper.to_giver);
    while (helper.start.run) {
        helper.start.run(helper.start.arg);
        helper.start.run = NULL;
        sem_post(&helper.to_helper);
        await(&helper.to_giver);
    }
    pthread_mutex_unlock(&helper.lock);
}

void aside_start(void (*start)(void *arg), void *arg)
{
    if (!is_helper) {
        start(arg);
        return;
    }
    helper.start = (struct errand){start, arg};
    sem_post(&helper.to_giver);
    await(&helper.to_helper);
}
