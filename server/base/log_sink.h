/* base/log_sink.h: where the log's bytes go, without ever waiting. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Takes fd as the sink; it stays the caller's. Returns whether it is a terminal. */
bool log_sink_set(int fd);
/* Opens path for appending and takes it as the sink. False with errno set; the old one then stays.
 */
bool log_sink_open(const char *path);
/* Takes whole lines from the front of bytes and returns how many bytes that were: less than len
 * when the reader does not keep up. -1: the sink is broken, nothing can be written. A line that
 * went out in part is finished before any other. Any thread. */
ssize_t log_sink_write(const char *bytes, size_t len);

#endif
