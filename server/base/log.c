/* base/log.c: structured logs. Each thread gathers whole lines and hands them over in one write;
 * lines that the reader cannot take yet wait in that buffer, and are lost and counted when it is
 * full. SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/clock.h"
#include "base/log_line.h"
#include "base/log_sink.h"
#include "base/metrics.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { GATHER_MAX = 64 << 10, LOSS_REPORT_MS = 1000 };

struct gather {
    uint32_t len;
    char bytes[GATHER_MAX];
};

static _Atomic bool is_text;
static _Atomic bool has_colours, is_terminal;
static _Atomic int least_level = STOA_INFO;
static _Atomic int64_t lost_unreported, loss_report_due_ms;

static struct {
    pthread_mutex_t lock;
    char file[LOG_FILE_MAX]; /* "": standard error */
    bool is_open;
} chosen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static __thread struct gather *mine;
static pthread_key_t thread_end;
static pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;

static void release_gather(void *gather)
{
    mine = gather;
    log_flush();
    free(gather);
    mine = NULL;
}

static void init_key(void)
{
    stoa_assert(pthread_key_create(&thread_end, release_gather) == 0);
}

static struct gather *my_gather(void)
{
    if (__builtin_expect(mine != NULL, 1))
        return mine;
    mine = malloc(sizeof(*mine));
    stoa_assert(mine);
    mine->len = 0;
    pthread_once(&thread_end_once, init_key);
    stoa_assert(pthread_setspecific(thread_end, mine) == 0);
    return mine;
}

/* https://no-color.org: set and not empty means none, whatever it says. */
static bool wants_colours(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no_color && no_color[0]) && !(term && strcmp(term, "dumb") == 0);
}

void log_init(int fd, enum log_format format, stoa_level least)
{
    is_terminal = log_sink_set(fd);
    has_colours = is_terminal && wants_colours();
    log_set(format, least);
}

void log_set(enum log_format format, stoa_level least)
{
    is_text = format == LOG_TEXT || (format == LOG_AUTO && is_terminal);
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
}

static stoa_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (stoa_level)i;
    return STOA_INFO;
}

static stoa_err open_chosen(void)
{
    bool is_file = chosen.file[0];

    chosen.is_open = !is_file || log_sink_open(chosen.file);
    if (!chosen.is_open)
        return STOA_E_CONFIG;
    is_terminal = !is_file && log_sink_set(STDERR_FILENO);
    has_colours = is_terminal && wants_colours();
    return STOA_OK;
}

stoa_err log_configure(const char *file, const char *format, const char *level)
{
    stoa_err err = STOA_OK;

    log_flush();
    pthread_mutex_lock(&chosen.lock);
    if (!chosen.is_open || strcmp(chosen.file, file) != 0) { /* else a line may be half out */
        snprintf(chosen.file, sizeof chosen.file, "%s", file);
        err = open_chosen();
    }
    pthread_mutex_unlock(&chosen.lock);
    log_set(strcmp(format, "json") == 0   ? LOG_JSON
            : strcmp(format, "text") == 0 ? LOG_TEXT
                                          : LOG_AUTO,
            level_of(level));
    return err;
}

stoa_err log_reopen(char file[LOG_FILE_MAX])
{
    stoa_err err = STOA_OK;

    log_flush();
    pthread_mutex_lock(&chosen.lock);
    memcpy(file, chosen.file, LOG_FILE_MAX);
    if (*file)
        err = open_chosen();
    pthread_mutex_unlock(&chosen.lock);
    return err;
}

bool log_enabled(stoa_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static void lose(int64_t lines)
{
    metric_add(METRIC_log_lines_lost_total, lines);
    atomic_fetch_add_explicit(&lost_unreported, lines, memory_order_relaxed);
}

static int64_t count_lines(const char *bytes, uint32_t len)
{
    int64_t lines = 0;

    for (uint32_t i = 0; i < len; i++)
        lines += bytes[i] == '\n';
    return lines;
}

static void hand_over(struct gather *gather)
{
    ssize_t done = gather->len ? log_sink_write(gather->bytes, gather->len) : 0;

    if (done < 0) { /* a disk that is full, a reader that is gone: keeping the lines helps nobody */
        lose(count_lines(gather->bytes, gather->len));
        gather->len = 0;
        return;
    }
    gather->len -= (uint32_t)done;
    if (done && gather->len)
        memmove(gather->bytes, gather->bytes + done, gather->len);
}

/* Room for one line, or NULL: it is lost. */
static char *line_room(struct gather *gather)
{
    if (GATHER_MAX - gather->len < LOG_LINE_MAX)
        hand_over(gather);
    if (GATHER_MAX - gather->len < LOG_LINE_MAX) {
        lose(1);
        return NULL;
    }
    return gather->bytes + gather->len;
}

static void gather_event(struct gather *gather, const struct log_event *event)
{
    char *room = line_room(gather);

    if (room)
        gather->len +=
            is_text ? log_line_text(room, event, has_colours) : log_line_json(room, event);
}

/* Once the reader takes lines again it learns what it has missed; at most once a second. */
static void report_loss(struct gather *gather)
{
    int64_t now = clock_monotonic_ms();

    if (now < atomic_load_explicit(&loss_report_due_ms, memory_order_relaxed))
        return;
    int64_t lost = atomic_exchange_explicit(&lost_unreported, 0, memory_order_relaxed);
    if (!lost)
        return;
    atomic_store_explicit(&loss_report_due_ms, now + LOSS_REPORT_MS, memory_order_relaxed);
    struct log_event event = {.level = STOA_WARN,
                              .area = "log",
                              .message = "lines were lost: the reader did not keep up",
                              .fields = STOA_FIELDS(stoa_f("count", stoa_i(lost)))};
    gather_event(gather, &event);
    hand_over(gather);
}

void log_flush(void)
{
    if (!mine || !mine->len)
        return;
    hand_over(mine);
    if (!mine->len && atomic_load_explicit(&lost_unreported, memory_order_relaxed))
        report_loss(mine);
}

uint32_t log_waiting(void)
{
    return mine ? mine->len : 0;
}

void log_put(stoa_level level, const char *area, const char *message, struct stoa_fields fields)
{
    struct log_event event = {level, area, message, fields};

    if (!log_enabled(level))
        return;
    gather_event(my_gather(), &event);
    log_flush();
}

void log_access(const struct log_access *entry)
{
    struct gather *gather = my_gather();
    char *room = log_enabled(STOA_INFO) ? line_room(gather) : NULL;

    if (room)
        gather->len += is_text ? log_line_access_text(room, entry, has_colours)
                               : log_line_access_json(room, entry);
}
