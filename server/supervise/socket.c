/* supervise/socket.c: small, local, for whoever may read the data folder. SPDX-License-Identifier:
 * Apache-2.0 */
#include "supervise/socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

bool socket_address(const char *data, struct sockaddr_un *ret)
{
    int len;

    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    len = snprintf(ret->sun_path, sizeof ret->sun_path, "%s/control.sock", data);
    return len > 0 && (size_t)len < sizeof ret->sun_path;
}

static stoa_err refuse_long(const char *data, struct diag *diag)
{
    diag_set(diag, data, 0, 0, "the data folder's path is too long for its control socket");
    diag_hint(diag, "choose one of at most %d bytes with --data DIR",
              (int)(sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/control.sock"));
    return STOA_E_CONFIG;
}

stoa_err socket_open(const char *data, struct diag *diag, int *ret)
{
    struct sockaddr_un address;
    mode_t before;
    int fd, failed;

    if (!socket_address(data, &address))
        return refuse_long(data, diag);
    unlink(address.sun_path); /* a killed process left it; the lock says that it is gone */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    before = umask(0077);
    failed = bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 64);
    umask(before);
    if (!failed) {
        *ret = fd;
        return STOA_OK;
    }
    diag_set(diag, address.sun_path, 0, 0, "the control socket cannot be opened: %s",
             strerror(errno));
    diag_hint(diag, "choose another folder with --data DIR, or correct its owner");
    if (fd >= 0)
        close(fd);
    return STOA_E_CONFIG;
}

void socket_remove(const char *data)
{
    struct sockaddr_un address;

    if (socket_address(data, &address))
        unlink(address.sun_path);
}

void socket_say(int fd, stoa_str answer)
{
    while (answer.len > 0) {
        ssize_t n = send(fd, answer.ptr, answer.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return;
        if (n > 0)
            answer = stoa_str_sub(answer, (uint64_t)n, UINT64_MAX);
    }
}
