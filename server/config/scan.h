/* config/scan.h: where the keys of stoa.config { … } stand in the file. Lua's tables do not know
 * their lines, so the text is scanned beside the evaluation; keys that code computes have no place.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include <stoa/str.h>

struct scan_place {
    stoa_str path;         /* "limits.connections", "nodes.all.listen.0" */
    uint32_t line, column; /* from 1 */
};
struct scan; /* lives in its arena, with the text it was made from */

/* Never fails: what cannot be understood is left out. At most 4,096 keys, 16 levels deep. */
struct scan *scan_text(struct stoa_arena *arena, stoa_str text);
/* The place of path or of the closest key above it; NULL when there is none. */
const struct scan_place *scan_find(const struct scan *scan, stoa_str path);
/* Line number line (from 1) of text, without its end. */
stoa_str scan_line(stoa_str text, uint32_t line);

#endif
