/* call/permit.c: one place for all routes. SPDX-License-Identifier: Apache-2.0 */
#include "call/permit.h"

static stoa_err check_staff(const struct stoa_req *req, const struct route *route)
{
    if (stoa_may(req, route->permission))
        return STOA_OK;
    return req->identity.who == STOA_WHO_GUEST ? STOA_E_AUTH : STOA_E_FORBIDDEN;
}

stoa_err permit_check(const struct stoa_req *req, const struct route *route)
{
    switch (route->permit) {
    case STOA_ANYONE:
    case STOA_TOKEN: /* the token is checked in the statement that reads or writes the thing */
        return STOA_OK;
    case STOA_CUSTOMER:
        return req->identity.who == STOA_WHO_GUEST ? STOA_E_AUTH : STOA_OK;
    case STOA_STAFF:
        return check_staff(req, route);
    case STOA_INTERNAL:
        return req->is_edge ? STOA_E_NOT_FOUND : STOA_OK;
    default:
        return STOA_E_FORBIDDEN;
    }
}
