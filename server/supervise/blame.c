/* supervise/blame.c: a ring of crashes, and a pause that doubles.
 * SPDX-License-Identifier: Apache-2.0 */
#include "supervise/blame.h"

#include <stdio.h>
#include <string.h>

bool blame_note(struct blame *blame, const char *plugin, int64_t now_ms, uint32_t limit)
{
    uint32_t count = 0, slot = blame->next++ % BLAME_KEPT;

    blame->crashes[slot].at_ms = now_ms;
    snprintf(blame->crashes[slot].plugin, BLAME_NAME_MAX, "%s", plugin);
    for (uint32_t i = 0; i < BLAME_KEPT; i++)
        count += strcmp(blame->crashes[i].plugin, blame->crashes[slot].plugin) == 0 &&
                 now_ms - blame->crashes[i].at_ms < BLAME_WINDOW_MS;
    return count >= limit;
}

void blame_forget(struct blame *blame)
{
    memset(blame, 0, sizeof *blame);
}

int64_t restart_pause(struct restart *restart, int64_t served_ms)
{
    int64_t pause = 0;

    if (served_ms >= RESTART_YOUNG_MS) {
        restart->young = 0;
        return 0;
    }
    restart->young++;
    for (uint32_t i = 1; i < restart->young && pause < RESTART_LAST_MS; i++)
        pause = pause ? pause * 2 : RESTART_FIRST_MS;
    return pause < RESTART_LAST_MS ? pause : RESTART_LAST_MS;
}
