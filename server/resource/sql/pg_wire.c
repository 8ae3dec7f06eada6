/* The reads' lane in PostgreSQL's own messages. libpq connects, logs in and ends the session; in
 * between, asking it for a row means to have the columns described with each answer, which for a
 * product are half of the bytes and a third of the work of a request. Here a statement is described
 * when it is prepared. A session that libpq encrypts stays libpq's (docs/adr/0019-wire.md).
 * https://www.postgresql.org/docs/15/protocol-message-formats.html
 * SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/pg.h"

#include "number.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    IN_BYTES = 32 << 10,
    OUT_BYTES = 4 << 10,
    KEPT_BYTES = 256 << 10, /* a buffer that was needed once is given back */
    ROW_BYTES = 1000,       /* of an answer, at first */
    HEAD = 5,               /* of a message: its type, and its length without the type */
    MESSAGE_MAX = 32 << 20, /* 8 MiB of cells and what frames them */
    BOOLEAN_OID = 16,
};

struct bytes {
    char *ptr;
    size_t at, end, cap; /* from at to end is what is not sent, or not looked at */
};

struct pg_wire {
    int fd; /* the connection's */
    struct bytes in, out;
    bool skips; /* an error came: nothing that shares its Sync is run */
};

struct message {
    char type;
    const char *at, *end; /* of its body, until the next bytes are read */
};

/* ---- Memory ---- */

/* What is at the front and done with goes. */
static void bytes_compact(struct bytes *b)
{
    if (b->at == 0)
        return;
    memmove(b->ptr, b->ptr + b->at, b->end - b->at);
    b->end -= b->at;
    b->at = 0;
}

/* Room for more bytes at the end. */
static char *bytes_room(struct bytes *b, size_t more)
{
    size_t cap = b->cap;

    if (cap - b->end < more)
        bytes_compact(b);
    while (cap - b->end < more)
        cap *= 2;
    if (cap != b->cap) {
        b->ptr = realloc(b->ptr, cap);
        stoa_assert(b->ptr);
        b->cap = cap;
    }
    return b->ptr + b->end;
}

static void bytes_init(struct bytes *b, size_t cap)
{
    *b = (struct bytes){.ptr = malloc(cap), .cap = cap};
    stoa_assert(b->ptr);
}

static void bytes_shrink(struct bytes *b, size_t cap)
{
    if (b->cap <= KEPT_BYTES || b->at != b->end)
        return;
    free(b->ptr);
    bytes_init(b, cap);
}

struct pg_wire *pg_wire_create(int fd)
{
    struct pg_wire *w = calloc(1, sizeof(*w));

    stoa_assert(w);
    w->fd = fd;
    bytes_init(&w->in, IN_BYTES);
    bytes_init(&w->out, OUT_BYTES);
    return w;
}

void pg_wire_destroy(struct pg_wire *w)
{
    if (!w)
        return;
    free(w->in.ptr);
    free(w->out.ptr);
    free(w);
}

size_t pg_wire_size(const struct pg_wire *w)
{
    return w->in.cap + w->out.cap;
}

/* ---- Columns: as many hold them as have them to come, and the statement ---- */

static struct pg_columns *columns_create(void)
{
    struct pg_columns *columns = calloc(1, sizeof(*columns));

    stoa_assert(columns);
    columns->holders = 1;
    return columns;
}

static struct pg_columns *columns_hold(struct pg_columns *columns)
{
    columns->holders++;
    return columns;
}

void pg_columns_release(struct pg_columns *columns)
{
    if (!columns || --columns->holders > 0)
        return;
    free(columns->list);
    free(columns);
}

/* ---- Numbers and words of a message ---- */

static uint32_t load2(const char *at)
{
    return (uint32_t)(uint8_t)at[0] << 8 | (uint8_t)at[1];
}

static uint32_t load4(const char *at)
{
    return load2(at) << 16 | load2(at + 2);
}

/* The word at *at, which then stands behind it; NULL: it has no end. */
static const char *take_word(const char **at, const char *end)
{
    const char *word = *at, *nul = word < end ? memchr(word, 0, (size_t)(end - word)) : NULL;

    if (!nul)
        return NULL;
    *at = nul + 1;
    return word;
}

static char *put(char *to, uint32_t v, size_t bytes)
{
    for (size_t i = bytes; i > 0; v >>= 8)
        to[--i] = (char)v;
    return to + bytes;
}

static char *put_bytes(char *to, const void *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

/* ---- Sending ---- */

static char *message_begin(struct pg_wire *w, char type, size_t body)
{
    char *to = bytes_room(&w->out, HEAD + body);

    w->out.end += HEAD + body;
    *to = type;
    return put(to + 1, (uint32_t)(HEAD - 1 + body), 4);
}

/* Describe or Close, of a prepared statement. */
static void put_about(struct pg_wire *w, char type, const char *name)
{
    size_t len = strlen(name) + 1;
    char *to = message_begin(w, type, 1 + len);

    *to++ = 'S';
    put_bytes(to, name, len);
}

static void put_parse(struct pg_wire *w, const char *name, const char *text)
{
    size_t name_len = strlen(name) + 1, text_len = strlen(text) + 1;
    char *to = message_begin(w, 'P', name_len + text_len + 2);

    to = put_bytes(put_bytes(to, name, name_len), text, text_len);
    put(to, 0, 2); /* types are the server's to find out */
    put_about(w, 'D', name);
}

/* As text, and not NULL. */
static stoa_str param_text(const struct sql_param *param, char number[NUMBER_INT_MAX])
{
    if (!param->is_int)
        return param->s;
    return (stoa_str){number, number_format_int(number, param->i)};
}

static bool param_is_null(const struct sql_param *param)
{
    return !param->is_int && !param->s.ptr;
}

static size_t params_size(const struct sql_call *call)
{
    size_t size = 0;
    char number[NUMBER_INT_MAX];

    for (uint32_t i = 0; i < call->params_count; i++)
        size +=
            4 + (param_is_null(&call->params[i]) ? 0 : param_text(&call->params[i], number).len);
    return size;
}

/* All parameters and all columns as text. */
static void put_bind(struct pg_wire *w, const char *name, const struct sql_call *call)
{
    size_t len = strlen(name) + 1;
    char *to = message_begin(w, 'B', 1 + len + 2 + 2 + params_size(call) + 2);
    char number[NUMBER_INT_MAX];

    *to++ = 0;
    to = put_bytes(to, name, len);
    to = put(to, 0, 2);
    to = put(to, call->params_count, 2);
    for (uint32_t i = 0; i < call->params_count; i++) {
        const struct sql_param *param = &call->params[i];
        stoa_str text = param_text(param, number);
        to = put(to, param_is_null(param) ? UINT32_MAX : (uint32_t)text.len, 4);
        if (text.len)
            to = put_bytes(to, text.ptr, text.len);
    }
    put(to, 0, 2);
}

static void put_execute(struct pg_wire *w)
{
    char *to = message_begin(w, 'E', 1 + 4);

    *to++ = 0;
    put(to, 0, 4); /* all rows */
}

static struct statement *prepare(struct pg_conn *conn, const struct sql_call *call,
                                 struct pg_reply *reply)
{
    struct statement *surplus = statements_surplus(&conn->statements), *one;

    if (surplus) {
        put_about(conn->wire, 'C', surplus->name);
        pg_statement_forget(conn, surplus);
    }
    one = sql_statement_add(&conn->statements, call);
    one->handle = columns_create();
    reply->prepare_at = 0;
    put_parse(conn->wire, one->name, call->text);
    return one;
}

void pg_wire_queue(struct pg_conn *conn, const struct sql_call *call, struct pg_reply *reply)
{
    struct statement *one = NULL;

    if (call->owner) {
        one = sql_statement_find(&conn->statements, call);
        if (!one)
            one = prepare(conn, call, reply);
        reply->prepare_hash = one->hash;
        reply->prepare_id = one->id;
        reply->columns = columns_hold(one->handle);
    } else {
        reply->columns = columns_create();
        put_parse(conn->wire, "", call->text);
    }
    reply->commands = 1;
    put_bind(conn->wire, one ? one->name : "", call);
    put_execute(conn->wire);
}

void pg_wire_sync(struct pg_wire *w)
{
    message_begin(w, 'S', 0);
}

int pg_wire_flush(struct pg_wire *w)
{
    while (w->out.at < w->out.end) {
        ssize_t n = send(w->fd, w->out.ptr + w->out.at, w->out.end - w->out.at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 1 : -1;
        w->out.at += (size_t)n;
    }
    w->out.at = w->out.end = 0;
    bytes_shrink(&w->out, OUT_BYTES);
    return 0;
}

/* ---- Reading ---- */

/* What no server sends: from here on nothing can be told apart. */
static bool broken(struct pg_conn *conn)
{
    conn->broken = true;
    return false;
}

/* False: it is not all there yet, or conn->broken. */
static bool message_next(struct pg_conn *conn, struct message *ret)
{
    struct bytes *in = &conn->wire->in;
    size_t there = in->end - in->at, len;

    if (there < HEAD || conn->broken)
        return false;
    len = load4(in->ptr + in->at + 1);
    if (len > MESSAGE_MAX)
        conn->read_bytes = len;
    if (len < HEAD - 1 || len > MESSAGE_MAX)
        return broken(conn);
    if (there < 1 + len)
        return false;
    ret->type = in->ptr[in->at];
    ret->at = in->ptr + in->at + HEAD;
    in->at += 1 + len;
    ret->end = in->ptr + in->at;
    return true;
}

/* Of the message that has begun to come, how much is missing: there must be room for it. */
static size_t missing(const struct bytes *in)
{
    size_t there = in->end - in->at, len = there < HEAD ? 0 : load4(in->ptr + in->at + 1);

    return len <= MESSAGE_MAX && 1 + len > there ? 1 + len - there : HEAD;
}

bool pg_wire_read(struct pg_conn *conn)
{
    struct bytes *in = &conn->wire->in;
    ssize_t n;

    bytes_shrink(in, IN_BYTES);
    bytes_compact(in);
    bytes_room(in, missing(in));
    do
        n = recv(conn->wire->fd, in->ptr + in->end, in->cap - in->end, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN;
    in->end += (size_t)n;
    return n > 0;
}

/* RowDescription. Names and list are one piece of memory. */
static bool feed_columns(struct pg_columns *columns, const struct message *m)
{
    enum { TABLE_COLUMN = 4 + 2, TYPE = 4, REST = 2 + 4 + 2, ABOUT = TABLE_COLUMN + TYPE + REST };
    const char *at = m->at + 2;
    size_t count, size;
    char *to;

    if (m->end - m->at < 2 || columns->list)
        return false;
    count = load2(m->at);
    size = count * sizeof(columns->list[0]) + (size_t)(m->end - m->at);
    columns->list = malloc(size);
    stoa_assert(columns->list);
    columns->count = (uint32_t)count;
    to = (char *)&columns->list[count];
    for (size_t i = 0; i < count; i++) {
        const char *name = take_word(&at, m->end);
        if (!name || m->end - at < ABOUT)
            return false;
        columns->list[i].name = to;
        columns->list[i].is_boolean = load4(at + TABLE_COLUMN) == BOOLEAN_OID;
        to = stpcpy(to, name) + 1;
        at += ABOUT;
    }
    return true;
}

static bool feed_row(struct pg_conn *conn, struct pg_reply *reply, const struct message *m)
{
    size_t len = (size_t)(m->end - m->at), cap = reply->raw_cap;

    if (len < 2)
        return false;
    if (reply->raw_len + len > MESSAGE_MAX) {
        conn->read_bytes = reply->raw_len + len;
        return false;
    }
    while (cap - reply->raw_len < len)
        cap = cap ? cap * 2 : ROW_BYTES;
    if (cap != reply->raw_cap) {
        reply->raw = realloc(reply->raw, cap);
        stoa_assert(reply->raw);
        reply->raw_cap = cap;
    }
    memcpy(reply->raw + reply->raw_len, m->at, len);
    reply->raw_len += len;
    reply->raw_rows++;
    return true;
}

/* CommandComplete: a word, and for all but SELECT a number at the end that counts rows. */
static bool feed_complete(struct pg_reply *reply, const struct message *m)
{
    const char *at = m->at, *tag = take_word(&at, m->end), *space = tag ? strrchr(tag, ' ') : NULL;

    reply->is_complete = true;
    if (space && strncmp(tag, "SELECT", 6) != 0)
        reply->affected = strtoll(space + 1, NULL, 10);
    return tag != NULL;
}

static bool feed_error(struct pg_conn *conn, struct pg_reply *reply, const struct message *m)
{
    const char *at = m->at, *state = NULL, *words = NULL, *word;

    while (at < m->end && *at) {
        char field = *at++;
        if (!(word = take_word(&at, m->end)))
            return false;
        state = field == 'C' ? word : state;
        words = field == 'M' ? word : words;
    }
    conn->wire->skips = true;
    if (reply->error)
        return true;
    reply->error = pg_failure_create(state, words);
    reply->failed_at = reply->at;
    return true;
}

/* False: no server that is asked as we ask says this here. */
static bool feed(struct pg_conn *conn, struct pg_reply *reply, const struct message *m)
{
    switch (m->type) {
    case '1': /* ParseComplete */
        reply->at = reply->prepare_at + 1;
        return true;
    case 'T':
        return reply->columns && feed_columns(reply->columns, m);
    case 'D':
        return reply->columns && feed_row(conn, reply, m);
    case 'C':
        return feed_complete(reply, m);
    case 'E':
        return feed_error(conn, reply, m);
    case 'Z': /* ReadyForQuery */
        conn->wire->skips = false;
        return !reply->shares_sync;
    case '2': /* BindComplete */
    case '3': /* CloseComplete */
    case 't': /* ParameterDescription */
    case 'n': /* NoData */
    case 'I': /* EmptyQueryResponse */
    case 'N': /* NoticeResponse */
    case 'S': /* ParameterStatus */
    case 'A': /* NotificationResponse */
        return true;
    default:
        return false;
    }
}

/* What shares its Sync ends with itself, or with its own error; the rest with its Sync. */
static bool is_end(const struct pg_reply *reply, char type)
{
    return reply->shares_sync ? type == 'C' || type == 'I' || type == 'E' : type == 'Z';
}

bool pg_wire_results(struct pg_conn *conn, struct pg_reply *reply)
{
    struct message m;

    if (reply->shares_sync && conn->wire->skips) {
        reply->is_aborted = true;
        return true;
    }
    while (message_next(conn, &m)) {
        if (!feed(conn, reply, &m))
            return broken(conn);
        if (is_end(reply, m.type))
            return true;
    }
    return false;
}

void pg_wire_idle(struct pg_conn *conn)
{
    struct message m;

    while (message_next(conn, &m))
        if (m.type != 'N' && m.type != 'S' && m.type != 'A')
            conn->broken = true;
}

/* ---- Rows ---- */

/* Bytes of all cells, each with a NUL, if the rows are what was described. */
static uint64_t cells_size(const struct pg_reply *reply)
{
    uint64_t cells = (uint64_t)reply->raw_rows * reply->columns->count;

    return reply->raw_len - 2 * (uint64_t)reply->raw_rows - 3 * cells;
}

/* From where to where the bytes of rows go: out of the answer, into the arena. */
struct copy {
    const char *at, *end;
    char *to, *to_end;
};

/* A boolean says t or f; plugins read 1 and 0. False: there is no such cell. */
static bool copy_cell(struct copy *c, bool is_boolean, stoa_str *ret)
{
    uint32_t len;

    if (c->end - c->at < 4)
        return false;
    len = load4(c->at);
    c->at += 4;
    if (len == UINT32_MAX)
        return true; /* NULL */
    if ((size_t)(c->end - c->at) < len || (size_t)(c->to_end - c->to) <= len)
        return false;
    memcpy(c->to, c->at, len);
    if (is_boolean && len == 1)
        *c->to = *c->to == 't' ? '1' : '0';
    *ret = (stoa_str){c->to, len};
    c->at += len;
    c->to += len;
    *c->to++ = 0;
    return true;
}

static bool copy_row(struct copy *c, const struct pg_columns *columns, stoa_str *cells)
{
    if (c->end - c->at < 2 || load2(c->at) != columns->count)
        return false;
    c->at += 2;
    for (uint32_t i = 0; i < columns->count; i++)
        if (!copy_cell(c, columns->list[i].is_boolean, &cells[i]))
            return false;
    return true;
}

static struct stoa_rows *rows_named_as(const struct pg_reply *reply, const struct sql_call *call)
{
    struct pg_columns *columns = reply->columns;
    const char **names;

    if (!columns->kept) {
        names = stoa_new_array(call->arena, const char *, (uint64_t)columns->count + 1);
        for (uint32_t i = 0; i < columns->count; i++)
            names[i] = columns->list[i].name;
        columns->kept = call->seen ? seen_names(call->seen, names, columns->count) : NULL;
        if (!columns->kept)
            return rows_create(call->arena, columns->count, names, reply->raw_rows,
                               reply->affected);
    }
    return rows_create_sharing(call->arena, columns->count, columns->kept->names, reply->raw_rows,
                               reply->affected);
}

bool pg_wire_fits(const struct pg_reply *reply, const struct sql_call *call)
{
    return reply->raw_rows <= sql_rows_max(call) && cells_size(reply) <= ROWS_BYTES_MAX;
}

stoa_err pg_wire_rows(const struct pg_reply *reply, const struct sql_call *call)
{
    struct stoa_rows *rows = rows_named_as(reply, call);
    stoa_str *cells = rows_cells(rows);
    uint64_t size = cells_size(reply);
    char *to = stoa_arena_take(call->arena, size + 1);
    struct copy c = {reply->raw, reply->raw + reply->raw_len, to, to + size};

    for (uint32_t row = 0; row < reply->raw_rows; row++, cells += reply->columns->count)
        if (!copy_row(&c, reply->columns, cells)) {
            sql_error("%s: PostgreSQL gave a row that is none", call->name);
            return STOA_E_STORE;
        }
    *call->ret = rows;
    return STOA_OK;
}
