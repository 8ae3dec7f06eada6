/* call/drop.c: one sender an address and loop; what comes meanwhile goes with its next message.
 * SPDX-License-Identifier: Apache-2.0 */
#include "call/drop.h"

#include "base/metrics.h"
#include "call/remote.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include "plugin/world.h"
#include <stdlib.h>

struct drop_out {
    struct peer *peer;
    struct stoa_arena *arena; /* of tags */
    stoa_str tags[DROP_WAITING_MAX];
    uint32_t count;
    bool is_sending;
    struct drop_out *next;
};
static __thread struct drop_out *outs;

static struct drop_out *out_of(struct peer *peer)
{
    struct drop_out *o;

    for (o = outs; o; o = o->next)
        if (o->peer == peer)
            return o;
    o = calloc(1, sizeof *o);
    stoa_assert(o);
    o->peer = peer;
    o->next = outs;
    outs = o;
    return o;
}

/* Where there always is something waiting, what is gone would never be freed. */
static void renew(struct drop_out *o)
{
    struct stoa_arena *before = o->arena;

    o->arena = o->count > 0 ? stoa_arena_create() : NULL;
    for (uint32_t i = 0; i < o->count; i++)
        o->tags[i] = stoa_str_copy(o->arena, o->tags[i]);
    stoa_arena_destroy(before);
}

/* At most DROP_TAGS_MAX of what waits, moved into arena. */
static uint32_t take(struct drop_out *o, struct stoa_arena *arena, stoa_str *tags)
{
    uint32_t n = o->count < DROP_TAGS_MAX ? o->count : DROP_TAGS_MAX;

    for (uint32_t i = 0; i < n; i++)
        tags[i] = stoa_str_copy(arena, o->tags[i]);
    o->count -= n;
    memmove(o->tags, o->tags + n, o->count * sizeof *o->tags);
    renew(o);
    return n;
}

/* A node that cannot be told keeps its copies until they are too old. */
static void send_some(struct drop_out *o)
{
    struct stoa_arena *arena = stoa_arena_create();
    stoa_str *tags = stoa_new_array(arena, stoa_str, DROP_TAGS_MAX);
    uint32_t count = take(o, arena, tags);
    struct world *world = world_pin();

    if (remote_tell(world->wiring->remote, o->peer, world->resources->pool, tags, count) != STOA_OK)
        metric_add(METRIC_peer_drops_lost_total, count);
    world_unpin(world);
    stoa_arena_destroy(arena);
}

static void send_run(void *arg)
{
    struct drop_out *o = arg;

    while (o->count > 0)
        send_some(o);
    o->is_sending = false;
}

static bool is_waiting(const struct drop_out *o, stoa_str tag)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (stoa_str_eq(o->tags[i], tag))
            return true;
    return false;
}

static void add(struct drop_out *o, stoa_str tag)
{
    if (is_waiting(o, tag))
        return;
    if (o->count == DROP_WAITING_MAX) {
        metric_add(METRIC_peer_drops_lost_total, 1);
        return;
    }
    if (!o->arena)
        o->arena = stoa_arena_create();
    o->tags[o->count++] = stoa_str_copy(o->arena, tag);
}

/* What waits may be there because no fiber could be had the last time: whatever the tag, try. */
static void tell(struct peer *peer, stoa_str tag)
{
    struct drop_out *o = out_of(peer);

    add(o, tag);
    if (o->is_sending || o->count == 0)
        return;
    o->is_sending = true;
    if (fiber_spawn(send_run, NULL, o, NULL) != STOA_OK)
        o->is_sending = false; /* the next drop tries again */
}

static void note(struct stoa_req *root, stoa_str tag)
{
    struct request_drop *d;

    if (root->drop_count == DROP_TAGS_MAX)
        return; /* the message to all nodes has it */
    d = stoa_new(root->arena, struct request_drop);
    *d = (struct request_drop){stoa_str_copy(root->arena, tag), root->drops};
    root->drops = d;
    root->drop_count++;
}

void drop_tag(struct stoa_req *req, stoa_str tag)
{
    const struct peer_group *others = &req->world->wiring->remote->others;

    stoa_assert(tag.len <= DROP_TAG_MAX);
    cache_drop(req->world->resources->cache, tag);
    if (others->count == 0)
        return;
    note(request_root(req), tag);
    for (uint32_t i = 0; i < others->count; i++)
        tell(others->peers[i], tag);
}

void drop_put(struct stoa_buf *out, struct stoa_req *root)
{
    put_u32(out, root->drop_count);
    for (const struct request_drop *d = root->drops; d; d = d->next)
        put_str(out, d->tag);
}

/* The next of those that another node names; false: there is none, or it is none. */
static bool get_tag(struct decoder *in, uint32_t *left, stoa_str *ret)
{
    if (in->broken || *left == 0)
        return false;
    (*left)--;
    *ret = get_str(in);
    in->broken = in->broken || ret->len > DROP_TAG_MAX;
    return !in->broken;
}

static uint32_t get_count(struct decoder *in)
{
    uint32_t count = get_u32(in);

    in->broken = in->broken || count > DROP_TAGS_MAX;
    return count;
}

void drop_take(struct decoder *in, struct stoa_req *req)
{
    uint32_t left = get_count(in);
    stoa_str tag;

    while (get_tag(in, &left, &tag)) {
        cache_drop(req->world->resources->cache, tag);
        note(request_root(req), tag);
    }
}

bool drop_obey(struct decoder *in, struct stoa_req *req)
{
    uint32_t left = get_count(in);
    stoa_str tag;

    while (get_tag(in, &left, &tag))
        cache_drop(req->world->resources->cache, tag);
    return !in->broken && in->rest.len == 0;
}
