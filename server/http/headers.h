/* http/headers.h: the headers that every reply carries, and what must never be one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP_HEADERS_H
#define HTTP_HEADERS_H

#include "plugin/request.h"

/* name, value. The content security policy comes before them, HSTS (https only) after. */
#define HTTP_FIXED_HEADERS(X)                                                                      \
    X("x-content-type-options", "nosniff")                                                         \
    X("referrer-policy", "same-origin")                                                            \
    X("cross-origin-opener-policy", "same-origin")                                                 \
    X("cross-origin-resource-policy", "same-origin")                                               \
    X("permissions-policy", "camera=(), geolocation=(), microphone=()")                            \
    X("x-frame-options", "DENY")

/* All of them as the value of one header that libh2o copies whole: line ends are inside. */
struct http_fixed_headers {
    stoa_str name; /* of the first */
    stoa_str http, https;
};

/* form_action: what else forms may be sent to, or NULL. False: it holds a character that has no
 * place in a policy. */
bool http_headers_init(const char *form_action, struct http_fixed_headers *ret);
/* May this go out? Names in lower case, no control character anywhere, and none of the headers that
 * say where a message ends or that http/ writes itself. */
bool http_header_is_fit(const struct request_header *header);
bool http_header_value_is_fit(stoa_str value);
/* "Not Found"; never NULL. */
const char *http_reason(int32_t status);

#endif
