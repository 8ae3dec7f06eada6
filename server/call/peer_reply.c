/* call/peer_reply.c: line by line. SPDX-License-Identifier: Apache-2.0 */
#include "call/peer_reply.h"

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

/* Field values have no control characters but the tab (RFC 9110 §5.5). */
static bool is_clean(stoa_str line)
{
    for (uint64_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool read_length(stoa_str value, struct peer_reply *ret, bool *has_length)
{
    int64_t length = 0;

    if (*has_length || value.len == 0 || value.ptr[0] < '0' || value.ptr[0] > '9' ||
        stoa_str_int(value, 0, PEER_BODY_MAX, &length) != STOA_OK)
        return false;
    *has_length = true;
    ret->length = (uint64_t)length;
    return true;
}

static bool read_signature(stoa_str value, struct peer_reply *ret)
{
    if (ret->signature[0] || value.len != SIGN_REPLY_MAX - 1)
        return false;
    memcpy(ret->signature, value.ptr, value.len);
    return true;
}

static bool read_field(stoa_str line, struct peer_reply *ret, bool *has_length)
{
    stoa_str value = line, name = stoa_str_cut(&value, ':');

    if (!value.ptr || name.len == 0 || name.ptr[0] == ' ' || name.ptr[0] == '\t' ||
        name.ptr[name.len - 1] == ' ' || !is_clean(line))
        return false;
    value = stoa_str_trim(value);
    if (stoa_str_eq_nocase(name, STOA_STR("content-length")))
        return read_length(value, ret, has_length);
    if (stoa_str_eq_nocase(name, STOA_STR(SIGN_REPLY_HEADER)))
        return read_signature(value, ret);
    if (stoa_str_eq_nocase(name, STOA_STR("connection")))
        ret->is_last |= !stoa_str_eq_nocase(value, STOA_STR("keep-alive"));
    return !stoa_str_eq_nocase(name, STOA_STR("transfer-encoding"));
}

/* The next line without its CRLF; false when there is none yet. */
static bool next_line(stoa_str *rest, stoa_str *ret)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    uint64_t len;

    if (!end)
        return false;
    len = (uint64_t)(end - rest->ptr);
    *ret = stoa_str_sub(*rest, 0, len);
    *rest = stoa_str_sub(*rest, len + 1, UINT64_MAX);
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
