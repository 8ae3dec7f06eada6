/* check.c: whether what people type can be an address, a name, a password. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#include "user.h"

static bool is_local(unsigned char c)
{
    return c > ' ' && c != 0x7f && !strchr("@<>(),;:\\\"[]", c);
}

static bool is_domain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c >= 0x80;
}

static bool domain_is(stoa_str d)
{
    if (d.len < 3 || d.ptr[0] == '.' || d.ptr[0] == '-' || d.ptr[d.len - 1] == '.')
        return false;
    for (uint64_t i = 0; i < d.len; i++)
        if (!is_domain((unsigned char)d.ptr[i]) || (d.ptr[i] == '.' && d.ptr[i + 1] == '.'))
            return false;
    return stoa_str_find(d, '.', 0) > 0;
}

stoa_str email_normalise(struct stoa_arena *arena, stoa_str email)
{
    stoa_str e = stoa_str_copy(arena, stoa_str_trim(email)), none = {NULL, 0};
    int64_t at = stoa_str_find(e, '@', 0);
    char *text = (char *)(uintptr_t)e.ptr; /* our copy */

    if (at < 1 || at > 64 || e.len > USER_EMAIL_MAX || !stoa_str_is_utf8(e))
        return none;
    for (uint64_t i = 0; i < e.len; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + 32);
    for (int64_t i = 0; i < at; i++)
        if (!is_local((unsigned char)text[i]))
            return none;
    return domain_is(stoa_str_sub(e, (uint64_t)at + 1, e.len)) ? e : none;
}

const char *password_fault(stoa_str password)
{
    if (password.len < USER_PASSWORD_MIN)
        return "Use at least 10 characters";
    if (password.len > USER_PASSWORD_MAX)
        return "Use at most 128 characters";
    return NULL;
}

const char *name_fault(stoa_str name)
{
    if (name.len > USER_NAME_MAX)
        return "Use at most 100 characters";
    for (uint64_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f)
            return "A name has no control characters";
    return NULL;
}

void fault_push(struct stoa_arena *arena, struct stoa_json *faults, const char *field,
                const char *message)
{
    if (message)
        stoa_json_push(faults,
                       stoa_json_fields(arena, STOA_FIELDS(stoa_f("field", stoa_z(field)),
                                                           stoa_f("message", stoa_z(message)))));
}
