/* supervise/notify.c: datagrams and variables. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/notify.h"

#include "base/clock.h"
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/str.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTEN_FDS_START = 3 };

void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    int fd;

    if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, len);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* abstract */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
        /* The manager does not listen: it will say so itself. */
    }
    close(fd);
}

void notify_reloading(void)
{
    char state[80];

    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_monotonic_us());
    notify(state);
}

void notify_ready(const char *status)
{
    char state[200];

    snprintf(state, sizeof state, "READY=1\nMAINPID=%d\nSTATUS=%s", (int)getpid(), status);
    notify(state);
}

/* A number in the environment; 0: there is none. */
static int64_t number(const char *name)
{
    const char *text = getenv(name);
    int64_t value = 0;

    if (!text || stoa_str_int(stoa_str_of(text), 0, INT64_MAX, &value) != STOA_OK)
        return 0;
    return value;
}

int64_t notify_watchdog_ms(void)
{
    int64_t pid = number("WATCHDOG_PID");

    return pid == 0 || pid == getpid() ? number("WATCHDOG_USEC") / 1000 : 0;
}

uint32_t notify_listen_fds(int *ret, uint32_t size)
{
    int64_t count = number("LISTEN_FDS");
    bool is_mine = number("LISTEN_PID") == getpid();

    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    if (!is_mine)
        return 0;
    if (count > size)
        count = size;
    for (int i = 0; i < count; i++) {
        ret[i] = LISTEN_FDS_START + i;
        (void)fcntl(ret[i], F_SETFD, FD_CLOEXEC);
    }
    return (uint32_t)count;
}
