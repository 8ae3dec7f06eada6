/* resource/pool/pool.c: threads and a queue for each kind of blocking work.
 * SPDX-License-Identifier: Apache-2.0 */
#include "resource/pool/pool.h"

#include "base/metrics.h"
#include "base/slice.h"
#include "base/thread.h"
#include "fiber/fiber.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

/* WAITING goes to one of the others under the queue's lock, once. */
enum job_state { JOB_WAITING, JOB_BEGUN, JOB_TAKEN_BACK, JOB_DROPPED };

struct job { /* on the waiting fiber's stack */
    struct loop_message message;
    struct loop *loop;
    struct fiber_wait wait;
    void (*work)(void *arg);
    void *arg;
    enum job_state state;
    struct job *next, *prev;
};

struct job_queue {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *head, *tail;
    uint32_t waiting, waiting_max;
    bool closing, serves; /* serves: somebody waits for each job */
    pthread_t *threads;
    uint32_t thread_count;
};

struct pool {
    struct job_queue queues[POOL_KINDS];
};

static const char *const thread_names[POOL_KINDS] = {
    [POOL_SQL_READ] = "pool-sql-read", [POOL_PASSWORD] = "pool-password", [POOL_FILE] = "pool-file",
    [POOL_PLUGIN] = "pool-plugin",     [POOL_NAME] = "pool-name",
};

static void push(struct job_queue *queue, struct job *job)
{
    job->prev = queue->tail;
    if (queue->tail)
        queue->tail->next = job;
    else
        queue->head = job;
    queue->tail = job;
    queue->waiting++;
}

static void take_out(struct job_queue *queue, struct job *job, enum job_state state)
{
    if (job->prev)
        job->prev->next = job->next;
    else
        queue->head = job->next;
    if (job->next)
        job->next->prev = job->prev;
    else
        queue->tail = job->prev;
    queue->waiting--;
    job->state = state;
}

static void on_end(struct loop_message *message)
{
    struct job *job = (struct job *)((char *)message - offsetof(struct job, message));

    fiber_wake(&job->wait);
}

/* The next job, or NULL when the pool closes. */
static struct job *next_job(struct job_queue *queue)
{
    struct job *job;

    pthread_mutex_lock(&queue->lock);
    while (!queue->head && !queue->closing)
        pthread_cond_wait(&queue->wake, &queue->lock);
    job = queue->head;
    if (job)
        take_out(queue, job, JOB_BEGUN);
    pthread_mutex_unlock(&queue->lock);
    return job;
}

static void *thread_main(void *data)
{
    struct job_queue *queue = data;
    struct job *job;

    if (queue->serves)
        slice_serve();
    else
        slice_work();
    while ((job = next_job(queue))) {
        job->work(job->arg);
        loop_post(job->loop, &job->message); /* job is the fiber's again */
    }
    return NULL;
}

static void queue_open(struct job_queue *queue, const char *name, uint32_t threads, uint32_t max)
{
    stoa_assert((threads > 0) == (max > 0));
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->wake, NULL);
    queue->waiting_max = max;
    queue->thread_count = threads;
    queue->threads = calloc(threads + 1, sizeof(*queue->threads));
    stoa_assert(queue->threads);
    for (uint32_t i = 0; i < threads; i++)
        stoa_assert(thread_start(name, thread_main, queue, &queue->threads[i]));
}

/* A job that is dropped ends like one that ran, but with JOB_DROPPED. */
static void queue_close(struct job_queue *queue)
{
    struct job *job;

    pthread_mutex_lock(&queue->lock);
    queue->closing = true;
    while ((job = queue->head)) {
        take_out(queue, job, JOB_DROPPED);
        loop_post(job->loop, &job->message);
    }
    pthread_cond_broadcast(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
    for (uint32_t i = 0; i < queue->thread_count; i++)
        pthread_join(queue->threads[i], NULL);
    free(queue->threads);
    pthread_cond_destroy(&queue->wake);
    pthread_mutex_destroy(&queue->lock);
}

struct pool *pool_create(const uint32_t threads[POOL_KINDS], const uint32_t queue_max[POOL_KINDS])
{
    struct pool *pool = calloc(1, sizeof(*pool));

    stoa_assert(pool);
    for (uint32_t kind = 0; kind < POOL_KINDS; kind++) {
        /* What computes for long has no haste. */
        pool->queues[kind].serves = kind != POOL_PASSWORD && kind != POOL_PLUGIN;
        queue_open(&pool->queues[kind], thread_names[kind], threads[kind], queue_max[kind]);
    }
    return pool;
}

void pool_destroy(struct pool *pool)
{
    if (!pool)
        return;
    for (uint32_t kind = 0; kind < POOL_KINDS; kind++)
        queue_close(&pool->queues[kind]);
    free(pool);
}

static stoa_err submit(struct job_queue *queue, struct job *job)
{
    stoa_err err = STOA_E_BUSY;

    pthread_mutex_lock(&queue->lock);
    if (queue->waiting < queue->waiting_max && !queue->closing) {
        push(queue, job);
        pthread_cond_signal(&queue->wake);
        err = STOA_OK;
    }
    pthread_mutex_unlock(&queue->lock);
    return err;
}

static bool take_back(struct job_queue *queue, struct job *job)
{
    bool taken;

    pthread_mutex_lock(&queue->lock);
    taken = job->state == JOB_WAITING;
    if (taken)
        take_out(queue, job, JOB_TAKEN_BACK);
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

/* A thread has it: neither deadline nor cancellation may end the wait, as job and arg are here. */
static void await_end(struct job *job)
{
    int64_t deadline = fiber_set_deadline(INT64_MAX);

    fiber_mask();
    stoa_assert(fiber_await(&job->wait, -1) == STOA_OK);
    fiber_unmask();
    fiber_set_deadline(deadline);
}

stoa_err pool_run(struct pool *pool, enum pool_kind kind, void (*work)(void *arg), void *arg)
{
    struct job_queue *queue = &pool->queues[kind];
    struct job job = {.message = {.run = on_end}, .work = work, .arg = arg};
    stoa_err err;

    if (!fiber_self()) {
        work(arg);
        return STOA_OK;
    }
    STOA_TRY(fiber_check());
    job.loop = loop_current();
    err = submit(queue, &job);
    if (err != STOA_OK) {
        metric_add(METRIC_pool_rejected_total, 1);
        return err;
    }
    err = fiber_await(&job.wait, -1);
    if (err != STOA_OK) {
        if (take_back(queue, &job))
            return err;
        await_end(&job);
    }
    return job.state == JOB_BEGUN ? STOA_OK : STOA_E_CANCELLED;
}
