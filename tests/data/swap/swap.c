/* tests/data/swap/swap.c: built twice, with VERSION "1" and "2". Every answer names its version at
 * both ends, so that a mixture shows. SPDX-License-Identifier: Apache-2.0 */
#include <stoa/stoa.h>

STOA_MANIFEST("swap", VERSION ".0.0", "");

#define TIMES8(s) s s s s s s s s
#define LINE "0123456789abcdefghijklmnopqrstuvwxyz" VERSION "ABCDEFGHIJKLMNOPQRSTUVWXYZ\n"
#define LINES64 TIMES8(TIMES8(LINE))

/* 2 MiB that are the .so's own pages: a slow reader still needs them when the handler is gone. */
static const char large[] = VERSION "\n" TIMES8(TIMES8(TIMES8(LINES64))) "\n" VERSION;
static const char filler[] = TIMES8(LINES64); /* 32 KiB */

struct swap {
    stoa_str greeting;
    bool fail_warm, outstay;
};

static stoa_err make(const struct stoa_settings *set, struct stoa_instance *in, void **ret)
{
    struct swap *self = stoa_new(stoa_instance_arena(in), struct swap);

    self->greeting = stoa_str_copy(stoa_instance_arena(in), stoa_setting_str(set, "greeting"));
    self->outstay = stoa_setting_bool(set, "outstay");
    self->fail_warm = stoa_setting_bool(set, "fail_warm");
    *ret = self;
    return STOA_OK;
}

static stoa_err warm(struct stoa_req *req, void *self)
{
    const struct swap *swap = self;

    return swap->fail_warm ? STOA_E_STORE : STOA_OK;
}

static stoa_err show_large(struct stoa_req *req, void *self)
{
    return stoa_reply(req, 200, "text/plain", (stoa_str){large, sizeof large - 1});
}

#ifdef SHARED
/* Bound by name, as a careless build does it: whose it is depends on how the host loads. */
STOA_API const char *swap_version(void);
__attribute__((noinline)) const char *swap_version(void)
{
    __asm__ volatile("");
    return VERSION;
}
#define OWN_VERSION stoa_str_of(swap_version())
#else
#define OWN_VERSION STOA_STR(VERSION)
#endif

static stoa_err reply(struct stoa_req *req, stoa_str first)
{
    stoa_str body = stoa_concat(stoa_req_arena(req), first, STOA_STR(" "), stoa_req_param(req, "n"),
                                STOA_STR("\n"), (stoa_str){filler, sizeof filler - 1},
                                stoa_req_param(req, "n"), STOA_STR(" " VERSION));

    return stoa_reply(req, 200, "text/plain", body);
}

static stoa_err show(struct stoa_req *req, void *self)
{
    return reply(req, OWN_VERSION);
}

/* Worlds change while it sleeps. */
static stoa_err show_later(struct stoa_req *req, void *self)
{
    stoa_str first = STOA_STR(VERSION);

    STOA_TRY(stoa_sleep(req, 50));
    return reply(req, first);
}

/* Longer than any world is to be waited for. */
static stoa_err show_long(struct stoa_req *req, void *self)
{
    STOA_TRY(stoa_sleep(req, 50000));
    return reply(req, STOA_STR(VERSION));
}

static stoa_err show_greeting(struct stoa_req *req, void *self)
{
    const struct swap *swap = self;

    return stoa_reply(req, 200, "text/plain", swap->greeting);
}

#ifdef EXTRA
static stoa_err tick(struct stoa_req *req, void *self)
{
    const struct swap *swap = self;

    stoa_log(req, STOA_INFO, "tick " VERSION, STOA_NO_FIELDS);
    return swap->outstay ? stoa_sleep(req, 600000) : STOA_OK;
}
#endif

STOA_PLUGIN(.settings = STOA_SETTINGS({"greeting", STOA_SET_STRING, .otherwise = "hello"},
                                      {"fail_warm", STOA_SET_BOOL, .otherwise = "false"},
                                      {"outstay", STOA_SET_BOOL, .otherwise = "false"}),
            .routes = STOA_ROUTES(
#ifdef EXTRA
                {STOA_GET, .path = "/swap/extra/{n}", .handler = show, .permit = STOA_ANYONE},
#endif
                {STOA_GET, .path = "/swap/greeting", .handler = show_greeting,
                 .permit = STOA_ANYONE},
                {STOA_GET, .path = "/swap/large", .handler = show_large, .permit = STOA_ANYONE},
                {STOA_GET, .path = "/swap/later/{n}", .handler = show_later, .permit = STOA_ANYONE},
                {STOA_GET, .path = "/swap/long/{n}", .handler = show_long, .permit = STOA_ANYONE,
                 .timeout_ms = 60000},
                {STOA_GET, .path = "/swap/now/{n}", .handler = show, .permit = STOA_ANYONE}),
#ifdef EXTRA
            .jobs = STOA_JOBS({"tick", tick, .every_ms = 100, .timeout_ms = 600000}),
#endif
            .create = make, .warm = warm);
