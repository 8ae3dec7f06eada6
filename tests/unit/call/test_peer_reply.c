/* The head of another node's reply. SPDX-License-Identifier: Apache-2.0 */
#include "call/peer_reply.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define OK "HTTP/1.1 200 OK\r\n"
#define LENGTH "content-length: 5\r\n"

static enum peer_verdict parse(const char *text, struct peer_reply *ret)
{
    return peer_reply_parse(stoa_str_of(text), ret);
}

Test(peer_reply, reads_status_length_and_where_the_body_begins)
{
    struct peer_reply r;

    cr_assert_eq(parse(OK "Server: x\r\nContent-Length: 5\r\n\r\nhello", &r), PEER_REPLY_OK);
    cr_assert_eq(r.status, 200);
    cr_assert_eq(r.length, 5);
    cr_assert_eq(r.head_size, strlen(OK "Server: x\r\nContent-Length: 5\r\n\r\n"));
    cr_assert_not(r.is_last);
}

Test(peer_reply, knows_the_last_of_a_connection)
{
    struct peer_reply r;

    cr_assert_eq(parse(OK LENGTH "Connection: close\r\n\r\n", &r), PEER_REPLY_OK);
    cr_assert(r.is_last);
    cr_assert_eq(parse(OK LENGTH "Connection: Keep-Alive\r\n\r\n", &r), PEER_REPLY_OK);
    cr_assert_not(r.is_last);
    cr_assert_eq(parse("HTTP/1.0 200 OK\r\n" LENGTH "\r\n", &r), PEER_REPLY_OK);
    cr_assert(r.is_last);
}

Test(peer_reply, waits_for_each_missing_byte)
{
    static const char text[] = OK LENGTH "\r\n";
    struct peer_reply r;

    for (size_t i = 0; i + 1 < sizeof text - 1; i++)
        cr_expect_eq(peer_reply_parse((stoa_str){text, i}, &r), PEER_REPLY_MORE, "%zu", i);
}

Test(peer_reply, refuses_what_can_be_read_in_two_ways)
{
    static const char *const broken[] = {
        "\r\n\r\n",
        "HTTP/1.1 200 OK\n" LENGTH "\r\n",
        "HTTP/2.0 200 OK\r\n" LENGTH "\r\n",
        "HTTP/1.1 099 no\r\n" LENGTH "\r\n",
        "HTTP/1.1 100 Continue\r\n" LENGTH "\r\n",
        "HTTP/1.1 600 no\r\n" LENGTH "\r\n",
        "HTTP/1.1  200 OK\r\n" LENGTH "\r\n",
        OK "\r\n",
        OK LENGTH LENGTH "\r\n",
        OK "content-length: +5\r\n\r\n",
        OK "content-length: 5, 5\r\n\r\n",
        OK "content-length: 0x5\r\n\r\n",
        OK "content-length:\r\n\r\n",
        OK "content-length: 99999999999999999999\r\n\r\n",
        OK "content-length: 16777217\r\n\r\n",
        OK LENGTH "transfer-encoding: chunked\r\n\r\n",
        OK "content-length : 5\r\n\r\n",
        OK LENGTH "transfer-encoding\t: chunked\r\n\r\n",
        OK LENGTH " folded: x\r\n\r\n",
        OK LENGTH "no colon\r\n\r\n",
        OK LENGTH "x: a\x01"
                  "b\r\n\r\n",
    };
    struct peer_reply r;

    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        cr_expect_eq(parse(broken[i], &r), PEER_REPLY_BROKEN, "%zu: %s", i, broken[i]);
}

Test(peer_reply, ends_a_head_without_end)
{
    static char text[PEER_HEAD_MAX + 100];
    struct peer_reply r;

    memset(text, 'a', sizeof text - 1);
    memcpy(text, OK "x: ", strlen(OK "x: "));
    cr_assert_eq(peer_reply_parse((stoa_str){text, PEER_HEAD_MAX - 1}, &r), PEER_REPLY_MORE);
    cr_assert_eq(peer_reply_parse((stoa_str){text, PEER_HEAD_MAX}, &r), PEER_REPLY_BROKEN);
}

Test(peer_reply, takes_no_more_than_so_many_fields)
{
    char text[4096] = OK LENGTH;
    struct peer_reply r;

    for (int i = 0; i < PEER_FIELDS_MAX + 1; i++)
        strcat(text, "x: y\r\n");
    strcat(text, "\r\n");
    cr_assert_eq(parse(text, &r), PEER_REPLY_BROKEN);
}
