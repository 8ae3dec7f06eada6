/* cli/process.h: what a process that serves and the one above it set up in the same way.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include "config/config.h"
#include "supervise/supervise.h"

enum { PROCESS_LISTEN_MAX = 16 };

struct process_log {
    const char *file, *format, *level; /* as log.file, log.format, log.level */
};
void process_open_log(const struct process_log *log);
void process_open_configured_log(const struct config *config);
/* "loops", or the number of cores. */
uint32_t process_loops(const struct config *config);
/* A list of strings, at most PROCESS_LISTEN_MAX of them. */
uint32_t process_list(struct stoa_arena *arena, const struct config *config, const char *path,
                      const char *ret[PROCESS_LISTEN_MAX]);

/* Serves until the end. handed: by a supervisor; NULL: this process is alone (`stoa run --single`).
 * Exit status. */
struct cli;
int process_serve(const struct cli *cli, struct handover *handed);

#endif
