/* A child that does not answer is told from a host that does not listen.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/watch.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CPU_MS = 10, STALL_MS = 300 }; /* ten times CPU_MS is the end of its patience */

static struct loop *loop;
static struct watch watch;
static struct loop_io *questions, *answers;
static int question[2], answer[2];
static bool hangs, stalls;

static void on_hangs(void *data, const char *why)
{
    hangs = true;
    loop_stop(loop);
}

static void on_ping(void *data, uint32_t number)
{
    if (number == 3)
        loop_stop(loop);
    else if (stalls)
        cr_assert_eq(write(question[1], "?", 1), 1);
}

/* The answer comes while this loop, after it has looked for what is there, does something else. */
static void on_question(void *data, int ready)
{
    char byte;

    cr_assert_eq(read(question[0], &byte, 1), 1);
    cr_assert_eq(write(answer[1], "!", 1), 1);
    nanosleep(&(struct timespec){.tv_nsec = STALL_MS * 1000000L}, NULL);
}

static void on_answer(void *data, int ready)
{
    char byte;

    cr_assert_eq(read(answer[0], &byte, 1), 1);
    watch_pong(&watch, watch.asked);
}

static void run(void)
{
    struct watch_options options = {
        .cpu_ms = CPU_MS, .pid = getpid(), .ping = on_ping, .hangs = on_hangs};

    options.loop = loop = loop_create(0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, question), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, answer), 0);
    questions = loop_io_create(loop, question[0], on_question, NULL);
    answers = loop_io_create(loop, answer[0], on_answer, NULL);
    loop_io_want(questions, LOOP_READ);
    loop_io_want(answers, LOOP_READ);
    watch_start(&watch, &options);
    loop_run(loop);
    watch_stop(&watch);
    loop_io_destroy(questions);
    loop_io_destroy(answers);
    loop_destroy(loop);
}

Test(watch, ends_who_does_not_answer)
{
    run();
    cr_assert(hangs);
}

Test(watch, a_loop_that_stood_still_reads_the_answer_first)
{
    stalls = true;
    run();
    cr_assert_not(hangs);
}
