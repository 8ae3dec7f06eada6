/* Tags that another node says are dropped: few, and short. SPDX-License-Identifier: Apache-2.0 */
#include "call/drop.h"

#include "call/remote.h"
#include "call/wiring.h"
#include "few_fibers.h"
#include "testing.h"
#include <criterion/criterion.h>
#include <stdio.h>

static const struct stoa_plugin_v1 plugin = {0};
static const struct t_plugin plugins[] = {{"toy", &plugin}};
static const struct t_shop t_shop = {plugins, 1};

static stoa_str message(bool is_message, uint32_t count, uint64_t len)
{
    char *tag = memset(stoa_arena_take(t_arena(), len + 1), 't', len);
    struct stoa_buf out;

    stoa_buf_init(&out, t_arena(), 1024);
    if (is_message)
        put_u32(&out, REMOTE_DROP);
    put_u32(&out, count);
    for (uint32_t i = 0; i < count; i++)
        put_str(&out, (stoa_str){tag, len});
    return stoa_buf_str(&out);
}

static bool takes(uint32_t count, uint64_t len)
{
    struct decoder in = {.arena = t_arena(), .rest = message(false, count, len)};
    struct stoa_req *req = t_request("toy");
    stoa_str unused;
    stoa_err err = remote_serve(req, message(true, count, len), &unused);

    drop_take(&in, req);
    cr_assert_eq(in.broken, err != STOA_OK, "a reply and a message have one limit");
    cr_assert_eq(req->drop_count > 0, count > 0 && !in.broken);
    return err == STOA_OK;
}

STOA_TEST(tags_of_another_node_have_their_limits)
{
    cr_assert(takes(0, 0));
    cr_assert(takes(1, DROP_TAG_MAX));
    cr_assert(takes(DROP_TAGS_MAX, DROP_TAG_MAX));
    cr_assert_not(takes(1, DROP_TAG_MAX + 1));
    cr_assert_not(takes(1, 1 << 20));
    cr_assert_not(takes(DROP_TAGS_MAX + 1, 1));
}

STOA_TEST(a_node_is_told_once_there_is_a_fiber_again)
{
    struct stoa_req *req = t_request("toy");
    struct remote *remote = req->world->wiring->remote;
    struct peer_group before = remote->others;

    remote->others.count = 1;
    remote->others.peers[0] = peer_get(STOA_STR("http://127.0.0.1:9"), STOA_STR("other"));
    spawns = 0;
    spawns_refused = UINT32_MAX;
    drop_tag(req, STOA_STR("one"));
    drop_tag(req, STOA_STR("one"));
    cr_assert_eq(spawns, 2, "the same tag tries again");
    for (uint32_t i = 1; i < DROP_WAITING_MAX; i++) {
        char tag[32];
        snprintf(tag, sizeof tag, "t%u", i);
        drop_tag(req, stoa_str_of(tag));
    }
    spawns = 0;
    drop_tag(req, STOA_STR("one too many"));
    cr_assert_eq(spawns, 1, "so does one that finds no place");
    remote->others = before;
    spawns_refused = 0;
}
