/* The simulator (tests/fault) runs whole histories; here stands what each step promises.
 * SPDX-License-Identifier: Apache-2.0 */
#include "saga.h"

#include <criterion/criterion.h>
#include <string.h>

enum { NOW = 1000, END = 100000 };

static struct saga_state at(enum saga_step step)
{
    return (struct saga_state){.step = step, .attempt = 1, .expires_ms = END};
}

static enum saga_step after(struct saga_state state, enum saga_outcome outcome, int64_t now)
{
    return saga_apply(&state, outcome, now).step;
}

Test(saga, sells)
{
    struct saga_state s = saga_begin(NOW, END);

    cr_expect_eq(saga_decide(&s, NOW), SAGA_DO_RESERVE);
    s = saga_apply(&s, SAGA_OK, NOW);
    cr_expect_eq(saga_decide(&s, NOW), SAGA_DO_OPEN);
    cr_expect_eq(s.attempt, 1);
    s = saga_apply(&s, SAGA_CAPTURED, NOW);
    cr_expect(saga_is_paid(s.step));
    cr_expect_eq(saga_decide(&s, NOW), SAGA_DO_COMMIT);
    s = saga_apply(&s, SAGA_OK, NOW);
    cr_expect_eq(s.step, SAGA_DONE);
    cr_expect_eq(saga_decide(&s, NOW), SAGA_REST);
}

Test(saga, asks_before_it_pays_when_taken_over)
{
    struct saga_state s = at(SAGA_PAY);

    cr_expect_eq(saga_decide(&s, NOW), SAGA_DO_STATUS);
    s.can_pay = true;
    cr_expect_eq(saga_decide(&s, NOW), SAGA_DO_STATUS, "even by the buyer's own request");
}

Test(saga, keeps_the_key_when_the_buyer_pays_again)
{
    struct saga_state s = at(SAGA_ASK), next;

    s.can_pay = true;
    next = saga_apply(&s, SAGA_ABSENT, NOW);
    cr_expect_eq(next.step, SAGA_PAY);
    cr_expect_eq(next.attempt, s.attempt);
    cr_expect_eq(saga_decide(&next, NOW), SAGA_DO_OPEN);
}

Test(saga, charges_nobody_behind_their_back)
{
    struct saga_state s = at(SAGA_RESERVE);

    cr_expect_eq(saga_decide(&s, NOW), SAGA_GIVE_UP);
    cr_expect_eq(after(s, SAGA_OK, NOW), SAGA_RELEASE);
    cr_expect_eq(after(at(SAGA_PAY), SAGA_ABSENT, NOW), SAGA_VOID);
    cr_expect_eq(after(at(SAGA_ASK), SAGA_ABSENT, NOW), SAGA_VOID);
}

Test(saga, takes_money_that_came_even_when_late)
{
    cr_expect_eq(after(at(SAGA_ASK), SAGA_CAPTURED, END + 1), SAGA_COMMIT);
    cr_expect_eq(after(at(SAGA_ACTION), SAGA_CAPTURED, END + 1), SAGA_COMMIT);
}

Test(saga, voids_before_it_gives_the_goods_back)
{
    cr_expect_eq(after(at(SAGA_ASK), SAGA_UNKNOWN, END), SAGA_VOID);
    cr_expect_eq(after(at(SAGA_ACTION), SAGA_NEEDS_ACTION, END), SAGA_VOID);
    cr_expect_eq(after(at(SAGA_VOID), SAGA_UNKNOWN, END), SAGA_VOID);
    cr_expect_eq(after(at(SAGA_VOID), SAGA_OK, END), SAGA_RELEASE);
    cr_expect_eq(after(at(SAGA_RELEASE), SAGA_OK, END), SAGA_CANCELLED);
}

Test(saga, never_gives_up_what_is_paid)
{
    struct saga_state s = at(SAGA_COMMIT), next;

    for (int64_t now = NOW; now < 10 * END; now += END) {
        next = saga_apply(&s, SAGA_UNKNOWN, now);
        cr_expect_eq(next.step, SAGA_COMMIT);
        cr_expect(next.is_waiting);
    }
    cr_expect_not(saga_cancel(&s, &next));
}

Test(saga, says_why_it_was_cancelled)
{
    struct saga_state s = at(SAGA_PAY), next;

    next = saga_apply(&s, SAGA_REFUSED, NOW);
    cr_expect_eq(next.reason, SAGA_FOR_DECLINED);
    cr_assert(saga_cancel(&s, &next));
    cr_expect_eq(next.step, SAGA_VOID);
    cr_expect_eq(next.reason, SAGA_FOR_ASKED);
}

Test(saga, waits_longer_each_time_and_not_for_ever)
{
    struct saga_state s = at(SAGA_VOID);
    int64_t before = 0;

    for (int i = 0; i < 40; i++) {
        s = saga_apply(&s, SAGA_UNKNOWN, NOW);
        cr_expect_geq(s.deadline_ms - NOW, before);
        cr_expect_leq(s.deadline_ms - NOW, 30000);
        before = s.deadline_ms - NOW;
    }
    cr_expect_eq(before, 30000);
}

Test(saga, polls_for_the_buyer_until_the_end_of_the_order)
{
    struct saga_state s = at(SAGA_ACTION), next;

    next = saga_apply(&s, SAGA_NEEDS_ACTION, NOW);
    cr_expect(next.is_waiting);
    cr_expect_eq(next.deadline_ms, NOW + 15000);
    next = saga_apply(&s, SAGA_NEEDS_ACTION, END - 10);
    cr_expect_eq(next.deadline_ms, END);
}

Test(saga, names_its_steps)
{
    for (enum saga_step s = 0; s < SAGA_STEP_COUNT; s++)
        cr_expect_eq(saga_step_of(saga_step_name(s), strlen(saga_step_name(s))), s);
    for (enum saga_reason r = 0; r < SAGA_REASON_COUNT; r++)
        cr_expect_eq(saga_reason_of(saga_reason_name(r), strlen(saga_reason_name(r))), r);
    cr_expect_eq(saga_step_of("packed", 6), SAGA_STEP_COUNT);
    cr_expect_eq(saga_reason_of("whim", 4), SAGA_REASON_COUNT);
}
