/* call/deliver.h: from one database's bus to its subscribers, side by side on fibers, each as soon
 * as there is a place for it: nobody waits for another subscriber's handler. In order for each
 * subscriber and aggregate. All of it on the relay's loop. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_DELIVER_H
#define CALL_DELIVER_H

#include "plugin/world.h"

enum {
    DELIVER_AT_ONCE = 16, /* of one database; who has none on its way may begin one all the same */
    DELIVER_TO_ONE = 8,   /* of those to one subscriber */
    DELIVER_WAIT_MS = 5000, /* longest pause of what waits for a plugin that cannot be reached */
};
#define DELIVER_AHEAD 32 /* read at once; of a subscriber, when none that was read waits */

/* Its plugin, or the node or sandbox of it, refused an event: until then no other is tried, then
 * one at a time until one has reached it. */
struct outage {
    char subscriber[40]; /* "": nobody's */
    int64_t until_ms;    /* UTC, as what is due is */
    uint32_t pause_ms;   /* doubled each time, up to DELIVER_WAIT_MS */
};

struct delivery;
struct deliveries {
    struct sql *sql;
    uint32_t backoff_ms; /* first pause after a failed try, doubled each time */
    /* One has ended; further ones may begin, or none is left. */
    void (*delivered)(struct deliveries *deliveries);
    struct delivery *first; /* read or on their way, the oldest event first */
    uint32_t running;
    bool must_look;    /* there may be more than was read */
    int64_t looked_ms; /* the last time; what was put off is looked for each EVENT_POLL_MS */
    struct outage outages[WORLD_PLUGINS_MAX];
};

/* On the relay's fiber: begins what has a place, and reads what is due when must_look says so. They
 * pin the world that is in force when they begin. */
void deliver_due(struct deliveries *all);
/* Forgets what was read and has not begun: it may be another process's now. */
void deliver_forget(struct deliveries *all);

#endif
