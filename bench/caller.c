/* bench/caller.c: calls another plugin many times in one request, so that HTTP does not count.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stoa/stoa.h>

STOA_MANIFEST("caller", "1.0.0", "call:hello");

enum { CALLS_MAX = 10000 };

static stoa_err call_often(struct stoa_req *req, void *self)
{
    struct stoa_answer answer;
    int64_t n = 0;

    STOA_TRY(stoa_str_int(stoa_req_param(req, "n"), 0, CALLS_MAX, &n));
    for (int64_t i = 0; i < n; i++)
        STOA_TRY(stoa_call_get(req, "hello", STOA_STR("/hello"), &answer));
    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("calls", stoa_i(n))));
}

STOA_PLUGIN(.routes = STOA_ROUTES({STOA_GET, .path = "/bench/call/{n}", .handler = call_often,
                                   .permit = STOA_ANYONE}));
