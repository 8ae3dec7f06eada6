/* supervise/crash.c: formatted by hand, as printf() is not for signal handlers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "supervise/crash.h"

#include <sys/socket.h>

struct line {
    char text[256];
    uint32_t len;
};

static void put(struct line *line, const char *word)
{
    if (line->len > 0 && line->len < sizeof line->text)
        line->text[line->len++] = ' ';
    if (!*word)
        word = "-";
    while (*word && line->len < sizeof line->text) {
        line->text[line->len++] = *word == ' ' ? '_' : *word;
        word++;
    }
}

static void put_number(struct line *line, uint64_t number)
{
    char digits[24], *at = digits + sizeof digits - 1;

    *at = '\0';
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    put(line, at);
}

void crash_format_address(uintptr_t address, char ret[20])
{
    ret[0] = '0';
    ret[1] = 'x';
    for (int i = 0; i < 16; i++)
        ret[2 + i] = "0123456789abcdef"[(address >> (60 - 4 * i)) & 15];
    ret[18] = '\0';
}

void crash_send(int fd, const struct crash *crash)
{
    struct line line = {.len = 0};

    put(&line, "crash");
    put_number(&line, (uint64_t)crash->signal);
    put(&line, crash->plugin);
    put_number(&line, crash->generation);
    put(&line, crash->address);
    put(&line, crash->route);
    put(&line, crash->is_called ? "called" : "own");
    if (send(fd, line.text, line.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return; /* nobody to tell */
}

static void take(stoa_str *rest, char *ret, uint64_t size)
{
    stoa_str word = stoa_str_cut(rest, ' ');

    if (stoa_str_is(word, "-"))
        word.len = 0;
    word.len = word.len < size ? word.len : size - 1;
    memcpy(ret, word.ptr, word.len);
    ret[word.len] = '\0';
}

bool crash_parse(stoa_str message, struct crash *ret)
{
    int64_t number = 0;

    *ret = (struct crash){0};
    if (!stoa_str_is(stoa_str_cut(&message, ' '), "crash") ||
        stoa_str_int(stoa_str_cut(&message, ' '), 0, 64, &number) != STOA_OK)
        return false;
    ret->signal = (int)number;
    take(&message, ret->plugin, sizeof ret->plugin);
    if (stoa_str_int(stoa_str_cut(&message, ' '), 0, INT64_MAX, &number) != STOA_OK)
        return false;
    ret->generation = (uint64_t)number;
    take(&message, ret->address, sizeof ret->address);
    take(&message, ret->route, sizeof ret->route);
    ret->is_called = stoa_str_is(message, "called");
    return true;
}
