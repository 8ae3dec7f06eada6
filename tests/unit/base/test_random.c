/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

Test(random, gives_other_bytes_each_time_in_any_size)
{
    unsigned char a[1024], b[1024], zero[1024] = {0};

    for (size_t len = 16; len <= sizeof(a); len += 7) {
        memset(a, 0, sizeof(a));
        random_bytes(a, len);
        random_bytes(b, len);
        cr_assert(memcmp(a, b, len) != 0);
        cr_assert(memcmp(a + len - 8, zero, 8) != 0, "filled to the end");
        cr_assert(memcmp(a + len, zero, sizeof(a) - len) == 0, "and not past it");
    }
    random_bytes(a, 0);
}

static void *first_number(void *ret)
{
    *(uint64_t *)ret = random_fast();
    return NULL;
}

Test(random, starts_elsewhere_in_each_thread)
{
    uint64_t mine = random_fast(), theirs = 0;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, first_number, &theirs), 0);
    pthread_join(thread, NULL);
    cr_assert_neq(mine, theirs);
    cr_assert_neq(theirs, 0);
}

Test(random, sets_every_bit_now_and_then)
{
    uint64_t ever = 0, always = UINT64_MAX;

    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t v = random_fast();
        cr_assert_neq(v, 0);
        ever |= v;
        always &= v;
    }
    cr_assert_eq(ever, UINT64_MAX);
    cr_assert_eq(always, 0);
}
