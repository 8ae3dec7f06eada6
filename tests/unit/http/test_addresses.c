/* Accounts per address. SPDX-License-Identifier: Apache-2.0 */
#include "http/addresses.h"
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct http_addresses table;

static void setup(void)
{
    http_addresses_init(&table);
}
TestSuite(addresses, .init = setup);

static struct http_ip numbered(uint32_t n)
{
    struct http_ip ip = {{0x20, 0x01}};

    memcpy(ip.bytes + 4, &n, sizeof(n));
    return ip;
}

Test(addresses, give_each_address_one_entry)
{
    struct http_ip one = numbered(1), two = numbered(2);
    struct http_address *a = http_address_acquire(&table, &one, 9);

    cr_expect(eq(ptr, http_address_acquire(&table, &one, 9), a));
    cr_expect(ne(ptr, http_address_acquire(&table, &two, 9), a));
    cr_expect(eq(uint, a->holders, 2));
}

Test(addresses, keep_to_the_cap_and_forget_with_the_last_holder)
{
    struct http_ip ip = numbered(1);
    struct http_address *a = http_address_acquire(&table, &ip, 2);

    cr_expect(ne(ptr, http_address_acquire(&table, &ip, 2), NULL));
    cr_expect(zero(ptr, http_address_acquire(&table, &ip, 2)));
    http_address_release(&table, a);
    cr_expect(eq(ptr, http_address_acquire(&table, &ip, 2), a));
    http_address_release(&table, a);
    http_address_release(&table, a);
    cr_expect(eq(ptr, table.free, a), "recycled");
    http_address_release(&table, NULL);
}

Test(addresses, cap_of_zero_lets_nobody_in)
{
    struct http_ip ip = numbered(1);

    cr_expect(zero(ptr, http_address_acquire(&table, &ip, 0)));
}

Test(addresses, hold_many_and_lose_none)
{
    enum { MANY = 20000 };
    static struct http_address *held[MANY];

    for (uint32_t i = 0; i < MANY; i++) {
        struct http_ip ip = numbered(i);
        held[i] = http_address_acquire(&table, &ip, 1);
    }
    for (uint32_t i = 0; i < MANY; i += 2)
        http_address_release(&table, held[i]);
    for (uint32_t i = 0; i < MANY; i++) {
        struct http_ip ip = numbered(i);
        struct http_address *again = http_address_acquire(&table, &ip, 1);
        cr_assert(i % 2 ? again == NULL : again != NULL, "%u", i);
    }
}
