/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

Test(fault, costs_nothing_and_fails_nothing_unarmed)
{
    cr_assert_not(fault_any_armed);
    cr_assert_eq(fault_point("db.exec"), STOA_OK);
    cr_assert_eq(fault_passed("db.exec"), 0);
}

Test(fault, fails_from_the_nth_time_on)
{
    cr_assert_eq(fault_arm("db.exec=error:STORE@3"), STOA_OK);
    cr_assert_eq(fault_point("db.exec"), STOA_OK);
    cr_assert_eq(fault_point("elsewhere"), STOA_OK);
    cr_assert_eq(fault_point("db.exec"), STOA_OK);
    cr_assert_eq(fault_point("db.exec"), STOA_E_STORE);
    cr_assert_eq(fault_point("db.exec"), STOA_E_STORE);
    cr_assert_eq(fault_passed("db.exec"), 4);
    cr_assert_eq(fault_passed("elsewhere"), 0);
    fault_clear();
    cr_assert_eq(fault_point("db.exec"), STOA_OK);
}

Test(fault, fails_only_the_nth_time_when_told)
{
    cr_assert_eq(fault_arm(" a=error:BUSY@2! ; b=error:TIMEOUT ;"), STOA_OK);
    cr_assert_eq(fault_point("a"), STOA_OK);
    cr_assert_eq(fault_point("a"), STOA_E_BUSY);
    cr_assert_eq(fault_point("a"), STOA_OK);
    cr_assert_eq(fault_point("b"), STOA_E_TIMEOUT);
}

Test(fault, sweeps_until_nothing_is_reached)
{
    uint32_t n = 1, failed = 0;

    for (;; n++) {
        char spec[64];
        snprintf(spec, sizeof(spec), "step=error:STORE@%u!", n);
        cr_assert_eq(fault_arm(spec), STOA_OK);
        for (uint32_t call = 0; call < 5; call++)
            failed += fault_point("step") != STOA_OK;
        if (fault_passed("step") < n)
            break;
    }
    cr_assert_eq(n, 6);
    cr_assert_eq(failed, 5);
}

Test(fault, tells_delays_and_drops_to_those_who_look)
{
    cr_assert_eq(fault_arm("send=delay:250;reply=drop"), STOA_OK);
    struct fault fault = fault_look("send");
    cr_assert_eq(fault.kind, FAULT_DELAY);
    cr_assert_eq(fault.delay_ms, 250);
    cr_assert_eq(fault_look("reply").kind, FAULT_DROP);
    cr_assert_eq(fault_point("send"), STOA_OK);
    cr_assert_eq(fault_look("other").kind, FAULT_NONE);
}

Test(fault, kills, .signal = SIGKILL)
{
    cr_assert_eq(fault_arm("pay=kill@2"), STOA_OK);
    cr_assert_eq(fault_point("pay"), STOA_OK);
    cr_assert_eq(fault_point("pay"), STOA_OK);
}

Test(fault, refuses_what_it_cannot_read_and_arms_nothing)
{
    static const char *const specs[] = {
        "",
        ";",
        "a",
        "a=",
        "=kill",
        "a=error",
        "a=error:",
        "a=error:NOPE",
        "a=error:OK",
        "a=delay",
        "a=delay:x",
        "a=delay:-1",
        "a=kill:1",
        "a=kill@",
        "a=kill@0",
        "a=kill@x",
        "a=kill@1!!",
        "a=kill@!",
        "good=drop;bad",
        "a=drop;a=drop;a=drop;a=drop;a=drop;a=drop;a=drop;a=drop;a=drop"};

    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        fault_arm("before=error:STORE");
        cr_assert_eq(fault_arm(specs[i]), STOA_E_INVALID, "%s", specs[i]);
        cr_assert_not(fault_any_armed, "%s", specs[i]);
    }
    cr_assert_eq(fault_arm(NULL), STOA_E_INVALID);
}
