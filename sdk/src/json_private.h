/* json_private.h: what a node of a JSON tree is. SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_PRIVATE_H
#define JSON_PRIVATE_H

#include <stoa/json.h>

enum {
    JSON_TEXT_MAX = 1 << 20,
    JSON_NODES_MAX = 20000,
    JSON_DEPTH_MAX = 32,       /* of what is read */
    JSON_NAME_MAX = 256,       /* bytes */
    JSON_BUILT_DEPTH_MAX = 64, /* of what is built; asserted, because a walk recurses on a fiber */
    JSON_INDEX_FROM = 24,      /* containers with more elements have an index */
};

/* Finds elements by position and members by name; only in containers past JSON_INDEX_FROM, so
 * that small ones, nearly all, cost nothing. Grown by the one who builds the tree: readers of a
 * shared tree never write. */
struct json_index {
    struct stoa_json **items;
    uint32_t cap;
    uint32_t slot_mask; /* objects: slots - 1 */
    uint32_t *slots;    /* objects: open addressing; position + 1, or 0 */
};

/* An array or object of which only the text is known yet (json_plain.h): it becomes a tree when
 * somebody looks inside, and its text again if nobody does. One thread at a time may read it, as
 * with all that is in a request's arena. */
enum { JSON_CLOSED = STOA_JSON_OBJECT + 1 };

struct stoa_json {
    uint8_t kind;   /* stoa_json_kind, or JSON_CLOSED */
    bool is_placed; /* has a parent */
    uint16_t reserved;
    uint32_t count; /* elements */
    struct stoa_json *next;
    stoa_str name; /* when it is a member */
    union {
        int64_t i;
        double r;
        stoa_str s;
        struct {
            stoa_str text;
            struct stoa_arena *text_arena;
        }; /* JSON_CLOSED */
        struct {
            struct stoa_json *first, *last;
            struct stoa_arena *arena;
            struct json_index *index;
        };
    };
};
static_assert(sizeof(struct stoa_json) == 64, "one cache line");

/* A node with nothing in it yet. kind: stoa_json_kind or JSON_CLOSED. */
struct stoa_json *json_node(struct stoa_arena *arena, uint8_t kind);
/* Of an array or object that is being built. */
static inline struct stoa_arena *json_arena(const struct stoa_json *container)
{
    stoa_assert(container->kind == STOA_JSON_ARRAY || container->kind == STOA_JSON_OBJECT);
    return container->arena;
}
/* Makes the tree of a JSON_CLOSED. */
void json_open(struct stoa_json *json);
/* As stoa_json_set_str(), and neither name nor v is copied: both live as long as the object. */
void json_set_shared(struct stoa_json *object, stoa_str name, stoa_str v);
/* Puts value last. The container's kind and value's freedom are the caller's to know. */
void json_append(struct stoa_json *container, struct stoa_json *value);
/* As stoa_json_set() for a new name; name is not copied. False, and nothing done, when the object
 * has it already. */
bool json_add_member(struct stoa_json *object, stoa_str name, struct stoa_json *value);
/* s in quotes, between first and last unless they are 0. */
void json_put_string(struct stoa_buf *out, char first, stoa_str s, char last);

#endif
