/* json_index.c: what keeps large arrays and objects from costing quadratic time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json_index.h"
#include "arena_private.h"
#include <stdatomic.h>
#include <sys/auxv.h>

/* Names come from visitors, who could otherwise choose thousands that fall into one slot: the
 * hash depends on bytes that the kernel drew for this process. */
static uint64_t process_secret(void)
{
    static _Atomic uint64_t kept; /* 0: not yet; threads that are first together keep the same */
    uint64_t secret = atomic_load_explicit(&kept, memory_order_relaxed);
    const void *drawn; /* 16 bytes, or NULL */

    if (__builtin_expect(secret != 0, 1))
        return secret;
    secret = UINT64_C(0x9e3779b97f4a7c15);
    drawn = (const void *)getauxval(AT_RANDOM);
    if (drawn)
        memcpy(&secret, drawn, sizeof(secret));
    atomic_store_explicit(&kept, secret | 1, memory_order_relaxed);
    return secret | 1;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t hash_name(stoa_str name)
{
    uint64_t secret = process_secret(), hash = secret ^ name.len;

    for (uint64_t i = 0; i < name.len; i += 8) {
        uint64_t word = 0;
        memcpy(&word, name.ptr + i, name.len - i < 8 ? name.len - i : 8);
        hash = fold(hash ^ word, secret) + hash;
    }
    return (uint32_t)fold(hash, UINT64_C(0xd6e8feb86659fd93) ^ secret);
}

static void put_slot(struct json_index *index, stoa_str name, uint32_t position)
{
    uint32_t slot = hash_name(name) & index->slot_mask;

    while (index->slots[slot])
        slot = (slot + 1) & index->slot_mask;
    index->slots[slot] = position + 1;
}

/* Room for twice as many elements; slots stay at most half full. */
static void grow(struct stoa_json *container)
{
    struct json_index *index = container->index;
    uint32_t cap = index->cap ? index->cap * 2 : JSON_INDEX_FROM * 4, position = 0;
    bool is_object = container->kind == STOA_JSON_OBJECT;

    index->items = arena_take(container->arena, cap * sizeof(index->items[0]));
    index->cap = cap;
    if (is_object) {
        index->slots = stoa_new_array(container->arena, uint32_t, cap * 2);
        index->slot_mask = cap * 2 - 1;
    }
    for (struct stoa_json *e = container->first; e; e = e->next, position++) {
        index->items[position] = e;
        if (is_object)
            put_slot(index, e->name, position);
    }
}

void json_index_append(struct stoa_json *container, struct stoa_json *value)
{
    struct json_index *index = container->index;

    if (!index) {
        if (container->count <= JSON_INDEX_FROM)
            return;
        container->index = stoa_new(container->arena, struct json_index);
        grow(container);
        return;
    }
    if (container->count > index->cap) {
        grow(container);
        return;
    }
    index->items[container->count - 1] = value;
    if (container->kind == STOA_JSON_OBJECT)
        put_slot(index, value->name, container->count - 1);
}

int64_t json_index_find(const struct stoa_json *object, stoa_str name)
{
    const struct json_index *index = object->index;
    uint32_t slot = hash_name(name) & index->slot_mask;

    for (; index->slots[slot]; slot = (slot + 1) & index->slot_mask) {
        uint32_t position = index->slots[slot] - 1;
        if (stoa_str_eq(index->items[position]->name, name))
            return position;
    }
    return -1;
}
