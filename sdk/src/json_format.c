/* json_format.c: trees of JSON as compact text. SPDX-License-Identifier: Apache-2.0 */
#include "buf_private.h"
#include "json_escape.h"
#include "json_private.h"
#include "number.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Escapes have room for the worst case, so that the escaper need not ask; in a large text that
 * would be six times too much, so it goes piece by piece. */
enum { PIECE = 4096 };

static inline void put_char(struct stoa_buf *out, char c)
{
    *buf_room(out, 1) = c;
    out->len++;
}

static void put_long_string(struct stoa_buf *out, char first, stoa_str s, char last)
{
    if (first)
        put_char(out, first);
    put_char(out, '"');
    while (s.len) { /* pieces end between characters */
        uint64_t len = s.len;
        if (len > PIECE)
            for (len = PIECE; len > PIECE - 4 && ((unsigned char)s.ptr[len] & 0xc0) == 0x80;)
                len--;
        char *at = stoa_buf_reserve(out, len * JSON_ESCAPE_FACTOR);
        out->len = (uint64_t)(json_escape(at, (stoa_str){s.ptr, len}) - out->ptr);
        s = stoa_str_sub(s, len, s.len);
    }
    put_char(out, '"');
    if (last)
        put_char(out, last);
}

/* Nearly all are short and stand for themselves: then the buffer is asked once, for no more than
 * that. */
void json_put_string(struct stoa_buf *out, char first, stoa_str s, char last)
{
    const unsigned char *p = (const unsigned char *)(s.len ? s.ptr : ""), *end = p + s.len;
    char *at;

    if (s.len > PIECE) {
        put_long_string(out, first, s, last);
        return;
    }
    at = buf_room(out, s.len + 4);
    if (first)
        *at++ = first;
    *at++ = '"';
    at = json_copy_clean(at, &p, end);
    if (p != end) {
        out->len = (uint64_t)(at - out->ptr);
        at = buf_room(out, (uint64_t)(end - p) * JSON_ESCAPE_FACTOR + 2);
        at = json_escape(at, (stoa_str){(const char *)p, (uint64_t)(end - p)});
    }
    *at++ = '"';
    if (last)
        *at++ = last;
    out->len = (uint64_t)(at - out->ptr);
}

/* The shortest of a few tries that reads back as the same number, and as a real one. */
static void put_real(struct stoa_buf *out, double v)
{
    char text[40];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text) - 2, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    stoa_buf_put(out, stoa_str_of(text));
    if (!strpbrk(text, ".e"))
        stoa_buf_put(out, STOA_STR(".0"));
}

static void put(struct stoa_buf *out, const struct stoa_json *json, uint32_t depth);

static void put_elements(struct stoa_buf *out, const struct stoa_json *json, uint32_t depth)
{
    bool is_object = json->kind == STOA_JSON_OBJECT;

    char before = is_object ? '{' : '[';

    stoa_assert(depth < JSON_BUILT_DEPTH_MAX);
    if (!json->first)
        put_char(out, before);
    for (const struct stoa_json *e = json->first; e; e = e->next, before = ',') {
        if (is_object)
            json_put_string(out, before, e->name, ':');
        else
            put_char(out, before);
        put(out, e, depth + 1);
    }
    put_char(out, is_object ? '}' : ']');
}

static void put(struct stoa_buf *out, const struct stoa_json *json, uint32_t depth)
{
    switch (json->kind) {
    case STOA_JSON_BOOL:
        stoa_buf_put(out, json->i ? STOA_STR("true") : STOA_STR("false"));
        break;
    case STOA_JSON_INT:
        stoa_buf_int(out, json->i);
        break;
    case STOA_JSON_REAL:
        put_real(out, json->r);
        break;
    case STOA_JSON_STRING:
        json_put_string(out, 0, json->s, 0);
        break;
    case JSON_CLOSED:
        stoa_buf_put(out, json->text);
        break;
    case STOA_JSON_ARRAY:
    case STOA_JSON_OBJECT:
        put_elements(out, json, depth);
        break;
    default:
        stoa_buf_put(out, STOA_STR("null"));
    }
}

void stoa_json_format(const struct stoa_json *json, struct stoa_buf *out)
{
    if (json)
        put(out, json, 0);
    else
        stoa_buf_put(out, STOA_STR("null"));
}
