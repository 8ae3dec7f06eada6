/* base/aside.c: the lowest priority for a piece of work. SPDX-License-Identifier: Apache-2.0 */
#include "base/aside.h"

#include "base/slice.h"
#include <pthread.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 19 }; /* a seventieth of an equal share, sched(7) */

struct errand {
    void (*work)(void *arg);
    void *arg;
};

/* On Linux a nice value is a thread's (setpriority(2), "C library/kernel differences"). */
static void *run(void *arg)
{
    struct errand *errand = arg;

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    slice_serve(); /* who is woken waits for the rest of its slice, however low its priority */
    errand->work(errand->arg);
    return NULL;
}

void aside_run(void (*work)(void *arg), void *arg)
{
    struct errand errand = {work, arg};
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, &errand) == 0)
        pthread_join(thread, NULL);
    else
        work(arg);
}
