/* What the guard takes, libh2o's own parser must read in the same way: same lines, same names, same
 * values, same end. What follows the head changes nothing. SPDX-License-Identifier: Apache-2.0 */
#include "http/guard.h"
#include <stdlib.h>

/* Of libh2o, exported but in no installed header. */
struct phr_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};
int phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor_version,
                      struct phr_header *headers, size_t *num_headers, size_t last_len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct guard_limits limits = {32 << 10, 8 << 10, GUARD_FIELDS_MAX};

static bool same(const char *raw, uint32_t at, uint32_t len, const char *ptr, size_t ptr_len)
{
    return len == ptr_len && (len == 0 || memcmp(raw + at, ptr, len) == 0);
}

static stoa_str trimmed(struct phr_header h)
{
    return stoa_str_trim((stoa_str){h.value, h.value_len});
}

static void check_against_h2o(const char *raw, size_t size, const struct guard_head *head)
{
    struct phr_header headers[GUARD_FIELDS_MAX];
    const char *method, *path;
    size_t method_len, path_len, count = GUARD_FIELDS_MAX;
    int minor, len = phr_parse_request(raw, size, &method, &method_len, &path, &path_len, &minor,
                                       headers, &count, 0);

    stoa_assert(len > 0 && (uint32_t)len == head->size);
    stoa_assert(same(raw, head->method_at, head->method_len, method, method_len));
    stoa_assert(same(raw, head->target_at, head->target_len, path, path_len));
    stoa_assert(minor >= 0 && (uint32_t)minor == head->minor && count == head->field_count);
    for (uint32_t i = 0; i < head->field_count; i++) {
        const struct guard_field *f = &head->fields[i];
        stoa_str value = trimmed(headers[i]);
        stoa_assert(same(raw, f->name_at, f->name_len, headers[i].name, headers[i].name_len));
        stoa_assert(f->value_len == value.len &&
                    (value.len == 0 || memcmp(raw + f->value_at, value.ptr, value.len) == 0));
    }
}

/* No other end can be seen in what was taken. */
static void check_bytes(const char *raw, const struct guard_head *head)
{
    uint32_t lines = 0;

    for (uint32_t i = 0; i < head->size; i++) {
        stoa_assert(raw[i] != '\0');
        stoa_assert(raw[i] != '\n' || (i > 0 && raw[i - 1] == '\r'));
        stoa_assert(raw[i] != '\r' || (i + 1 < head->size && raw[i + 1] == '\n'));
        lines += raw[i] == '\n';
    }
    stoa_assert(lines == head->field_count + 2 || lines == head->field_count + 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct guard_head head, again;
    const char *raw = (const char *)data;
    enum guard_verdict verdict = guard_check((stoa_str){raw, size}, &limits, &head);

    stoa_assert(verdict < GUARD_VERDICT_COUNT);
    if (verdict != GUARD_OK)
        return 0;
    stoa_assert(head.size <= size && head.size <= limits.head_max);
    check_bytes(raw, &head);
    check_against_h2o(raw, size, &head);
    stoa_assert(guard_check((stoa_str){raw, head.size}, &limits, &again) == GUARD_OK);
    stoa_assert(again.size == head.size && again.field_count == head.field_count);
    stoa_assert(guard_check((stoa_str){raw, head.size - 1}, &limits, &again) == GUARD_INCOMPLETE);
    return 0;
}
