/* examples/hello/hello.c: the smallest plugin: a route that answers, and one that waits.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stoa/stoa.h>

STOA_MANIFEST("hello", "1.0.0", "");

static stoa_err hello(struct stoa_req *req, void *self)
{
    (void)self;
    return stoa_reply(req, 200, "text/plain; charset=utf-8", STOA_STR("Hello, world"));
}

/* Waiting costs a fiber, not a thread. */
static stoa_err hello_later(struct stoa_req *req, void *self)
{
    STOA_TRY(stoa_sleep(req, 1000));
    return hello(req, self);
}

STOA_PLUGIN(.routes = STOA_ROUTES(
                {STOA_GET, .path = "/hello", .handler = hello, .permit = STOA_ANYONE},
                {STOA_GET, .path = "/hello/later", .handler = hello_later, .permit = STOA_ANYONE}));
