/* cli/process.h: what a process that serves and the one above it set up in the same way.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PROCESS_H
#define CLI_PROCESS_H

#include "config/config.h"
#include "http/http.h"
#include "supervise/supervise.h"

/* log_configure() with its "log". */
stoa_err process_open_log(const struct config *config);
/* "loops", or the number of cores. */
uint32_t process_loops(const struct config *config);
/* Where this node listens, with which certificates, behind which proxies. Lives in arena. */
struct http_wanted process_wanted(struct stoa_arena *arena, const struct config *config);
/* *diag, which http/ has filled in, at its place in the file. STOA_E_CONFIG. */
stoa_err process_at_listen(const struct config *config, struct diag *diag);

/* Serves until the end. handed: by a supervisor; NULL: this process is alone (`stoa run --single`).
 * Exit status. */
struct cli;
int process_serve(const struct cli *cli, struct handover *handed);

#endif
