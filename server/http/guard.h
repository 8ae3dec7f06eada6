/* http/guard.h: is this head framed in the one way that every proxy understands alike? libh2o takes
 * much that it should not (docs/adr, request smuggling), so nothing reaches a handler before this
 * has read the raw bytes. Pure: bytes in, verdict out. SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include <stoa/str.h>

/* name, HTTP status, what the client's developer is told */
#define GUARD_VERDICTS(X)                                                                          \
    X(OK, 200, "")                                                                                 \
    X(INCOMPLETE, 400, "the head has no end")                                                      \
    X(LINE_END, 400, "a line must end in CRLF, and CR or LF may stand nowhere else")               \
    X(REQUEST_LINE, 400, "the request line must be: method, target, HTTP/1.x")                     \
    X(TARGET_FORM, 400, "the request target must start with a slash")                              \
    X(TARGET_BYTES, 400, "the request target holds a byte that must be percent-encoded")           \
    X(TARGET_LONG, 414, "the request target is too long")                                          \
    X(HEAD_LONG, 431, "the head is too long")                                                      \
    X(FIELDS_MANY, 431, "there are too many header lines")                                         \
    X(FIELD_NAME, 400, "a header's name is broken")                                                \
    X(FIELD_VALUE, 400, "a header's value holds a control character")                              \
    X(FIELD_FOLDED, 400, "a header line is folded")                                                \
    X(HOST_MISSING, 400, "there is no Host header")                                                \
    X(HOST_TWICE, 400, "there is more than one Host header")                                       \
    X(HOST_BROKEN, 400, "the Host header is no host")                                              \
    X(LENGTH_BROKEN, 400, "Content-Length is no number")                                           \
    X(LENGTH_TWICE, 400, "there is more than one Content-Length")                                  \
    X(CODING_BROKEN, 400, "the only Transfer-Encoding understood is chunked")                      \
    X(CODING_TWICE, 400, "there is more than one Transfer-Encoding")                               \
    X(CODING_OLD, 400, "HTTP/1.0 has no Transfer-Encoding")                                        \
    X(LENGTH_AND_CODING, 400, "Content-Length and Transfer-Encoding exclude each other")

enum guard_verdict {
#define X(name, status, text) GUARD_##name,
    GUARD_VERDICTS(X)
#undef X
        GUARD_VERDICT_COUNT
};

enum { GUARD_FIELDS_MAX = 100 }; /* what libh2o parses at most */

struct guard_limits {
    uint32_t head_max, target_max, fields_max;
};

struct guard_field { /* places in the raw bytes */
    uint32_t name_at, name_len, value_at, value_len;
};

struct guard_head {
    uint32_t method_at, method_len, target_at, target_len;
    uint32_t size;  /* up to and with the empty line */
    uint32_t minor; /* of HTTP/1.minor */
    int32_t host;   /* its index in fields, or -1 */
    uint32_t field_count;
    struct guard_field fields[GUARD_FIELDS_MAX];
};

/* raw: what came, from the head's first byte; a body and further requests may follow it. *ret is
 * whole when the verdict is GUARD_OK, and not to be read otherwise. */
enum guard_verdict guard_check(stoa_str raw, const struct guard_limits *limits,
                               struct guard_head *ret);
int32_t guard_status(enum guard_verdict verdict);
const char *guard_text(enum guard_verdict verdict);

#endif
