/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stoa/errors.h>
#include <string.h>

Test(errors, know_their_name_status_and_text)
{
    cr_assert_str_eq(stoa_err_name(STOA_OK), "OK");
    cr_assert_eq(stoa_err_status(STOA_OK), 200);
    cr_assert_str_eq(stoa_err_name(STOA_E_NOT_FOUND), "NOT_FOUND");
    cr_assert_eq(stoa_err_status(STOA_E_ABI), 500);
    cr_assert_str_eq(stoa_err_name(STOA_E_ABI), "ABI");
    cr_assert_str_eq(stoa_err_text(STOA_E_SOLD_OUT), "Sold out");
}

Test(errors, never_give_null_whatever_a_plugin_returns)
{
    cr_assert_str_eq(stoa_err_name((stoa_err)-1), "INTERNAL");
    cr_assert_eq(stoa_err_status(STOA_E_COUNT), 500);
    cr_assert(strlen(stoa_err_text((stoa_err)100000)) > 0);
}

Test(errors, keep_the_numbers_that_are_abi)
{
    cr_assert_eq(STOA_E_NOT_FOUND, 1);
    cr_assert_eq(STOA_E_INTERNAL, 20);
    cr_assert_eq(STOA_E_ABI, 31);
}
