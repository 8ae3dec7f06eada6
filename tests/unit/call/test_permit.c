/* Who may use which route. SPDX-License-Identifier: Apache-2.0 */
#include "call/permit.h"

#include <criterion/criterion.h>

static stoa_err check(uint32_t permit, stoa_who who, bool is_edge)
{
    struct stoa_req req = {
        .identity = {.who = who, .permissions = STOA_STR("orders:read orders:write")},
        .is_edge = is_edge};
    struct route route = {.permit = permit, .permission = "orders:write"};

    return permit_check(&req, &route);
}

Test(permit, the_whole_table)
{
    static const struct {
        uint32_t permit;
        stoa_err guest, customer, staff, host;
    } rows[] = {
        {STOA_ANYONE, STOA_OK, STOA_OK, STOA_OK, STOA_OK},
        {STOA_TOKEN, STOA_OK, STOA_OK, STOA_OK, STOA_OK},
        {STOA_CUSTOMER, STOA_E_AUTH, STOA_OK, STOA_OK, STOA_OK},
        {STOA_STAFF, STOA_E_AUTH, STOA_E_FORBIDDEN, STOA_OK, STOA_OK},
        {STOA_INTERNAL, STOA_E_NOT_FOUND, STOA_E_NOT_FOUND, STOA_E_NOT_FOUND, STOA_E_NOT_FOUND},
        {0, STOA_E_FORBIDDEN, STOA_E_FORBIDDEN, STOA_E_FORBIDDEN, STOA_E_FORBIDDEN},
        {99, STOA_E_FORBIDDEN, STOA_E_FORBIDDEN, STOA_E_FORBIDDEN, STOA_E_FORBIDDEN},
    };

    for (uint32_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        cr_expect_eq(check(rows[i].permit, STOA_WHO_GUEST, true), rows[i].guest, "row %u", i);
        cr_expect_eq(check(rows[i].permit, STOA_WHO_CUSTOMER, true), rows[i].customer, "row %u", i);
        cr_expect_eq(check(rows[i].permit, STOA_WHO_STAFF, true), rows[i].staff, "row %u", i);
        cr_expect_eq(check(rows[i].permit, STOA_WHO_HOST, true), rows[i].host, "row %u", i);
    }
}

Test(permit, what_is_internal_is_there_for_calls)
{
    cr_assert_eq(check(STOA_INTERNAL, STOA_WHO_GUEST, false), STOA_OK);
    cr_assert_eq(check(STOA_STAFF, STOA_WHO_GUEST, false), STOA_E_AUTH);
}

Test(permit, a_permission_is_a_whole_word)
{
    struct stoa_req req = {.identity = {.who = STOA_WHO_STAFF}};
    struct route route = {.permit = STOA_STAFF, .permission = "orders:write"};

    cr_assert_eq(permit_check(&req, &route), STOA_E_FORBIDDEN);
    req.identity.permissions = STOA_STR("orders:writes my-orders:write orders");
    cr_assert_eq(permit_check(&req, &route), STOA_E_FORBIDDEN);
    req.identity.permissions = STOA_STR("a orders:write");
    cr_assert_eq(permit_check(&req, &route), STOA_OK);
    req.identity.who = STOA_WHO_CUSTOMER;
    cr_assert_eq(permit_check(&req, &route), STOA_E_FORBIDDEN);
}
