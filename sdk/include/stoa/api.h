/* stoa/api.h: how the SDK's functions are declared. SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_API_H
#define STOA_API_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exported by the host, bound by plugins. Everything else is hidden. */
#define STOA_API __attribute__((visibility("default")))
/* The result says whether it worked; ignoring it is a bug. */
#define STOA_NODISCARD __attribute__((warn_unused_result))

/* A fact only we can cause. On in production: a bug must not become a wrong charge. */
#define stoa_assert(fact) ((fact) ? (void)0 : stoa_assert_failed(#fact, __FILE__, __LINE__))
STOA_API void stoa_assert_failed(const char *fact, const char *file, int32_t line)
    __attribute__((noreturn));

/* Returns on error. Only for straight-line code whose memory lives in one arena. */
#define STOA_TRY(call)                                                                             \
    do {                                                                                           \
        stoa_err stoa_try_err = (call);                                                            \
        if (stoa_try_err != STOA_OK)                                                               \
            return stoa_try_err;                                                                   \
    } while (0)

/* A typed list as the ABI carries it: the reader walks by stride, so entries can grow. */
struct stoa_span {
    const void *ptr;
    uint32_t count;
    uint32_t stride; /* bytes of one entry as its writer knew it */
};
static_assert(sizeof(struct stoa_span) == 16, "SDK ABI");

#define STOA_SPAN(type, ...)                                                                       \
    {                                                                                              \
        (const type[]){__VA_ARGS__}, sizeof((const type[]){__VA_ARGS__}) / sizeof(type),           \
            sizeof(type)                                                                           \
    }

#endif
