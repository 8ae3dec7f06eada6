/* resource/sql/rows.h: what a driver builds results with.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_SQL_ROWS_H
#define RESOURCE_SQL_ROWS_H

#include "resource/sql/sql.h"

/* All cells, row by row, for the driver to fill; not yet set is NULL. */
stoa_str *rows_cells(struct stoa_rows *rows);
/* As rows_create(), and the names are not copied: they live as long as the rows. */
struct stoa_rows *rows_create_sharing(struct stoa_arena *arena, uint32_t columns,
                                      const stoa_str *names, uint32_t count, int64_t affected);

enum {
    ROWS_MAX = 1000,
    ROWS_MAX_MANY = 100000,
    ROWS_BYTES_MAX = 8 * 1024 * 1024, /* cells of one result together */
};

/* A result on the heap, built on a thread that must not touch the request's arena. All zero is
 * empty. The first `columns` cells are the columns' names. */
struct rows_cell {
    uint32_t at, len;
    bool is_null;
};
struct rows_pack {
    uint32_t columns;
    int64_t affected;
    struct rows_cell *cells;
    uint32_t count, cap;
    char *bytes;
    uint32_t used, room;
};
void rows_pack_put(struct rows_pack *pack, const void *bytes, uint32_t len, bool is_null);
/* Empty again, memory kept. */
void rows_pack_clear(struct rows_pack *pack);
void rows_pack_finish(struct rows_pack *pack);
/* The pack as rows in the arena, with two allocations. */
struct stoa_rows *rows_unpack(const struct rows_pack *pack, struct stoa_arena *arena);

#endif
