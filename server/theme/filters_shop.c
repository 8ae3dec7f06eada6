/* theme/filters_shop.c: money, dates, texts, assets, JSON. SPDX-License-Identifier: Apache-2.0 */
#include "filters.h"
#include "locale.h"
#include "tree.h"
#include <stdio.h>

/* nil, false and what is empty give way; with allow_false: true, false stays. */
struct value filter_do_default(struct filter_call *call)
{
    struct value v = call->input;
    bool keep_false = value_is_true(filter_named(call, "allow_false"));

    if (v.kind == VALUE_BOOL && keep_false)
        return v;
    if (!value_is_true(v) || value_equal((struct value){.kind = VALUE_EMPTY}, v))
        return call->args[0];
    return v;
}

/* --- money --- */

static struct value money_text(struct filter_call *call, bool with_currency)
{
    stoa_money money;
    char *buf;

    if (call->input.kind == VALUE_NIL)
        return value_text(STOA_STR(""));
    if (call->input.kind != VALUE_JSON ||
        stoa_json_money(call->input.as.json, "", &money) != STOA_OK)
        return filter_fail(call, "money wants {\"amount\", \"currency\"}, not %s",
                           value_kind_name(call->input));
    buf = filter_new_text(call, 96);
    if (!buf)
        return value_nil();
    return value_text(
        (stoa_str){buf, locale_money(call->render->locale, money, with_currency, buf)});
}

struct value filter_do_money(struct filter_call *call)
{
    return money_text(call, true);
}

struct value filter_do_money_without_currency(struct filter_call *call)
{
    return money_text(call, false);
}

/* --- texts of the locale --- */

static bool find_text(struct filter_call *call, stoa_str key, stoa_str *ret)
{
    const struct theme *theme = call->render->theme;
    struct value count = filter_named(call, "count");
    char form[300];
    int len;

    if (!theme || locale_text(&theme->locales, call->render->locale, key, ret))
        return theme != NULL;
    if (count.kind != VALUE_INT || key.len > 256)
        return false;
    len = snprintf(form, sizeof(form), "%.*s.%s", (int)key.len, key.ptr,
                   locale_plural(call->render->locale, count.as.whole));
    if (locale_text(&theme->locales, call->render->locale, (stoa_str){form, (uint64_t)len}, ret))
        return true;
    len = snprintf(form, sizeof(form), "%.*s.other", (int)key.len, key.ptr);
    return locale_text(&theme->locales, call->render->locale, (stoa_str){form, (uint64_t)len}, ret);
}

/* A placeholder's value; in a text that is html, escaped unless it is html itself. */
static bool put_argument(struct filter_out *out, stoa_str name, bool html)
{
    struct filter_call *call = out->call;
    struct value v = value_nil();
    stoa_str s;

    for (uint32_t i = 0; i < call->expr->named_count; i++)
        if (stoa_str_eq(call->expr->named[i].name, name))
            v = call->named[i];
    if (html && v.kind == VALUE_HTML) {
        filter_put(out, value_str(v));
        return true;
    }
    if (!filter_text(call, v, &s))
        return false;
    if (html)
        filter_put_escaped(out, s);
    else
        filter_put(out, s);
    return true;
}

static int64_t find_pair(stoa_str s, char c, uint64_t from)
{
    int64_t at = stoa_str_find(s, c, from);
    while (at >= 0 && ((uint64_t)at + 1 >= s.len || s.ptr[at + 1] != c))
        at = stoa_str_find(s, c, (uint64_t)at + 1);
    return at;
}

static bool interpolate(struct filter_out *out, stoa_str text, bool html)
{
    for (;;) {
        int64_t open = find_pair(text, '{', 0);
        int64_t close = open < 0 ? -1 : find_pair(text, '}', (uint64_t)open);
        stoa_str name;

        if (close < 0) {
            filter_put(out, text);
            return !out->failed;
        }
        filter_put(out, stoa_str_sub(text, 0, (uint64_t)open));
        name = stoa_str_sub(text, (uint64_t)open + 2, (uint64_t)(close - open) - 2);
        if (!put_argument(out, stoa_str_trim(name), html))
            return false;
        text = stoa_str_sub(text, (uint64_t)close + 2, text.len);
    }
}

/* A key that ends in _html names markup of the theme; all else is text. */
struct value filter_do_t(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    stoa_str key, text;
    bool html;

    if (!filter_text(call, call->input, &key))
        return value_nil();
    if (!find_text(call, key, &text))
        return value_text(key);
    html = stoa_str_ends(key, STOA_STR("_html"));
    if (find_pair(text, '{', 0) < 0)
        return html ? value_html(text) : value_text(text);
    if (!interpolate(&out, text, html))
        return value_nil();
    return html ? filter_out_html(&out) : filter_out_text(&out);
}

/* --- addresses of files --- */

struct value filter_do_asset_url(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    const struct asset *asset;
    stoa_str name;
    bool hashed;

    if (!filter_text(call, call->input, &name))
        return value_nil();
    if (!call->render->theme) {
        filter_put(&out, STOA_STR("/assets/"));
        filter_put(&out, name);
        return filter_out_text(&out);
    }
    asset = assets_find(&call->render->theme->assets, name, &hashed);
    if (!asset)
        return filter_fail(call, "there is no asset '%.*s'", (int)(name.len < 80 ? name.len : 80),
                           name.ptr);
    return value_text(asset->path);
}

static bool put_size(struct filter_out *out, const char *name)
{
    struct value v = filter_named(out->call, name);
    char part[40];
    int64_t pixels;

    if (v.kind == VALUE_NIL)
        return true;
    if (!filter_int(out->call, v, 0, &pixels))
        return false;
    snprintf(part, sizeof(part), "%c%s=%lld", memchr(out->ptr, '?', out->len) ? '&' : '?', name,
             (long long)pixels);
    filter_put(out, stoa_str_of(part));
    return true;
}

/* An image's address: of text, or of an object with url; width: and height: are asked of whoever
 * serves it. */
struct value filter_do_image_url(struct filter_call *call)
{
    struct filter_out out = {.call = call};
    struct value url = call->input;
    stoa_str s;

    if (value_is_object(url))
        url = value_member(url, STOA_STR("url"));
    if (url.kind == VALUE_NIL)
        return url;
    if (!filter_text(call, url, &s))
        return value_nil();
    filter_put(&out, s);
    if (out.len == 0 || !put_size(&out, "width") || !put_size(&out, "height"))
        return value_nil();
    return filter_out_text(&out);
}

/* --- JSON --- */

enum { JSON_DEPTH_MAX = 16 };

static void put_json(struct filter_out *out, struct value v, uint32_t depth);

static void put_json_node(struct filter_out *out, const struct stoa_json *node)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf buf;

    stoa_buf_init(&buf, arena, 256);
    stoa_json_format(node, &buf);
    if (filter_pay(out->call, buf.len / 16))
        filter_put(out, stoa_buf_str(&buf));
    stoa_arena_destroy(arena);
}

/* As stoa_json_format does: what could end a script or start a tag is escaped. */
static void put_json_text(struct filter_out *out, stoa_str s)
{
    filter_put_char(out, '"');
    for (uint64_t i = 0; i < s.len && !out->failed; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool separator = c == 0xE2 && i + 2 < s.len && (unsigned char)s.ptr[i + 1] == 0x80 &&
                         ((unsigned char)s.ptr[i + 2] & 0xFE) == 0xA8; /* U+2028, U+2029 */
        char escape[8];

        if (separator) {
            snprintf(escape, sizeof(escape), "\\u202%d", 8 + (s.ptr[i + 2] & 1));
            i += 2;
        } else if (c < 0x20 || strchr("<>&'\"\\\x7F", c)) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
        } else {
            filter_put_char(out, (char)c);
            continue;
        }
        filter_put(out, stoa_str_of(escape));
    }
    filter_put_char(out, '"');
}

static void put_json_array(struct filter_out *out, struct value v, uint32_t depth)
{
    uint64_t size = value_size(v);

    filter_put_char(out, '[');
    for (uint64_t i = 0; i < size && filter_pay(out->call, 1); i++) {
        if (i > 0)
            filter_put_char(out, ',');
        put_json(out, value_at(v, i), depth + 1);
    }
    filter_put_char(out, ']');
}

static void put_json_map(struct filter_out *out, struct value v, uint32_t depth)
{
    filter_put_char(out, '{');
    for (uint32_t i = 0; i < v.len; i++) {
        if (i > 0)
            filter_put_char(out, ',');
        put_json_text(out, value_str(v.as.items[2 * i]));
        filter_put_char(out, ':');
        put_json(out, v.as.items[2 * i + 1], depth + 1);
    }
    filter_put_char(out, '}');
}

static void put_json_scalar(struct filter_out *out, struct value v)
{
    char buf[40];

    if (v.kind == VALUE_BOOL)
        filter_put(out, v.as.yes ? STOA_STR("true") : STOA_STR("false"));
    else if (v.kind == VALUE_INT ||
             (v.kind == VALUE_REAL && v.as.real - v.as.real == 0)) /* no inf, no nan */
        filter_put(out, (stoa_str){buf, value_number_text(v, buf)});
    else
        filter_put(out, STOA_STR("null"));
}

static void put_json(struct filter_out *out, struct value v, uint32_t depth)
{
    if (depth > JSON_DEPTH_MAX)
        filter_fail(out->call, "this nests too deep for JSON");
    else if (v.kind == VALUE_JSON)
        put_json_node(out, v.as.json);
    else if (value_is_str(v))
        put_json_text(out, value_str(v));
    else if (v.kind == VALUE_MAP)
        put_json_map(out, v, depth);
    else if (value_is_array(v))
        put_json_array(out, v, depth);
    else
        put_json_scalar(out, v);
}

struct value filter_do_json(struct filter_call *call)
{
    struct filter_out out = {.call = call};

    put_json(&out, call->input, 0);
    return filter_out_text(&out);
}
