/* supervise/channel.c: SOCK_SEQPACKET keeps messages apart. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 1000 };

union control {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(sizeof(int))];
};

bool channel_create(int ret[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) == 0;
}

bool channel_send(int fd, stoa_str message, int passed)
{
    union control control = {0};
    struct iovec text = {(char *)message.ptr, message.len};
    struct msghdr m = {.msg_iov = &text, .msg_iovlen = 1};
    ssize_t n;

    if (message.len > CHANNEL_MESSAGE_MAX) {
        errno = EMSGSIZE;
        return false;
    }
    if (passed >= 0) {
        struct cmsghdr *c = &control.header;
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &passed, sizeof passed);
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof control.bytes;
    }
    do
        n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)message.len;
}

bool channel_tell(int fd, stoa_str message, int passed)
{
    struct pollfd room = {fd, POLLOUT, 0};

    return channel_send(fd, message, passed) ||
           (errno == EAGAIN && poll(&room, 1, PATIENCE_MS) > 0 &&
            channel_send(fd, message, passed));
}

int channel_receive(int fd, char *ret, bool wait, int *passed)
{
    union control control;
    struct iovec text = {ret, CHANNEL_MESSAGE_MAX};
    struct msghdr m = {.msg_iov = &text,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    const struct cmsghdr *c;
    ssize_t n;

    *passed = -1;
    do
        n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? -1 : 0;
    c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(passed, CMSG_DATA(c), sizeof *passed);
    return (int)n;
}
