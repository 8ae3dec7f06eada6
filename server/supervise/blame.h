/* supervise/blame.h: who was at fault how often, and how long to wait before the next start. Pure:
 * the caller brings the time. SPDX-License-Identifier: Apache-2.0 */
#ifndef SUPERVISE_BLAME_H
#define SUPERVISE_BLAME_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BLAME_NAME_MAX = 32,
    BLAME_KEPT = 128, /* crashes that are remembered; limits.plugin_crashes is at most this */
    BLAME_WINDOW_MS = 60000, /* so close together crashes count */
    RESTART_YOUNG_MS = 500,  /* a worker that served for less died young */
    RESTART_FIRST_MS = 100,  /* the pause after a second one that died young … */
    RESTART_LAST_MS = 10000, /* … doubles up to this */
};

struct blame {
    struct {
        char plugin[BLAME_NAME_MAX];
        int64_t at_ms;
    } crashes[BLAME_KEPT];
    uint32_t next;
};
/* Writes a crash down. True: with it, the plugin has had limit of them within the window. */
bool blame_note(struct blame *blame, const char *plugin, int64_t now_ms, uint32_t limit);
/* Everybody gets another chance. */
void blame_forget(struct blame *blame);

struct restart {
    uint32_t young; /* that died young, one after the other */
};
/* A worker has ended that had served for served_ms (< 0: it never came up). Returns the pause
 * before the next one, ms. */
int64_t restart_pause(struct restart *restart, int64_t served_ms);

#endif
