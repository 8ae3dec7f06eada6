/* route/route.c: one step a segment. SPDX-License-Identifier: Apache-2.0 */
#include "route/route.h"

#define METHODS ((uint32_t)STOA_DELETE + 1)

/* The literals below a node. Their keys lie side by side, since every request reads those of the
 * root: a list of nodes was a cache miss for each. */
struct literals {
    uint64_t *keys;
    struct node **nodes;
    uint32_t count, room;
};

struct node {
    stoa_str segment; /* literal; unused for a parameter */
    struct literals literals;
    struct node *parameter;
    const struct route *exact[METHODS];
    const struct route *rest[METHODS]; /* {name*}: whatever follows */
};

struct route_table {
    struct stoa_arena *arena;
    struct node root;
    uint32_t count;
    const struct route *all[ROUTES_MAX];
};

struct route_table *route_table_create(struct stoa_arena *arena)
{
    struct route_table *table = stoa_new(arena, struct route_table);

    table->arena = arena;
    return table;
}

const char *route_method_name(stoa_method method)
{
    static const char *const names[] = {"?", "GET", "POST", "PUT", "PATCH", "DELETE"};

    return names[(uint32_t)method < METHODS ? method : 0];
}

static stoa_err refuse(struct diag *diag, const char *plugin, const struct stoa_route *r,
                       const char *why)
{
    diag_set(diag, plugin, 0, 0, "route %s %s: %s", route_method_name(r->method),
             r->path ? r->path : "(none)", why);
    diag_hint(diag, "correct it in STOA_ROUTES");
    return STOA_E_PLUGIN;
}

static stoa_err check_permit(const struct stoa_route *r, const char *plugin, struct diag *diag)
{
    if (r->permit < STOA_ANYONE || r->permit > STOA_TOKEN)
        return refuse(diag, plugin, r, "it does not say who may use it (.permit)");
    if (r->permit == STOA_STAFF && (!r->permission || !*r->permission))
        return refuse(diag, plugin, r, "for staff it must name a .permission");
    if ((r->flags & STOA_ROUTE_IMPERSONAL) && (r->permit != STOA_ANYONE || r->method != STOA_GET))
        return refuse(diag, plugin, r, "STOA_ROUTE_IMPERSONAL is for a GET that is STOA_ANYONE's");
    return STOA_OK;
}

static stoa_err check(const struct stoa_route *r, const char *plugin, struct diag *diag)
{
    if (!r->path || r->path[0] != '/' || strlen(r->path) > 256)
        return refuse(diag, plugin, r, "a path begins with '/' and has at most 256 bytes");
    if (r->method < STOA_GET || r->method > STOA_DELETE)
        return refuse(diag, plugin, r, "it has no method");
    if (!r->handler)
        return refuse(diag, plugin, r, "it has no handler");
    STOA_TRY(check_permit(r, plugin, diag));
    if (r->body_max > ROUTE_BODY_MAX || r->timeout_ms > ROUTE_TIMEOUT_MAX_MS)
        return refuse(diag, plugin, r, "body_max is at most 1 MiB, timeout_ms at most 60,000");
    return STOA_OK;
}

/* Most segments differ in their first bytes or their length. */
static uint64_t key_of(stoa_str segment)
{
    uint64_t key = 0;

    memcpy(&key, segment.ptr, segment.len < sizeof key ? segment.len : sizeof key);
    return key + segment.len;
}

static struct node *find_literal(const struct literals *literals, stoa_str segment)
{
    uint64_t key = key_of(segment);

    for (uint32_t i = 0; i < literals->count; i++)
        if (literals->keys[i] == key && stoa_str_eq(literals->nodes[i]->segment, segment))
            return literals->nodes[i];
    return NULL;
}

static void make_room(struct stoa_arena *arena, struct literals *literals)
{
    struct literals more = {.count = literals->count, .room = literals->room * 2 + 4};

    more.keys = stoa_arena_take(arena, more.room * sizeof *more.keys);
    more.nodes = stoa_arena_take(arena, more.room * sizeof *more.nodes);
    for (uint32_t i = 0; i < more.count; i++) {
        more.keys[i] = literals->keys[i];
        more.nodes[i] = literals->nodes[i];
    }
    *literals = more;
}

static struct node *literal_child(struct route_table *table, struct node *node, stoa_str segment)
{
    struct literals *literals = &node->literals;
    struct node *child = find_literal(literals, segment);

    if (child)
        return child;
    if (literals->count == literals->room)
        make_room(table->arena, literals);
    child = stoa_new(table->arena, struct node);
    child->segment = segment;
    literals->keys[literals->count] = key_of(segment);
    literals->nodes[literals->count++] = child;
    return child;
}

static bool is_parameter(stoa_str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

/* "{id}" → "id", "{name*}" → "name" with *is_rest. */
static const char *parameter_name(struct route_table *table, stoa_str segment, bool *is_rest)
{
    stoa_str name = stoa_str_sub(segment, 1, segment.len - 2);

    *is_rest = name.len > 1 && name.ptr[name.len - 1] == '*';
    return stoa_cstr(table->arena, *is_rest ? stoa_str_sub(name, 0, name.len - 1) : name);
}

/* Walks and builds the way to the route's node. NULL: too many parameters or segments. */
static struct node *grow(struct route_table *table, struct route *route, bool *is_rest)
{
    stoa_str rest = stoa_str_sub(stoa_str_of(route->path), 1, UINT64_MAX);
    struct node *node = &table->root;
    uint32_t segments = 0;

    *is_rest = false;
    while (rest.len > 0) {
        stoa_str segment = stoa_str_cut(&rest, '/');
        if (*is_rest || ++segments > ROUTE_SEGMENTS_MAX)
            return NULL;
        if (!is_parameter(segment)) {
            node = literal_child(table, node, segment);
            continue;
        }
        if (route->param_count == REQUEST_PARAMS_MAX)
            return NULL;
        route->param_names[route->param_count++] = parameter_name(table, segment, is_rest);
        if (*is_rest)
            continue;
        if (!node->parameter)
            node->parameter = stoa_new(table->arena, struct node);
        node = node->parameter;
    }
    return node;
}

stoa_err route_add(struct route_table *table, const struct stoa_route *r, uint32_t plugin,
                   const char *plugin_name, struct diag *diag)
{
    struct route *route = stoa_new(table->arena, struct route);
    const struct route **slot;
    struct node *node;
    bool is_rest;

    STOA_TRY(check(r, plugin_name, diag));
    if (table->count == ROUTES_MAX)
        return refuse(diag, plugin_name, r, "there are 4,096 routes already");
    *route = (struct route){
        .path = stoa_cstr(table->arena, stoa_str_of(r->path)),
        .permission = r->permission ? stoa_cstr(table->arena, stoa_str_of(r->permission)) : "",
        .handler = r->handler,
        .method = (stoa_method)r->method,
        .permit = r->permit,
        .flags = r->flags,
        .body_max = r->body_max ? r->body_max : ROUTE_BODY_DEFAULT,
        .timeout_ms = r->timeout_ms ? r->timeout_ms : ROUTE_TIMEOUT_DEFAULT_MS,
        .plugin = plugin,
    };
    node = grow(table, route, &is_rest);
    if (!node)
        return refuse(diag, plugin_name, r, "at most 24 segments, 8 parameters, and {rest*} last");
    slot = is_rest ? &node->rest[r->method] : &node->exact[r->method];
    if (*slot)
        return refuse(diag, plugin_name, r, "another route has this path already");
    *slot = route;
    table->all[table->count++] = route;
    return STOA_OK;
}

static uint32_t methods_of(const struct route *const routes[METHODS])
{
    uint32_t bits = 0;

    for (uint32_t m = 0; m < METHODS; m++)
        bits |= routes[m] ? 1u << m : 0;
    return bits;
}

struct walk {
    stoa_method method;
    stoa_str *params;
    uint32_t allowed;
};

static const struct route *choose(struct walk *w, const struct route *const routes[METHODS])
{
    w->allowed |= methods_of(routes);
    return routes[w->method];
}

/* Literal first, then parameter, then rest; goes back when a branch leads nowhere. The depth is
 * that of the table, never the visitor's: a path longer than any route ends early. */
static const struct route *walk(struct walk *w, const struct node *node, stoa_str rest,
                                uint32_t params)
{
    const struct route *found = NULL;
    const struct node *literal;
    stoa_str after = rest, segment;

    if (rest.ptr == NULL)
        return choose(w, node->exact);
    segment = stoa_str_cut(&after, '/');
    literal = find_literal(&node->literals, segment);
    if (literal)
        found = walk(w, literal, after, params);
    if (!found && node->parameter && segment.len > 0 && params < REQUEST_PARAMS_MAX) {
        w->params[params] = segment;
        found = walk(w, node->parameter, after, params + 1);
    }
    if (!found && methods_of(node->rest) != 0 && params < REQUEST_PARAMS_MAX) {
        w->params[params] = rest;
        found = choose(w, node->rest);
    }
    return found;
}

struct route_found route_match(const struct route_table *table, stoa_method method, stoa_str path,
                               stoa_str params[REQUEST_PARAMS_MAX])
{
    struct walk w = {.method = method, .params = params};
    stoa_str rest = stoa_str_sub(path, 1, UINT64_MAX);
    struct route_found found = {0};

    if (path.len > 0 && path.ptr[0] == '/' && (uint32_t)method < METHODS)
        found.route = walk(&w, &table->root, rest.len > 0 ? rest : (stoa_str){0}, 0);
    found.allowed = w.allowed;
    found.err = found.route ? STOA_OK : w.allowed ? STOA_E_METHOD : STOA_E_NOT_FOUND;
    return found;
}

uint32_t route_count(const struct route_table *table)
{
    return table->count;
}

const struct route *route_at(const struct route_table *table, uint32_t index)
{
    stoa_assert(index < table->count);
    return table->all[index];
}
