/* http/certificates.c: what an operator is told of certificates: in a plan, in the status, in the
 * log, as a metric. SPDX-License-Identifier: Apache-2.0 */
#include "http/internal.h"

#include "base/log.h"
#include "base/metrics.h"
#include <time.h>

enum { DAY_S = 86400 };

static stoa_str copy(struct stoa_arena *arena, const char *text)
{
    return stoa_str_copy(arena, stoa_str_of(text));
}

static stoa_str format_time(int64_t seconds, struct stoa_arena *arena)
{
    char text[32];
    time_t time = (time_t)seconds;
    struct tm tm;

    gmtime_r(&time, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return copy(arena, text);
}

struct about {
    struct stoa_json *list;
    struct stoa_arena *arena;
    const char *address;
    int64_t now_s;
};

/* change: "added" …; NULL in the status. */
static void put_pair(const struct about *about, const struct tls_pair *pair, const char *change)
{
    struct stoa_json *one;
    char problem[TLS_PROBLEM_MAX];
    bool has_problem = tls_problem(pair, about->now_s, problem);

    if (change && strcmp(change, "unchanged") == 0 && !has_problem)
        return;
    one = stoa_json_push(about->list, stoa_json_object(about->arena));
    stoa_json_set_str(one, "address", copy(about->arena, about->address));
    if (change)
        stoa_json_set_str(one, "change", copy(about->arena, change));
    stoa_json_set_str(one, "file", copy(about->arena, pair->file));
    stoa_json_set_str(one, "names", copy(about->arena, pair->names));
    stoa_json_set_str(one, "sha256", copy(about->arena, pair->sha256));
    stoa_json_set_str(one, "until", format_time(pair->until_s, about->arena));
    stoa_json_set_int(one, "days", (pair->until_s - about->now_s) / DAY_S);
    if (has_problem)
        stoa_json_set_str(one, "problem", copy(about->arena, problem));
}

void http_certificates_status(struct http *http, struct stoa_json *list, struct stoa_arena *arena)
{
    struct about about = {.list = list, .arena = arena, .now_s = time(NULL)};

    pthread_mutex_lock(&http->lock);
    for (uint32_t i = 0; i < http->listener_count; i++) {
        const struct http_listener *l = &http->listeners[i];
        about.address = l->sockets.bound;
        for (uint32_t k = 0; l->is_open && tls_pair(l->tls, k); k++)
            put_pair(&about, tls_pair(l->tls, k), NULL);
    }
    pthread_mutex_unlock(&http->lock);
}

void http_each_kept(struct http *http, void (*each)(void *data, const char *address, int fd),
                    void *data)
{
    pthread_mutex_lock(&http->lock);
    for (uint32_t i = 0; i < http->listener_count; i++) {
        struct http_listener *l = &http->listeners[i];
        if (!l->is_kept_told && l->is_open)
            each(data, l->sockets.address, tls_kept(l->tls));
        l->is_kept_told = true;
    }
    pthread_mutex_unlock(&http->lock);
}

/* ---- Plans ---- */

static const struct tls_pair *find_pair(const struct tls *tls, const char *file)
{
    const struct tls_pair *pair = NULL;

    for (uint32_t i = 0; (pair = tls_pair(tls, i)) && strcmp(pair->file, file) != 0; i++)
        continue;
    return pair;
}

static void compare(const struct about *about, const struct tls *old, const struct tls *new)
{
    bool is_same = tls_is_same(old, new);
    const struct tls_pair *pair;

    for (uint32_t i = 0; (pair = tls_pair(new, i)); i++)
        put_pair(about, pair,
                 is_same                      ? "unchanged"
                 : find_pair(old, pair->file) ? "changed"
                                              : "added");
    for (uint32_t i = 0; (pair = tls_pair(old, i)); i++)
        if (!find_pair(new, pair->file))
            put_pair(about, pair, "removed");
}

static const struct tls *in_force(const struct http *http, const char *address)
{
    for (uint32_t i = 0; http && i < http->listener_count; i++)
        if (http->listeners[i].is_open && strcmp(http->listeners[i].sockets.address, address) == 0)
            return http->listeners[i].tls;
    return NULL;
}

stoa_err http_certificates_plan(const struct http *http, const struct http_wanted *wanted,
                                struct diag *diag, struct stoa_json *list, struct stoa_arena *arena)
{
    struct about about = {.list = list, .arena = arena, .now_s = time(NULL)};

    for (uint32_t i = 0; i < wanted->listen_count; i++) {
        const struct http_listen *listen = &wanted->listen[i];
        struct tls *tls = NULL;
        if (listen->certificate_count > 0)
            STOA_TRY(http_load_tls(wanted, i, -1, diag, &tls));
        about.address = listen->address;
        compare(&about, in_force(http, listen->address), tls);
        tls_release(tls);
    }
    return STOA_OK;
}

/* ---- Log and metric ---- */

static void log_problem(const struct http_listener *listener, const struct tls_pair *pair)
{
    char problem[TLS_PROBLEM_MAX];
    int64_t now_s = time(NULL);
    bool is_valid = now_s >= pair->from_s && now_s < pair->until_s && !pair->why;

    if (tls_problem(pair, now_s, problem))
        log_put(is_valid ? STOA_WARN : STOA_ERROR, "tls", "a certificate needs attention",
                STOA_FIELDS(stoa_f("address", stoa_z(listener->sockets.bound)),
                            stoa_f("file", stoa_z(pair->file)), stoa_f("why", stoa_z(problem))));
}

void http_certificates_log(const struct http_listener *listener)
{
    const struct tls_pair *pair;

    for (uint32_t i = 0; (pair = tls_pair(listener->tls, i)); i++) {
        log_info("tls", "a certificate is in force",
                 stoa_f("address", stoa_z(listener->sockets.bound)),
                 stoa_f("names", stoa_z(pair->names)), stoa_f("sha256", stoa_z(pair->sha256)),
                 stoa_f("days", stoa_i((pair->until_s - (int64_t)time(NULL)) / DAY_S)));
        log_problem(listener, pair);
    }
}

static void look_at(struct http *http, int64_t now_s, bool is_daily)
{
    const struct tls_pair *pair;
    int64_t first = INT64_MAX;

    for (uint32_t i = 0; i < http->listener_count; i++)
        for (uint32_t k = 0;
             http->listeners[i].is_open && (pair = tls_pair(http->listeners[i].tls, k)); k++) {
            first = pair->until_s < first ? pair->until_s : first;
            if (is_daily)
                log_problem(&http->listeners[i], pair);
        }
    metric_set(METRIC_certificate_seconds_left, first == INT64_MAX ? 0 : first - now_s);
}

void http_certificates_watch(struct http *http)
{
    int64_t now_s = time(NULL);
    bool is_daily = http->certificates_day && now_s / DAY_S != http->certificates_day;

    pthread_mutex_lock(&http->lock);
    look_at(http, now_s, is_daily);
    pthread_mutex_unlock(&http->lock);
    http->certificates_day = now_s / DAY_S;
}
