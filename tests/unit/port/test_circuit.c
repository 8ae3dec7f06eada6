/* When a plugin that dies may live again. SPDX-License-Identifier: Apache-2.0 */
#include "port/circuit.h"

#include <criterion/criterion.h>

Test(circuit, first_at_once_then_with_pauses)
{
    struct circuit c = {0};
    int64_t last = -1;

    for (int i = 0; i < 4; i++) {
        int64_t pause = circuit_died(&c, 1000 + i);
        cr_assert(i == 0 ? pause == 0 : pause > last && pause <= 1000);
        cr_assert_eq(c.state, CIRCUIT_CLOSED);
        last = pause;
    }
}

Test(circuit, opens_after_five_deaths_a_minute)
{
    struct circuit c = {0};

    for (int i = 0; i < 4; i++)
        circuit_died(&c, 1000 + i * 10000);
    cr_assert_eq(circuit_died(&c, 45000), CIRCUIT_OPEN_MS);
    cr_assert_eq(c.state, CIRCUIT_OPEN);
}

Test(circuit, forgets_deaths_of_more_than_a_minute_ago)
{
    struct circuit c = {0};

    for (int i = 0; i < 100; i++)
        cr_assert_lt(circuit_died(&c, 1000 + (int64_t)i * 20000), 1000);
    cr_assert_eq(c.state, CIRCUIT_CLOSED);
}

static struct circuit open_circuit(void)
{
    struct circuit c = {0};

    for (int i = 0; i < 5; i++)
        circuit_died(&c, 1000);
    cr_assert_eq(c.state, CIRCUIT_OPEN);
    return c;
}

Test(circuit, a_probe_that_dies_opens_it_again)
{
    struct circuit c = open_circuit();

    circuit_lives(&c, 31000);
    cr_assert_eq(c.state, CIRCUIT_PROBING);
    circuit_look(&c, 31000 + CIRCUIT_PROVEN_MS - 1);
    cr_assert_eq(circuit_died(&c, 31000 + CIRCUIT_PROVEN_MS - 1), CIRCUIT_OPEN_MS);
    cr_assert_eq(c.state, CIRCUIT_OPEN);
}

Test(circuit, a_probe_that_lives_closes_it)
{
    struct circuit c = open_circuit();

    circuit_lives(&c, 31000);
    circuit_look(&c, 31000 + CIRCUIT_PROVEN_MS);
    cr_assert_eq(c.state, CIRCUIT_CLOSED);
    cr_assert_eq(circuit_deaths(&c, 31000 + CIRCUIT_PROVEN_MS), 0);
    cr_assert_eq(circuit_died(&c, 40000), 0);
}
