/* cli/live.h: what follows the configuration while the shop runs, beside its world: limits, rate,
 * log, listeners, what is watched. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include "apply/apply.h"
#include "http/http.h"

struct live {
    struct http *http;
    struct cache *cache;
    uint32_t loops;
    struct http_move *move; /* prepared, and neither committed nor abandoned yet */
    struct edits *edits;    /* of `run --watch`; NULL: none. Set before the first apply */
};
/* live outlives the apply thread. */
struct apply_follower live_follower(struct live *live);
struct http_limits live_limits(const struct config *config);
/* To the supervisor: the limits that it keeps to, and the log that it writes as well. */
void live_tell(const struct config *config);

#endif
