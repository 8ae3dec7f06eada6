/* base/log_line.c: one line of the log as text. By hand, because an access line is written for
 * every request: 0.3 µs is its budget. SPDX-License-Identifier: Apache-2.0 */
#include "base/log_line.h"
#include "base/clock.h"
#include "json_escape.h"
#include "number.h"
#include "time_format.h"
#include "utf8.h"

/* What a client can make long is cut, so that the longest line fits LOG_LINE_MAX escaped. */
enum { PATH_CUT = 512, PART_CUT = 96, PARTS = 5, FIXED_TEXT = 576, LOG_ID = 32, TAIL = 64 };
static_assert((PATH_CUT + PARTS * PART_CUT) * JSON_ESCAPE_FACTOR + FIXED_TEXT <= LOG_LINE_MAX,
              "an access line needs no checks");

/* A line with an end. Nothing is written past end, which leaves TAIL bytes to close the line. */
struct line {
    char *at, *end;
};

static const char *time_text(int64_t utc_ms)
{
    static __thread char text[TIME_TEXT];
    static __thread int64_t text_ms = INT64_MIN;

    if (utc_ms != text_ms) {
        time_format_text(utc_ms, text);
        text_ms = utc_ms;
    }
    return text;
}

const char *log_line_time(void)
{
    return time_text(clock_utc_ms());
}

static const char *end_of(const struct log_access *entry)
{
    return entry->ended_us ? time_text(clock_utc_ms_at(entry->ended_us)) : log_line_time();
}

stoa_str log_line_cut(stoa_str s, uint64_t max)
{
    uint64_t len = max;

    if (s.len <= max)
        return s;
    while (len && max - len < 4 && ((unsigned char)s.ptr[len] & 0xc0) == 0x80)
        len--;
    return (stoa_str){s.ptr, len};
}

static char *put_hex(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    *out++ = '\\';
    *out++ = 'x';
    *out++ = hex[c >> 4];
    *out++ = hex[c & 15];
    return out;
}

char *log_line_plain(char *out, stoa_str s)
{
    if (!s.len)
        return out;
    const unsigned char *p = (const unsigned char *)s.ptr, *end = p + s.len;

    while (p < end) {
        uint32_t len = utf8_length(p, end);
        bool is_control = *p < 0x20 || *p == 0x7f || (*p == 0xc2 && len == 2 && p[1] < 0xa0);
        if (!len || is_control) {
            out = put_hex(out, *p++);
            continue;
        }
        memcpy(out, p, len);
        out += len;
        p += len;
    }
    return out;
}

static char *put_raw(char *out, const char *text, uint64_t len)
{
    memcpy(out, text, len);
    return out + len;
}
#define PUT(out, literal) put_raw((out), "" literal, sizeof(literal) - 1)

/* ---- Access lines ---- */

/* "text" for JSON; nothing when there is nothing to say. */
static char *put_part(char *out, const char *key, uint64_t key_len, stoa_str value)
{
    if (!value.len)
        return out;
    out = put_raw(out, key, key_len);
    out = json_escape(out, log_line_cut(value, PART_CUT));
    *out++ = '"';
    return out;
}
#define PUT_PART(out, key, value) put_part((out), "" key, sizeof(key) - 1, (value))

static char *put_id(char *out, const char *key, uint64_t key_len, const char *id)
{
    if (!id)
        return out;
    out = put_raw(put_raw(out, key, key_len), id, LOG_ID);
    *out++ = '"';
    return out;
}
#define PUT_ID(out, key, id) put_id((out), "" key, sizeof(key) - 1, (id))

static stoa_str path_of(const struct log_access *entry)
{
    stoa_str target = entry->path;

    return log_line_cut(stoa_str_cut(&target, '?'), PATH_CUT);
}

uint32_t log_line_access_json(char *out, const struct log_access *entry)
{
    char *p = PUT(out, "{\"time\":\"");

    p = put_raw(p, end_of(entry), TIME_TEXT);
    p = PUT(p, "\",\"level\":\"info\",\"area\":\"http\",\"message\":\"request\",\"status\":");
    p += number_format_int(p, entry->status);
    p = PUT_PART(p, ",\"method\":\"", entry->method);
    p = PUT(p, ",\"path\":\"");
    p = json_escape(p, path_of(entry));
    p = PUT(p, "\",\"duration_us\":");
    p += number_format_int(p, entry->duration_us);
    p = PUT(p, ",\"bytes\":");
    p += number_format_int(p, entry->bytes);
    p = PUT_PART(p, ",\"route\":\"", entry->route);
    p = PUT_PART(p, ",\"plugin\":\"", entry->plugin);
    p = PUT_PART(p, ",\"client\":\"", entry->client);
    p = PUT_ID(p, ",\"request_id\":\"", entry->request_id);
    p = PUT_ID(p, ",\"trace_id\":\"", entry->trace_id);
    p = PUT_PART(p, ",\"user_id\":\"", entry->user_id);
    p = PUT(p, ",\"loop\":");
    p += number_format_int(p, entry->loop);
    p = PUT(p, "}\n");
    return (uint32_t)(p - out);
}

static char *put_colour(char *out, bool has_colours, const char *code)
{
    return has_colours ? put_raw(out, code, strlen(code)) : out;
}

static const char *status_colour(int32_t status)
{
    static const char *const colours[] = {"\033[32m", "\033[36m", "\033[33m", "\033[31m"};
    int32_t index = status / 100 - 2;
    return colours[index < 0 ? 0 : index > 3 ? 3 : index];
}

/* Milliseconds with one decimal. */
static char *put_duration(char *out, int64_t us)
{
    out += number_format_int(out, us / 1000);
    *out++ = '.';
    *out++ = (char)('0' + us % 1000 / 100);
    return PUT(out, " ms");
}

/* The day is left out: whoever watches knows it. */
static char *put_clock(char *out, bool has_colours, const char *time)
{
    out = put_colour(out, has_colours, "\033[2m");
    out = put_raw(out, time + 11, 12);
    out = put_colour(out, has_colours, "\033[0m");
    *out++ = ' ';
    return out;
}

uint32_t log_line_access_text(char *out, const struct log_access *entry, bool has_colours)
{
    char *p = put_clock(out, has_colours, end_of(entry));

    p = put_colour(p, has_colours, status_colour(entry->status));
    p += number_format_int(p, entry->status);
    p = put_colour(p, has_colours, "\033[0m");
    *p++ = ' ';
    p = log_line_plain(p, log_line_cut(entry->method, PART_CUT));
    *p++ = ' ';
    p = log_line_plain(p, path_of(entry));
    *p++ = ' ';
    p = put_colour(p, has_colours, "\033[2m");
    p = put_duration(p, entry->duration_us);
    if (entry->plugin.len) {
        *p++ = ' ';
        p = log_line_plain(p, log_line_cut(entry->plugin, PART_CUT));
    }
    p = put_colour(p, has_colours, "\033[0m");
    *p++ = '\n';
    return (uint32_t)(p - out);
}

/* ---- All other lines ---- */

static uint64_t room_of(const struct line *line)
{
    return line->at < line->end ? (uint64_t)(line->end - line->at) : 0;
}

static void add_raw(struct line *line, const char *text, uint64_t len)
{
    if (len <= room_of(line))
        line->at = put_raw(line->at, text, len);
}

static void add(struct line *line, const char *text)
{
    add_raw(line, text, strlen(text));
}

/* As much of s as there is room for. */
static void add_escaped(struct line *line, stoa_str s, bool is_json)
{
    s = log_line_cut(s, room_of(line) / JSON_ESCAPE_FACTOR);
    line->at = is_json ? json_escape(line->at, s) : log_line_plain(line->at, s);
}

static void add_int(struct line *line, int64_t v)
{
    char digits[NUMBER_INT_MAX];
    add_raw(line, digits, number_format_int(digits, v));
}

/* Money and trees as JSON; one that does not fit whole is left out, since half would not parse. */
static void add_json(struct line *line, const stoa_value *value)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf text;
    const struct stoa_json *json =
        value->kind == STOA_V_MONEY ? stoa_json_new_money(arena, value->m) : value->j;

    stoa_buf_init(&text, arena, 256);
    stoa_json_format(json, &text);
    if (text.len <= room_of(line))
        add_raw(line, text.ptr, text.len);
    else
        add(line, "null");
    stoa_arena_destroy(arena);
}

/* The quotes have room even when the text has filled the line: add_fields() keeps some. */
static void add_text(struct line *line, stoa_str s, bool is_json)
{
    if (is_json)
        *line->at++ = '"';
    add_escaped(line, s, is_json);
    if (is_json)
        *line->at++ = '"';
}

static void add_value(struct line *line, const stoa_value *value, bool is_json)
{
    switch (value->kind) {
    case STOA_V_BOOL:
        add(line, value->i ? "true" : "false");
        break;
    case STOA_V_INT:
        add_int(line, value->i);
        break;
    case STOA_V_STR:
        add_text(line, value->s, is_json);
        break;
    case STOA_V_MONEY:
    case STOA_V_JSON:
        add_json(line, value);
        break;
    default:
        add(line, "null");
    }
}

/* A value ends TAIL before the line does, so that what closes it always fits. */
static void add_fields(struct line *line, struct stoa_fields fields, bool is_json)
{
    char *end = line->end;

    for (uint32_t i = 0; i < fields.count; i++) {
        const struct stoa_field *field = &fields.ptr[i];
        stoa_str name = log_line_cut(stoa_str_of(field->name), TAIL);
        if (end - line->at < TAIL * (JSON_ESCAPE_FACTOR + 2))
            return;
        line->end = end;
        add(line, is_json ? ",\"" : " ");
        add_escaped(line, name, is_json);
        add(line, is_json ? "\":" : "=");
        line->end = end - TAIL;
        add_value(line, &field->value, is_json);
    }
    line->end = end;
}

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static struct line line_begin(char *out)
{
    return (struct line){out, out + LOG_LINE_MAX - TAIL};
}

static const char *level_name(stoa_level level)
{
    return level_names[(uint32_t)level <= STOA_ERROR ? (uint32_t)level : (uint32_t)STOA_ERROR];
}

uint32_t log_line_json(char *out, const struct log_event *event)
{
    struct line line = line_begin(out);

    add(&line, "{\"time\":\"");
    add_raw(&line, log_line_time(), TIME_TEXT);
    add(&line, "\",\"level\":\"");
    add(&line, level_name(event->level));
    add(&line, "\",\"area\":\"");
    add_escaped(&line, log_line_cut(stoa_str_of(event->area), PART_CUT), true);
    add(&line, "\",\"message\":\"");
    add_escaped(&line, log_line_cut(stoa_str_of(event->message), PATH_CUT), true);
    add(&line, "\"");
    add_fields(&line, event->fields, true);
    line.at = PUT(line.at, "}\n");
    return (uint32_t)(line.at - out);
}

static const char *level_colour(stoa_level level)
{
    return level >= STOA_ERROR ? "\033[31m" : level == STOA_WARN ? "\033[33m" : "\033[34m";
}

uint32_t log_line_text(char *out, const struct log_event *event, bool has_colours)
{
    struct line line = line_begin(out);
    const char *name = level_name(event->level);

    line.at = put_clock(line.at, has_colours, log_line_time());
    line.at = put_colour(line.at, has_colours, level_colour(event->level));
    add(&line, name);
    add_raw(&line, "      ", 6 - strlen(name));
    line.at = put_colour(line.at, has_colours, "\033[0m");
    add_escaped(&line, log_line_cut(stoa_str_of(event->area), PART_CUT), false);
    add(&line, ": ");
    add_escaped(&line, log_line_cut(stoa_str_of(event->message), PATH_CUT), false);
    add_fields(&line, event->fields, false);
    line.at = PUT(line.at, "\n");
    return (uint32_t)(line.at - out);
}
