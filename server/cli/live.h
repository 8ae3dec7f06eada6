/* cli/live.h: what follows the configuration while the shop runs, beside its world: limits, rate,
 * log, listeners. SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LIVE_H
#define CLI_LIVE_H

#include "apply/apply.h"
#include "http/http.h"

struct live {
    struct http *http;
    struct cache *cache;
    uint32_t loops;
    struct http_move *move; /* prepared, and neither committed nor abandoned yet */
};
/* live outlives the apply thread. */
struct apply_follower live_follower(struct live *live);
struct http_limits live_limits(const struct config *config);
/* To the supervisor: those that it keeps to. */
void live_tell_limits(const struct config *config);

#endif
