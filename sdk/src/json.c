/* json.c: trees of JSON: reading them. SPDX-License-Identifier: Apache-2.0 */
#include "json_index.h"
#include "number.h"

/* What looks the same to every reader, opened or not, may be written through a const pointer. */
static void open_if_closed(const struct stoa_json *json)
{
    if (__builtin_expect(json && json->kind == JSON_CLOSED, 0))
        json_open((struct stoa_json *)json);
}

static bool is_container(const struct stoa_json *json)
{
    open_if_closed(json);
    return json && (json->kind == STOA_JSON_ARRAY || json->kind == STOA_JSON_OBJECT);
}

stoa_json_kind stoa_json_type(const struct stoa_json *json)
{
    if (json && json->kind == JSON_CLOSED)
        return json->text.ptr[0] == '[' ? STOA_JSON_ARRAY : STOA_JSON_OBJECT;
    return json ? (stoa_json_kind)json->kind : STOA_JSON_NONE;
}

uint32_t stoa_json_count(const struct stoa_json *json)
{
    return is_container(json) ? json->count : 0;
}

const struct stoa_json *stoa_json_first(const struct stoa_json *json)
{
    return is_container(json) ? json->first : NULL;
}

const struct stoa_json *stoa_json_next(const struct stoa_json *element)
{
    return element ? element->next : NULL;
}

stoa_str stoa_json_name(const struct stoa_json *member)
{
    return member ? member->name : (stoa_str){NULL, 0};
}

const struct stoa_json *stoa_json_at(const struct stoa_json *json, uint32_t index)
{
    if (!is_container(json) || index >= json->count)
        return NULL;
    if (json->index)
        return json->index->items[index];
    const struct stoa_json *e = json->first;
    while (index--)
        e = e->next;
    return e;
}

stoa_str stoa_json_name_at(const struct stoa_json *json, uint32_t index)
{
    return stoa_json_name(stoa_json_at(json, index));
}

const struct stoa_json *stoa_json_member(const struct stoa_json *json, stoa_str name)
{
    open_if_closed(json);
    if (!json || json->kind != STOA_JSON_OBJECT)
        return NULL;
    if (json->index) {
        int64_t position = json_index_find(json, name);
        return position < 0 ? NULL : json->index->items[position];
    }
    const struct stoa_json *e = json->first;
    while (e && !stoa_str_eq(e->name, name))
        e = e->next;
    return e;
}

static const struct stoa_json *step(const struct stoa_json *json, stoa_str part)
{
    int64_t index;

    if (stoa_json_type(json) != STOA_JSON_ARRAY)
        return stoa_json_member(json, part);
    if (stoa_str_int(part, 0, UINT32_MAX, &index) != STOA_OK)
        return NULL;
    return stoa_json_at(json, (uint32_t)index);
}

const struct stoa_json *stoa_json_get(const struct stoa_json *json, const char *path)
{
    stoa_str rest = stoa_str_of(path);

    if (!rest.len)
        return json;
    while (json && rest.ptr)
        json = step(json, stoa_str_cut(&rest, '.'));
    return json;
}

stoa_str stoa_json_str(const struct stoa_json *json, const char *path)
{
    const struct stoa_json *found = stoa_json_get(json, path);
    return found && found->kind == STOA_JSON_STRING ? found->s : (stoa_str){NULL, 0};
}

int64_t stoa_json_int(const struct stoa_json *json, const char *path, int64_t otherwise)
{
    const struct stoa_json *found = stoa_json_get(json, path);
    return found && found->kind == STOA_JSON_INT ? found->i : otherwise;
}

double stoa_json_real(const struct stoa_json *json, const char *path, double otherwise)
{
    const struct stoa_json *found = stoa_json_get(json, path);

    if (stoa_json_type(found) == STOA_JSON_REAL)
        return found->r;
    return stoa_json_type(found) == STOA_JSON_INT ? (double)found->i : otherwise;
}

bool stoa_json_true(const struct stoa_json *json, const char *path)
{
    const struct stoa_json *found = stoa_json_get(json, path);
    return found && found->kind == STOA_JSON_BOOL && found->i;
}

stoa_err stoa_json_money(const struct stoa_json *json, const char *path, stoa_money *ret)
{
    const struct stoa_json *found = stoa_json_get(json, path);
    const struct stoa_json *amount = stoa_json_member(found, STOA_STR("amount"));
    stoa_str cur = stoa_json_str(stoa_json_member(found, STOA_STR("currency")), "");
    char code[4] = "";

    if (stoa_json_type(amount) != STOA_JSON_INT || cur.len != 3 || !stoa_currency_is_known(cur))
        return STOA_E_INVALID;
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a slice with bytes has a pointer */
    memcpy(code, cur.ptr, 3);
    *ret = stoa_money_of(amount->i, code);
    return STOA_OK;
}
