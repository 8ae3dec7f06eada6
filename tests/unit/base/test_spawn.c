/* What the child has is asked of the child: it is one of the system's small programs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/spawn.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MAX = 4096, COUNT_MAX = 16 };

struct child {
    struct spawn spawn;
    struct spawn_fd fds[COUNT_MAX];
    char *arguments[COUNT_MAX];
    char said[SAID_MAX];
    pid_t pid;
};

static void put(struct child *c, int from, int to)
{
    c->fds[c->spawn.fd_count++] = (struct spawn_fd){from, to};
}

/* Runs the line in a shell to its end, and keeps what it says. */
static void run(struct child *c, const char *line)
{
    int ends[2], status;
    ssize_t got, len = 0;

    c->arguments[0] = (char *)"sh";
    c->arguments[1] = (char *)"-c";
    c->arguments[2] = (char *)line;
    c->spawn.program = "/bin/sh";
    c->spawn.arguments = c->arguments;
    c->spawn.fds = c->fds;
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    put(c, ends[1], STDOUT_FILENO);
    cr_assert(spawn_start(&c->spawn, &c->pid), "%s", strerror(errno));
    close(ends[1]);
    while ((got = read(ends[0], c->said + len, (size_t)(SAID_MAX - 1 - len))) > 0)
        len += got;
    close(ends[0]);
    cr_assert_eq(waitpid(c->pid, &status, 0), c->pid);
    cr_assert_eq(status, 0, "status %x, said: %s", (unsigned)status, c->said);
}

/* A pipe with a word in it; its reading end has this number. */
static void make_pipe(int number, const char *word)
{
    int ends[2];

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(write(ends[1], word, strlen(word)), (ssize_t)strlen(word));
    close(ends[1]);
    if (ends[0] != number) {
        cr_assert_eq(dup3(ends[0], number, O_CLOEXEC), number);
        close(ends[0]);
    }
}

static void make_two_pipes(void)
{
    make_pipe(40, "forty\n");
    make_pipe(41, "forty-one\n");
}

static void expect_said(struct child *c, const char *line, const char *said)
{
    run(c, line);
    cr_assert_str_eq(c->said, said);
}

Test(spawn, has_default_signals_and_none_blocked)
{
    struct child c = {.pid = 0};
    sigset_t blocked;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    sigfillset(&blocked);
    cr_assert_eq(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
    run(&c, "exec grep -E '^Sig(Blk|Ign):' /proc/self/status");
    cr_assert(strstr(c.said, "SigBlk:\t0000000000000000\n"), "%s", c.said);
    /* 32 and 33 are the C library's own. */
    cr_assert(strstr(c.said, "SigIgn:\t0000000180000000\n") ||
                  strstr(c.said, "SigIgn:\t0000000000000000\n"),
              "%s", c.said);
}

Test(spawn, has_the_descriptors_at_their_numbers)
{
    struct child c = {.pid = 0};

    make_two_pipes();
    put(&c, 40, 3);
    put(&c, 41, 41);
    expect_said(&c, "cat /dev/fd/3 /dev/fd/41", "forty\nforty-one\n");
    cr_assert_eq(fcntl(40, F_GETFD), FD_CLOEXEC, "they stay open here, and as they were");
    cr_assert_eq(fcntl(41, F_GETFD), FD_CLOEXEC);
}

Test(spawn, has_them_when_numbers_change_places)
{
    struct child c = {.pid = 0};

    make_pipe(40, "was forty\n");
    make_pipe(41, "was forty-one\n");
    make_pipe(42, "was forty-two\n");
    put(&c, 40, 41);
    put(&c, 41, 42);
    put(&c, 42, 40);
    expect_said(&c, "cat /dev/fd/40 /dev/fd/41 /dev/fd/42",
                "was forty-two\nwas forty\nwas forty-one\n");
}

Test(spawn, closes_what_is_above)
{
    struct child c = {.spawn = {.close_from = 10}};

    cr_assert_eq(dup2(STDERR_FILENO, 30), 30); /* without FD_CLOEXEC */
    put(&c, SPAWN_NULL, STDIN_FILENO);
    put(&c, STDERR_FILENO, 9);
    run(&c, "for fd in 0 9 10 30; do [ ! -e /proc/$$/fd/$fd ] || echo $fd; done");
    cr_assert_str_eq(c.said, "0\n9\n");
}

Test(spawn, keeps_nothing_open_here)
{
    struct child c = {.pid = 0};

    make_two_pipes();
    put(&c, 40, 41);
    put(&c, 41, 40);
    expect_said(&c, "cat /dev/fd/40 /dev/fd/41", "forty-one\nforty\n");
    for (int fd = 42; fd < 64; fd++)
        cr_assert_eq(fcntl(fd, F_GETFD), -1, "%d is open", fd);
}

Test(spawn, takes_null_for_reading_and_writing)
{
    struct child c = {.pid = 0};

    put(&c, SPAWN_NULL, STDIN_FILENO);
    put(&c, SPAWN_NULL, 5);
    run(&c, "cat; echo lost >&5; echo end");
    cr_assert_str_eq(c.said, "end\n");
}

Test(spawn, has_the_environment_it_is_given)
{
    char *const environment[] = {(char *)"ONLY=this", NULL};
    struct child given = {.spawn = {.environment = environment}}, own = {.pid = 0};

    setenv("OF_THIS_PROCESS", "yes", 1);
    run(&given, "echo $ONLY $OF_THIS_PROCESS");
    cr_assert_str_eq(given.said, "this\n");
    run(&own, "echo $ONLY $OF_THIS_PROCESS");
    cr_assert_str_eq(own.said, "yes\n");
}

Test(spawn, has_a_group_of_its_own_if_wanted)
{
    struct child own = {.spawn = {.is_own_group = true}}, shared = {.pid = 0};
    const char *line = "read -r pid name state parent group rest </proc/$$/stat; echo $group";
    char expected[32];

    run(&own, line);
    snprintf(expected, sizeof expected, "%d\n", (int)own.pid);
    cr_assert_str_eq(own.said, expected);
    run(&shared, line);
    snprintf(expected, sizeof expected, "%d\n", (int)getpgrp());
    cr_assert_str_eq(shared.said, expected);
}

/* Valgrind makes of vfork() a fork(), so the parent cannot see why the child did not start. */
#ifdef STOA_VALGRIND
enum { SEES_WHY = false };
#else
enum { SEES_WHY = true };
#endif

Test(spawn, says_why_not)
{
    char *const arguments[] = {(char *)"none", NULL};
    struct spawn_fd closed = {.from = 50, .to = 3};
    struct spawn none = {.program = "/no/such/program", .arguments = arguments};
    struct spawn no_fd = {
        .program = "/bin/sh", .arguments = arguments, .fds = &closed, .fd_count = 1};
    pid_t pid = 77;

    if (!SEES_WHY)
        return;
    cr_assert_not(spawn_start(&none, &pid));
    cr_assert_eq(errno, ENOENT);
    cr_assert_not(spawn_start(&no_fd, &pid));
    cr_assert_eq(errno, EBADF);
    cr_assert_eq(pid, 77, "it is nobody's");
    cr_assert_lt(waitpid(-1, NULL, WNOHANG), 0, "there is no child to wait for");
}
