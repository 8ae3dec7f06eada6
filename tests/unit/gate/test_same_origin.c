/* Who may change something with a visitor's cookie. SPDX-License-Identifier: Apache-2.0 */
#include "gate/same_origin.h"

#include "plugin/world.h"
#include <criterion/criterion.h>

static struct world world = {.shop_url = {"https://shop.example:8443", 25}};

struct row {
    stoa_method method;
    const char *cookie, *type, *site, *origin;
    bool passes;
};

static stoa_err check(const struct row *row)
{
    const char *const values[] = {row->cookie, row->type, row->site, row->origin};
    static const char *const names[] = {"cookie", "content-type", "sec-fetch-site", "origin"};
    struct request_header headers[4];
    struct stoa_req req = {.method = row->method,
                           .host = STOA_STR("127.0.0.1:8080"),
                           .headers = headers,
                           .world = &world};

    for (uint32_t i = 0; i < 4; i++)
        if (values[i])
            headers[req.header_count++] =
                (struct request_header){stoa_str_of(names[i]), stoa_str_of(values[i])};
    return same_origin_check(&req);
}

static const char FORM[] = "application/x-www-form-urlencoded";
static const char OWN[] = "http://127.0.0.1:8080";

Test(same_origin, the_whole_table)
{
    static const struct row rows[] = {
        {STOA_GET, "sid=1", NULL, "cross-site", "http://evil.example", true},
        /* Without a cookie and without a form there is nothing to abuse. */
        {STOA_POST, NULL, "application/json", NULL, NULL, true},
        {STOA_POST, NULL, NULL, "cross-site", NULL, true},
        /* Fetch Metadata decides where it is there. */
        {STOA_POST, "sid=1", NULL, "same-origin", NULL, true},
        {STOA_POST, "sid=1", NULL, "same-site", OWN, false},
        {STOA_POST, "sid=1", NULL, "cross-site", OWN, false},
        {STOA_POST, "sid=1", NULL, "none", OWN, false},
        {STOA_POST, "sid=1", NULL, "", OWN, false},
        {STOA_PUT, "sid=1", NULL, "cross-site", NULL, false},
        {STOA_PATCH, "sid=1", NULL, "cross-site", NULL, false},
        {STOA_DELETE, "sid=1", NULL, "cross-site", NULL, false},
        /* Otherwise Origin. */
        {STOA_POST, "sid=1", NULL, NULL, OWN, true},
        {STOA_POST, "sid=1", NULL, NULL, "https://shop.example:8443", true},
        {STOA_POST, "sid=1", NULL, NULL, "https://SHOP.example:8443", true},
        {STOA_POST, "sid=1", NULL, NULL, "http://127.0.0.1:8081", false},
        {STOA_POST, "sid=1", NULL, NULL, "http://127.0.0.1:8080.evil.example", false},
        {STOA_POST, "sid=1", NULL, NULL, "http://evil.example/127.0.0.1:8080", false},
        {STOA_POST, "sid=1", NULL, NULL, "http://evil.example", false},
        {STOA_POST, "sid=1", NULL, NULL, "null", false},
        {STOA_POST, "sid=1", NULL, NULL, "", false},
        {STOA_POST, "sid=1", NULL, NULL, "http://", false},
        {STOA_POST, "sid=1", NULL, NULL, NULL, false},
        /* A form needs it without a cookie, too: logging in. */
        {STOA_POST, NULL, FORM, NULL, NULL, false},
        {STOA_POST, NULL, FORM, NULL, OWN, true},
        {STOA_POST, NULL, "APPLICATION/X-WWW-FORM-URLENCODED ; charset=utf-8", NULL, NULL, false},
        {STOA_POST, NULL, "text/plain", NULL, NULL, false},
        {STOA_POST, NULL, "multipart/form-data; boundary=x", NULL, NULL, false},
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        cr_expect_eq(check(&rows[i]), rows[i].passes ? STOA_OK : STOA_E_FORBIDDEN, "row %u", i);
}

Test(same_origin, a_shop_without_an_address_owns_no_origin)
{
    struct row row = {STOA_POST, "sid=1", NULL, NULL, "http://", false};

    world.shop_url = (stoa_str){0};
    cr_assert_eq(check(&row), STOA_E_FORBIDDEN);
    row.origin = OWN;
    cr_assert_eq(check(&row), STOA_OK);
}
