/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct loop_io *io;
static int fds[2]; /* we watch the first */
static uint32_t reads, writes;

static void setup(void)
{
    loop = loop_create(0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
}

static void teardown(void)
{
    loop_io_destroy(io);
    close(fds[0]);
    close(fds[1]);
    loop_destroy(loop);
}

TestSuite(io, .init = setup, .fini = teardown);

static void watch(int fd, void (*cb)(void *data, int ready), int events)
{
    io = loop_io_create(loop, fd, cb, &io);
    loop_io_want(io, events);
}

static void stop_after_three(void *data, int ready)
{
    cr_assert_eq(data, &io);
    cr_assert(ready == LOOP_READ || ready == LOOP_WRITE);
    reads += ready == LOOP_READ;
    writes += ready == LOOP_WRITE;
    if (reads + writes == 3)
        loop_stop(loop);
}

Test(io, is_level_triggered_for_reading)
{
    cr_assert_eq(write(fds[1], "x", 1), 1);
    watch(fds[0], stop_after_three, LOOP_READ);
    loop_run(loop);
    cr_assert_eq(reads, 3, "the byte was never read");
}

Test(io, is_level_triggered_for_writing)
{
    watch(fds[0], stop_after_three, LOOP_WRITE);
    loop_run(loop);
    cr_assert_eq(writes, 3);
}

static void stop(struct loop_timer *timer)
{
    loop_stop(loop);
}

static void run_for(int64_t ms)
{
    struct loop_timer timer = {.fire = stop};

    loop_timer_arm(loop, &timer, ms);
    loop_run(loop);
}

static void count(void *data, int ready)
{
    reads += ready == LOOP_READ;
    writes += ready == LOOP_WRITE;
}

Test(io, tells_only_what_is_wanted)
{
    cr_assert_eq(write(fds[1], "x", 1), 1);
    watch(fds[0], count, LOOP_WRITE);
    loop_io_want(io, LOOP_READ); /* the write notification is armed already and must be ignored */
    run_for(2);
    cr_assert_gt(reads, 0);
    cr_assert_eq(writes, 0);
    loop_io_want(io, LOOP_READ | LOOP_WRITE);
    run_for(2);
    cr_assert_gt(writes, 0);
    reads = writes = 0;
    loop_io_want(io, 0);
    loop_io_want(io, LOOP_READ);
    loop_io_want(io, 0);
    run_for(2);
    cr_assert_eq(reads + writes, 0);
}

static void write_once(void *data, int ready)
{
    writes++;
    loop_io_want(io, 0);
    loop_io_want(io, LOOP_WRITE);
    loop_io_want(io, LOOP_READ);
}

Test(io, may_change_its_mind_within_the_callback)
{
    watch(fds[0], write_once, LOOP_WRITE);
    run_for(3);
    cr_assert_eq(writes, 1);
}

static void close_at_once(void *data, int ready)
{
    loop_io_destroy(io);
    loop_io_destroy(io); /* once is enough */
    io = NULL;
    close(fds[0]);
    fds[0] = -1;
    reads++;
}

Test(io, may_be_destroyed_within_the_callback_and_the_descriptor_closed)
{
    cr_assert_eq(write(fds[1], "x", 1), 1);
    watch(fds[0], close_at_once, LOOP_READ | LOOP_WRITE); /* both are ready in one turn */
    run_for(3);
    cr_assert_eq(reads, 1);
}

static void take_byte(void *data, int ready)
{
    char byte;

    cr_assert_eq(read(fds[0], &byte, 1), 1);
    loop_stop(loop);
}

Test(io, works_on_for_a_descriptor_number_used_again)
{
    for (int i = 0; i < 10; i++) {
        watch(fds[0], take_byte, LOOP_READ);
        cr_assert_eq(write(fds[1], "x", 1), 1);
        loop_run(loop);
        loop_io_destroy(io);
        io = NULL;
        close(fds[0]);
        close(fds[1]);
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    }
}

static void note_hangup(void *data, int ready)
{
    char byte;

    cr_assert_eq(read(fds[0], &byte, 1), 0);
    reads++;
    loop_io_want(io, 0);
}

Test(io, does_not_spin_on_a_hangup_nobody_asks_about)
{
    uint64_t before;

    watch(fds[0], note_hangup, LOOP_READ);
    close(fds[1]);
    fds[1] = -1;
    run_for(2);
    cr_assert_eq(reads, 1);
    before = loop_turns(loop);
    run_for(20);
    cr_assert_lt(loop_turns(loop) - before, 10);
}

Test(io, leaves_the_descriptors_flags_alone)
{
    int pipe_fds[2];

    cr_assert_eq(pipe(pipe_fds), 0);
    cr_assert_eq(fcntl(pipe_fds[1], F_SETFL, O_WRONLY | O_APPEND), 0);
    watch(pipe_fds[1], stop_after_three, LOOP_WRITE);
    loop_run(loop);
    cr_assert_eq(fcntl(pipe_fds[1], F_GETFL), O_WRONLY | O_APPEND);
    loop_io_destroy(io);
    io = NULL;
    cr_assert_eq(write(pipe_fds[1], "x", 1), 1, "still open, still the caller's");
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void fill(void *data, int ready)
{
    static char block[65536];

    writes++;
    while (write(fds[0], block, sizeof(block)) > 0)
        ;
}

Test(io, tells_again_when_a_full_pipe_drains)
{
    static char block[65536];

    cr_assert_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    cr_assert_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    watch(fds[0], fill, LOOP_WRITE);
    run_for(3);
    cr_assert_eq(writes, 1);
    while (read(fds[1], block, sizeof(block)) > 0)
        ;
    run_for(3);
    cr_assert_eq(writes, 2);
}
