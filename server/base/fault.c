/* base/fault.c: named places where a test may make something fail.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"
#include <pthread.h>
#include <signal.h>
#include <stoa/str.h>
#include <unistd.h>

enum { FAULTS_MAX = 8, PLACE_MAX = 64, DELAY_MAX_MS = 600000 };

struct armed {
    char place[PLACE_MAX];
    struct fault fault;
    uint32_t from;  /* the first time it happens, counted from 1 */
    bool only_once; /* only the from-th time */
    uint32_t passed;
};

bool fault_any_armed;
static struct armed table[FAULTS_MAX];
static uint32_t table_count;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static bool parse_error_name(stoa_str name, stoa_err *ret)
{
    for (int err = STOA_OK + 1; err < STOA_E_COUNT; err++) {
        if (!stoa_str_is(name, stoa_err_name((stoa_err)err)))
            continue;
        *ret = (stoa_err)err;
        return true;
    }
    return false;
}

static bool parse_action(stoa_str text, struct fault *ret)
{
    stoa_str value = text, name = stoa_str_cut(&value, ':');

    if (stoa_str_is(text, "kill"))
        ret->kind = FAULT_KILL;
    else if (stoa_str_is(text, "drop"))
        ret->kind = FAULT_DROP;
    else if (stoa_str_is(name, "error"))
        ret->kind = FAULT_ERROR;
    else if (stoa_str_is(name, "delay"))
        ret->kind = FAULT_DELAY;
    else
        return false;
    if (ret->kind == FAULT_ERROR)
        return parse_error_name(value, &ret->err);
    if (ret->kind == FAULT_DELAY)
        return stoa_str_int(value, 0, DELAY_MAX_MS, &ret->delay_ms) == STOA_OK;
    return true;
}

/* "place=action[@n[!]]" */
static bool parse_one(stoa_str text, struct armed *ret)
{
    stoa_str when = text, left = stoa_str_cut(&when, '@');
    stoa_str action = left, place = stoa_str_cut(&action, '=');
    int64_t from = 1;

    *ret = (struct armed){0};
    if (!place.len || place.len >= PLACE_MAX || !parse_action(stoa_str_trim(action), &ret->fault))
        return false;
    ret->only_once = stoa_str_ends(when, STOA_STR("!"));
    when = stoa_str_sub(when, 0, when.len - ret->only_once);
    if (when.ptr && stoa_str_int(when, 1, UINT32_MAX, &from) != STOA_OK)
        return false;
    ret->from = (uint32_t)from;
    memcpy(ret->place, place.ptr, place.len);
    return true;
}

static uint32_t parse_all(stoa_str rest, struct armed *ret)
{
    uint32_t count = 0;

    while (rest.ptr) {
        stoa_str one = stoa_str_trim(stoa_str_cut(&rest, ';'));
        if (!one.len)
            continue;
        if (count == FAULTS_MAX || !parse_one(one, &ret[count]))
            return 0;
        count++;
    }
    return count;
}

stoa_err fault_arm(const char *spec)
{
    struct armed parsed[FAULTS_MAX];
    uint32_t count = parse_all(stoa_str_of(spec), parsed);

    pthread_mutex_lock(&table_lock);
    if (count)
        memcpy(table, parsed, count * sizeof(parsed[0]));
    table_count = count;
    fault_any_armed = count > 0;
    pthread_mutex_unlock(&table_lock);
    return count ? STOA_OK : STOA_E_INVALID;
}

void fault_clear(void)
{
    pthread_mutex_lock(&table_lock);
    table_count = 0;
    fault_any_armed = false;
    pthread_mutex_unlock(&table_lock);
}

/* Counts this passage for every line of the table with that place; the first that is due wins. */
static struct fault pass(const char *place)
{
    struct fault due = {.kind = FAULT_NONE};

    for (uint32_t i = 0; i < table_count; i++) {
        struct armed *armed = &table[i];
        if (strcmp(armed->place, place) != 0)
            continue;
        uint32_t n = ++armed->passed;
        bool is_due = armed->only_once ? n == armed->from : n >= armed->from;
        if (is_due && due.kind == FAULT_NONE)
            due = armed->fault;
    }
    return due;
}

struct fault fault_look(const char *place)
{
    if (!fault_any_armed)
        return (struct fault){.kind = FAULT_NONE};
    pthread_mutex_lock(&table_lock);
    struct fault due = pass(place);
    pthread_mutex_unlock(&table_lock);
    if (due.kind == FAULT_KILL) {
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
    return due;
}

stoa_err fault_hit(const char *place)
{
    struct fault due = fault_look(place);
    return due.kind == FAULT_ERROR ? due.err : STOA_OK;
}

uint32_t fault_passed(const char *place)
{
    uint32_t passed = 0;

    pthread_mutex_lock(&table_lock);
    for (uint32_t i = 0; i < table_count; i++)
        if (strcmp(table[i].place, place) == 0 && table[i].passed > passed)
            passed = table[i].passed;
    pthread_mutex_unlock(&table_lock);
    return passed;
}
