/* port/circuit.h: how long a plugin that dies stays dead. At once the first time, then with
 * back-off; after five deaths a minute not for 30 s, then one try. Pure: times come from the
 * caller. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_CIRCUIT_H
#define PORT_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CIRCUIT_DEATHS = 5,
    CIRCUIT_WINDOW_MS = 60000,
    CIRCUIT_OPEN_MS = 30000,
    CIRCUIT_PROVEN_MS = 5000, /* a probe that lives so long closes the circuit */
};

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_PROBING };

struct circuit { /* all zero: closed */
    enum circuit_state state;
    int64_t deaths[CIRCUIT_DEATHS]; /* monotonic ms of the last ones, oldest first; 0: none */
    int64_t since_ms;               /* of the probe */
};

/* A death at now_ms: milliseconds until the next life may begin. */
int64_t circuit_died(struct circuit *circuit, int64_t now_ms);
/* A new life began to serve. */
void circuit_lives(struct circuit *circuit, int64_t now_ms);
/* Looks whether a probe has proven itself by now. */
void circuit_look(struct circuit *circuit, int64_t now_ms);
uint32_t circuit_deaths(const struct circuit *circuit, int64_t now_ms); /* within the window */
const char *circuit_name(enum circuit_state state);

#endif
