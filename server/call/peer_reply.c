/* call/peer_reply.c: line by line. SPDX-License-Identifier: Apache-2.0 */
#include "call/peer_reply.h"

#include "base/field.h"

/* "HTTP/1.1 200 OK" */
static bool read_status(stoa_str line, struct peer_reply *ret)
{
    int64_t status = 0;

    if (line.len < 12 || memcmp(line.ptr, "HTTP/1.", 7) != 0 || line.ptr[8] != ' ' ||
        (line.ptr[7] != '0' && line.ptr[7] != '1') || (line.len > 12 && line.ptr[12] != ' '))
        return false;
    if (stoa_str_int(stoa_str_sub(line, 9, 3), 200, 599, &status) != STOA_OK)
        return false;
    ret->status = (uint32_t)status;
    ret->is_last = line.ptr[7] == '0';
    return true;
}

static bool read_length(stoa_str value, struct peer_reply *ret, bool *has_length)
{
    int64_t length = 0;

    value = stoa_str_trim(value);
    if (*has_length || value.len == 0 || value.ptr[0] < '0' || value.ptr[0] > '9' ||
        stoa_str_int(value, 0, PEER_BODY_MAX, &length) != STOA_OK)
        return false;
    *has_length = true;
    ret->length = (uint64_t)length;
    return true;
}

static bool read_signature(stoa_str value, struct peer_reply *ret)
{
    value = stoa_str_trim(value);
    if (ret->signature[0] || value.len != SIGN_REPLY_MAX - 1)
        return false;
    memcpy(ret->signature, value.ptr, value.len);
    return true;
}

static bool read_connection(stoa_str value, struct peer_reply *ret)
{
    ret->is_last |= !stoa_str_eq_nocase(stoa_str_trim(value), STOA_STR("keep-alive"));
    return true;
}

/* By length first: most fields are of no concern, and none of those is compared with anything. */
static bool take_field(stoa_str name, stoa_str value, struct peer_reply *ret, bool *has_length)
{
    switch (name.len) {
    case sizeof "connection" - 1:
        return !stoa_str_eq_nocase(name, STOA_STR("connection")) || read_connection(value, ret);
    case sizeof SIGN_REPLY_HEADER - 1:
        return !stoa_str_eq_nocase(name, STOA_STR(SIGN_REPLY_HEADER)) || read_signature(value, ret);
    case sizeof "content-length" - 1:
        return !stoa_str_eq_nocase(name, STOA_STR("content-length")) ||
               read_length(value, ret, has_length);
    case sizeof "transfer-encoding" - 1:
        return !stoa_str_eq_nocase(name, STOA_STR("transfer-encoding"));
    default:
        return true;
    }
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool read_field(stoa_str line, struct peer_reply *ret, bool *has_length)
{
    const char *end = line.ptr + line.len;
    const char *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;

    if (!colon || colon == line.ptr || is_space(line.ptr[0]) || is_space(colon[-1]) ||
        field_value_end(line.ptr, end) != end)
        return false;
    return take_field((stoa_str){line.ptr, (uint64_t)(colon - line.ptr)},
                      (stoa_str){colon + 1, (uint64_t)(end - colon - 1)}, ret, has_length);
}

/* The next line without its CRLF; false when there is none yet. */
static bool next_line(stoa_str *rest, stoa_str *ret)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;

    if (!end)
        return false;
    *ret = (stoa_str){rest->ptr, (uint64_t)(end - rest->ptr)};
    *rest = (stoa_str){end + 1, rest->len - ret->len - 1};
    return true;
}

static bool strip_cr(stoa_str *line)
{
    if (line->len == 0 || line->ptr[line->len - 1] != '\r')
        return false;
    line->len--;
    return true;
}

static enum peer_verdict unfinished(stoa_str bytes)
{
    return bytes.len < PEER_HEAD_MAX ? PEER_REPLY_MORE : PEER_REPLY_BROKEN;
}

enum peer_verdict peer_reply_parse(stoa_str bytes, struct peer_reply *ret)
{
    stoa_str rest = stoa_str_sub(bytes, 0, PEER_HEAD_MAX), line;
    bool has_length = false;

    *ret = (struct peer_reply){0};
    for (uint32_t i = 0; next_line(&rest, &line); i++) {
        if (!strip_cr(&line) || i > PEER_FIELDS_MAX)
            return PEER_REPLY_BROKEN;
        if (i > 0 && line.len == 0) {
            ret->head_size = (uint32_t)(rest.ptr - bytes.ptr);
            return has_length ? PEER_REPLY_OK : PEER_REPLY_BROKEN;
        }
        if (i == 0 ? !read_status(line, ret) : !read_field(line, ret, &has_length))
            return PEER_REPLY_BROKEN;
    }
    return unfinished(bytes);
}
