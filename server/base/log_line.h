/* base/log_line.h: one line of the log as text, in room that is known. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include "base/log.h"

enum { LOG_LINE_MAX = 8192 }; /* bytes, line feed included; what is longer is cut */

struct log_event {
    stoa_level level;
    const char *area, *message;
    struct stoa_fields fields;
};

/* Each writes one line at out (LOG_LINE_MAX bytes) and returns its length. */
uint32_t log_line_json(char *out, const struct log_event *event);
uint32_t log_line_text(char *out, const struct log_event *event, bool has_colours);
uint32_t log_line_access_json(char *out, const struct log_access *entry);
uint32_t log_line_access_text(char *out, const struct log_access *entry, bool has_colours);

/* The time now, as 24 characters that stay until this thread asks again. */
const char *log_line_time(void);
/* s as it may go to a terminal: control characters, which could steer it, as \xNN. Needs four
 * bytes for each of s; returns the end. */
char *log_line_plain(char *out, stoa_str s);
/* s cut to at most max bytes, between characters. */
stoa_str log_line_cut(stoa_str s, uint64_t max);

#endif
