/* config/evaluate.c: the parent's side. A hook inside Lua cannot stop a loop inside C (measured),
 * so the file runs in a process of its own that can be killed. SPDX-License-Identifier: Apache-2.0
 */
#include "config/evaluate.h"

#include "base/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stoa/json.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *evaluate_program = "/proc/self/exe";
int32_t evaluate_wall_ms = 5000;

stoa_err evaluate_read(struct stoa_arena *arena, const char *path, uint64_t max, stoa_str *ret)
{
    struct stoa_buf buf;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? STOA_E_NOT_FOUND : STOA_E_FORBIDDEN;
    stoa_buf_init(&buf, arena, 4096);
    while (got > 0 && buf.len <= max) {
        char *room = stoa_buf_reserve(&buf, 4096);
        do
            got = read(fd, room, 4096);
        while (got < 0 && errno == EINTR);
        buf.len += got > 0 ? (uint64_t)got : 0;
    }
    close(fd);
    if (got < 0)
        return STOA_E_FORBIDDEN;
    if (buf.len > max)
        return STOA_E_TOO_LARGE;
    *ret = stoa_buf_str(&buf);
    return STOA_OK;
}

static bool spawn_child(const struct evaluate_source *source, int out, pid_t *ret)
{
    char *const arguments[] = {(char *)"stoa", (char *)"__config", (char *)source->path,
                               (char *)source->origin, NULL};
    const struct spawn_fd fds[] = {{SPAWN_NULL, STDIN_FILENO}, {out, STDOUT_FILENO}};

    return spawn_start(&(struct spawn){.program = evaluate_program,
                                       .arguments = arguments,
                                       .fds = fds,
                                       .fd_count = sizeof fds / sizeof *fds,
                                       .close_from = STDERR_FILENO + 1},
                       ret);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads fd to its end. False when that takes too long or brings too much. */
static bool read_result(int fd, struct stoa_buf *out)
{
    int64_t deadline = now_ms() + evaluate_wall_ms;

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

static int wait_for(pid_t child, bool kill_it)
{
    int status = 0;

    if (kill_it)
        kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
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

stoa_err evaluate_file(struct stoa_arena *arena, const struct evaluate_source *source,
                       struct diag *diag, stoa_str *ret)
{
    const char *path = source->origin;
    struct stoa_buf out;
    int pipe_fds[2], status;
    pid_t child;
    bool whole, started;

    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return cannot_start(path, diag);
    started = spawn_child(source, pipe_fds[1], &child);
    close(pipe_fds[1]);
    if (!started) {
        close(pipe_fds[0]);
        return cannot_start(path, diag);
    }
    stoa_buf_init(&out, arena, 16384);
    whole = read_result(pipe_fds[0], &out);
    status = wait_for(child, !whole);
    close(pipe_fds[0]);
    if (whole && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        *ret = stoa_buf_str(&out);
        return STOA_OK;
    }
    if (whole && WIFEXITED(status) && WEXITSTATUS(status) == EVALUATE_BAD_CONFIG)
        take_problem(arena, stoa_buf_str(&out), path, diag);
    else
        explain_end(status, whole, path, diag);
    return STOA_E_CONFIG;
}
