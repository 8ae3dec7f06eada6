/* base/log.h: structured logs. One line an event: JSON to a file or pipe, readable text to a
 * terminal. Any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stoa/effects.h>
#include <stoa/value.h>

enum log_format { LOG_AUTO, LOG_JSON, LOG_TEXT };

/* Before any thread starts. fd stays the caller's. Lines are written whole; a reader that does not
 * keep up loses lines, never time: they are counted and the count is logged. */
void log_init(int fd, enum log_format format, stoa_level least);
/* The log as the configuration has it. file: "" is standard error; format: "auto", "json", "text";
 * level: "debug", "info", "warn", "error". From the next line on; a file that it has open already
 * is not opened anew. STOA_E_CONFIG when the file cannot be opened: lines go on where they went,
 * and log_reopen() tries it again. Any thread. */
stoa_err log_configure(const char *file, const char *format, const char *level);
/* Opens the file anew that log_configure() was last told (USR1). *file: its name, "" for standard
 * error, where there is nothing to open. STOA_E_CONFIG as above. Any thread. */
enum { LOG_FILE_MAX = 4096 };
stoa_err log_reopen(char file[LOG_FILE_MAX]);
/* From the next line on. Any thread. */
void log_set(enum log_format format, stoa_level least);
bool log_enabled(stoa_level level);
/* area: "http", "sql", a plugin's name. fields may hold secrets only as their masks. */
void log_put(stoa_level level, const char *area, const char *message, struct stoa_fields fields);
/* The access log's line, formatted into a per-thread buffer and written in batches by the loop. Of
 * path nothing is written from its first '?' on: queries hold tokens that open orders. */
struct log_access {
    stoa_str method, path, route, plugin, client, user_id;
    const char *request_id, *trace_id; /* 32 hexadecimal digits each, or NULL */
    int32_t status;
    uint32_t loop;
    int64_t bytes, duration_us;
    int64_t ended_us; /* by the monotonic clock; 0: now */
};
void log_access(const struct log_access *entry);
/* Writes what this thread has gathered; the loop calls it every few milliseconds. */
void log_flush(void);
/* Bytes of this thread's access lines that wait for log_flush(). */
uint32_t log_waiting(void);

#define log_info(area, message, ...) log_put(STOA_INFO, area, message, STOA_FIELDS(__VA_ARGS__))
#define log_warn(area, message, ...) log_put(STOA_WARN, area, message, STOA_FIELDS(__VA_ARGS__))
#define log_error(area, message, ...) log_put(STOA_ERROR, area, message, STOA_FIELDS(__VA_ARGS__))

#endif
