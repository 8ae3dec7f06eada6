/* base/log_sink.c: where the log's bytes go. O_NONBLOCK belongs to the open file, which a terminal
 * or pipe may share with other processes: so pipes and terminals are opened anew for us alone.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log_sink.h"
#include "base/log_line.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum sink_kind {
    SINK_FILE,   /* never makes us wait for a reader */
    SINK_OWN,    /* non-blocking, ours */
    SINK_SOCKET, /* asked not to wait, call by call */
    SINK_SHARED, /* may block: only what poll() promises there is room for */
};

static struct {
    pthread_mutex_t lock;
    int fd;
    bool is_ours;
    enum sink_kind kind;
    char torn[LOG_LINE_MAX]; /* the rest of a line that went out in part */
    size_t torn_len;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .kind = SINK_SHARED};

static void replace_sink(int fd, bool is_ours, enum sink_kind kind)
{
    pthread_mutex_lock(&sink.lock);
    if (sink.is_ours)
        close(sink.fd);
    sink.fd = fd;
    sink.is_ours = is_ours;
    sink.kind = kind;
    sink.torn_len = 0;
    pthread_mutex_unlock(&sink.lock);
}

static int open_anew(int fd)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

bool log_sink_set(int fd)
{
    struct stat st;
    mode_t type = fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
    bool may_block = type == S_IFIFO || type == S_IFCHR;
    int own = may_block ? open_anew(fd) : -1;

    if (own >= 0)
        replace_sink(own, true, SINK_OWN);
    else
        replace_sink(fd, false,
                     type == S_IFREG    ? SINK_FILE
                     : type == S_IFSOCK ? SINK_SOCKET
                                        : SINK_SHARED);
    return isatty(fd);
}

bool log_sink_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);

    if (fd < 0)
        return false;
    replace_sink(fd, true, SINK_OWN);
    return true;
}

static ssize_t write_once(const char *bytes, size_t len)
{
    if (sink.kind == SINK_SOCKET)
        return send(sink.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sink.kind != SINK_SHARED)
        return write(sink.fd, bytes, len);
    struct pollfd ready = {.fd = sink.fd, .events = POLLOUT};
    if (sink.fd >= 0 && poll(&ready, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    /* A pipe is ready when it has room for PIPE_BUF, so that much does not block. */
    return write(sink.fd, bytes, len < PIPE_BUF ? len : PIPE_BUF);
}

/* As much as goes without waiting; -1 when the sink is broken. */
static ssize_t write_some(const char *bytes, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write_once(bytes + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static bool finish_torn_line(void)
{
    ssize_t done = sink.torn_len ? write_some(sink.torn, sink.torn_len) : 0;

    if (done < 0)
        return false;
    sink.torn_len -= (size_t)done;
    memmove(sink.torn, sink.torn + done, sink.torn_len);
    return true;
}

/* The line that done ends in the middle of is ours to finish: the caller need not keep it. */
static size_t keep_torn_line(const char *bytes, size_t done, size_t len)
{
    const char *line_end = memchr(bytes + done, '\n', len - done);
    size_t rest = line_end ? (size_t)(line_end - bytes) + 1 - done : len - done;

    if (rest > sizeof(sink.torn))
        rest = sizeof(sink.torn);
    memcpy(sink.torn, bytes + done, rest);
    sink.torn_len = rest;
    return done + rest;
}

ssize_t log_sink_write(const char *bytes, size_t len)
{
    ssize_t done = -1;

    pthread_mutex_lock(&sink.lock);
    if (!finish_torn_line())
        sink.torn_len = 0; /* broken: the write below says so */
    if (sink.torn_len)
        done = 0;
    else
        done = write_some(bytes, len);
    if (done > 0 && (size_t)done < len && bytes[done - 1] != '\n')
        done = (ssize_t)keep_torn_line(bytes, (size_t)done, len);
    pthread_mutex_unlock(&sink.lock);
    return done;
}
