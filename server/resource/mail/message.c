/* Mails as bytes. Bodies are base64, so that no line is too long and no byte is changed on the way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "resource/mail/message.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

/* ---- Checking: what a visitor typed must not become a header of its own ---- */

static bool has_control(stoa_str s)
{
    for (uint64_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return true;
    return false;
}

static bool is_atom(stoa_str s, const char *more)
{
    for (uint64_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.ptr[i]) && (!s.ptr[i] || !strchr(more, s.ptr[i])))
            return false;
    return s.len > 0 && s.ptr[0] != '.' && s.ptr[s.len - 1] != '.';
}

static bool is_body(stoa_str s)
{
    return s.len <= MAIL_TEXT_MAX && stoa_str_is_utf8(s) && !(s.len && memchr(s.ptr, 0, s.len));
}

stoa_err message_check(const struct stoa_mail *mail)
{
    if (!stoa_str_is_email(mail->to) || mail->subject.len > MAIL_SUBJECT_MAX ||
        has_control(mail->subject) || !stoa_str_is_utf8(mail->subject))
        return STOA_E_INVALID;
    if (mail->message_id.len == 0 || mail->message_id.len > MAIL_ID_MAX ||
        !is_atom(mail->message_id, "@._-+"))
        return STOA_E_INVALID;
    return is_body(mail->text) && is_body(mail->html) ? STOA_OK : STOA_E_INVALID;
}

stoa_err message_check_from(stoa_str from)
{
    int64_t open = stoa_str_find(from, '<', 0);
    stoa_str address = from;

    if (has_control(from) || from.len > 300 || !stoa_str_is_utf8(from))
        return STOA_E_INVALID;
    if (open >= 0 && from.ptr[from.len - 1] == '>')
        address = stoa_str_sub(from, (uint64_t)open + 1, from.len - (uint64_t)open - 2);
    return stoa_str_is_email(address) ? STOA_OK : STOA_E_INVALID;
}

/* ---- Base64 (RFC 4648) ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64_put(struct stoa_buf *out, stoa_str s, uint64_t line_bytes)
{
    for (uint64_t i = 0; i < s.len; i += 3) {
        uint64_t left = s.len - i;
        uint32_t bits = (uint32_t)(unsigned char)s.ptr[i] << 16;
        bits |= left > 1 ? (uint32_t)(unsigned char)s.ptr[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)(unsigned char)s.ptr[i + 2] : 0;
        if (line_bytes && i && i % line_bytes == 0)
            stoa_buf_put(out, STOA_STR("\r\n"));
        stoa_buf_char(out, digits[bits >> 18]);
        stoa_buf_char(out, digits[bits >> 12 & 63]);
        stoa_buf_char(out, left > 1 ? digits[bits >> 6 & 63] : '=');
        stoa_buf_char(out, left > 2 ? digits[bits & 63] : '=');
    }
}

/* What is no digit is passed over: line ends, padding. */
static stoa_str base64_read(struct stoa_arena *arena, stoa_str s)
{
    struct stoa_buf out;
    uint32_t bits = 0, have = 0;

    stoa_buf_init(&out, arena, s.len * 3 / 4 + 4);
    for (uint64_t i = 0; i < s.len; i++) {
        const char *digit = s.ptr[i] ? strchr(digits, s.ptr[i]) : NULL;
        if (!digit)
            continue;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            stoa_buf_char(&out, (char)(bits >> have & 0xff));
        }
    }
    return stoa_buf_str(&out);
}

/* ---- Writing ---- */

static bool is_plain(stoa_str s)
{
    for (uint64_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || (unsigned char)s.ptr[i] >= 0x7f)
            return false;
    return s.len <= 60 && !(s.len >= 2 && s.ptr[0] == '=' && s.ptr[1] == '?');
}

/* Encoded words of at most 75 characters each, cut between characters (RFC 2047, section 2). */
static void put_words(struct stoa_buf *out, stoa_str s)
{
    bool first = true;

    if (is_plain(s)) {
        stoa_buf_put(out, s);
        return;
    }
    while (s.len) {
        uint64_t cut = s.len < 39 ? s.len : 39;
        while (cut < s.len && cut > 1 && ((unsigned char)s.ptr[cut] & 0xc0) == 0x80)
            cut--;
        stoa_buf_put(out, first ? STOA_STR("=?UTF-8?B?") : STOA_STR("\r\n =?UTF-8?B?"));
        base64_put(out, stoa_str_sub(s, 0, cut), 0);
        stoa_buf_put(out, STOA_STR("?="));
        s = stoa_str_sub(s, cut, s.len);
        first = false;
    }
}

static void put_header(struct stoa_buf *out, const char *name, stoa_str value)
{
    stoa_buf_put(out, stoa_str_of(name));
    stoa_buf_put(out, STOA_STR(": "));
    stoa_buf_put(out, value);
    stoa_buf_put(out, STOA_STR("\r\n"));
}

/* "Käse <shop@…>": the name may need encoding, the address never does. */
static void put_from(struct stoa_buf *out, stoa_str from)
{
    int64_t open = stoa_str_find(from, '<', 0);

    stoa_buf_put(out, STOA_STR("From: "));
    if (open > 0) {
        stoa_str name = stoa_str_trim(stoa_str_sub(from, 0, (uint64_t)open));
        bool quoted = is_plain(name) && name.len && name.ptr[0] != '"';
        if (quoted)
            stoa_buf_char(out, '"');
        for (uint64_t i = 0; quoted && i < name.len; i++) {
            if (name.ptr[i] == '"' || name.ptr[i] == '\\')
                stoa_buf_char(out, '\\');
            stoa_buf_char(out, name.ptr[i]);
        }
        if (quoted)
            stoa_buf_char(out, '"');
        else
            put_words(out, name);
        stoa_buf_char(out, ' ');
    }
    stoa_buf_put(out, open > 0 ? stoa_str_sub(from, (uint64_t)open, from.len) : from);
    stoa_buf_put(out, STOA_STR("\r\n"));
}

static void put_date(struct stoa_buf *out, int64_t at)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(at / 1000);
    struct tm tm;
    char text[64];

    gmtime_r(&seconds, &tm);
    snprintf(text, sizeof(text), "%s, %02d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday],
             tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    put_header(out, "Date", stoa_str_of(text));
}

static void put_part(struct stoa_buf *out, const char *type, stoa_str body)
{
    stoa_buf_put(out, STOA_STR("Content-Type: "));
    stoa_buf_put(out, stoa_str_of(type));
    stoa_buf_put(out, STOA_STR("; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"));
    base64_put(out, body, 57); /* 76 characters a line */
    stoa_buf_put(out, STOA_STR("\r\n"));
}

/* No line of base64 begins with "--", so it cannot end a part early. */
#define BOUNDARY "stoa-part"

stoa_str message_format(struct stoa_arena *arena, const struct stoa_mail *mail, stoa_str from,
                        int64_t at)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 1024 + (mail->text.len + mail->html.len) * 3 / 2);
    put_date(&out, at);
    put_from(&out, from);
    put_header(&out, "To", mail->to);
    stoa_buf_put(&out, STOA_STR("Subject: "));
    put_words(&out, mail->subject);
    stoa_buf_put(&out, STOA_STR("\r\nMessage-ID: <"));
    stoa_buf_put(&out, mail->message_id);
    stoa_buf_put(&out, STOA_STR(">\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n"));
    if (mail->html.len == 0) {
        put_part(&out, "text/plain", mail->text);
        return stoa_buf_str(&out);
    }
    stoa_buf_put(&out, STOA_STR("Content-Type: multipart/alternative; boundary=\"" BOUNDARY
                                "\"\r\n\r\n--" BOUNDARY "\r\n"));
    put_part(&out, "text/plain", mail->text);
    stoa_buf_put(&out, STOA_STR("--" BOUNDARY "\r\n"));
    put_part(&out, "text/html", mail->html);
    stoa_buf_put(&out, STOA_STR("--" BOUNDARY "--\r\n"));
    return stoa_buf_str(&out);
}

/* ---- Reading back ---- */

static int64_t find(stoa_str s, const char *what, uint64_t from)
{
    const char *at = from <= s.len ? memmem(s.ptr + from, s.len - from, what, strlen(what)) : NULL;

    return at ? at - s.ptr : -1;
}

/* The header's value, still folded; empty when it is not there. */
static stoa_str header(stoa_str head, const char *name)
{
    int64_t at = find(head, name, 0), end;

    if (at < 0)
        return STOA_STR("");
    at += (int64_t)strlen(name);
    for (end = find(head, "\r\n", (uint64_t)at);
         end >= 0 && (uint64_t)end + 2 < head.len && head.ptr[end + 2] == ' ';)
        end = find(head, "\r\n", (uint64_t)end + 2);
    return stoa_str_sub(head, (uint64_t)at, end < 0 ? head.len : (uint64_t)(end - at));
}

static stoa_str read_words(struct stoa_arena *arena, stoa_str s)
{
    struct stoa_buf out;
    int64_t at = find(s, "=?UTF-8?B?", 0), end;

    if (at != 0)
        return stoa_str_copy(arena, s);
    stoa_buf_init(&out, arena, s.len);
    for (; at >= 0; at = find(s, "=?UTF-8?B?", (uint64_t)end)) {
        end = find(s, "?=", (uint64_t)at + 10);
        if (end < 0)
            break;
        stoa_buf_put(&out, base64_read(arena, stoa_str_sub(s, (uint64_t)at + 10,
                                                           (uint64_t)(end - at - 10))));
    }
    return stoa_buf_str(&out);
}

/* The part of that type, decoded; empty without one. */
static stoa_str part(struct stoa_arena *arena, stoa_str file, const char *type)
{
    int64_t at = find(file, type, 0), body, end;

    if (at < 0 || (body = find(file, "\r\n\r\n", (uint64_t)at)) < 0)
        return STOA_STR("");
    body += 4;
    end = find(file, "\r\n--" BOUNDARY, (uint64_t)body - 2);
    return base64_read(
        arena, stoa_str_sub(file, (uint64_t)body, end < body ? file.len : (uint64_t)(end - body)));
}

struct stoa_json *message_parse(struct stoa_arena *arena, stoa_str file)
{
    int64_t end = find(file, "\r\n\r\n", 0);
    stoa_str head = stoa_str_sub(file, 0, end < 0 ? 0 : (uint64_t)end + 2);
    stoa_str id = header(head, "\r\nMessage-ID: <");
    struct stoa_json *json;

    if (id.len < 2)
        return NULL;
    json = stoa_json_object(arena);
    stoa_json_set_str(json, "id", stoa_str_sub(id, 0, id.len - 1));
    stoa_json_set_str(json, "to", header(head, "\r\nTo: "));
    stoa_json_set_str(json, "subject", read_words(arena, header(head, "\r\nSubject: ")));
    stoa_json_set_str(json, "text", part(arena, file, "Content-Type: text/plain;"));
    stoa_json_set_str(json, "html", part(arena, file, "Content-Type: text/html;"));
    return json;
}
