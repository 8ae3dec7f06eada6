/* supervise/crash.h: the last words of a worker: "crash SIGNAL PLUGIN GENERATION ADDRESS ROUTE
 * WHERE", with "-" for what is not known. SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISE_CRASH_H
#define SUPERVISE_CRASH_H

#include <stdbool.h>
#include <stoa/str.h>

struct crash {
    int signal;
    char plugin[32];     /* whose code it was; empty: not known */
    uint64_t generation; /* of that plugin */
    char address[20];    /* "0x55d0…" */
    char route[96];      /* of the request; empty: not known */
    bool is_called;      /* not the plugin's own code, but something that it had called */
};
/* Says it on fd. In a signal handler: async-signal-safe. */
void crash_send(int fd, const struct crash *crash);
/* For the handler, too. */
void crash_format_address(uintptr_t address, char ret[20]);
/* False: the message is no such thing. */
bool crash_parse(stoa_str message, struct crash *ret);

#endif
