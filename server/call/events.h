/* call/events.h: from the outbox to every subscriber: at least once, with effect once. The relay of
 * a database moves rows of stoa_outbox to the bus (the embedded one: stoa_bus), delivers what is
 * due, tries again with back-off, and leaves dead letters. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_EVENTS_H
#define CALL_EVENTS_H

#include "plugin/resources.h"

enum {
    EVENT_ATTEMPTS_MAX = 5,
    EVENT_TIMEOUT_MS = 30000,
    EVENT_POLL_MS = 500, /* when nobody wakes the relay */
    LEASE_MS = 5000,
};

/* Before the loops run. owner: this process, the same after a restart. backoff_ms: first pause
 * after a failed delivery, doubled each time. */
void events_init(struct resources *resources, uint32_t loops, const char *owner,
                 uint32_t backoff_ms);
/* Before a world with other databases comes into force; from then on on one thread. A database has
 * a relay for good; one that no plugin uses any more is asked nothing. */
void events_add(const struct resources *resources);
/* On each loop's thread, as often as one likes: starts the relays that belong to it. */
void events_attach(void);
/* Any loop: something was committed to this database's outbox. */
void events_wake(struct sql *sql);
/* No new delivery begins. */
void events_stop(void);
bool events_stopping(void);
/* Another process of this node does what must happen once; until events_release(). Before the loops
 * run. */
void events_hold(void);
void events_release(void); /* any thread */
/* This process may do the work that must happen once on that database. */
bool events_lease_held(const struct sql *sql);
/* The same for one plugin's jobs, of which several nodes may have it. */
bool events_jobs_lease_held(const struct sql *sql, const char *plugin);

#endif
