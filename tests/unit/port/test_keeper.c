/* Loops take the keeper's lock on their requests' way: a start, which takes milliseconds, must not
 * hold it. SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "port/lane.h"
#include "port/port.h"
#include "port/start.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static bool is_lockable;

static void *take_lock(void *unused)
{
    keeper_lock();
    keeper_unlock();
    return NULL;
}

/* ---- A child that writes to stderr without end ---- */

static int64_t flood_ms;
static int flood_fd = -1;
static _Atomic uint32_t flood_reads;

ssize_t __real_read(int fd, void *to, size_t len); /* NOLINT: the linker's name */
ssize_t __wrap_read(int fd, void *to, size_t len); /* NOLINT */
ssize_t __wrap_read(int fd, void *to, size_t len)  /* NOLINT */
{
    flood_reads += fd == flood_fd;
    return __real_read(fd, to, len);
}

static _Noreturn void flood(int fd)
{
    static const char line[] = "words, words, words, words, words, words\n", last[] = "the end\n";
    int64_t until = clock_monotonic_ms() + flood_ms;

    while (clock_monotonic_ms() < until)
        if (write(fd, line, sizeof line - 1) < 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
    while (write(fd, last, sizeof last - 1) < 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    _exit(3);
}

static bool spawn_flood(struct spawned *ret)
{
    int words[2], control[2];

    cr_assert_eq(pipe2(words, O_NONBLOCK | O_CLOEXEC), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, control), 0);
    flood_fd = words[0];
    *ret = (struct spawned){.pid = fork(), .control_fd = control[0], .words_fd = words[0]};
    if (ret->pid == 0)
        flood(words[1]);
    close(words[1]);
    ret->pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
    cr_assert(ret->pidfd >= 0);
    return true;
}

/* ---- A machine on which no process can be started: the linker puts this in the real one's place
 * ----
 */

bool __wrap_spawn_sandbox(const struct sandbox *box, struct spawned *ret); /* NOLINT */
bool __wrap_spawn_sandbox(const struct sandbox *box, struct spawned *ret)  /* NOLINT */
{
    struct timespec until;
    pthread_t thread;

    if (flood_ms)
        return spawn_flood(ret);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    cr_assert_eq(pthread_create(&thread, NULL, take_lock, NULL), 0);
    is_lockable = pthread_timedjoin_np(thread, NULL, &until) == 0;
    return false;
}

static struct sandbox *poked;

/* Under the keeper's lock. A sandbox that was never open is not tried again. */
void __wrap_lane_poke(struct lane *lane); /* NOLINT */
void __wrap_lane_poke(struct lane *lane)  /* NOLINT */
{
    poked->is_open = poked->lanes[0] != lane;
}

static struct sandbox *create_box(void)
{
    struct sandbox *box = calloc(1, sizeof *box);

    *box = (struct sandbox){
        .name = "toy", .bits_fd = -1, .pidfd = -1, .control_fd = -1, .words_fd = -1};
    box->arena = stoa_arena_create();
    return box;
}

static void end_box(struct sandbox *box)
{
    keeper_close(box);
    while (keeper_count() > 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

Test(keeper, tells_those_who_wait_that_no_process_could_be_started, .timeout = 120)
{
    struct sandbox *box = poked = create_box();
    struct diag diag = {0};

    box->is_open = true;
    box->loops = 1;
    box->ends[0] = -1;
    box->lanes[0] = lane_create(box, 0);
    cr_assert_eq(keeper_start(box, &diag), STOA_E_PLUGIN);
    cr_assert_eq(box->life, 2, "the first failure poked the lane");
    end_box(box);
}

static const char *circuit_after(int64_t ms)
{
    static char said[16];
    struct sandbox *box = create_box();
    struct stoa_json *object = stoa_json_object(box->arena);

    box->circuit =
        (struct circuit){.state = CIRCUIT_PROBING, .since_ms = clock_monotonic_ms() - ms};
    port_sandbox.status(box, object, box->arena);
    snprintf(said, sizeof said, "%s", stoa_json_str(object, "circuit").ptr);
    stoa_arena_destroy(box->arena);
    free(box);
    return said;
}

Test(keeper, the_status_of_what_has_recovered_is_closed)
{
    cr_assert_str_eq(circuit_after(0), "probing");
    cr_assert_str_eq(circuit_after(CIRCUIT_PROVEN_MS), "closed");
}

Test(keeper, starts_processes_without_its_lock)
{
    struct sandbox *box = create_box();
    struct diag diag = {0};

    cr_assert_eq(keeper_start(box, &diag), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "no process could be started"), "%s", diag.message);
    cr_assert(is_lockable, "a loop would have waited for the start");
    end_box(box);
}

/* A child that writes all the time would have the lock for itself. Its last words are heard. */
Test(keeper, reads_what_a_child_writes_now_and_then, .timeout = 120)
{
    struct sandbox *box = create_box();
    struct diag diag = {0};
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int64_t started = clock_monotonic_ms(), seconds;

    if (self < 0)
        cr_skip_test("there is no pidfd_open(2) here, as under Valgrind 3.19");
    close(self);
    flood_ms = 1500;
    cr_assert_eq(keeper_start(box, &diag), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "exit status 3"), "%s", diag.message);
    cr_assert(memmem(box->words, box->words_len, "the end", 7), "%s", diag.message);
    seconds = (clock_monotonic_ms() - started) / 1000 + 2; /* that it was seen in, and its end */
    cr_assert_leq(flood_reads, (seconds + 1) * KEEPER_WORDS_READS);
    flood_ms = 0;
    end_box(box);
}
