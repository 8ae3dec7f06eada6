/* config/evaluate.c: the parent's side. A hook inside Lua cannot stop a loop inside C (measured),
 * so the file runs in a process of its own that can be killed. SPDX-License-Identifier: Apache-2.0
 */
#include "config/evaluate.h"

#include "base/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/json.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *evaluate_program = "/proc/self/exe";
int32_t evaluate_wall_ms = 5000;

stoa_err evaluate_read_fd(struct stoa_arena *arena, int fd, uint64_t max, stoa_str *ret)
{
    struct stoa_buf buf;
    ssize_t got = 1;

    stoa_buf_init(&buf, arena, 4096);
    while (got > 0 && buf.len <= max) {
        char *room = stoa_buf_reserve(&buf, 4096);
        do
            got = read(fd, room, 4096);
        while (got < 0 && errno == EINTR);
        buf.len += got > 0 ? (uint64_t)got : 0;
    }
    if (got < 0)
        return STOA_E_FORBIDDEN;
    if (buf.len > max)
        return STOA_E_TOO_LARGE;
    *ret = stoa_buf_str(&buf);
    return STOA_OK;
}

stoa_err evaluate_read(struct stoa_arena *arena, const char *path, uint64_t max, stoa_str *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    stoa_err err;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? STOA_E_NOT_FOUND : STOA_E_FORBIDDEN;
    err = evaluate_read_fd(arena, fd, max, ret);
    close(fd);
    return err;
}

/* ---- The child ---- */

struct child {
    pid_t pid; /* 0: none */
    bool has_waited;
    int in, out;
};

/* A socket goes in, not a pipe: writing to a child that has died is no signal. One that is to wait
 * has a group of its own: a signal to the whole group of a worker is not about it. */
static bool start(struct child *ret, bool is_to_wait)
{
    char *const arguments[] = {(char *)"stoa", (char *)"__config", NULL};
    int in[2], out[2];
    bool ok;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0)
        return false;
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    const struct spawn_fd fds[] = {{in[1], STDIN_FILENO}, {out[1], STDOUT_FILENO}};
    ok = spawn_start(&(struct spawn){.program = evaluate_program,
                                     .arguments = arguments,
                                     .fds = fds,
                                     .fd_count = sizeof fds / sizeof *fds,
                                     .close_from = STDERR_FILENO + 1,
                                     .is_own_group = is_to_wait},
                     &ret->pid);
    close(in[1]);
    close(out[1]);
    ret->has_waited = false;
    ret->in = in[0];
    ret->out = out[0];
    if (!ok) {
        close(in[0]);
        close(out[0]);
        ret->pid = 0;
    }
    return ok;
}

/* Its status; a failure when somebody else has taken that. */
static int end(struct child *child, bool kill_it)
{
    int status = 0;
    pid_t ended;

    if (child->in >= 0)
        close(child->in);
    close(child->out);
    if (kill_it)
        kill(child->pid, SIGKILL);
    do
        ended = waitpid(child->pid, &status, 0);
    while (ended < 0 && errno == EINTR);
    child->pid = 0;
    return ended < 0 ? W_EXITCODE(EXIT_FAILURE, 0) : status;
}

/* ---- The one that waits ---- */

static struct {
    pthread_mutex_t lock;
    struct child child;
    bool is_over;
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

void evaluate_prepare(void)
{
    pthread_mutex_lock(&spare.lock);
    if (spare.is_over && spare.child.pid)
        (void)end(&spare.child, true);
    if (!spare.child.pid && !spare.is_over && !start(&spare.child, true))
        spare.child.pid = 0; /* the next evaluation starts its own, or says why not */
    pthread_mutex_unlock(&spare.lock);
}

void evaluate_end_spare(void)
{
    pthread_mutex_lock(&spare.lock);
    spare.is_over = true;
    if (spare.child.pid && spare.child.in >= 0) {
        close(spare.child.in);
        spare.child.in = -1;
    }
    pthread_mutex_unlock(&spare.lock);
}

/* False: there was none. */
static bool take_spare(struct child *ret)
{
    pthread_mutex_lock(&spare.lock);
    if (spare.is_over) {
        pthread_mutex_unlock(&spare.lock);
        return false;
    }
    *ret = spare.child;
    ret->has_waited = true;
    spare.child.pid = 0;
    pthread_mutex_unlock(&spare.lock);
    return ret->pid != 0;
}

/* ---- A conversation ---- */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* False: it does not take it, or not in time. */
static bool send_all(int fd, stoa_str bytes, int64_t deadline)
{
    while (bytes.len > 0) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        int64_t left = deadline - now_ms();

        if (n > 0)
            bytes = stoa_str_sub(bytes, (uint64_t)n, UINT64_MAX);
        else if (left <= 0 || (errno != EAGAIN && errno != EINTR) ||
                 (poll(&wait, 1, (int)left) < 0 && errno != EINTR))
            return false;
    }
    return true;
}

/* The name of the file with its NUL, then the text, then the end. */
static bool tell(struct child *child, const struct evaluate_source *source, int64_t deadline)
{
    bool ok =
        send_all(child->in, (stoa_str){source->origin, strlen(source->origin) + 1}, deadline) &&
        send_all(child->in, source->text, deadline);

    close(child->in);
    child->in = -1;
    return ok;
}

/* A fresh one that does not listen will say why by its end. */
static bool ask(const struct evaluate_source *source, int64_t deadline, bool fresh,
                struct child *ret)
{
    if (!fresh && take_spare(ret)) {
        if (tell(ret, source, deadline))
            return true;
        (void)end(ret, true);
    }
    if (!start(ret, false))
        return false;
    (void)tell(ret, source, deadline);
    return true;
}

/* Reads fd to its end. False when that takes too long or brings too much. */
static bool read_result(int fd, int64_t deadline, struct stoa_buf *out)
{
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int64_t left = deadline - now_ms();
        char *room = stoa_buf_reserve(out, 16384);

        if (left <= 0 || out->len > EVALUATE_RESULT_MAX + 4096)
            return false;
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        ssize_t got = read(fd, room, 16384);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        out->len += got > 0 ? (uint64_t)got : 0;
    }
}

/* What the child wrote about a mistake in the file: {line, column, message, hint}. */
static void take_problem(struct stoa_arena *arena, stoa_str text, const char *path,
                         struct diag *diag)
{
    const struct stoa_json *problem = NULL;
    stoa_str message, hint;

    if (stoa_json_parse(arena, text, NULL, &problem) != STOA_OK)
        problem = NULL;
    message = stoa_json_str(problem, "message");
    hint = stoa_json_str(problem, "hint");
    diag_set(diag, path, (uint32_t)stoa_json_int(problem, "line", 0),
             (uint32_t)stoa_json_int(problem, "column", 0), "%.*s",
             message.len ? (int)message.len : 31,
             message.len ? message.ptr : "the file could not be evaluated");
    if (hint.len)
        diag_hint(diag, "%.*s", (int)hint.len, hint.ptr);
}

static void explain_end(int status, bool whole, const char *path, struct diag *diag)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        diag_set(diag, path, 0, 0, "ran for more than %d s of processor time", EVALUATE_CPU_S);
    else if (!whole)
        diag_set(diag, path, 0, 0, "took more than %d s", evaluate_wall_ms / 1000);
    else if (WIFSIGNALED(status))
        diag_set(diag, path, 0, 0, "the evaluation was ended by signal %d", WTERMSIG(status));
    else
        diag_set(diag, path, 0, 0, "the evaluation ended with exit code %d", WEXITSTATUS(status));
    diag_hint(diag, "the file is to describe the shop: look for an endless loop or a huge table");
}

static stoa_err cannot_start(const char *path, struct diag *diag)
{
    diag_set(diag, path, 0, 0, "no process could be started to evaluate it");
    diag_hint(diag, "the system is short of processes or files");
    return STOA_E_CONFIG;
}

static bool has_result(int status)
{
    return WIFEXITED(status) &&
           (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EVALUATE_READ_FILES);
}

struct answer {
    struct stoa_buf out;
    bool whole;
    int status;
};

/* False: nobody could be asked. One that waited may have been ended for what it is not about, such
 * as the machine's want of memory: then another is asked. */
static bool converse(const struct evaluate_source *source, struct answer *answer)
{
    int64_t deadline = now_ms() + evaluate_wall_ms;
    struct child child;
    bool fresh = false;

    for (;;) {
        if (!ask(source, deadline, fresh, &child))
            return false;
        answer->out.len = 0;
        answer->whole = read_result(child.out, deadline, &answer->out);
        answer->status = end(&child, !answer->whole);
        fresh = answer->whole && child.has_waited && WIFSIGNALED(answer->status) &&
                WTERMSIG(answer->status) != SIGXCPU;
        if (!fresh)
            return true;
    }
}

stoa_err evaluate_text(struct stoa_arena *arena, const struct evaluate_source *source,
                       struct diag *diag, struct evaluate_result *ret)
{
    const char *path = source->origin;
    struct answer answer;

    stoa_buf_init(&answer.out, arena, 16384);
    if (!converse(source, &answer))
        return cannot_start(path, diag);
    if (answer.whole && has_result(answer.status)) {
        *ret = (struct evaluate_result){stoa_buf_str(&answer.out), WEXITSTATUS(answer.status) == 0};
        return STOA_OK;
    }
    if (answer.whole && WIFEXITED(answer.status) &&
        WEXITSTATUS(answer.status) == EVALUATE_BAD_CONFIG)
        take_problem(arena, stoa_buf_str(&answer.out), path, diag);
    else
        explain_end(answer.status, answer.whole, path, diag);
    return STOA_E_CONFIG;
}
