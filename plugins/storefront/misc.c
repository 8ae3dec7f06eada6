/* misc.c: what is no page: assets, robots.txt, favicon.ico, and addresses that nobody has.
 * SPDX-License-Identifier: Apache-2.0 */
#include "storefront.h"

/* GET /assets/{name*} */
stoa_err misc_asset(struct stoa_req *req, void *self)
{
    return stoa_reply_asset(req, stoa_req_param(req, "name"));
}

/* GET /favicon.ico: browsers ask for it on pages that name no icon. */
stoa_err misc_icon(struct stoa_req *req, void *self)
{
    return stoa_reply_asset(req, STOA_STR("favicon.svg"));
}

/* GET /robots.txt */
stoa_err misc_robots(struct stoa_req *req, void *self)
{
    return stoa_reply(req, 200, "text/plain; charset=utf-8",
                      STOA_STR("User-agent: *\nDisallow: /cart\nDisallow: /checkout\n"
                               "Disallow: /orders/\nDisallow: /account\nDisallow: /api/\n"));
}

/* GET /{page}: an address of one segment that no other route has. */
stoa_err misc_not_found(struct stoa_req *req, void *self)
{
    return page_finish(req, STOA_E_NOT_FOUND);
}
