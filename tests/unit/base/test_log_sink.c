/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_line.h"
#include "base/log_sink.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char lines[1 << 20];
static size_t lines_len;

/* Numbered lines of different lengths: what is lost or torn shows. */
static void start(void)
{
    signal(SIGPIPE, SIG_IGN);
    for (uint32_t i = 0; lines_len < sizeof(lines) - 4200; i++)
        lines_len +=
            (size_t)sprintf(lines + lines_len, "%u:%0*u\n", i, (int)(i * 37 % 4000 + 1), i);
}
TestSuite(log_sink, .init = start);

static size_t drain(int fd, char *into)
{
    size_t all = 0;
    ssize_t n;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    while ((n = read(fd, into + all, sizeof(lines) - all)) > 0)
        all += (size_t)n;
    return all;
}

/* Writes all through a reader that empties the pipe only when it is full. */
static void arrives_whole(int out, int in)
{
    static char got[sizeof(lines)];
    size_t written = 0, read_len = 0, rounds = 0;

    log_sink_set(out);
    while (written < lines_len) {
        ssize_t n = log_sink_write(lines + written, lines_len - written);
        cr_assert_geq(n, 0);
        cr_assert(n == 0 || lines[written + (size_t)n - 1] == '\n', "takes whole lines only");
        written += (size_t)n;
        read_len += drain(in, got + read_len);
        cr_assert_lt(rounds++, 10000, "goes on");
    }
    for (uint32_t i = 0; i < 10 && read_len < lines_len; i++) {
        cr_assert_geq(log_sink_write("", 0), 0); /* what was torn last */
        read_len += drain(in, got + read_len);
    }
    cr_assert_eq(read_len, lines_len);
    cr_assert_arr_eq(got, lines, lines_len);
}

Test(log_sink, never_waits_and_never_tears_a_line_on_a_pipe)
{
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    arrives_whole(ends[1], ends[0]);
    cr_assert_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0, "the caller's file stays as it was");
}

Test(log_sink, never_waits_and_never_tears_a_line_on_a_socket)
{
    int ends[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    arrives_whole(ends[1], ends[0]);
}

Test(log_sink, says_when_nobody_reads_any_more)
{
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    log_sink_set(ends[1]);
    close(ends[0]);
    cr_assert_eq(log_sink_write("x\n", 2), -1);
    log_sink_set(-1);
    cr_assert_eq(log_sink_write("x\n", 2), -1);
}

Test(log_sink, appends_to_a_file_and_keeps_the_old_one_when_it_cannot)
{
    char dir[] = "/tmp/stoa-test-XXXXXX", path[64], got[16] = "";

    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/log", dir);
    cr_assert(log_sink_open(path));
    cr_assert_eq(log_sink_write("one\n", 4), 4);
    cr_assert_not(log_sink_open("/nonexistent/log"));
    cr_assert(log_sink_open(path));
    cr_assert_eq(log_sink_write("two\n", 4), 4);
    int fd = open(path, O_RDONLY);
    cr_assert_eq(read(fd, got, sizeof(got)), 8);
    cr_assert_str_eq(got, "one\ntwo\n");
    unlink(path);
    rmdir(dir);
}
