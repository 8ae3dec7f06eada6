/* lines.c: the lines of an order, as the order plugin sends them. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#include "product.h"

static int compare(stoa_str a, stoa_str b)
{
    uint64_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Puts the line at its place by SKU, or adds to the one that is there. */
static void insert_line(struct catalogue_lines *lines, struct catalogue_line line)
{
    uint32_t at = lines->count;

    while (at > 0 && compare(lines->ptr[at - 1].sku, line.sku) > 0)
        at--;
    if (at > 0 && stoa_str_eq(lines->ptr[at - 1].sku, line.sku)) {
        lines->ptr[at - 1].quantity += line.quantity;
        return;
    }
    memmove(lines->ptr + at + 1, lines->ptr + at, (lines->count - at) * sizeof line);
    lines->ptr[at] = line;
    lines->count++;
}

const char *lines_parse(struct stoa_arena *arena, const struct stoa_json *body,
                        struct catalogue_lines *ret)
{
    const struct stoa_json *list = stoa_json_get(body, "lines");
    struct catalogue_lines lines = {0};
    uint32_t count = stoa_json_count(list);

    if (stoa_json_type(list) != STOA_JSON_ARRAY || count == 0 || count > CATALOGUE_LINES_MAX)
        return "There must be 1 to 100 lines";
    lines.ptr = stoa_new_array(arena, struct catalogue_line, count + 1);
    for (const struct stoa_json *l = stoa_json_first(list); l; l = stoa_json_next(l)) {
        struct catalogue_line line = {stoa_json_str(l, "sku"), stoa_json_int(l, "quantity", 0)};

        if (line.sku.len == 0 || line.sku.len > 64)
            return "A line has a SKU of 1 to 64 bytes";
        if (line.quantity < 1 || line.quantity > CATALOGUE_QUANTITY_MAX)
            return "A quantity is 1 to 9999";
        insert_line(&lines, line);
    }
    *ret = lines;
    return NULL;
}
