/* call/codec.c: values. SPDX-License-Identifier: Apache-2.0 */
#include "call/codec.h"

#include "buf_private.h"

static const uint32_t NO_STRING = UINT32_MAX;

/* Where the next len bytes go: a message is some dozens of these. */
static char *room(struct stoa_buf *out, uint64_t len)
{
    char *at = buf_room(out, len);

    out->len += len;
    return at;
}

void put_u32(struct stoa_buf *out, uint32_t v)
{
    memcpy(room(out, sizeof v), &v, sizeof v);
}

void put_i64(struct stoa_buf *out, int64_t v)
{
    memcpy(room(out, sizeof v), &v, sizeof v);
}

void put_str(struct stoa_buf *out, stoa_str v)
{
    uint32_t len = v.ptr ? (uint32_t)v.len : NO_STRING;

    memcpy(room(out, sizeof len), &len, sizeof len);
    if (v.ptr && v.len > 0)
        memcpy(room(out, v.len), v.ptr, v.len);
}

void put_json(struct stoa_buf *out, const struct stoa_json *v)
{
    struct stoa_buf text;

    if (!v) {
        put_u32(out, NO_STRING);
        return;
    }
    stoa_buf_init(&text, out->arena, 256);
    stoa_json_format(v, &text);
    put_str(out, stoa_buf_str(&text));
}

void put_value(struct stoa_buf *out, stoa_value v)
{
    put_u32(out, v.kind);
    switch (v.kind) {
    case STOA_V_STR:
        put_str(out, v.s);
        break;
    case STOA_V_JSON:
        put_json(out, v.j);
        break;
    case STOA_V_MONEY:
        put_i64(out, v.m.minor);
        put_str(out, stoa_str_of(v.m.cur));
        break;
    default:
        put_i64(out, v.kind == STOA_V_NULL ? 0 : v.i);
    }
}

void put_values(struct stoa_buf *out, struct stoa_values v)
{
    put_u32(out, v.count);
    for (uint32_t i = 0; i < v.count; i++)
        put_value(out, v.ptr[i]);
}

void put_fields(struct stoa_buf *out, struct stoa_fields v)
{
    put_u32(out, v.count);
    for (uint32_t i = 0; i < v.count; i++) {
        put_str(out, stoa_str_of(v.ptr[i].name));
        put_value(out, v.ptr[i].value);
    }
}

void put_rows(struct stoa_buf *out, const struct stoa_rows *v)
{
    uint32_t columns = v ? rows_columns(v) : 0, count = v ? stoa_rows_count(v) : 0;

    put_u32(out, columns);
    put_u32(out, count);
    put_i64(out, v ? stoa_rows_affected(v) : 0);
    for (uint32_t c = 0; c < columns; c++)
        put_str(out, stoa_str_of(rows_column_name(v, c)));
    for (uint32_t r = 0; r < count; r++)
        for (uint32_t c = 0; c < columns; c++)
            put_str(out, rows_cell(v, r, c));
}

/* The next len bytes; NULL when there are fewer. */
static const char *take(struct decoder *in, uint64_t len)
{
    const char *at = in->rest.ptr;

    if (in->rest.len < len)
        in->broken = true;
    if (in->broken)
        return NULL;
    in->rest = (stoa_str){at + len, in->rest.len - len};
    return at;
}

uint32_t get_u32(struct decoder *in)
{
    uint32_t v = 0;
    const char *at = take(in, sizeof v);

    if (at)
        memcpy(&v, at, sizeof v);
    return v;
}

int64_t get_i64(struct decoder *in)
{
    int64_t v = 0;
    const char *at = take(in, sizeof v);

    if (at)
        memcpy(&v, at, sizeof v);
    return v;
}

stoa_str get_str(struct decoder *in)
{
    uint32_t len = get_u32(in);
    const char *at;

    if (len == NO_STRING || in->broken)
        return (stoa_str){0};
    in->broken = len > CODEC_STRING_MAX;
    at = take(in, len);
    return at ? stoa_str_copy(in->arena, (stoa_str){at, len}) : (stoa_str){0};
}

const char *get_cstr(struct decoder *in)
{
    return get_str(in).ptr; /* copies have a NUL behind */
}

const struct stoa_json *get_json(struct decoder *in)
{
    stoa_str text = get_str(in);
    const struct stoa_json *v = NULL;

    if (text.ptr && stoa_json_parse(in->arena, text, NULL, &v) != STOA_OK)
        in->broken = true;
    return v;
}

/* A name that has to be there. */
const char *get_name(struct decoder *in)
{
    const char *name = get_cstr(in);

    in->broken = in->broken || !name;
    return name ? name : "";
}

static stoa_money get_money(struct decoder *in)
{
    stoa_money money = {.minor = get_i64(in)};
    stoa_str cur = get_str(in);

    if (cur.len != 0 && cur.len != 3)
        in->broken = true;
    for (uint64_t i = 0; i < cur.len && !in->broken; i++)
        if (cur.ptr[i] < 'A' || cur.ptr[i] > 'Z')
            in->broken = true;
    if (!in->broken && cur.len > 0)
        memcpy(money.cur, cur.ptr, cur.len);
    return money;
}

stoa_value get_value(struct decoder *in)
{
    uint32_t kind = get_u32(in);

    switch (kind) {
    case STOA_V_STR:
        return stoa_s(get_str(in));
    case STOA_V_JSON:
        return stoa_j(get_json(in));
    case STOA_V_MONEY:
        return stoa_m(get_money(in));
    case STOA_V_NULL:
    case STOA_V_BOOL:
    case STOA_V_INT:
        return (stoa_value){.kind = kind, .i = get_i64(in)};
    default:
        in->broken = true;
        return stoa_null();
    }
}

/* A count that the bytes behind it can hold: each entry has at least 4. */
static uint32_t get_count(struct decoder *in)
{
    uint32_t count = get_u32(in);

    if (count > in->rest.len / 4)
        in->broken = true;
    return in->broken ? 0 : count;
}

struct stoa_values get_values(struct decoder *in)
{
    uint32_t count = get_count(in);
    stoa_value *list = stoa_new_array(in->arena, stoa_value, count + 1);

    for (uint32_t i = 0; i < count; i++)
        list[i] = get_value(in);
    return (struct stoa_values){list, count, 0};
}

struct stoa_fields get_fields(struct decoder *in)
{
    uint32_t count = get_count(in);
    struct stoa_field *list = stoa_new_array(in->arena, struct stoa_field, count + 1);

    for (uint32_t i = 0; i < count; i++) {
        list[i].name = get_name(in);
        list[i].value = get_value(in);
    }
    return (struct stoa_fields){list, in->broken ? 0 : count, 0};
}

const struct stoa_rows *get_rows(struct decoder *in)
{
    uint32_t columns = get_u32(in), count = get_u32(in);
    int64_t affected = get_i64(in);
    const char **names;
    struct stoa_rows *rows;

    if (in->broken || columns > 256 || count > CODEC_LIST_MAX ||
        (uint64_t)columns * (count + 1) > in->rest.len / 4) {
        in->broken = true;
        return rows_create(in->arena, 0, NULL, 0, 0);
    }
    names = stoa_new_array(in->arena, const char *, columns + 1);
    for (uint32_t c = 0; c < columns; c++)
        names[c] = get_name(in);
    rows = rows_create(in->arena, columns, names, count, affected);
    for (uint32_t r = 0; r < count; r++)
        for (uint32_t c = 0; c < columns; c++) {
            stoa_str cell = get_str(in);
            rows_set(rows, r, c, cell, cell.ptr == NULL);
        }
    return rows;
}
