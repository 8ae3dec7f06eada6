/* supervise/link.c: one supervisor a process. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/link.h"

#include "fiber/fiber.h"
#include "plugin/text_map.h"
#include "supervise/channel.h"
#include "supervise/crash.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int channel = -1;

static bool read_handover(const char *text, struct handover *ret)
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct stoa_json *json = NULL;
    bool ok = stoa_json_parse(arena, stoa_str_of(text), NULL, &json) == STOA_OK;
    struct stat st;

    if (ok)
        handover_get(json, ret);
    ok = ok && fstat(ret->channel, &st) == 0 && S_ISSOCK(st.st_mode);
    stoa_arena_destroy(arena);
    return ok;
}

static void close_on_exec(void *data, int fd)
{
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

bool link_open(struct handover *ret)
{
    const char *text = getenv("STOA_WORKER");

    if (!text || !read_handover(text, ret))
        return false;
    unsetenv("STOA_WORKER");
    handover_each_fd(ret, close_on_exec, NULL);
    close_on_exec(NULL, ret->channel);
    /* Without a supervisor nobody holds the sockets, and the lock would keep the next one out. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != ret->supervisor)
        _exit(1);
    channel = ret->channel;
    return true;
}

bool link_is_open(void)
{
    return channel >= 0;
}

void link_say(const char *format, ...)
{
    char text[PATH_MAX + 64];
    va_list args;
    int len;

    if (channel < 0)
        return;
    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len >= (int)sizeof text)
        len = sizeof text - 1;
    channel_tell(channel, (stoa_str){text, (uint64_t)len}, -1);
}

static void pass(const struct http_sockets *sockets, uint32_t index)
{
    char text[400];
    int len = snprintf(text, sizeof text, "listen %s %s %u %u", sockets->address, sockets->bound,
                       index, sockets->count);

    channel_tell(channel, (stoa_str){text, (uint64_t)len}, sockets->fds[index]);
}

void link_listen(void *unused, const struct http_sockets *sockets, bool is_opened)
{
    if (!is_opened)
        link_say("unlisten %s", sockets->address);
    for (uint32_t i = 0; channel >= 0 && is_opened && i < sockets->count; i++)
        pass(sockets, i);
}

void link_keep(void *unused, const char *address, int fd)
{
    char text[HTTP_ADDRESS_MAX + 32];
    int len = snprintf(text, sizeof text, "certificates %s", address);

    if (channel >= 0)
        channel_tell(channel, (stoa_str){text, (uint64_t)len}, fd);
}

int link_receive(char *ret, int *passed)
{
    return channel_receive(channel, ret, true, passed);
}

/* ---- Last words ---- */

/* Reads a stack as it lies there, red zones included. */
#define NO_ASAN __attribute__((no_sanitize("address")))

static void copy(char *ret, size_t size, const char *text)
{
    size_t i = 0;

    for (; text && text[i] && i < size - 1; i++)
        ret[i] = text[i];
    ret[i] = '\0';
}

/* The plugin's own code, or what it called last: the innermost address on the fiber's stack that is
 * a plugin's. */
NO_ASAN static const struct text_owner *find_owner(const struct fiber_crash *at)
{
    const struct text_owner *owner = text_map_find(at->pc);

    for (const uintptr_t *word = at->stack; !owner && word < at->stack_end; word++)
        owner = text_map_find(*word);
    return owner;
}

static void report(const struct fiber_crash *at)
{
    const struct text_owner *owner = find_owner(at);
    struct crash crash = {.signal = at->signal};

    if (owner) {
        copy(crash.plugin, sizeof crash.plugin, owner->name);
        crash.generation = owner->generation;
        crash.is_called = owner != text_map_find(at->pc);
    }
    crash_format_address(at->pc, crash.address);
    copy(crash.route, sizeof crash.route, at->note);
    crash_send(channel, &crash);
}

void link_watch_crashes(void)
{
    if (channel >= 0)
        fiber_crash_watch(report);
}
