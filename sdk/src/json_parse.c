/* json_parse.c: text to a tree. The only file that knows yajl, so that it can be exchanged.
 *
 * yajl is laxer than RFC 8259 in two points, which are checked before it sees the text: UTF-8 may
 * be overlong, and \ud800 without its partner becomes a question mark.
 * SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include "json_plain.h"
#include "json_private.h"
#include "number.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

struct parse {
    struct stoa_arena *arena;
    struct stoa_json *open[JSON_DEPTH_MAX]; /* the containers around what comes next */
    stoa_str name;                          /* of the next member */
    struct stoa_json *root;
    const char *reason; /* why a callback gave up */
    uint32_t depth, nodes;
};

static int refuse(struct parse *parse, const char *reason)
{
    parse->reason = reason;
    return 0;
}

/* A new node in its place, or NULL when a limit or a duplicate name forbids it. */
static struct stoa_json *place(struct parse *parse, stoa_json_kind kind)
{
    if (++parse->nodes > JSON_NODES_MAX) {
        refuse(parse, "more than 20000 values");
        return NULL;
    }
    struct stoa_json *json = json_node(parse->arena, kind);
    struct stoa_json *parent = parse->depth ? parse->open[parse->depth - 1] : NULL;
    if (!parent) {
        parse->root = json;
    } else if (parent->kind == STOA_JSON_ARRAY) {
        json_append(parent, json);
    } else if (!json_add_member(parent, parse->name, json)) {
        refuse(parse, "the same name twice in one object");
        return NULL;
    }
    return json;
}

static int on_null(void *ctx)
{
    return place(ctx, STOA_JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int v)
{
    struct stoa_json *json = place(ctx, STOA_JSON_BOOL);

    if (json)
        json->i = v != 0;
    return json != NULL;
}

static int on_real(struct parse *parse, stoa_str text)
{
    char *cstr = stoa_cstr(parse->arena, text);
    double v = strtod(cstr, NULL);
    struct stoa_json *json;

    if (!isfinite(v))
        return refuse(parse, "a number too large");
    json = place(parse, STOA_JSON_REAL);
    if (json)
        json->r = v;
    return json != NULL;
}

static int on_number(void *ctx, const char *ptr, size_t len)
{
    stoa_str text = {ptr, len};
    struct stoa_json *json;
    int64_t v;

    if (!number_parse_int(text, &v))
        return on_real(ctx, text);
    json = place(ctx, STOA_JSON_INT);
    if (json)
        json->i = v;
    return json != NULL;
}

static int on_string(void *ctx, const unsigned char *ptr, size_t len)
{
    struct parse *parse = ctx;
    struct stoa_json *json = place(parse, STOA_JSON_STRING);

    if (json)
        json->s = stoa_str_copy(parse->arena, (stoa_str){(const char *)ptr, len});
    return json != NULL;
}

/* The place of a duplicate is its name, so it is looked for here as well as in place(). */
static int on_name(void *ctx, const unsigned char *ptr, size_t len)
{
    struct parse *parse = ctx;
    stoa_str name = {(const char *)ptr, len};

    if (len > JSON_NAME_MAX)
        return refuse(parse, "a name of more than 256 bytes");
    if (stoa_json_member(parse->open[parse->depth - 1], name))
        return refuse(parse, "the same name twice in one object");
    parse->name = stoa_str_copy(parse->arena, name);
    return 1;
}

static int open_container(struct parse *parse, stoa_json_kind kind)
{
    if (parse->depth == JSON_DEPTH_MAX)
        return refuse(parse, "more than 32 levels");
    struct stoa_json *json = place(parse, kind);
    if (!json)
        return 0;
    json->arena = parse->arena;
    parse->open[parse->depth++] = json;
    return 1;
}

static int on_object(void *ctx)
{
    return open_container(ctx, STOA_JSON_OBJECT);
}
static int on_array(void *ctx)
{
    return open_container(ctx, STOA_JSON_ARRAY);
}

static int on_close(void *ctx)
{
    struct parse *parse = ctx;
    parse->depth--;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_object,
    .yajl_map_key = on_name,
    .yajl_end_map = on_close,
    .yajl_start_array = on_array,
    .yajl_end_array = on_close,
};

static stoa_err fail_at(stoa_str text, uint64_t offset, const char *reason,
                        struct stoa_json_error *error)
{
    if (!error)
        return STOA_E_BAD_REQUEST;
    error->line = 1;
    error->column = 1;
    for (uint64_t i = 0; i < offset && i < text.len; i++) {
        error->column++;
        if (text.ptr[i] == '\n') {
            error->line++;
            error->column = 1;
        }
    }
    snprintf(error->reason, sizeof(error->reason), "%s", reason);
    return STOA_E_BAD_REQUEST;
}

static bool is_number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* yajl says where it stopped reading, which is behind what is wrong: back to its first byte. */
static uint64_t token_start(stoa_str text, uint64_t end)
{
    uint64_t at = end < text.len ? end : text.len;

    if (!at--)
        return 0;
    if (text.ptr[at] == '"') {
        for (at -= at > 0; at; at--)
            if (text.ptr[at] == '"' && text.ptr[at - 1] != '\\')
                break;
        return at;
    }
    while (at && is_number_byte(text.ptr[at]) && is_number_byte(text.ptr[at - 1]))
        at--;
    return at;
}

/* The four hexadecimal digits at s.ptr + i, or UINT32_MAX when they are none; yajl says so later.
 */
static uint32_t escaped_unit(stoa_str s, uint64_t i)
{
    uint32_t unit = 0;

    for (uint64_t end = i + 4; i < end; i++) {
        char c = i < s.len ? s.ptr[i] : ' ';
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return UINT32_MAX;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* The offset of the first \u escape that stands for no character, or -1: half a surrogate pair,
 * and NUL, which ends strings in C and which databases refuse. */
static int64_t find_bad_escape(stoa_str text)
{
    int64_t at = stoa_str_find(text, '\\', 0);

    while (at >= 0) {
        uint64_t i = (uint64_t)at, next = i + 2;
        if (next - 1 < text.len && text.ptr[i + 1] == 'u') {
            uint32_t unit = escaped_unit(text, next);
            if (unit == 0 || (unit >= 0xdc00 && unit < 0xe000))
                return at;
            next += 4;
            bool is_high = unit >= 0xd800 && unit < 0xdc00;
            uint32_t low = is_high && stoa_str_starts(stoa_str_sub(text, next, 2), STOA_STR("\\u"))
                               ? escaped_unit(text, next + 2)
                               : 0;
            if (is_high && (low < 0xdc00 || low >= 0xe000))
                return at;
            next += is_high ? 6 : 0;
        }
        at = stoa_str_find(text, '\\', next);
    }
    return -1;
}

/* What yajl does not check, or only after much work. */
static stoa_err check_text(stoa_str text, struct stoa_json_error *error)
{
    if (text.len > JSON_TEXT_MAX)
        return fail_at(text, 0, "more than 1 MiB", error);
    if (!stoa_str_is_utf8(text))
        return fail_at(text, 0, "not UTF-8", error);
    int64_t bad = find_bad_escape(text);
    if (bad >= 0)
        return fail_at(text, (uint64_t)bad, "an escape that stands for no character", error);
    return STOA_OK;
}

/* yajl's own words, without the line feed behind them. */
static stoa_err fail_as_yajl(yajl_handle yajl, stoa_str text, uint64_t at,
                             struct stoa_json_error *error)
{
    unsigned char *said = yajl_get_error(yajl, 0, (const unsigned char *)text.ptr, text.len);
    char *reason = (char *)said;

    reason[strcspn(reason, "\n")] = '\0';
    stoa_err err = fail_at(text, at, reason, error);
    yajl_free_error(yajl, said);
    return err;
}

static stoa_err parse_text(struct stoa_arena *arena, stoa_str text, struct stoa_json_error *error,
                           struct stoa_json **ret)
{
    struct parse parse = {.arena = arena};

    STOA_TRY(check_text(text, error));
    yajl_handle yajl = yajl_alloc(&callbacks, NULL, &parse);
    stoa_assert(yajl);
    const unsigned char *bytes = (const unsigned char *)(text.len ? text.ptr : "");
    yajl_status status = yajl_parse(yajl, bytes, text.len);
    uint64_t at = yajl_get_bytes_consumed(yajl);
    bool is_cut_off = status == yajl_status_ok;
    stoa_err err = STOA_OK;

    if (is_cut_off) {
        at = text.len;
        status = yajl_complete_parse(yajl);
    }
    if (parse.reason)
        err = fail_at(text, token_start(text, at), parse.reason, error);
    else if (status != yajl_status_ok)
        err = fail_as_yajl(yajl, text, is_cut_off ? at : token_start(text, at), error);
    yajl_free(yajl);
    if (err == STOA_OK)
        *ret = parse.root;
    return err;
}

stoa_err stoa_json_parse(struct stoa_arena *arena, stoa_str text, struct stoa_json_error *error,
                         const struct stoa_json **ret)
{
    struct stoa_json *root;

    STOA_TRY(parse_text(arena, text, error, &root));
    *ret = root;
    return STOA_OK;
}

static struct stoa_json *closed_node(struct stoa_arena *arena, stoa_str text)
{
    struct stoa_json *json = json_node(arena, JSON_CLOSED);

    json->text = stoa_str_copy(arena, text);
    json->text_arena = arena;
    return json;
}

void json_open(struct stoa_json *json)
{
    struct stoa_json *root = NULL;
    stoa_err err = parse_text(json->text_arena, json->text, NULL, &root);

    stoa_assert(err == STOA_OK); /* json_is_plain() saw it */
    root->is_placed = json->is_placed;
    root->next = json->next;
    root->name = json->name;
    *json = *root;
}

stoa_err stoa_json_set_parsed(struct stoa_json *object, const char *name, stoa_str text)
{
    struct stoa_json *root;

    stoa_assert(object && object->kind == STOA_JSON_OBJECT);
    if (json_is_plain(text)) {
        stoa_json_set(object, name, closed_node(object->arena, text));
        return STOA_OK;
    }
    STOA_TRY(parse_text(object->arena, text, NULL, &root));
    stoa_json_set(object, name, root);
    return STOA_OK;
}
