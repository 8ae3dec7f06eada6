/* cli/process.c: log, loops, lists. SPDX-License-Identifier: Apache-2.0 */
#include "cli/process.h"

#include "base/log.h"
#include "plugin/world.h"
#include <fcntl.h>
#include <unistd.h>

void process_open_log(const struct process_log *log)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    enum log_format format = strcmp(log->format, "json") == 0   ? LOG_JSON
                             : strcmp(log->format, "text") == 0 ? LOG_TEXT
                                                                : LOG_AUTO;
    stoa_level least = STOA_INFO;
    int fd = -1;

    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(log->level, levels[i]) == 0)
            least = (stoa_level)i;
    if (*log->file)
        fd = open(log->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    log_init(fd >= 0 ? fd : STDERR_FILENO, format, least);
}

void process_open_configured_log(const struct config *config)
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct process_log log = {stoa_cstr(arena, config_str(config, "log.file")),
                                    stoa_cstr(arena, config_str(config, "log.format")),
                                    stoa_cstr(arena, config_str(config, "log.level"))};

    process_open_log(&log);
    stoa_arena_destroy(arena);
}

uint32_t process_loops(const struct config *config)
{
    int64_t set = config_int(config, "loops");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t n = set > 0 ? set : cores;

    return n < 1 ? 1 : n > WORLD_LOOPS_MAX ? WORLD_LOOPS_MAX : (uint32_t)n;
}

uint32_t process_list(struct stoa_arena *arena, const struct config *config, const char *path,
                      const char *ret[PROCESS_LISTEN_MAX])
{
    const struct stoa_json *list = stoa_json_get(config_json(config), path);
    uint32_t n = 0;

    for (const struct stoa_json *e = stoa_json_first(list); e && n < PROCESS_LISTEN_MAX;
         e = stoa_json_next(e))
        ret[n++] = stoa_cstr(arena, stoa_json_str(e, ""));
    return n;
}
