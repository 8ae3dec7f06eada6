/* cli/edits.h: `stoa run --watch`, for development: a changed configuration, plugin or theme is
 * applied by itself. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_EDITS_H
#define CLI_EDITS_H

#include "config/config.h"
#include "loop/loop.h"

enum {
    EDITS_FOLDERS_MAX = 256, /* watched at once */
    EDITS_QUIET_MS = 150,    /* an editor or a compiler writes several files */
};

/* On the loop of this thread. changed(data): there, once what changed has been quiet for a moment.
 * What cannot be watched is logged, no more. Until the process ends. */
struct edits; /* NULL: nothing can be watched */
struct edits *edits_watch(const struct config *config, const char *plugin_path,
                          void (*changed)(void *data), void *data);
/* Another configuration is in force: its folders are watched from now on, beside those before. Any
 * thread. */
void edits_follow(struct edits *edits, const struct config *config, const char *plugin_path);

#endif
