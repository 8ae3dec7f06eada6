/* tests/data/crash/crash.c: ends the process that runs it, when asked. SPDX-License-Identifier:
 * Apache-2.0 */
#include <stoa/stoa.h>
#include <string.h>

STOA_MANIFEST("crash", "1.0.0", "");

static stoa_err fine(struct stoa_req *req, void *self)
{
    return stoa_reply(req, 200, "text/plain", STOA_STR("fine"));
}

/* In its own code. */
static stoa_err write_null(struct stoa_req *req, void *self)
{
    *(volatile int *)0 = 1;
    return fine(req, self);
}

/* In somebody else's: the address is no plugin's, the one who called is found on the stack. */
static stoa_err read_null(struct stoa_req *req, void *self)
{
    stoa_str nothing = {(const char *)8, 1 << 20};

    return stoa_reply(req, 200, "text/plain",
                      stoa_concat(stoa_req_arena(req), nothing, STOA_STR("x")));
}

static stoa_err overflow_deeper(struct stoa_req *req, uint32_t depth)
{
    volatile char frame[4096];

    memset((char *)frame, (int)depth, sizeof frame);
    if (depth < 1000 && overflow_deeper(req, depth + 1) != STOA_OK)
        return STOA_E_INTERNAL;
    return frame[depth % sizeof frame] == 77 ? STOA_E_INTERNAL : STOA_OK;
}

static stoa_err overflow(struct stoa_req *req, void *self)
{
    return overflow_deeper(req, 0);
}

static void write_null_there(void *arg)
{
    *(volatile int *)0 = 1;
}

static stoa_err offload(struct stoa_req *req, void *self)
{
    STOA_TRY(stoa_offload(req, write_null_there, NULL));
    return fine(req, self);
}

static stoa_err nothing(struct stoa_req *req, void *self)
{
    return stoa_reply_empty(req);
}

STOA_PLUGIN(.provides = STOA_PROVIDES({"cart.adjustments", nothing, .required = true}),
            .routes = STOA_ROUTES(
                {STOA_GET, .path = "/crash/fine", .handler = fine, .permit = STOA_ANYONE},
                {STOA_GET, .path = "/crash/own", .handler = write_null, .permit = STOA_ANYONE},
                {STOA_GET, .path = "/crash/called", .handler = read_null, .permit = STOA_ANYONE},
                {STOA_GET, .path = "/crash/stack", .handler = overflow, .permit = STOA_ANYONE},
                {STOA_GET, .path = "/crash/offload", .handler = offload, .permit = STOA_ANYONE}));
