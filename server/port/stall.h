/* port/stall.h: names the plugin that keeps a loop busy in the server's own process, where nobody
 * can end it. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_STALL_H
#define PORT_STALL_H

enum { STALL_MS = 100 };

/* From now on, a handler that runs for STALL_MS without a wait is logged with plugin and
 * generation, once, while it still runs. Once a process. */
void stall_watch(void);

#endif
