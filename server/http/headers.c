/* http/headers.c: see headers.h. SPDX-License-Identifier: Apache-2.0 */
#include "http/headers.h"

#include "base/field.h"
#include <stdio.h>
#include <stdlib.h>

#define POLICY                                                                                     \
    "default-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; "                 \
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
#define X(name, value) "\r\n" name ": " value
#define REST HTTP_FIXED_HEADERS(X)
#define HSTS "\r\nstrict-transport-security: max-age=31536000"

static stoa_str format_block(const char *form_action, const char *last)
{
    char *text;
    int len = asprintf(&text, POLICY "%s%s" REST "%s", form_action ? " " : "",
                       form_action ? form_action : "", last);

    stoa_assert(len > 0);
    return (stoa_str){text, (uint64_t)len};
}
#undef X

/* A host source of CSP: scheme, host, port; several with spaces between. */
static bool is_source_list(const char *text)
{
    for (; *text; text++)
        if (*text <= 0x20 ? *text != ' ' : *text == ';' || *text == ',' || *text >= 0x7f)
            return false;
    return true;
}

bool http_headers_init(const char *form_action, struct http_fixed_headers *ret)
{
    if (form_action && !is_source_list(form_action))
        return false;
    ret->name = STOA_STR("content-security-policy");
    ret->http = format_block(form_action, "");
    ret->https = format_block(form_action, HSTS);
    return true;
}

bool http_header_value_is_fit(stoa_str value)
{
    const char *end = value.ptr + value.len;

    return value.len == 0 || field_value_end(value.ptr, end) == end;
}

static bool is_ours(stoa_str name)
{
    static const stoa_str ours[] = {
        {"content-length", 14},
        {"transfer-encoding", 17},
        {"connection", 10},
        {"keep-alive", 10},
        {"upgrade", 7},
        {"trailer", 7},
        {"te", 2},
        {"date", 4},
        {"server", 6},
        {"content-type", 12},
    };

    for (uint32_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (stoa_str_eq(name, ours[i]))
            return true;
    return false;
}

bool http_header_is_fit(const struct request_header *header)
{
    for (uint64_t i = 0; i < header->name.len; i++) {
        char c = header->name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return header->name.len > 0 && !is_ours(header->name) &&
           http_header_value_is_fit(header->value);
}

const char *http_reason(int32_t status)
{
    static const struct {
        int32_t status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (uint32_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Status";
}
