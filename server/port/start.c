/* port/start.c: the own program once more. The child gets nothing but /dev/null, a pipe for its
 * last words and its control socket; all else comes over that. SPDX-License-Identifier: Apache-2.0
 */
#include "port/start.h"

#include "base/spawn.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { CONTROL_FD = 3 };

const char *keeper_program = "/proc/self/exe";

struct made {
    int control[2], words[2]; /* [0] the host's */
    int theirs[WORLD_LOOPS_MAX];
    struct spawned *ret;
};

static void close_all(int *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

static bool make_sockets(struct made *m, uint32_t loops)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, m->control) != 0 ||
        pipe2(m->words, O_CLOEXEC) != 0)
        return false;
    fcntl(m->words[0], F_SETFL, O_NONBLOCK);
    fcntl(m->words[1], F_SETFL, O_NONBLOCK); /* who does not read must not stop it */
    for (uint32_t i = 0; i < loops; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
            return false;
        m->ret->ends[i] = pair[0];
        m->theirs[i] = pair[1];
    }
    return true;
}

static bool start_process(struct made *m, const char *name)
{
    char *const arguments[] = {(char *)"stoa", (char *)"__sandbox", (char *)name, NULL};
    char *const environment[] = {NULL};
    const struct spawn_fd fds[] = {{SPAWN_NULL, STDIN_FILENO},
                                   {SPAWN_NULL, STDOUT_FILENO},
                                   {m->words[1], STDERR_FILENO},
                                   {m->control[1], CONTROL_FD}};

    return spawn_start(&(struct spawn){.program = keeper_program,
                                       .arguments = arguments,
                                       .environment = environment,
                                       .fds = fds,
                                       .fd_count = sizeof fds / sizeof *fds,
                                       .close_from = CONTROL_FD + 1,
                                       .is_own_group = true},
                       &m->ret->pid);
}

static bool send_start(const struct made *m, const struct sandbox *box)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * (WORLD_LOOPS_MAX + 1))];
    } space = {0};
    const size_t fds_len = sizeof(int) * (box->loops + 1);
    struct iovec bytes = {box->start, box->start_len};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = space.bytes,
                             .msg_controllen = CMSG_SPACE(fds_len)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds_len);
    memcpy(CMSG_DATA(head), &box->bits_fd, sizeof(int));
    memcpy(CMSG_DATA(head) + sizeof(int), m->theirs, sizeof(int) * box->loops);
    return sendmsg(m->control[0], &message, MSG_NOSIGNAL) == (ssize_t)box->start_len;
}

static bool start_and_tell(struct made *m, const struct sandbox *box)
{
    if (!start_process(m, box->name))
        return false;
    m->ret->pidfd = (int)syscall(SYS_pidfd_open, m->ret->pid, 0);
    if (m->ret->pidfd >= 0 && send_start(m, box))
        return true;
    kill(m->ret->pid, SIGKILL);
    waitpid(m->ret->pid, NULL, 0);
    return false;
}

bool spawn_sandbox(const struct sandbox *box, struct spawned *ret)
{
    struct made m = {.control = {-1, -1}, .words = {-1, -1}, .ret = ret};
    bool done;

    *ret = (struct spawned){.pidfd = -1, .control_fd = -1, .words_fd = -1};
    memset(ret->ends, -1, sizeof ret->ends);
    memset(m.theirs, -1, sizeof m.theirs);
    done = make_sockets(&m, box->loops) && start_and_tell(&m, box);
    close_all(m.theirs, WORLD_LOOPS_MAX);
    close_all(&m.control[1], 1);
    close_all(&m.words[1], 1);
    if (done) {
        ret->control_fd = m.control[0];
        ret->words_fd = m.words[0];
        return true;
    }
    close_all(ret->ends, WORLD_LOOPS_MAX);
    close_all(&ret->pidfd, 1);
    close_all(m.control, 1);
    close_all(m.words, 1);
    return false;
}
