/* stoa/value.h: tagged values: parameters of statements, fields of logs and problems. There are no
 * varargs in the ABI. SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_VALUE_H
#define STOA_VALUE_H

#include "json.h"

typedef enum stoa_kind {
    STOA_V_NULL,
    STOA_V_BOOL,
    STOA_V_INT,
    STOA_V_STR,
    STOA_V_MONEY,
    STOA_V_JSON,
} stoa_kind;

typedef struct stoa_value {
    uint32_t kind; /* stoa_kind */
    uint32_t reserved;
    union {
        int64_t i; /* STOA_V_INT, and 0 or 1 for STOA_V_BOOL */
        stoa_str s;
        stoa_money m;
        const struct stoa_json *j;
    };
} stoa_value;
static_assert(sizeof(stoa_value) == 24, "SDK ABI");

static inline stoa_value stoa_null(void)
{
    return (stoa_value){.kind = STOA_V_NULL};
}
static inline stoa_value stoa_b(bool v)
{
    return (stoa_value){.kind = STOA_V_BOOL, .i = v};
}
static inline stoa_value stoa_i(int64_t v)
{
    return (stoa_value){.kind = STOA_V_INT, .i = v};
}
static inline stoa_value stoa_s(stoa_str v)
{
    return (stoa_value){.kind = STOA_V_STR, .s = v};
}
static inline stoa_value stoa_z(const char *v)
{
    return stoa_s(stoa_str_of(v));
}
static inline stoa_value stoa_m(stoa_money v)
{
    return (stoa_value){.kind = STOA_V_MONEY, .m = v};
}
static inline stoa_value stoa_j(const struct stoa_json *v)
{
    return (stoa_value){.kind = STOA_V_JSON, .j = v};
}

struct stoa_values { /* borrowed for the call */
    const stoa_value *ptr;
    uint32_t count;
    uint32_t reserved;
};
#define STOA_ARGS(...)                                                                             \
    ((struct stoa_values){(const stoa_value[]){__VA_ARGS__},                                       \
                          sizeof((const stoa_value[]){__VA_ARGS__}) / sizeof(stoa_value), 0})
#define STOA_NO_ARGS ((struct stoa_values){NULL, 0, 0})

struct stoa_field {
    const char *name;
    stoa_value value;
};
static_assert(sizeof(struct stoa_field) == 32, "SDK ABI");
static inline struct stoa_field stoa_f(const char *name, stoa_value value)
{
    return (struct stoa_field){name, value};
}
struct stoa_fields { /* borrowed for the call */
    const struct stoa_field *ptr;
    uint32_t count;
    uint32_t reserved;
};
#define STOA_FIELDS(...)                                                                           \
    ((struct stoa_fields){                                                                         \
        (const struct stoa_field[]){__VA_ARGS__},                                                  \
        sizeof((const struct stoa_field[]){__VA_ARGS__}) / sizeof(struct stoa_field), 0})
#define STOA_NO_FIELDS ((struct stoa_fields){NULL, 0, 0})

/* The fields as one JSON object. */
STOA_API struct stoa_json *stoa_json_fields(struct stoa_arena *arena, struct stoa_fields fields);

#endif
