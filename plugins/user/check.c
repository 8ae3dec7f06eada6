/* check.c: whether what people type can be an address, a name, a password. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#include "user.h"

stoa_str email_normalise(struct stoa_arena *arena, stoa_str email)
{
    stoa_str e = stoa_str_copy(arena, stoa_str_trim(email)), none = {NULL, 0};
    char *text = (char *)(uintptr_t)e.ptr; /* our copy */

    if (stoa_str_find(e, '@', 0) < 1 || e.len > STOA_EMAIL_MAX || !stoa_str_is_utf8(e))
        return none;
    for (uint64_t i = 0; i < e.len; i++) {
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
            return none;
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + 32);
    }
    return e;
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
