/* port/keeper.c: one thread and one lock for all sandboxes: they start and die rarely, and what
 * happens then is short. Children belong to the thread that started them (PDEATHSIG follows it), so
 * it lives as long as the process. SPDX-License-Identifier: Apache-2.0 */
#include "port/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "port/lane.h"
#include "port/message.h"
#include "port/start.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WATCHED_EACH = 3 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct sandbox *all;
    uint32_t count;
    int wake_fd;
    bool is_running;
} keeper = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .wake_fd = -1};

void keeper_lock(void)
{
    pthread_mutex_lock(&keeper.lock);
}

void keeper_unlock(void)
{
    pthread_mutex_unlock(&keeper.lock);
}

static void wake(void)
{
    const uint64_t one = 1;

    while (write(keeper.wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- One life ---- */

static void set_why(struct sandbox *box, const char *why)
{
    if (!box->why[0])
        snprintf(box->why, sizeof box->why, "%s", why);
}

/* It is reaped when its descriptor says that it has ended. */
static void kill_now(struct sandbox *box, const char *why)
{
    set_why(box, why);
    if (box->pid > 0)
        kill(box->pid, SIGKILL);
}

/* The process itself is started a moment later, without the lock; see start_waiting(). */
static void begin_life(struct sandbox *box)
{
    box->life++;
    box->why[0] = '\0';
    box->words_len = 0;
    box->state = SANDBOX_STARTING;
    box->waits_for_start = true;
    box->due_ms = clock_monotonic_ms() + KEEPER_START_MS;
}

static void take_started(struct sandbox *box, const struct spawned *made)
{
    box->pid = made->pid;
    box->pidfd = made->pidfd;
    box->control_fd = made->control_fd;
    box->words_fd = made->words_fd;
    memcpy(box->ends, made->ends, sizeof box->ends);
}

static void take_failure(struct sandbox *box)
{
    int64_t now = clock_monotonic_ms();

    set_why(box, "no process could be started");
    box->state = box->is_open ? SANDBOX_DOWN : SANDBOX_GONE;
    box->due_ms = now + circuit_died(&box->circuit, now);
    for (uint32_t i = 0; box->is_open && i < box->loops; i++)
        lane_poke(box->lanes[i]); /* no child comes soon: requests wait for none */
    pthread_cond_broadcast(&keeper.changed);
}

static void begin_to_serve(struct sandbox *box)
{
    int64_t now = clock_monotonic_ms();

    if (box->is_open)
        log_info("sandbox", "a plugin runs again", stoa_f("plugin", stoa_z(box->name)),
                 stoa_f("pid", stoa_i(box->pid)), stoa_f("life", stoa_i((int64_t)box->life)));
    circuit_lives(&box->circuit, now);
    box->state = SANDBOX_UP;
    box->is_open = true;
    box->up_since_ms = now;
    for (uint32_t i = 0; i < box->loops; i++) {
        lane_offer(box->lanes[i], box->ends[i], box->life);
        box->ends[i] = -1;
    }
}

static bool tell(struct sandbox *box, const char *bytes, size_t len)
{
    return send(box->control_fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void send_table(struct sandbox *box)
{
    box->state = SANDBOX_CREATING;
    if (!tell(box, box->table, box->table_len))
        kill_now(box, "it does not take its settings");
}

static void on_described(struct sandbox *box, struct decoder *in)
{
    uint32_t reached = get_u32(in);
    stoa_str rest = in->rest;

    if (box->state != SANDBOX_STARTING) {
        kill_now(box, "it spoke out of turn");
    } else if (!box->description) {
        box->reached = reached;
        box->description = malloc(rest.len + 1);
        memcpy(box->description, rest.ptr, rest.len);
        box->description_len = rest.len;
        box->state = SANDBOX_DESCRIBED;
    } else if (reached != box->reached ||
               !stoa_str_eq(rest, (stoa_str){box->description, box->description_len})) {
        kill_now(box, "it describes itself otherwise than before");
    } else {
        send_table(box);
    }
}

static void on_created(struct sandbox *box, struct decoder *in)
{
    uint32_t code = get_u32(in);

    if (box->state != SANDBOX_CREATING || in->broken || code >= STOA_E_COUNT) {
        kill_now(box, "it spoke out of turn");
        return;
    }
    box->created = (stoa_err)code;
    if (box->created == STOA_OK)
        begin_to_serve(box);
    else
        kill_now(box, "create() failed");
}

static void on_control(struct sandbox *box)
{
    static char bytes[CONTROL_MAX];
    ssize_t len = recv(box->control_fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);
    struct stoa_arena *arena;
    struct decoder in;
    uint32_t kind;

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0 || len > (ssize_t)sizeof bytes) {
        close_fd(&box->control_fd);
        kill_now(box, len < 0 ? "its control socket broke" : "it closed its control socket");
        return;
    }
    arena = stoa_arena_create();
    in = (struct decoder){.arena = arena, .rest = {bytes, (uint64_t)len}};
    kind = get_u32(&in);
    if (kind == CONTROL_DESCRIBED)
        on_described(box, &in);
    else if (kind == CONTROL_CREATED)
        on_created(box, &in);
    else
        kill_now(box,
                 kind == CONTROL_FAILED ? stoa_cstr(arena, get_str(&in)) : "it spoke nonsense");
    stoa_arena_destroy(arena);
}

/* Its last words tell more than its signal does; what came before them is forgotten. */
static void keep_words(struct sandbox *box, const char *bytes, size_t len)
{
    size_t drop, most = sizeof box->words;

    if (len > most) {
        bytes += len - most;
        len = most;
    }
    drop = box->words_len + len > most ? box->words_len + len - most : 0;
    memmove(box->words, box->words + drop, box->words_len - drop);
    memcpy(box->words + box->words_len - drop, bytes, len);
    box->words_len += len - drop;
}

/* Loops wait for the lock under which this is read: who writes without end is heard later. */
static bool is_hushed(const struct sandbox *box, int64_t now)
{
    return box->words_reads >= KEEPER_WORDS_READS && box->words_second == now / 1000;
}

static void on_words(struct sandbox *box)
{
    int64_t second = clock_monotonic_ms() / 1000;
    char bytes[4096];

    if (box->words_second != second)
        box->words_reads = 0;
    box->words_second = second;
    while (box->words_reads < KEEPER_WORDS_READS) {
        ssize_t len = read(box->words_fd, bytes, sizeof bytes);
        box->words_reads++;
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (len <= 0) {
            close_fd(&box->words_fd);
            return;
        }
        keep_words(box, bytes, (size_t)len);
    }
}

/* ---- Its end ---- */

/* A signal of its own says more than that its sockets closed; our SIGKILL says nothing. */
static void explain(struct sandbox *box, int status)
{
    bool is_ours = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    char text[80];

    if (box->state == SANDBOX_UP && !is_ours)
        box->why[0] = '\0';
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, sizeof text, "exit status %d", WEXITSTATUS(status));
    set_why(box, text);
}

static void report(struct sandbox *box, int64_t pause_ms)
{
    stoa_str words = stoa_str_trim((stoa_str){box->words, box->words_len});

    metric_add(METRIC_sandbox_deaths_total, 1);
    log_error("sandbox", "a plugin's process ended", stoa_f("plugin", stoa_z(box->name)),
              stoa_f("generation", stoa_i((int64_t)box->generation)),
              stoa_f("why", stoa_z(box->why)), stoa_f("last_words", stoa_s(words)),
              stoa_f("pid", stoa_i(box->pid)), stoa_f("life", stoa_i((int64_t)box->life)),
              stoa_f("circuit", stoa_z(circuit_name(box->circuit.state))),
              stoa_f("next_start_ms", stoa_i(pause_ms)));
}

static void died(struct sandbox *box)
{
    int64_t now = clock_monotonic_ms(), pause_ms;

    circuit_look(&box->circuit, now);
    pause_ms = circuit_died(&box->circuit, now);
    box->deaths++;
    box->state = SANDBOX_DOWN;
    box->due_ms = now + pause_ms;
    report(box, pause_ms);
    for (uint32_t i = 0; i < box->loops; i++)
        lane_poke(box->lanes[i]);
}

static void on_exit_of(struct sandbox *box)
{
    int status = 0;

    if (waitpid(box->pid, &status, WNOHANG) != box->pid)
        return;
    box->words_reads = 0; /* a pipe holds less than one second's reads */
    if (box->words_fd >= 0)
        on_words(box);
    explain(box, status);
    close_fd(&box->pidfd);
    close_fd(&box->control_fd);
    close_fd(&box->words_fd);
    for (uint32_t i = 0; i < box->loops; i++)
        close_fd(&box->ends[i]);
    if (box->state == SANDBOX_ENDING || box->is_closed || !box->is_open)
        box->state = SANDBOX_GONE;
    else
        died(box);
    box->pid = 0;
    pthread_cond_broadcast(&keeper.changed);
}

/* ---- The thread ---- */

static bool is_between(const struct sandbox *box)
{
    return box->state == SANDBOX_STARTING || box->state == SANDBOX_CREATING;
}

static void begin_to_end(struct sandbox *box, int64_t now)
{
    const uint32_t end = CONTROL_END;

    box->waits_for_start = false;
    box->state = box->pid > 0 ? SANDBOX_ENDING : SANDBOX_GONE;
    box->due_ms = now + KEEPER_END_MS;
    if (box->pid > 0 && !tell(box, (const char *)&end, sizeof end))
        kill_now(box, "ended");
}

/* What is due now; returns when something is due next, or INT64_MAX. */
static int64_t act(struct sandbox *box, int64_t now)
{
    if (box->is_closed && box->state < SANDBOX_ENDING)
        begin_to_end(box, now);
    if (box->state == SANDBOX_DOWN && now >= box->due_ms)
        begin_life(box);
    if ((is_between(box) || box->state == SANDBOX_ENDING) && now >= box->due_ms) {
        kill_now(box, box->state == SANDBOX_ENDING ? "ended" : "it took too long to start");
        box->due_ms = now + KEEPER_START_MS;
    }
    return box->state == SANDBOX_DOWN || box->state == SANDBOX_ENDING || is_between(box)
               ? box->due_ms
               : INT64_MAX;
}

static void free_box(struct sandbox *box)
{
    close_fd(&box->bits_fd);
    for (uint32_t i = 0; i < box->loops; i++)
        lane_free(box->lanes[i]);
    free(box->start);
    free(box->description);
    if (box->table)
        explicit_bzero(box->table, box->table_len); /* secrets of its settings */
    free(box->table);
    stoa_arena_destroy(box->arena);
    free(box);
}

/* Those that are gone and that nobody holds. */
static void sweep(void)
{
    struct sandbox **at = &keeper.all;

    while (*at) {
        struct sandbox *box = *at;
        if (box->state != SANDBOX_GONE || !box->is_closed || box->refs > 0) {
            at = &box->next;
            continue;
        }
        *at = box->next;
        keeper.count--;
        free_box(box);
    }
}

static int act_on_all(void)
{
    int64_t now = clock_monotonic_ms(), next = INT64_MAX;

    for (struct sandbox *box = keeper.all; box; box = box->next) {
        int64_t due = act(box, now);
        next = due < next ? due : next;
    }
    sweep();
    if (next == INT64_MAX)
        return -1;
    return next <= now ? 0 : (int)(next - now < 60000 ? next - now : 60000);
}

/* Starts one that waits for it; false: there is none. Loops ask for the lock on their requests'
 * way, and a start takes milliseconds: it is made without. Nobody else starts or frees a sandbox,
 * and what a start reads of one never changes. */
static bool start_waiting(void)
{
    struct sandbox *box = keeper.all;
    struct spawned made;
    bool done;

    while (box && !box->waits_for_start)
        box = box->next;
    if (!box)
        return false;
    box->waits_for_start = false;
    keeper_unlock();
    done = spawn_sandbox(box, &made);
    keeper_lock();
    if (done)
        take_started(box, &made);
    else
        take_failure(box);
    return true;
}

/* *wait_ms is shortened to when one that is hushed is to be heard again. */
static uint32_t watch(struct pollfd *fds, int *wait_ms)
{
    int64_t now = clock_monotonic_ms();
    int left = (int)(1000 - now % 1000);
    uint32_t n = 0;

    fds[n++] = (struct pollfd){.fd = keeper.wake_fd, .events = POLLIN};
    for (struct sandbox *box = keeper.all; box; box = box->next) {
        fds[n++] = (struct pollfd){.fd = box->control_fd, .events = POLLIN};
        fds[n++] =
            (struct pollfd){.fd = is_hushed(box, now) ? -1 : box->words_fd, .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = box->pidfd, .events = POLLIN};
        if (is_hushed(box, now) && (*wait_ms < 0 || left < *wait_ms))
            *wait_ms = left;
    }
    return n;
}

/* The list has only grown at its head meanwhile: by descriptor, not by place. */
static bool is_ready(const struct pollfd *fds, uint32_t n, int fd)
{
    for (uint32_t i = 1; fd >= 0 && i < n; i++)
        if (fds[i].fd == fd)
            return fds[i].revents != 0;
    return false;
}

static void hear(const struct pollfd *fds, uint32_t n)
{
    uint64_t count;

    if (fds[0].revents && read(keeper.wake_fd, &count, sizeof count) < 0)
        stoa_assert(errno == EAGAIN || errno == EINTR);
    for (struct sandbox *box = keeper.all; box; box = box->next) {
        if (is_ready(fds, n, box->words_fd))
            on_words(box);
        if (is_ready(fds, n, box->control_fd))
            on_control(box);
        if (is_ready(fds, n, box->pidfd))
            on_exit_of(box);
    }
    pthread_cond_broadcast(&keeper.changed);
}

static void *thread_main(void *unused)
{
    struct pollfd *fds = NULL;
    uint32_t n;
    int wait_ms;

    for (;;) {
        keeper_lock();
        do
            wait_ms = act_on_all();
        while (start_waiting());
        fds = realloc(fds, (keeper.count * WATCHED_EACH + 1) * sizeof *fds);
        stoa_assert(fds);
        n = watch(fds, &wait_ms);
        keeper_unlock();
        if (poll(fds, n, wait_ms) < 0)
            continue;
        keeper_lock();
        hear(fds, n);
        keeper_unlock();
        log_flush();
    }
    return NULL;
}

static bool run_keeper(void)
{
    if (keeper.is_running)
        return true;
    keeper.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    keeper.is_running = keeper.wake_fd >= 0 && thread_start("sandboxes", thread_main, NULL, NULL);
    return keeper.is_running;
}

/* ---- For others ---- */

static stoa_err refuse(struct sandbox *box, struct diag *diag)
{
    stoa_str words = stoa_str_trim((stoa_str){box->words, box->words_len});

    diag_set(diag, box->name, 0, 0, "its sandbox did not start: %s%s%.*s",
             box->created != STOA_OK ? stoa_err_name(box->created) : box->why,
             words.len > 0 ? "; it wrote: " : "", (int)(words.len < 160 ? words.len : 160),
             words.len > 0 ? words.ptr : "");
    return STOA_E_PLUGIN;
}

/* The keeper ends what takes too long, so this ends, too. */
static stoa_err await(struct sandbox *box, enum sandbox_state state, struct diag *diag)
{
    while (box->state != state && box->state != SANDBOX_GONE)
        pthread_cond_wait(&keeper.changed, &keeper.lock);
    return box->state == state ? STOA_OK : refuse(box, diag);
}

stoa_err keeper_start(struct sandbox *box, struct diag *diag)
{
    stoa_err err = STOA_E_PLUGIN;

    stoa_assert(loop_current() == NULL);
    keeper_lock();
    if (run_keeper()) {
        box->state = SANDBOX_DOWN;
        box->next = keeper.all;
        keeper.all = box;
        keeper.count++;
        wake();
        err = await(box, SANDBOX_DESCRIBED, diag);
    } else {
        diag_set(diag, box->name, 0, 0, "there is no thread for sandboxes");
        box->state = SANDBOX_GONE;
    }
    keeper_unlock();
    return err;
}

stoa_err keeper_create(struct sandbox *box, stoa_str table, struct diag *diag)
{
    stoa_err err;

    keeper_lock();
    box->table = malloc(table.len);
    stoa_assert(box->table);
    memcpy(box->table, table.ptr, table.len);
    box->table_len = table.len;
    if (box->state == SANDBOX_DESCRIBED) {
        box->due_ms = clock_monotonic_ms() + KEEPER_START_MS;
        send_table(box);
        wake();
    }
    err = await(box, SANDBOX_UP, diag);
    keeper_unlock();
    return err;
}

void keeper_kill(struct sandbox *box, uint64_t life, const char *why)
{
    keeper_lock();
    if (life == 0 || life == box->life)
        kill_now(box, why);
    keeper_unlock();
}

void keeper_close(struct sandbox *box)
{
    keeper_lock();
    box->is_closed = true;
    for (uint32_t i = 0; i < box->loops; i++)
        lane_close(box->lanes[i]);
    if (keeper.is_running)
        wake();
    keeper_unlock();
}

uint32_t keeper_count(void)
{
    uint32_t count = 0;

    keeper_lock();
    for (const struct sandbox *box = keeper.all; box; box = box->next)
        count += box->state != SANDBOX_GONE;
    keeper_unlock();
    return count;
}

void keeper_release(struct sandbox *box)
{
    keeper_lock();
    stoa_assert(box->refs > 0);
    box->refs--;
    if (box->refs == 0 && box->is_closed)
        wake();
    keeper_unlock();
}
