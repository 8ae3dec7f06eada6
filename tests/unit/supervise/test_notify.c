/* What a service manager hears. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/notify.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager(struct sockaddr_un *at, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)at, len), 0);
    return fd;
}

static void hears(int fd, const char *wanted)
{
    char text[256];
    ssize_t len = recv(fd, text, sizeof text - 1, 0);

    text[len > 0 ? len : 0] = '\0';
    cr_assert_str_eq(text, wanted);
}

Test(notify, reaches_a_socket_in_the_file_system)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char wanted[80];
    int fd;

    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/stoa-notify-%d", (int)getpid());
    unlink(at.sun_path);
    fd = manager(&at, sizeof at);
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    notify_ready("serving");
    snprintf(wanted, sizeof wanted, "READY=1\nMAINPID=%d\nSTATUS=serving", (int)getpid());
    hears(fd, wanted);
    close(fd);
    unlink(at.sun_path);
}

Test(notify, reaches_an_abstract_socket)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char name[64];
    int fd, len = snprintf(name, sizeof name, "@stoa-notify-%d", (int)getpid());

    memcpy(at.sun_path + 1, name + 1, (size_t)len - 1);
    fd = manager(&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len));
    setenv("NOTIFY_SOCKET", name, 1);
    notify("STOPPING=1");
    hears(fd, "STOPPING=1");
    close(fd);
}

Test(notify, without_a_manager_nothing_happens)
{
    unsetenv("NOTIFY_SOCKET");
    notify("READY=1");
    setenv("NOTIFY_SOCKET", "/no/such/socket", 1);
    notify("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify("READY=1");
}

Test(notify, the_watchdog_may_be_another_processs)
{
    char pid[16];

    setenv("WATCHDOG_USEC", "3000000", 1);
    cr_assert_eq(notify_watchdog_ms(), 3000);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    cr_assert_eq(notify_watchdog_ms(), 3000);
    setenv("WATCHDOG_PID", "1", 1);
    cr_assert_eq(notify_watchdog_ms(), 0);
}

Test(notify, sockets_of_another_process_are_not_ours)
{
    char pid[16];
    int fds[4];

    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", "1", 1);
    cr_assert_eq(notify_listen_fds(fds, 4), 0);
    cr_assert_null(getenv("LISTEN_FDS"));
    setenv("LISTEN_FDS", "9", 1);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    cr_assert_eq(notify_listen_fds(fds, 4), 4, "no more than there is room for");
    cr_assert_eq(fds[0], 3);
    cr_assert_eq(fds[3], 6);
}
