/* json_write.c: JSON as text at once. SPDX-License-Identifier: Apache-2.0 */
#include "buf_private.h"
#include "json_plain.h"
#include "json_private.h"
#include "number.h"
#include <stoa/write.h>

static bool is_in_array(const struct stoa_writer *w)
{
    return w->depth > 0 && (w->arrays >> (w->depth - 1) & 1);
}

/* A comma, if one is due, and the name; behind it there is room for more bytes. Returns where. */
static char *begin_value(struct stoa_writer *w, struct stoa_name name, uint64_t more)
{
    char *at = buf_room(&w->text, name.len + more + 1);

    stoa_assert((name.ptr != NULL) == (w->depth > 0 && !is_in_array(w)));
    stoa_assert(w->depth > 0 || !w->is_behind);
    if (w->is_behind)
        *at++ = ',';
    if (name.len)
        memcpy(at, name.ptr, name.len);
    w->is_behind = true;
    return at + name.len;
}

static void end_value(struct stoa_writer *w, const char *end)
{
    w->text.len = (uint64_t)(end - w->text.ptr);
}

void stoa_write_begin(struct stoa_writer *w, struct stoa_arena *arena, uint64_t hint)
{
    *w = (struct stoa_writer){0};
    stoa_buf_init(&w->text, arena, hint);
}

static void open_container(struct stoa_writer *w, struct stoa_name name, bool is_array)
{
    char *at = begin_value(w, name, 1);

    stoa_assert(w->depth < STOA_WRITE_DEPTH_MAX);
    *at++ = is_array ? '[' : '{';
    end_value(w, at);
    w->arrays = (w->arrays & ~(UINT64_C(1) << w->depth)) | ((uint64_t)is_array << w->depth);
    w->depth++;
    w->is_behind = false;
}

void stoa_write_object(struct stoa_writer *w, struct stoa_name name)
{
    open_container(w, name, false);
}

void stoa_write_array(struct stoa_writer *w, struct stoa_name name)
{
    open_container(w, name, true);
}

void stoa_write_end(struct stoa_writer *w)
{
    stoa_assert(w->depth > 0);
    *buf_room(&w->text, 1) = is_in_array(w) ? ']' : '}';
    w->text.len++;
    w->depth--;
    w->is_behind = true;
}

void stoa_write_str(struct stoa_writer *w, struct stoa_name name, stoa_str v)
{
    end_value(w, begin_value(w, name, 0));
    json_put_string(&w->text, 0, v, 0);
}

void stoa_write_int(struct stoa_writer *w, struct stoa_name name, int64_t v)
{
    char *at = begin_value(w, name, NUMBER_INT_MAX);

    end_value(w, at + number_format_int(at, v));
}

static void write_plain(struct stoa_writer *w, struct stoa_name name, stoa_str v)
{
    char *at = begin_value(w, name, v.len);

    memcpy(at, v.ptr, v.len);
    end_value(w, at + v.len);
}

void stoa_write_bool(struct stoa_writer *w, struct stoa_name name, bool v)
{
    write_plain(w, name, v ? STOA_STR("true") : STOA_STR("false"));
}

void stoa_write_money(struct stoa_writer *w, struct stoa_name name, stoa_money v)
{
    stoa_write_object(w, name);
    stoa_write_int(w, STOA_NAME("amount"), v.minor);
    stoa_write_str(w, STOA_NAME("currency"), stoa_str_of(v.cur));
    stoa_write_end(w);
}

stoa_err stoa_write_parsed(struct stoa_writer *w, struct stoa_name name, stoa_str text)
{
    const struct stoa_json *json;

    if (json_is_plain(text)) {
        write_plain(w, name, text);
        return STOA_OK;
    }
    STOA_TRY(stoa_json_parse(w->text.arena, text, NULL, &json));
    end_value(w, begin_value(w, name, 0));
    stoa_json_format(json, &w->text);
    return STOA_OK;
}

stoa_str stoa_write_finish(struct stoa_writer *w)
{
    stoa_assert(w->depth == 0 && w->is_behind);
    return stoa_buf_str(&w->text);
}
