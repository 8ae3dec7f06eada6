/* supervise/notify.h: the two ends of a service manager's interface: telling it how things are
 * (sd_notify(3)), and sockets that it has opened (sd_listen_fds(3)). Without a library: both are a
 * few environment variables. SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISE_NOTIFY_H
#define SUPERVISE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* "READY=1", "STOPPING=1", … to $NOTIFY_SOCKET; nothing happens without one. */
void notify(const char *state);
/* "RELOADING=1" with the time that Type=notify-reload asks for. */
void notify_reloading(void);
/* "READY=1" with this process as the main one, and a line for people. */
void notify_ready(const char *status);
/* How often a sign of life is wanted, ms; 0: not at all. */
int64_t notify_watchdog_ms(void);

/* Listening sockets that were passed to this process: copies their numbers (at most size), and
 * takes the variables away. How many; 0 when they are meant for another process. */
uint32_t notify_listen_fds(int *ret, uint32_t size);

#endif
