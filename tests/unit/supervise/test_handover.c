/* To a worker and back. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/handover.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>

static void there_and_back(const struct handover *h, struct handover *ret)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *json = stoa_json_object(arena);
    const struct stoa_json *read = NULL;
    struct stoa_buf text;

    handover_put(h, json, arena);
    stoa_json_set_str(json, "of a later version", STOA_STR("not known"));
    stoa_buf_init(&text, arena, 4096);
    stoa_json_format(json, &text);
    cr_assert_eq(stoa_json_parse(arena, stoa_buf_str(&text), NULL, &read), STOA_OK);
    handover_get(read, ret);
    stoa_arena_destroy(arena);
}

Test(handover, everything_arrives)
{
    static struct handover h, back;

    handover_init(&h);
    h.lock = 4;
    h.channel = 5;
    h.loops = 2;
    h.supervisor = 77;
    h.revision = 12;
    h.is_successor = true;
    h.has_served = true;
    snprintf(h.problem, sizeof h.problem, "config.lua:3: \"what\"");
    h.listen_count = 1;
    h.listen[0] = (struct http_sockets){
        .address = "127.0.0.1:0", .bound = "127.0.0.1:8080", .fds = {7, 8}, .count = 2};
    handover_leave_out(&h, "gift", "three crashes");
    there_and_back(&h, &back);
    cr_assert(back.is_successor && back.has_served);
    cr_assert_eq(memcmp(&h, &back, sizeof h), 0);
}

static void count(void *data, int fd)
{
    *(int *)data += fd;
}

Test(handover, every_descriptor_is_named_once_but_for_the_channel)
{
    static struct handover h;
    int sum = 0;

    handover_init(&h);
    h.lock = 1;
    h.channel = 1000;
    h.listen_count = 2;
    h.listen[0] = (struct http_sockets){.fds = {10, -1}, .count = 2};
    h.listen[1] = (struct http_sockets){.fds = {100}, .count = 1};
    h.kept_count = 1;
    h.kept[0].fd = 2000;
    handover_each_fd(&h, count, &sum);
    cr_assert_eq(sum, 2111);
}

Test(handover, a_plugin_is_left_out_once_and_the_list_has_an_end)
{
    static struct handover h;
    char name[32];

    handover_init(&h);
    cr_assert(handover_leave_out(&h, "gift", "first"), "a sandbox is tried first");
    cr_assert_not(handover_leave_out(&h, "gift", "second"));
    cr_assert_eq(h.left_out_count, 1);
    cr_assert_str_eq(h.left_out[0].why, "second");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "p%d", i);
        handover_leave_out(&h, name, "why");
    }
    cr_assert_eq(h.left_out_count, HANDOVER_LEFT_OUT_MAX);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

Test(handover, certificates_are_kept_once_an_address_and_closed_when_nothing_is)
{
    static struct handover h, back;
    int first = open("/dev/null", O_RDONLY), second = open("/dev/null", O_RDONLY);

    handover_init(&h);
    cr_assert(handover_keep(&h, STOA_STR(":8443"), first));
    cr_assert(handover_keep(&h, STOA_STR(":8443"), second));
    cr_assert_eq(h.kept_count, 1);
    cr_assert(!is_open(first) && is_open(second));
    there_and_back(&h, &back);
    cr_assert_eq(back.kept_count, 1);
    cr_assert_str_eq(back.kept[0].address, ":8443");
    cr_assert_eq(back.kept[0].fd, second);
    handover_unlisten(&h, STOA_STR(":8443"));
    cr_assert_eq(h.kept_count, 0);
    cr_assert_not(is_open(second));
    for (int i = 0; i < HANDOVER_LISTEN_MAX; i++) {
        char address[16];
        snprintf(address, sizeof address, ":%d", i);
        cr_assert(handover_keep(&h, stoa_str_of(address), open("/dev/null", O_RDONLY)));
    }
    cr_assert_not(handover_keep(&h, STOA_STR(":99"), 0), "the list has an end");
}

Test(handover, what_is_missing_is_filled_in)
{
    static struct handover back;
    struct stoa_arena *arena = stoa_arena_create();

    handover_get(stoa_json_object(arena), &back);
    cr_assert_eq(back.lock, -1);
    cr_assert_eq(back.channel, -1);
    cr_assert_eq(back.loops, 1);
    cr_assert_eq(back.listen_count, 0);
    stoa_arena_destroy(arena);
}
