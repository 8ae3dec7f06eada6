/* Loops take the keeper's lock on their requests' way: a start, which takes milliseconds, must not
 * hold it. SPDX-License-Identifier: Apache-2.0 */
#include "port/start.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static bool is_lockable;

static void *take_lock(void *unused)
{
    keeper_lock();
    keeper_unlock();
    return NULL;
}

/* The linker puts this in the real one's place: a machine on which no process can be started. */
bool __wrap_spawn_sandbox(const struct sandbox *box, struct spawned *ret); /* NOLINT */
bool __wrap_spawn_sandbox(const struct sandbox *box, struct spawned *ret)  /* NOLINT */
{
    struct timespec until;
    pthread_t thread;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    cr_assert_eq(pthread_create(&thread, NULL, take_lock, NULL), 0);
    is_lockable = pthread_timedjoin_np(thread, NULL, &until) == 0;
    return false;
}

Test(keeper, starts_processes_without_its_lock)
{
    struct sandbox *box = calloc(1, sizeof *box);
    struct diag diag = {0};

    *box = (struct sandbox){
        .name = "toy", .bits_fd = -1, .pidfd = -1, .control_fd = -1, .words_fd = -1};
    box->arena = stoa_arena_create();
    cr_assert_eq(keeper_start(box, &diag), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "no process could be started"), "%s", diag.message);
    cr_assert(is_lockable, "a loop would have waited for the start");
    keeper_close(box);
    while (keeper_count() > 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}
