/* gate/same_origin.c: Fetch Metadata first (https://www.w3.org/TR/fetch-metadata/), Origin (RFC
 * 6454) where a browser does not send it. No token in pages, so anonymous pages stay cacheable.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gate/same_origin.h"

#include "plugin/world.h"

static bool is_form(stoa_str type)
{
    static const char *const forms[] = {"application/x-www-form-urlencoded", "multipart/form-data",
                                        "text/plain"};

    type = stoa_str_trim(stoa_str_cut(&type, ';'));
    for (uint32_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (stoa_str_eq_nocase(type, stoa_str_of(forms[i])))
            return true;
    return false;
}

/* "http://127.0.0.1:8080" → "127.0.0.1:8080" */
static stoa_str authority(stoa_str url)
{
    for (uint64_t i = 0; i + 2 < url.len; i++)
        if (memcmp(url.ptr + i, "://", 3) == 0) {
            stoa_str rest = stoa_str_sub(url, i + 3, UINT64_MAX);
            return stoa_str_cut(&rest, '/');
        }
    return (stoa_str){0};
}

static bool is_own(const struct stoa_req *req, stoa_str origin)
{
    stoa_str host = authority(origin);

    return host.len > 0 && (stoa_str_eq_nocase(host, req->host) ||
                            stoa_str_eq_nocase(host, authority(req->world->shop_url)));
}

stoa_err same_origin_check(const struct stoa_req *req)
{
    stoa_str site, origin;

    if (req->method == STOA_GET)
        return STOA_OK;
    if (!stoa_req_header(req, "cookie").ptr && !is_form(stoa_req_header(req, "content-type")))
        return STOA_OK;
    site = stoa_req_header(req, "sec-fetch-site");
    if (site.ptr)
        return stoa_str_is(site, "same-origin") ? STOA_OK : STOA_E_FORBIDDEN;
    origin = stoa_req_header(req, "origin");
    return origin.ptr && is_own(req, origin) ? STOA_OK : STOA_E_FORBIDDEN;
}
