/* tests/load/strict.c: a load that notices what status codes hide: replies cut, mixed between two
 * versions of a plugin, answered twice or to another request. One thread, epoll, no library but
 * SHA-256. See README.md. SPDX-License-Identifier: Apache-2.0 */
#include "strict.h"
#include "base/slice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READ = 1 << 16, HEAD_MAX = 1 << 14, OUT_MAX = 4096, CONNECTIONS_MAX = 1000 };
enum { LEAVE_US = 10000, SLOW_STEP = 8, FRESH_EVERY_US = 20000, SLOW_READ_US = 1000 };

/* What a connection does with its life. */
enum kind { KEEP, PIPELINE, SLOW_READER, SLOW_SENDER, LEAVER, FRESH, UNTOUCHED };
/* Of sixteen connections; the first ones get their kind even when there are few. */
static const enum kind mix[16] = {KEEP, PIPELINE,    UNTOUCHED, FRESH, SLOW_READER, LEAVER,
                                  KEEP, SLOW_SENDER, KEEP,      KEEP,  PIPELINE,    KEEP,
                                  KEEP, KEEP,        FRESH,     KEEP};

struct connection {
    int fd; /* -1: to be opened */
    enum kind kind;
    bool is_closing; /* a reply said so */
    bool is_final;   /* the last request said so: nothing may follow it */
    int64_t due_us;  /* of the next slow step, or of leaving; not before */
    struct asked open[DEPTH];
    uint32_t first, count; /* of open: a ring */
    char out[OUT_MAX];
    size_t out_at, out_len;
    char *in;
    size_t in_at, in_len, in_size;
};

struct load {
    struct sockaddr_in place;
    const char *untouched;
    uint32_t connections, rate; /* rate 0: no limit */
    double seconds;
    uint64_t replies_max; /* 0: no limit */
    int64_t every_us, deadline_us;
    bool only_polite; /* no slow ones, nobody leaves */
    bool only_untouched;
    int epoll;
    int64_t started_us, printed_us;
    uint64_t numbers, tokens_used, turns;
    struct figures whole, window;
    struct connection all[CONNECTIONS_MAX];
};

static struct load load = {.connections = 32,
                           .rate = 2500,
                           .seconds = 10,
                           .deadline_us = 30000000,
                           .untouched = "/api/v1/products"};
static volatile sig_atomic_t is_stopped;

static void stop(int signal)
{
    is_stopped = 1;
}

static bool is_slow(enum kind kind)
{
    return kind == SLOW_READER || kind == SLOW_SENDER || kind == LEAVER;
}

static enum kind kind_of(uint32_t connection)
{
    enum kind kind = mix[connection % 16];

    if (load.only_untouched)
        return UNTOUCHED;
    return load.only_polite && is_slow(kind) ? KEEP : kind;
}

/* ---- Connections ---- */

static void forget(struct connection *c)
{
    close(c->fd);
    c->fd = -1;
    c->count = c->first = 0;
    c->out_at = c->out_len = c->in_at = c->in_len = 0;
    c->is_closing = c->is_final = false;
}

static void open_connection(struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int one = 1, small = 16384;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->kind == SLOW_READER)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&load.place, sizeof load.place) != 0) {
        failed(&load.whole, COUNT_refused, strerror(errno), 0);
        forget(c);
        c->due_us = now_us() + 10000; /* so that a closed port is not asked in a circle */
        return;
    }
    event.events = c->kind == SLOW_READER ? 0 : EPOLLIN;
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void ended(struct connection *c)
{
    uint64_t number = c->count ? c->open[c->first].number : 0;

    if (c->in_len > c->in_at)
        failed(&load.whole, COUNT_cut, "the connection ended inside its reply", number);
    else if (c->is_closing)
        load.whole.count[COUNT_retried] += c->count;
    else if (c->count)
        failed(&load.whole, COUNT_unanswered, "the connection ended before its reply", number);
    else
        load.whole.count[COUNT_reconnects]++;
    forget(c);
}

/* ---- Asking ---- */

static void flush_some(struct connection *c, size_t most)
{
    size_t left = c->out_len - c->out_at;
    ssize_t n =
        send(c->fd, c->out + c->out_at, left < most ? left : most, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n > 0)
        c->out_at += (size_t)n;
    if (c->out_at == c->out_len)
        c->out_at = c->out_len = 0;
}

static void ask(struct connection *c, enum route route, bool is_last)
{
    static const char *const paths[] = {"/swap/now/", "/swap/later/", "/swap/large"};
    struct asked *asked = &c->open[(c->first + c->count++) % DEPTH];
    char path[256];

    c->is_final = is_last;
    *asked = (struct asked){route, ++load.numbers, now_us(),
                            c->kind == KEEP || c->kind == FRESH || c->kind == UNTOUCHED};
    if (route == ROUTE_UNTOUCHED)
        snprintf(path, sizeof path, "%s", load.untouched);
    else if (route == ROUTE_LARGE)
        snprintf(path, sizeof path, "%s", paths[route]);
    else
        snprintf(path, sizeof path, "%s%llu", paths[route], (unsigned long long)asked->number);
    c->out_len += (size_t)snprintf(c->out + c->out_len, OUT_MAX - c->out_len,
                                   "GET %s HTTP/1.1\r\nHost: shop\r\n%s\r\n", path,
                                   is_last ? "Connection: close\r\n" : "");
}

/* So many requests may begin now. */
static bool may_ask(uint32_t count, int64_t now)
{
    double allowed = (double)load.rate * (double)(now - load.started_us) / 1e6;

    if (!load.rate)
        return true;
    if (allowed - (double)load.tokens_used > load.rate / 4.0) /* a standstill is not caught up */
        load.tokens_used = (uint64_t)(allowed - load.rate / 4.0);
    if ((double)load.tokens_used + count > allowed)
        return false;
    load.tokens_used += count;
    return true;
}

static void begin_many(struct connection *c)
{
    if (c->kind == PIPELINE)
        for (uint32_t i = 0; i < DEPTH; i++)
            ask(c, i % 4 == 3 ? ROUTE_LATER : ROUTE_NOW, false);
    else if (c->kind == SLOW_READER)
        for (uint32_t i = 0; i < LARGE_EACH; i++)
            ask(c, ROUTE_LARGE, i == LARGE_EACH - 1);
    else {
        ask(c, ROUTE_LATER, false);
        ask(c, ROUTE_LARGE, false);
    }
}

static void begin(struct connection *c, int64_t now)
{
    if (!is_slow(c->kind) && !may_ask(c->kind == PIPELINE ? DEPTH : 1, now))
        return;
    if (c->fd < 0)
        open_connection(c);
    if (c->fd < 0)
        return;
    if (c->kind == PIPELINE || c->kind == SLOW_READER || c->kind == LEAVER)
        begin_many(c);
    else
        ask(c, c->kind == UNTOUCHED ? ROUTE_UNTOUCHED : ROUTE_NOW, c->kind == FRESH);
    if (c->kind == LEAVER)
        c->due_us = now + LEAVE_US;
    if (c->kind == FRESH)
        c->due_us = now + FRESH_EVERY_US;
    if (c->kind != SLOW_SENDER)
        flush_some(c, OUT_MAX);
}

/* ---- Replies ---- */

/* Value of a header of a head that ends with an empty line, or NULL. */
static const char *header(const char *head, size_t len, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = head; (at = memchr(at, '\n', len - (size_t)(at - head))) != NULL;) {
        at++;
        if ((size_t)(at - head) + length + 1 < len && strncasecmp(at, name, length) == 0 &&
            at[length] == ':')
            return at + length + 1 + strspn(at + length + 1, " ");
    }
    return NULL;
}

static void take(struct connection *c, const struct reply *reply, size_t head)
{
    judge(&load.whole, &c->open[c->first], reply);
    c->first = (c->first + 1) % DEPTH;
    c->count--;
    c->in_at += head + reply->len;
    if (c->in_at == c->in_len)
        c->in_at = c->in_len = 0;
}

/* One whole reply off the buffer; false: there is none yet, or what is there is no reply. */
static bool take_reply(struct connection *c, bool *is_broken)
{
    const char *at = c->in + c->in_at, *length, *closing;
    size_t len = c->in_len - c->in_at, head;
    const char *end = memmem(at, len, "\r\n\r\n", 4);
    struct reply reply;

    *is_broken = len >= 5 && memcmp(at, "HTTP/", 5) != 0;
    if (!end || *is_broken) {
        *is_broken |= len > HEAD_MAX;
        return false;
    }
    head = (size_t)(end - at) + 4;
    length = header(at, head, "content-length");
    *is_broken = !length;
    if (!length)
        return false;
    reply = (struct reply){(int)strtol(at + 9, NULL, 10), end + 4, strtoul(length, NULL, 10)};
    if (len - head < reply.len)
        return false;
    closing = header(at, head, "connection");
    c->is_closing |= closing && strncasecmp(closing, "close", 5) == 0;
    take(c, &reply, head);
    return true;
}

static void take_replies(struct connection *c)
{
    bool is_broken = false;

    while (c->count && c->in_len > c->in_at && take_reply(c, &is_broken))
        continue;
    if (is_broken)
        failed(&load.whole, COUNT_wrong_length, "no reply begins where the last one ended",
               c->open[c->first].number);
    else if (!c->count && c->in_len > c->in_at)
        failed(&load.whole, COUNT_duplicated, "there is more than was asked for", load.numbers);
    else
        return;
    forget(c);
}

static void make_room(struct connection *c)
{
    if (c->in_at) {
        memmove(c->in, c->in + c->in_at, c->in_len - c->in_at);
        c->in_len -= c->in_at;
        c->in_at = 0;
    }
    if (c->in_size - c->in_len >= READ)
        return;
    c->in_size = c->in_size ? c->in_size * 2 : 4 * READ;
    c->in = realloc(c->in, c->in_size);
    if (!c->in)
        abort();
}

static void receive(struct connection *c)
{
    ssize_t n;

    if (c->in_size - c->in_len < READ)
        make_room(c);
    n = recv(c->fd, c->in + c->in_len, READ, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        ended(c);
        return;
    }
    c->in_len += (size_t)n;
    take_replies(c);
}

/* ---- Turns ---- */

static bool is_late(const struct connection *c, int64_t now)
{
    return c->count && now - c->open[c->first].at_us > load.deadline_us;
}

static void step(struct connection *c, int64_t now)
{
    if (c->kind == LEAVER && c->fd >= 0 && now >= c->due_us) {
        load.whole.count[COUNT_left]++;
        forget(c);
    } else if (c->kind == SLOW_READER && c->fd >= 0 && now >= c->due_us) {
        c->due_us = now + SLOW_READ_US;
        receive(c);
    }
    if (c->fd >= 0 && c->out_len)
        flush_some(c, c->kind == SLOW_SENDER ? SLOW_STEP : OUT_MAX);
    if (is_late(c, now)) {
        failed(&load.whole, COUNT_late, "no reply within the deadline", c->open[c->first].number);
        forget(c);
    }
}

static bool may_begin(const struct connection *c, int64_t now)
{
    if (c->fd >= 0)
        return c->count == 0 && !c->is_closing && !c->is_final;
    return now >= c->due_us;
}

/* Of all, each turn from another one on: where the rate is low, the first would leave nothing for
 * the last. is_ending: nothing begins any more. False: nothing is open. */
static bool turn(int64_t now, bool is_ending)
{
    bool any = false;

    load.turns++;
    for (uint32_t i = 0; i < load.connections; i++) {
        struct connection *c = &load.all[(load.turns + i) % load.connections];
        step(c, now);
        if (!is_ending && may_begin(c, now))
            begin(c, now);
        any |= c->count > 0 && c->fd >= 0;
    }
    return any;
}

static void wait_and_receive(void)
{
    struct epoll_event events[64];
    int n = epoll_wait(load.epoll, events, 64, 1);

    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (c->fd >= 0)
            receive(c);
    }
}

/* The figures since the last line. */
static void print_window(int64_t now)
{
    struct figures since = load.whole;

    for (int i = 0; i < COUNT_END; i++)
        since.count[i] -= load.window.count[i];
    for (int i = 0; i < 10; i++)
        since.version[i] -= load.window.version[i];
    for (int i = 0; i < HISTOGRAM; i++) {
        since.all.bucket[i] -= load.window.all.bucket[i];
        since.untouched.bucket[i] -= load.window.untouched.bucket[i];
    }
    since.all.total -= load.window.all.total;
    since.untouched.total -= load.window.untouched.total;
    print_figures(&since, (double)(now - load.printed_us) / 1e6, false);
    load.window = load.whole;
    load.printed_us = now;
}

static void play(void)
{
    int64_t until, now = load.printed_us = load.started_us = now_us();
    bool is_ending = false;

    until = now + (int64_t)(load.seconds * 1e6);
    while (turn(now, is_ending) || !is_ending) {
        wait_and_receive();
        now = now_us();
        if (load.every_us && now - load.printed_us >= load.every_us)
            print_window(now);
        is_ending = is_ending || is_stopped || now >= until ||
                    (load.replies_max && load.whole.count[COUNT_requests] >= load.replies_max);
    }
    print_figures(&load.whole, (double)(now - load.started_us) / 1e6, true);
}

/* ---- Start ---- */

static int usage(void)
{
    fputs("strict PORT [--connections N] [--seconds S] [--requests N] [--rate N] [--every MS]\n"
          "       [--untouched PATH] [--deadline MS] [--polite | --only-untouched]; see "
          "tests/load/README.md\n",
          stderr);
    return 2;
}

static bool option(const char *name, const char *value)
{
    double n = strtod(value, NULL);

    if (strcmp(name, "--connections") == 0)
        load.connections = n < 1 ? 1 : n > CONNECTIONS_MAX ? CONNECTIONS_MAX : (uint32_t)n;
    else if (strcmp(name, "--seconds") == 0)
        load.seconds = n;
    else if (strcmp(name, "--requests") == 0)
        load.replies_max = (uint64_t)n;
    else if (strcmp(name, "--rate") == 0)
        load.rate = (uint32_t)n;
    else if (strcmp(name, "--every") == 0)
        load.every_us = (int64_t)(n * 1000);
    else if (strcmp(name, "--deadline") == 0)
        load.deadline_us = (int64_t)(n * 1000);
    else if (strcmp(name, "--untouched") == 0)
        load.untouched = value;
    else
        return false;
    return true;
}

static bool read_arguments(int argc, char **argv)
{
    long port = argc < 2 ? 0 : strtol(argv[1], NULL, 10);

    if (port < 1 || port > 65535)
        return false;
    load.place = (struct sockaddr_in){.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--polite") == 0)
            load.only_polite = true;
        else if (strcmp(argv[i], "--only-untouched") == 0)
            load.only_untouched = true;
        else if (i + 1 == argc || !option(argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!read_arguments(argc, argv))
        return usage();
    slice_serve(); /* what it waits for a processor is not to be told as the shop's */
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < load.connections; i++)
        load.all[i] = (struct connection){.fd = -1, .kind = kind_of(i)};
    play();
    return failures(&load.whole) > 0;
}
