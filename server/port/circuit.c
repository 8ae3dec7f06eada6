/* port/circuit.c: see circuit.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/circuit.h"

#include <string.h>

uint32_t circuit_deaths(const struct circuit *circuit, int64_t now_ms)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < CIRCUIT_DEATHS; i++)
        count += circuit->deaths[i] != 0 && now_ms - circuit->deaths[i] < CIRCUIT_WINDOW_MS;
    return count;
}

int64_t circuit_died(struct circuit *circuit, int64_t now_ms)
{
    static const int64_t pauses_ms[CIRCUIT_DEATHS] = {0, 0, 100, 250, 500};
    uint32_t deaths;

    memmove(circuit->deaths, circuit->deaths + 1, sizeof circuit->deaths - sizeof(int64_t));
    circuit->deaths[CIRCUIT_DEATHS - 1] = now_ms ? now_ms : 1;
    deaths = circuit_deaths(circuit, now_ms);
    if (circuit->state == CIRCUIT_CLOSED && deaths < CIRCUIT_DEATHS)
        return pauses_ms[deaths];
    circuit->state = CIRCUIT_OPEN;
    return CIRCUIT_OPEN_MS;
}

void circuit_lives(struct circuit *circuit, int64_t now_ms)
{
    if (circuit->state != CIRCUIT_OPEN)
        return;
    circuit->state = CIRCUIT_PROBING;
    circuit->since_ms = now_ms;
}

void circuit_look(struct circuit *circuit, int64_t now_ms)
{
    if (circuit->state == CIRCUIT_PROBING && now_ms - circuit->since_ms >= CIRCUIT_PROVEN_MS)
        *circuit = (struct circuit){.state = CIRCUIT_CLOSED};
}

const char *circuit_name(enum circuit_state state)
{
    static const char *const names[] = {"closed", "open", "probing"};

    return names[state];
}
