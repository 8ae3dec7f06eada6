/* supervise/link.h: the worker's end: what it was handed, what it tells its supervisor, and its
 * last words. SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISE_LINK_H
#define SUPERVISE_LINK_H

#include "supervise/handover.h"

/* Reads STOA_WORKER, takes it away, and ends with its supervisor from then on. False: this process
 * was not started by one. */
bool link_open(struct handover *ret);
/* Whether link_open() found a supervisor. */
bool link_is_open(void);
/* One message (see channel_tell()); nothing without a supervisor. Any thread. */
void link_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The supervisor is to keep these sockets, too, or to let go of them. */
void link_listen(void *unused, const struct http_sockets *sockets, bool is_opened);
/* The supervisor is to keep what fd has of the address' certificates; -1: nothing. */
void link_keep(void *unused, const char *address, int fd);
/* Waits for the next message; see channel_receive(). One thread. */
int link_receive(char *ret, int *passed);
/* From now on a fault tells the supervisor whose code it was. */
void link_watch_crashes(void);

#endif
