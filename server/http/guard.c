/* http/guard.c: reads a head as RFC 9112 has it, without any of the leniencies the RFC allows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/guard.h"

#include "base/field.h"

enum { TOKEN = 1, TARGET = 2, HOST = 4, DIGIT = 8 };

/* What a byte may be part of. */
static const uint8_t classes[256] = {
    ['!'] = TOKEN | TARGET | HOST,
    ['"'] = TARGET,
    ['$'] = TOKEN | TARGET | HOST,
    ['%'] = TOKEN | TARGET | HOST,
    ['&'] = TOKEN | TARGET | HOST,
    ['\''] = TOKEN | TARGET | HOST,
    ['('] = TARGET | HOST,
    [')'] = TARGET | HOST,
    ['*'] = TOKEN | TARGET | HOST,
    ['+'] = TOKEN | TARGET | HOST,
    [','] = TARGET | HOST,
    ['-'] = TOKEN | TARGET | HOST,
    ['.'] = TOKEN | TARGET | HOST,
    ['/'] = TARGET,
    ['0' ... '9'] = TOKEN | TARGET | HOST | DIGIT,
    [':'] = TARGET | HOST,
    [';'] = TARGET | HOST,
    ['<'] = TARGET,
    ['='] = TARGET | HOST,
    ['>'] = TARGET,
    ['?'] = TARGET,
    ['@'] = TARGET,
    ['A' ... 'Z'] = TOKEN | TARGET | HOST,
    ['['] = TARGET | HOST,
    ['\\'] = TARGET,
    [']'] = TARGET | HOST,
    ['^'] = TOKEN | TARGET,
    ['_'] = TOKEN | TARGET | HOST,
    ['`'] = TOKEN | TARGET,
    ['a' ... 'z'] = TOKEN | TARGET | HOST,
    ['{'] = TARGET,
    ['|'] = TOKEN | TARGET,
    ['}'] = TARGET,
    ['~'] = TOKEN | TARGET | HOST,
    ['#'] = TOKEN, /* in a target it would start a fragment, which is never sent */
};

struct reader {
    const char *base, *at, *end;
    const struct guard_limits *limits;
    struct guard_head *head;
    int32_t length, coding; /* the field's index, or -1 */
};

static const char *skip(const char *at, const char *end, uint8_t class)
{
    while (at != end && (classes[(uint8_t)*at] & class))
        at++;
    return at;
}

static bool is_word(const char *at, uint64_t len, const char *lower, uint64_t lower_len)
{
    if (len != lower_len)
        return false;
    for (uint64_t i = 0; i < len; i++)
        if ((at[i] | (at[i] >= 'A' && at[i] <= 'Z' ? 0x20 : 0)) != lower[i])
            return false;
    return true;
}

/* at stands where a line must end. */
static enum guard_verdict line_end(struct reader *r, enum guard_verdict otherwise)
{
    if (r->at == r->end)
        return GUARD_INCOMPLETE;
    if (*r->at == '\n')
        return GUARD_LINE_END;
    if (*r->at != '\r')
        return otherwise;
    if (r->at + 1 == r->end)
        return GUARD_INCOMPLETE;
    if (r->at[1] != '\n')
        return GUARD_LINE_END;
    r->at += 2;
    return GUARD_OK;
}

static enum guard_verdict read_target(struct reader *r)
{
    const char *end = skip(r->at, r->end, TARGET);
    uint64_t len = (uint64_t)(end - r->at);

    if (len > r->limits->target_max)
        return GUARD_TARGET_LONG;
    if (end == r->end)
        return GUARD_INCOMPLETE;
    if (*r->at != '/')
        return len ? GUARD_TARGET_FORM : GUARD_REQUEST_LINE;
    if (*end != ' ')
        return *end == '\r' || *end == '\n' ? GUARD_REQUEST_LINE : GUARD_TARGET_BYTES;
    r->head->target_at = (uint32_t)(r->at - r->base);
    r->head->target_len = (uint32_t)len;
    r->at = end + 1;
    return GUARD_OK;
}

static enum guard_verdict read_request_line(struct reader *r)
{
    const char *end = skip(r->at, r->end, TOKEN);
    enum guard_verdict verdict;

    if (end == r->end)
        return GUARD_INCOMPLETE;
    if (end == r->at || *end != ' ')
        return GUARD_REQUEST_LINE;
    r->head->method_at = (uint32_t)(r->at - r->base);
    r->head->method_len = (uint32_t)(end - r->at);
    r->at = end + 1;
    if ((verdict = read_target(r)) != GUARD_OK)
        return verdict;
    if (r->end - r->at < 8)
        return GUARD_INCOMPLETE;
    if (memcmp(r->at, "HTTP/1.", 7) != 0 || !(classes[(uint8_t)r->at[7]] & DIGIT))
        return GUARD_REQUEST_LINE;
    r->head->minor = (uint32_t)(r->at[7] - '0');
    r->at += 8;
    return line_end(r, GUARD_REQUEST_LINE);
}

static enum guard_verdict note(int32_t *slot, uint32_t index, enum guard_verdict twice)
{
    if (*slot >= 0)
        return twice;
    *slot = (int32_t)index;
    return GUARD_OK;
}

/* Remembers the three headers that decide where a message ends and whose it is. */
static enum guard_verdict note_field(struct reader *r, uint32_t index)
{
    const struct guard_field *f = &r->head->fields[index];
    const char *name = r->base + f->name_at;

    if (is_word(name, f->name_len, "host", 4))
        return note(&r->head->host, index, GUARD_HOST_TWICE);
    if (is_word(name, f->name_len, "content-length", 14))
        return note(&r->length, index, GUARD_LENGTH_TWICE);
    if (is_word(name, f->name_len, "transfer-encoding", 17))
        return note(&r->coding, index, GUARD_CODING_TWICE);
    return GUARD_OK;
}

static enum guard_verdict read_field(struct reader *r)
{
    struct guard_field *f = &r->head->fields[r->head->field_count];
    const char *name = r->at, *colon = skip(name, r->end, TOKEN), *value, *end;
    enum guard_verdict verdict;

    if (colon == r->end)
        return GUARD_INCOMPLETE;
    if (*name == ' ' || *name == '\t')
        return GUARD_FIELD_FOLDED;
    if (colon == name || *colon != ':')
        return GUARD_FIELD_NAME;
    for (value = colon + 1; value != r->end && (*value == ' ' || *value == '\t'); value++)
        continue;
    r->at = end = field_value_end(value, r->end);
    if ((verdict = line_end(r, GUARD_FIELD_VALUE)) != GUARD_OK)
        return verdict;
    while (end != value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    f->name_at = (uint32_t)(name - r->base);
    f->name_len = (uint32_t)(colon - name);
    f->value_at = (uint32_t)(value - r->base);
    f->value_len = (uint32_t)(end - value);
    return note_field(r, r->head->field_count++);
}

static enum guard_verdict read_fields(struct reader *r)
{
    enum guard_verdict verdict;

    for (;;) {
        if (r->at == r->end)
            return GUARD_INCOMPLETE;
        if (*r->at == '\r' || *r->at == '\n')
            return line_end(r, GUARD_LINE_END);
        if (r->head->field_count == r->limits->fields_max ||
            r->head->field_count == GUARD_FIELDS_MAX)
            return GUARD_FIELDS_MANY;
        if ((verdict = read_field(r)) != GUARD_OK)
            return verdict;
    }
}

static enum guard_verdict check_host(const struct reader *r)
{
    const struct guard_field *f;
    const char *value;

    if (r->head->host < 0)
        return r->head->minor == 0 ? GUARD_OK : GUARD_HOST_MISSING;
    f = &r->head->fields[r->head->host];
    value = r->base + f->value_at;
    if (f->value_len == 0 || f->value_len > 255 ||
        skip(value, value + f->value_len, HOST) != value + f->value_len)
        return GUARD_HOST_BROKEN;
    return GUARD_OK;
}

static enum guard_verdict check_framing(const struct reader *r)
{
    const struct guard_field *f;
    const char *value;

    if (r->coding >= 0) {
        f = &r->head->fields[r->coding];
        if (r->length >= 0)
            return GUARD_LENGTH_AND_CODING;
        if (r->head->minor == 0)
            return GUARD_CODING_OLD;
        if (!is_word(r->base + f->value_at, f->value_len, "chunked", 7))
            return GUARD_CODING_BROKEN;
    }
    if (r->length >= 0) {
        f = &r->head->fields[r->length];
        value = r->base + f->value_at;
        if (f->value_len == 0 || f->value_len > 19 ||
            skip(value, value + f->value_len, DIGIT) != value + f->value_len)
            return GUARD_LENGTH_BROKEN;
    }
    return GUARD_OK;
}

static enum guard_verdict read_head(struct reader *r)
{
    enum guard_verdict verdict;

    /* One empty line before a request is a habit of old clients; libh2o skips it, too. */
    if (r->end - r->at >= 2 && r->at[0] == '\r' && r->at[1] == '\n')
        r->at += 2;
    if ((verdict = read_request_line(r)) != GUARD_OK)
        return verdict;
    if ((verdict = read_fields(r)) != GUARD_OK)
        return verdict;
    r->head->size = (uint32_t)(r->at - r->base);
    if ((verdict = check_host(r)) != GUARD_OK)
        return verdict;
    return check_framing(r);
}

enum guard_verdict guard_check(stoa_str raw, const struct guard_limits *limits,
                               struct guard_head *ret)
{
    uint64_t len = raw.len < limits->head_max ? raw.len : limits->head_max;
    struct reader r = {raw.ptr, raw.ptr, raw.ptr + len, limits, ret, -1, -1};
    enum guard_verdict verdict;

    ret->field_count = 0;
    ret->host = -1;
    verdict = read_head(&r);
    /* Cut off by our own limit, not by the client. */
    if (verdict == GUARD_INCOMPLETE && len < raw.len)
        return GUARD_HEAD_LONG;
    return verdict;
}

int32_t guard_status(enum guard_verdict verdict)
{
    static const int16_t statuses[] = {
#define X(name, status, text) status,
        GUARD_VERDICTS(X)
#undef X
    };
    return statuses[verdict];
}

const char *guard_text(enum guard_verdict verdict)
{
    static const char *const texts[] = {
#define X(name, status, text) text,
        GUARD_VERDICTS(X)
#undef X
    };
    return texts[verdict];
}
