/* call/codec.h: the plugin's effects as bytes: fixed-width little-endian numbers, length-prefixed
 * strings, JSON as text. Reading trusts nothing: past the end everything is 0 and `broken` is set.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_CODEC_H
#define CALL_CODEC_H

#include "plugin/port.h"
#include "resource/sql/sql.h"

enum {
    CODEC_STRING_MAX = 16 << 20,
    CODEC_LIST_MAX = 100000, /* rows; other lists are bounded where they are made */
};

struct decoder {
    struct stoa_arena *arena; /* of what is read */
    stoa_str rest;
    bool broken;
};

void put_u32(struct stoa_buf *out, uint32_t v);
void put_i64(struct stoa_buf *out, int64_t v);
void put_str(struct stoa_buf *out, stoa_str v); /* ptr NULL stays NULL */
void put_json(struct stoa_buf *out, const struct stoa_json *v);
void put_value(struct stoa_buf *out, stoa_value v);
void put_values(struct stoa_buf *out, struct stoa_values v);
void put_fields(struct stoa_buf *out, struct stoa_fields v);
void put_rows(struct stoa_buf *out, const struct stoa_rows *v);

uint32_t get_u32(struct decoder *in);
int64_t get_i64(struct decoder *in);
stoa_str get_str(struct decoder *in);     /* copied, with a NUL behind */
const char *get_cstr(struct decoder *in); /* NULL stays NULL */
const char *get_name(struct decoder *in); /* NULL is broken; never NULL */
const struct stoa_json *get_json(struct decoder *in);
stoa_value get_value(struct decoder *in);
struct stoa_values get_values(struct decoder *in);
struct stoa_fields get_fields(struct decoder *in);
const struct stoa_rows *get_rows(struct decoder *in);

/* The request as a handler sees it, and its reply. */
void put_request(struct stoa_buf *out, struct stoa_req *req);
/* A request of its own in in->arena; the caller adds instance, world, port and peer. */
struct stoa_req *get_request(struct decoder *in);
void put_reply(struct stoa_buf *out, const struct request_reply *reply);
void get_reply(struct decoder *in, struct request_reply *ret);

#endif
