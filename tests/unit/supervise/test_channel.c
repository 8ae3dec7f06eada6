/* Messages stay whole and apart. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/channel.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static char text[CHANNEL_MESSAGE_MAX];

Test(channel, messages_come_one_by_one)
{
    int ends[2], passed;

    cr_assert(channel_create(ends));
    cr_assert_eq(channel_receive(ends[1], text, false, &passed), -1, "there is none yet");
    cr_assert(channel_send(ends[0], STOA_STR("one"), -1));
    cr_assert(channel_send(ends[0], STOA_STR("two!"), -1));
    cr_assert_eq(channel_receive(ends[1], text, true, &passed), 3);
    cr_assert_eq(channel_receive(ends[1], text, true, &passed), 4);
    cr_assert_eq(passed, -1);
    close(ends[0]);
    cr_assert_eq(channel_receive(ends[1], text, true, &passed), 0, "the other end is gone");
    close(ends[1]);
}

Test(channel, a_descriptor_comes_along)
{
    int ends[2], passed, null = open("/dev/null", O_RDONLY);
    struct stat one, other;

    cr_assert(channel_create(ends));
    cr_assert(channel_send(ends[0], STOA_STR("ask status"), null));
    cr_assert_eq(channel_receive(ends[1], text, false, &passed), 10);
    cr_assert_geq(passed, 0);
    cr_assert_neq(passed, null);
    cr_assert_eq(fstat(null, &one), 0);
    cr_assert_eq(fstat(passed, &other), 0);
    cr_assert_eq(one.st_rdev, other.st_rdev);
    cr_assert(fcntl(passed, F_GETFD) & FD_CLOEXEC);
}

Test(channel, who_does_not_read_holds_nobody_up)
{
    int ends[2], sent = 0;

    cr_assert(channel_create(ends));
    while (sent < 100000 && channel_send(ends[0], STOA_STR("ping"), -1))
        sent++;
    cr_assert_lt(sent, 100000);
}

static void *read_all(void *fd)
{
    int passed;

    while (channel_receive(*(int *)fd, text, true, &passed) > 0)
        continue;
    return NULL;
}

Test(channel, what_must_arrive_waits_for_a_slow_reader)
{
    int64_t began;
    pthread_t reader;
    int ends[2];
    bool is_told;

    cr_assert(channel_create(ends));
    while (channel_send(ends[0], STOA_STR("ping"), -1))
        continue;
    cr_assert(!channel_tell(ends[0], STOA_STR("limits"), -1), "nobody reads at all");
    cr_assert_eq(pthread_create(&reader, NULL, read_all, &ends[1]), 0);
    do { /* again when the reader was slower than it waits */
        began = clock_monotonic_ms();
        is_told = channel_tell(ends[0], STOA_STR("limits"), -1);
        cr_assert(is_told || clock_monotonic_ms() - began >= 500, "it did not wait");
    } while (!is_told);
    close(ends[0]);
    pthread_join(reader, NULL);
}

Test(channel, what_is_too_long_is_not_sent)
{
    int ends[2];

    cr_assert(channel_create(ends));
    cr_assert(!channel_send(ends[0], (stoa_str){text, sizeof text + 1}, -1));
}
