/* cli/live.c: opening can fail and is done while the old world serves; the rest is set once the new
 * one is in force. SPDX-License-Identifier: Apache-2.0 */
#include "cli/live.h"

#include "apply/build.h"
#include "base/log.h"
#include "cli/edits.h"
#include "cli/process.h"
#include "fiber/fiber.h"
#include "gate/rate.h"
#include "supervise/link.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static uint32_t limit(const struct config *config, const char *name)
{
    char path[64];

    snprintf(path, sizeof path, "limits.%s", name);
    return (uint32_t)config_int(config, path);
}

struct http_limits live_limits(const struct config *c)
{
    return (struct http_limits){
        .connections = limit(c, "connections"),
        .connections_per_address = limit(c, "connections_per_address"),
        .handshakes = limit(c, "handshakes"),
        .handshakes_per_address = limit(c, "handshakes_per_address"),
        .in_flight = limit(c, "in_flight"),
        .in_flight_per_address = limit(c, "in_flight_per_address"),
        .head_max = limit(c, "head"),
        .target_max = limit(c, "target"),
        .headers_max = limit(c, "headers"),
        .body_max = limit(c, "body"),
        .request_ms = limit(c, "request_time"),
        .stall_bytes = limit(c, "stall_rate"),
        .stall_ms = limit(c, "stall_time"),
        .drain_ms = limit(c, "drain"),
    };
}

void live_tell(const struct config *config)
{
    static char told[PATH_MAX + 200]; /* by one thread after the other; "": nothing yet */
    stoa_str file = config_str(config, "log.file"), format = config_str(config, "log.format"),
             level = config_str(config, "log.level");
    char limits[64], start[32], log[PATH_MAX + 64], now[sizeof told];

    snprintf(limits, sizeof limits, "limits %u %u", limit(config, "drain"),
             limit(config, "plugin_crashes"));
    snprintf(log, sizeof log, "log %.*s %.*s %.*s", (int)format.len, format.ptr, (int)level.len,
             level.ptr, (int)file.len, file.ptr ? file.ptr : "");
    snprintf(start, sizeof start, "start %u", limit(config, "start"));
    snprintf(now, sizeof now, "%s\n%s\n%s", limits, start, log);
    if (strcmp(told, now) == 0)
        return;
    memcpy(told, now, sizeof told);
    link_say("%s", limits);
    link_say("%s", log);
    link_say("%s", start);
}

static stoa_err prepare_listeners(struct live *live, const struct config *config, struct diag *diag)
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct http_wanted wanted = process_wanted(arena, config);
    stoa_err err = http_move_prepare(live->http, &wanted, diag, &live->move);

    stoa_arena_destroy(arena);
    return err == STOA_OK ? STOA_OK : process_at_listen(config, diag);
}

static stoa_err plan(void *data, const struct config *config, struct diag *diag,
                     struct stoa_json *ret, struct stoa_arena *arena)
{
    struct live *live = data;
    const struct http_wanted wanted = process_wanted(arena, config);
    struct stoa_json *list = stoa_json_set(ret, "certificates", stoa_json_array(arena));

    if (http_certificates_plan(live->http, &wanted, diag, list, arena) != STOA_OK)
        return process_at_listen(config, diag);
    for (const struct stoa_json *c = stoa_json_first(list); c; c = stoa_json_next(c))
        if (!stoa_str_is(stoa_json_str(c, "change"), "unchanged"))
            stoa_json_set_bool(ret, "changes", true);
    return STOA_OK;
}

static stoa_err check_log(const struct config *config, struct diag *diag)
{
    stoa_str file = config_str(config, "log.file");
    char path[1100];
    int fd;

    if (file.len == 0)
        return STOA_OK;
    snprintf(path, sizeof path, "%.*s", (int)file.len, file.ptr);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd >= 0) {
        close(fd);
        return STOA_OK;
    }
    config_problem(config, "log.file", diag, "the log cannot be opened: %s", strerror(errno));
    return STOA_E_CONFIG;
}

static stoa_err prepare(void *data, const struct config *config, struct diag *diag)
{
    STOA_TRY(check_log(config, diag));
    return prepare_listeners(data, config, diag);
}

static void set_log(const struct config *config)
{
    if (process_open_log(config) != STOA_OK)
        log_error("log", "the log could not be opened again",
                  stoa_f("file", stoa_s(config_str(config, "log.file"))));
}

/* What was watched stays so: an apply that finds nothing new costs little. */
static void watch_too(struct live *live, const struct config *config)
{
    char plugin_path[PATH_MAX];

    if (!live->edits)
        return;
    build_plugin_path(config, plugin_path);
    edits_follow(live->edits, config, plugin_path);
}

static void commit(void *data, const struct config *config)
{
    struct live *live = data;
    const struct http_limits limits = live_limits(config);

    http_move_each(live->move, link_listen, NULL);
    http_move_commit(live->move);
    live->move = NULL;
    http_each_kept(live->http, link_keep, NULL);
    http_set_limits(live->http, &limits);
    rate_init((uint32_t)config_int(config, "rate.requests"),
              (uint32_t)config_int(config, "rate.burst"), live->loops);
    cache_resize(live->cache, (uint64_t)config_int(config, "resources.cache.max"));
    fiber_limit(limit(config, "fibers"));
    set_log(config);
    live_tell(config);
    watch_too(live, config);
}

static void abandon(void *data)
{
    struct live *live = data;

    http_move_abandon(live->move);
    live->move = NULL;
}

struct apply_follower live_follower(struct live *live)
{
    return (struct apply_follower){
        .plan = plan, .prepare = prepare, .commit = commit, .abandon = abandon, .data = live};
}
