/* Results: by column name for plugins, by index for the host. SPDX-License-Identifier: Apache-2.0
 */
#include "resource/sql/rows.h"

#include "json_private.h"

#include <stdlib.h>

struct stoa_rows {
    uint32_t columns, count;
    uint32_t expected; /* the column behind the one that was asked for last */
    int64_t affected;
    struct stoa_arena *arena;
    const stoa_str *names;
    stoa_str *cells; /* ptr NULL: NULL */
};

struct stoa_rows *rows_create_sharing(struct stoa_arena *arena, uint32_t columns,
                                      const stoa_str *names, uint32_t count, int64_t affected)
{
    struct stoa_rows *rows = stoa_new(arena, struct stoa_rows);

    rows->affected = affected;

    rows->columns = columns;
    rows->count = count;
    rows->arena = arena;
    rows->names = names;
    rows->cells = stoa_new_array(arena, stoa_str, (uint64_t)columns * count + 1);
    return rows;
}

struct stoa_rows *rows_create(struct stoa_arena *arena, uint32_t columns, const char *const *names,
                              uint32_t rows, int64_t affected)
{
    stoa_str *copies = stoa_new_array(arena, stoa_str, columns ? columns : 1);

    for (uint32_t i = 0; i < columns; i++)
        copies[i] = stoa_str_copy(arena, stoa_str_of(names[i]));
    return rows_create_sharing(arena, columns, copies, rows, affected);
}

stoa_str *rows_cells(struct stoa_rows *rows)
{
    return rows->cells;
}

void rows_set(struct stoa_rows *rows, uint32_t row, uint32_t column, stoa_str value, bool is_null)
{
    stoa_assert(row < rows->count && column < rows->columns);
    if (is_null)
        value = (stoa_str){NULL, 0};
    else if (!value.ptr)
        value = STOA_STR("");
    rows->cells[(uint64_t)row * rows->columns + column] = value;
}

uint32_t rows_columns(const struct stoa_rows *rows)
{
    return rows->columns;
}

const char *rows_column_name(const struct stoa_rows *rows, uint32_t column)
{
    stoa_assert(column < rows->columns);
    return rows->names[column].ptr;
}

stoa_str rows_cell(const struct stoa_rows *rows, uint32_t row, uint32_t column)
{
    stoa_assert(row < rows->count && column < rows->columns);
    return rows->cells[(uint64_t)row * rows->columns + column];
}

/* Few columns and short names: comparing beats hashing. Columns are mostly asked for in the order
 * the statement has them, so the next one is looked at first; rows belong to one request, and only
 * it writes the guess. */
static uint32_t rows_find(const struct stoa_rows *rows, const char *column)
{
    uint32_t i = rows->expected, left = rows->columns;

    for (; left > 0; left--, i++) {
        i = i < rows->columns ? i : 0;
        if (*rows->names[i].ptr == *column && strcmp(rows->names[i].ptr, column) == 0)
            break;
    }
    stoa_assert(left > 0 && "the statement has this column");
    ((struct stoa_rows *)rows)->expected = i + 1;
    return i;
}

static stoa_str rows_named(const struct stoa_rows *rows, uint32_t row, const char *column)
{
    return rows_cell(rows, row, rows_find(rows, column));
}

uint32_t stoa_rows_count(const struct stoa_rows *rows)
{
    return rows->count;
}

int64_t stoa_rows_affected(const struct stoa_rows *rows)
{
    return rows->affected;
}

stoa_str stoa_rows_str(const struct stoa_rows *rows, uint32_t row, const char *column)
{
    return rows_named(rows, row, column);
}

void stoa_json_set_column(struct stoa_json *object, const struct stoa_rows *rows, uint32_t row,
                          const char *column)
{
    uint32_t i = rows_find(rows, column);
    stoa_str cell = rows_cell(rows, row, i);

    if (!cell.ptr)
        cell = STOA_STR("");
    if (json_arena(object) == rows->arena)
        json_set_shared(object, rows->names[i], cell);
    else
        stoa_json_set_str(object, column, cell);
}

/* Digits up to the first other character; what does not fit is the nearest that does. */
static int64_t rows_parse_int(stoa_str s)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    int64_t v = 0;

    for (uint64_t i = negative; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, negative ? '0' - s.ptr[i] : s.ptr[i] - '0', &v))
            return negative ? INT64_MIN : INT64_MAX;
    return v;
}

int64_t stoa_rows_int(const struct stoa_rows *rows, uint32_t row, const char *column)
{
    return rows_parse_int(rows_named(rows, row, column));
}

bool stoa_rows_is_null(const struct stoa_rows *rows, uint32_t row, const char *column)
{
    return rows_named(rows, row, column).ptr == NULL;
}

/* Out of memory ends the process, as everywhere in the host. */
static void *pack_grow(void *ptr, uint64_t size)
{
    void *grown = realloc(ptr, size);

    stoa_assert(grown);
    return grown;
}

void rows_pack_put(struct rows_pack *pack, const void *bytes, uint32_t len, bool is_null)
{
    if (pack->count == pack->cap) {
        pack->cap = pack->cap ? pack->cap * 2 : 32;
        pack->cells = pack_grow(pack->cells, pack->cap * sizeof(*pack->cells));
    }
    if (pack->room - pack->used < len + 1) {
        while (pack->room - pack->used < len + 1)
            pack->room = pack->room ? pack->room * 2 : 512;
        pack->bytes = pack_grow(pack->bytes, pack->room);
    }
    pack->cells[pack->count++] = (struct rows_cell){pack->used, len, is_null};
    if (len)
        memcpy(pack->bytes + pack->used, bytes, len);
    pack->bytes[pack->used + len] = 0;
    pack->used += len + 1;
}

void rows_pack_clear(struct rows_pack *pack)
{
    pack->columns = pack->count = pack->used = 0;
    pack->affected = 0;
}

void rows_pack_finish(struct rows_pack *pack)
{
    free(pack->cells);
    free(pack->bytes);
    *pack = (struct rows_pack){0};
}

struct stoa_rows *rows_unpack(const struct rows_pack *pack, struct stoa_arena *arena)
{
    uint32_t columns = pack->columns;
    uint32_t count = columns ? pack->count / columns - 1 : 0;
    stoa_str *names = stoa_new_array(arena, stoa_str, columns ? columns : 1);
    struct stoa_rows *rows = rows_create_sharing(arena, columns, names, count, pack->affected);
    char *bytes = stoa_arena_take(arena, pack->used + 1);

    if (pack->used)
        memcpy(bytes, pack->bytes, pack->used);
    for (uint32_t i = 0; i < pack->count; i++) {
        const struct rows_cell *cell = &pack->cells[i];
        if (i < columns)
            names[i] = (stoa_str){bytes + cell->at, cell->len};
        else if (!cell->is_null)
            rows->cells[i - columns] = (stoa_str){bytes + cell->at, cell->len};
    }
    return rows;
}
