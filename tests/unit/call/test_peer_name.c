/* Names of hosts whose network answers when the test says so. SPDX-License-Identifier: Apache-2.0
 */
#include "call/peer_name.h"

#include "../fiber/on_fiber.h"
#include "base/clock.h"
#include "call/peer.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>

static struct {
    sem_t may_answer;
    _Atomic uint32_t questions;
    bool knows_nobody;
    const char *address;
} network;
static struct pool *pool;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The linker puts this in the real one's place, which still reads numbers. */
int __real_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, /* NOLINT */
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, /* NOLINT */
                       struct addrinfo **ret);
int __wrap_getaddrinfo(const char *host, const char *port,
                       const struct addrinfo *hints, /* NOLINT */
                       struct addrinfo **ret)
{
    if (hints->ai_flags & AI_NUMERICHOST)
        return __real_getaddrinfo(host, port, hints, ret);
    network.questions++;
    while (sem_wait(&network.may_answer) != 0)
        continue;
    return network.knows_nobody ? EAI_AGAIN : __real_getaddrinfo(network.address, port, hints, ret);
}

static struct peer_name name_of(const char *url)
{
    struct peer_name name;

    cr_assert(peer_name_parse(stoa_str_of(url), &name));
    return name;
}

static stoa_err resolve(struct peer_name *name, uint32_t *last)
{
    struct sockaddr_storage at;
    stoa_err err = peer_name_resolve(name, &lock, pool, &at);

    *last = err == STOA_OK ? ntohl(((struct sockaddr_in *)&at)->sin_addr.s_addr) & 255 : 0;
    return err;
}

/* The inquiry's fiber ends after its answer. */
static void answer(uint32_t fibers)
{
    sem_post(&network.may_answer);
    while (fiber_live() > fibers)
        cr_assert_eq(fiber_sleep(1), STOA_OK);
}

static void with_network(void (*body)(void *arg))
{
    static const uint32_t threads[POOL_KINDS] = {[POOL_NAME] = 2},
                          queue[POOL_KINDS] = {[POOL_NAME] = 8};

    pool = pool_create(threads, queue);
    sem_init(&network.may_answer, 0, 0);
    network.address = "127.0.0.1";
    on_fiber(body, NULL);
    pool_destroy(pool);
    sem_destroy(&network.may_answer);
}

static struct peer_name shared;
static uint32_t found, timed_out;

static void find_first(void *arg)
{
    uint32_t last;
    stoa_err err;

    fiber_set_deadline(clock_monotonic_ms() + (arg ? 20 : 10000));
    err = resolve(&shared, &last);
    cr_expect_eq(err, arg ? STOA_E_TIMEOUT : STOA_OK);
    *(arg ? &timed_out : &found) += 1;
}

static void meet_a_stranger(void *arg)
{
    static bool hurry = true;

    shared = name_of("http://orders.internal:9001");
    for (uint32_t i = 0; i < 4; i++)
        spawn(find_first, i == 0 ? &hurry : NULL, NULL);
    while (timed_out == 0 || network.questions == 0)
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    cr_assert_eq(found, 0);
    answer(1);
    cr_assert_eq(found, 3);
    cr_assert_eq(network.questions, 1, "all wait for the same answer");
}

Test(peer_name, the_first_calls_wait_for_one_answer_within_their_time)
{
    with_network(meet_a_stranger);
}

/* Found once, and old by now. */
static struct peer_name found_long_ago(void)
{
    struct peer_name name = name_of("http://orders.internal:9001");
    uint32_t last;

    sem_post(&network.may_answer);
    cr_assert_eq(resolve(&name, &last), STOA_OK);
    name.until_ms = 1;
    return name;
}

static void remember_while_asking(void *arg)
{
    struct peer_name name = found_long_ago();
    uint32_t last;

    network.address = "127.0.0.2";
    for (uint32_t i = 0; i < 10; i++) {
        cr_assert_eq(resolve(&name, &last), STOA_OK, "nobody waits for the network");
        cr_assert_eq(last, 1);
    }
    answer(1);
    cr_assert_eq(network.questions, 2);
    cr_assert_eq(resolve(&name, &last), STOA_OK);
    cr_assert_eq(last, 2);
}

Test(peer_name, an_old_address_serves_until_there_is_a_new_one)
{
    with_network(remember_while_asking);
}

/* What was asked in vain then is not asked again for a moment; it ends when the test says so. */
static void expect_pause(struct peer_name *name, int64_t asked_ms)
{
    cr_assert_geq(name->until_ms, asked_ms + PEER_RESOLVE_AGAIN_MS);
    name->until_ms = INT64_MAX;
}

static void ask_in_vain(void *arg)
{
    struct peer_name name = found_long_ago();
    int64_t asked_ms = clock_monotonic_ms();
    uint32_t last, questions;

    network.knows_nobody = true;
    cr_assert_eq(resolve(&name, &last), STOA_OK);
    answer(1);
    expect_pause(&name, asked_ms);
    cr_assert_eq(resolve(&name, &last), STOA_OK);
    cr_assert_eq(last, 1, "better than none");
    cr_assert_eq(network.questions, 2, "it is not asked again at once");
    name = name_of("http://nobody.internal");
    for (int i = 0; i < 20; i++) /* one is enough, unless this process rests for that moment */
        sem_post(&network.may_answer);
    asked_ms = clock_monotonic_ms();
    cr_assert_eq(resolve(&name, &last), STOA_E_PLUGIN);
    expect_pause(&name, asked_ms);
    questions = network.questions;
    cr_assert_eq(resolve(&name, &last), STOA_E_PLUGIN);
    cr_assert_eq(network.questions, questions);
    name.until_ms = 1;
    network.knows_nobody = false;
    cr_assert_eq(resolve(&name, &last), STOA_OK, "it is back");
    while (fiber_live() > 1)
        cr_assert_eq(fiber_sleep(1), STOA_OK);
}

Test(peer_name, a_question_in_vain_is_not_asked_again_at_once)
{
    with_network(ask_in_vain);
}

static void ask_for_a_number(void *arg)
{
    struct peer_name name = name_of("http://127.0.0.3:9001");
    uint32_t last;

    cr_assert_eq(resolve(&name, &last), STOA_OK);
    cr_assert_eq(last, 3);
    cr_assert_eq(network.questions, 0);
    cr_assert_eq(name.until_ms, INT64_MAX);
}

Test(peer_name, a_number_asks_nobody)
{
    with_network(ask_for_a_number);
}
