/* supervise/handover.c: to and from JSON. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/handover.h"

#include <stdio.h>
#include <unistd.h>

void handover_init(struct handover *handover)
{
    memset(handover, 0, sizeof *handover);
    handover->lock = handover->channel = -1;
}

/* ---- Out ---- */

static void put_sockets(const struct http_sockets *s, struct stoa_json *list,
                        struct stoa_arena *arena)
{
    struct stoa_json *one = stoa_json_push(list, stoa_json_object(arena));
    struct stoa_json *fds = stoa_json_array(arena);

    stoa_json_set_str(one, "address", stoa_str_copy(arena, stoa_str_of(s->address)));
    stoa_json_set_str(one, "bound", stoa_str_copy(arena, stoa_str_of(s->bound)));
    for (uint32_t i = 0; i < s->count; i++)
        stoa_json_push(fds, stoa_json_new_int(arena, s->fds[i]));
    stoa_json_set(one, "fds", fds);
}

struct stoa_json *handover_left_out_json(const struct handover *h, struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < h->left_out_count; i++) {
        struct stoa_json *one = stoa_json_push(list, stoa_json_object(arena));
        stoa_json_set_str(one, "plugin", stoa_str_copy(arena, stoa_str_of(h->left_out[i].plugin)));
        stoa_json_set_str(one, "why", stoa_str_copy(arena, stoa_str_of(h->left_out[i].why)));
        if (h->left_out[i].in_sandbox)
            stoa_json_set_str(one, "place", STOA_STR("sandbox"));
    }
    return list;
}

static void put_kept(const struct handover *h, struct stoa_json *object, struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_set(object, "kept", stoa_json_array(arena)), *one;

    for (uint32_t i = 0; i < h->kept_count; i++) {
        one = stoa_json_push(list, stoa_json_object(arena));
        stoa_json_set_str(one, "address", stoa_str_copy(arena, stoa_str_of(h->kept[i].address)));
        stoa_json_set_int(one, "fd", h->kept[i].fd);
    }
}

void handover_put(const struct handover *h, struct stoa_json *object, struct stoa_arena *arena)
{
    struct stoa_json *listen = stoa_json_array(arena);

    stoa_json_set_int(object, "lock", h->lock);
    stoa_json_set_int(object, "loops", h->loops);
    stoa_json_set_int(object, "channel", h->channel);
    stoa_json_set_int(object, "supervisor", h->supervisor);
    stoa_json_set_int(object, "revision", (int64_t)h->revision);
    if (h->data[0])
        stoa_json_set_str(object, "data", stoa_str_of(h->data));
    stoa_json_set_bool(object, "successor", h->is_successor);
    stoa_json_set_bool(object, "served", h->has_served);
    stoa_json_set_str(object, "problem", stoa_str_of(h->problem));
    for (uint32_t i = 0; i < h->listen_count; i++)
        put_sockets(&h->listen[i], listen, arena);
    stoa_json_set(object, "listen", listen);
    put_kept(h, object, arena);
    stoa_json_set(object, "left_out", handover_left_out_json(h, arena));
}

/* ---- In ---- */

static void copy(char *ret, size_t size, stoa_str text)
{
    snprintf(ret, size, "%.*s", (int)text.len, text.ptr);
}

static void get_sockets(const struct stoa_json *json, struct http_sockets *ret)
{
    const struct stoa_json *fds = stoa_json_get(json, "fds");

    *ret = (struct http_sockets){.count = 0};
    copy(ret->address, sizeof ret->address, stoa_json_str(json, "address"));
    copy(ret->bound, sizeof ret->bound, stoa_json_str(json, "bound"));
    for (const struct stoa_json *fd = stoa_json_first(fds); fd && ret->count < HTTP_SOCKETS_MAX;
         fd = stoa_json_next(fd))
        ret->fds[ret->count++] = (int)stoa_json_int(fd, "", -1);
}

static void get_kept(const struct stoa_json *list, struct handover *ret)
{
    for (const struct stoa_json *e = stoa_json_first(list);
         e && ret->kept_count < HANDOVER_LISTEN_MAX; e = stoa_json_next(e)) {
        struct http_kept *one = &ret->kept[ret->kept_count++];
        copy(one->address, sizeof one->address, stoa_json_str(e, "address"));
        one->fd = (int)stoa_json_int(e, "fd", -1);
    }
}

void handover_get(const struct stoa_json *json, struct handover *ret)
{
    const struct stoa_json *listen = stoa_json_get(json, "listen");
    const struct stoa_json *left_out = stoa_json_get(json, "left_out");

    handover_init(ret);
    ret->lock = (int)stoa_json_int(json, "lock", -1);
    ret->loops = (uint32_t)stoa_json_int(json, "loops", 1);
    ret->channel = (int)stoa_json_int(json, "channel", -1);
    ret->supervisor = (int)stoa_json_int(json, "supervisor", 0);
    ret->revision = (uint64_t)stoa_json_int(json, "revision", 0);
    copy(ret->data, sizeof ret->data, stoa_json_str(json, "data"));
    ret->is_successor = stoa_json_true(json, "successor");
    ret->has_served = stoa_json_true(json, "served");
    copy(ret->problem, sizeof ret->problem, stoa_json_str(json, "problem"));
    for (const struct stoa_json *l = stoa_json_first(listen);
         l && ret->listen_count < HANDOVER_LISTEN_MAX; l = stoa_json_next(l))
        get_sockets(l, &ret->listen[ret->listen_count++]);
    get_kept(stoa_json_get(json, "kept"), ret);
    for (const struct stoa_json *l = stoa_json_first(left_out);
         l && ret->left_out_count < HANDOVER_LEFT_OUT_MAX; l = stoa_json_next(l)) {
        struct left_out *one = &ret->left_out[ret->left_out_count++];
        copy(one->plugin, sizeof one->plugin, stoa_json_str(l, "plugin"));
        copy(one->why, sizeof one->why, stoa_json_str(l, "why"));
        one->in_sandbox = stoa_str_is(stoa_json_str(l, "place"), "sandbox");
    }
}

/* ---- Sockets that come and go ---- */

static struct http_sockets *find_sockets(struct handover *h, stoa_str address)
{
    for (uint32_t i = 0; i < h->listen_count; i++)
        if (stoa_str_is(address, h->listen[i].address))
            return &h->listen[i];
    return NULL;
}

static struct http_sockets *add_sockets(struct handover *h, stoa_str address, uint32_t count)
{
    struct http_sockets *s;

    if (h->listen_count == HANDOVER_LISTEN_MAX)
        return NULL;
    s = &h->listen[h->listen_count++];
    *s = (struct http_sockets){.count = count};
    memset(s->fds, 0xff, sizeof s->fds);
    copy(s->address, sizeof s->address, address);
    return s;
}

bool handover_listen(struct handover *h, stoa_str text, int fd)
{
    stoa_str address = stoa_str_cut(&text, ' '), bound = stoa_str_cut(&text, ' ');
    int64_t index, count;
    struct http_sockets *s = find_sockets(h, address);

    if (stoa_str_int(stoa_str_cut(&text, ' '), 0, HTTP_SOCKETS_MAX - 1, &index) != STOA_OK ||
        stoa_str_int(text, index + 1, HTTP_SOCKETS_MAX, &count) != STOA_OK)
        return false;
    if (!s)
        s = add_sockets(h, address, (uint32_t)count);
    if (!s || s->count != (uint32_t)count || s->fds[index] >= 0)
        return false;
    copy(s->bound, sizeof s->bound, bound);
    s->fds[index] = fd;
    return true;
}

void handover_unlisten(struct handover *h, stoa_str address)
{
    struct http_sockets *s = find_sockets(h, address);

    (void)handover_keep(h, address, -1);
    if (!s)
        return;
    http_sockets_close(s);
    *s = h->listen[--h->listen_count];
}

/* ---- Certificates ---- */

bool handover_keep(struct handover *h, stoa_str address, int fd)
{
    uint32_t i = 0;

    while (i < h->kept_count && !stoa_str_is(address, h->kept[i].address))
        i++;
    if (i == HANDOVER_LISTEN_MAX)
        return false;
    if (i < h->kept_count) {
        close(h->kept[i].fd);
        h->kept[i] = h->kept[--h->kept_count];
    }
    if (fd < 0)
        return true;
    copy(h->kept[h->kept_count].address, sizeof h->kept[0].address, address);
    h->kept[h->kept_count++].fd = fd;
    return true;
}

/* ---- The rest ---- */

bool handover_leave_out(struct handover *h, const char *plugin, const char *why)
{
    uint32_t i = 0;

    while (i < h->left_out_count && strcmp(h->left_out[i].plugin, plugin) != 0)
        i++;
    if (i == HANDOVER_LEFT_OUT_MAX)
        return false;
    h->left_out[i].in_sandbox = i == h->left_out_count;
    snprintf(h->left_out[i].plugin, sizeof h->left_out[i].plugin, "%s", plugin);
    snprintf(h->left_out[i].why, sizeof h->left_out[i].why, "%s", why);
    if (i == h->left_out_count)
        h->left_out_count++;
    return h->left_out[i].in_sandbox;
}

void handover_each_fd(const struct handover *h, void (*each)(void *data, int fd), void *data)
{
    if (h->lock >= 0)
        each(data, h->lock);
    for (uint32_t i = 0; i < h->listen_count; i++)
        for (uint32_t k = 0; k < h->listen[i].count; k++)
            if (h->listen[i].fds[k] >= 0)
                each(data, h->listen[i].fds[k]);
    for (uint32_t i = 0; i < h->kept_count; i++)
        if (h->kept[i].fd >= 0)
            each(data, h->kept[i].fd);
}
