/* Tags that another node says are dropped: few, and short. SPDX-License-Identifier: Apache-2.0 */
#include "call/drop.h"
#include "call/remote.h"
#include "testing.h"

#include <criterion/criterion.h>

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
