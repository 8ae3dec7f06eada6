/* SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/rows.h"
#include "resource/sql/statements.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct stoa_rows *sample(struct stoa_arena *arena)
{
    static const char *const names[] = {"id", "qty"};
    struct stoa_rows *rows = rows_create(arena, 2, names, 1, 7);

    rows_set(rows, 0, 0, STOA_STR("a"), false);
    rows_set(rows, 0, 1, STOA_STR("-42"), false);
    return rows;
}

static int64_t as_int(const char *text)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_rows *rows = sample(arena);
    int64_t v;

    rows_set(rows, 0, 1, stoa_str_of(text), text == NULL);
    v = stoa_rows_int(rows, 0, "qty");
    stoa_arena_destroy(arena);
    return v;
}

Test(rows, reads_integers)
{
    cr_assert_eq(as_int("-42"), -42);
    cr_assert_eq(as_int(NULL), 0);
    cr_assert_eq(as_int(""), 0);
    cr_assert_eq(as_int("x"), 0);
    cr_assert_eq(as_int("12.9"), 12);
    cr_assert_eq(as_int("9223372036854775807"), INT64_MAX);
    cr_assert_eq(as_int("-9223372036854775808"), INT64_MIN);
    cr_assert_eq(as_int("99999999999999999999"), INT64_MAX);
    cr_assert_eq(as_int("-99999999999999999999"), INT64_MIN);
}

Test(rows, tells_null_from_empty)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_rows *rows = sample(arena);

    cr_assert_eq(stoa_rows_affected(rows), 7);
    rows_set(rows, 0, 0, (stoa_str){NULL, 0}, false);
    cr_assert_not(stoa_rows_is_null(rows, 0, "id"));
    rows_set(rows, 0, 0, (stoa_str){NULL, 0}, true);
    cr_assert(stoa_rows_is_null(rows, 0, "id"));
    stoa_arena_destroy(arena);
}

Test(rows, become_members)
{
    struct stoa_arena *arena = stoa_arena_create(), *other = stoa_arena_create();
    struct stoa_rows *rows = sample(arena);
    struct stoa_json *here = stoa_json_object(arena), *elsewhere = stoa_json_object(other);

    stoa_json_set_str(here, "qty", STOA_STR("old"));
    stoa_json_set_column(here, rows, 0, "qty");
    stoa_json_set_column(here, rows, 0, "id");
    stoa_json_set_column(elsewhere, rows, 0, "id");
    cr_assert_eq(stoa_json_count(here), 2);
    cr_assert(stoa_str_is(stoa_json_str(here, "qty"), "-42"));
    cr_assert(stoa_json_str(here, "id").ptr == stoa_rows_str(rows, 0, "id").ptr, "not copied");
    rows_set(rows, 0, 0, (stoa_str){NULL, 0}, true);
    stoa_json_set_column(here, rows, 0, "id");
    cr_assert_eq(stoa_json_type(stoa_json_get(here, "id")), STOA_JSON_STRING);
    cr_assert_eq(stoa_json_str(here, "id").len, 0);
    stoa_arena_destroy(arena);
    cr_assert(stoa_str_is(stoa_json_str(elsewhere, "id"), "a"), "copied");
    stoa_arena_destroy(other);
}

Test(statements, keep_the_names_of_their_first_result)
{
    static const char *const names[] = {"id", "name"}, *const others[] = {"id", "slug"};
    struct seen seen = {.hash = 0};
    const struct seen_columns *kept = seen_names(&seen, names, 2);

    cr_assert(stoa_str_is(kept->names[0], "id") && stoa_str_is(kept->names[1], "name"));
    cr_assert(kept->names[1].ptr != names[1]);
    cr_assert(seen_names(&seen, names, 2) == kept);
    cr_assert_null(seen_names(&seen, others, 2));
    cr_assert_null(seen_names(&seen, names, 1));
    free(atomic_load(&seen.columns));
}

Test(rows, stops_at_a_column_that_is_not_there, .signal = SIGABRT)
{
    stoa_rows_str(sample(stoa_arena_create()), 0, "nothing");
}

Test(rows, stops_at_a_row_that_is_not_there, .signal = SIGABRT)
{
    stoa_rows_str(sample(stoa_arena_create()), 1, "id");
}

Test(statements, are_found_by_owner_and_text)
{
    struct statements all = {0};
    char copy[] = "SELECT 1";
    uint64_t hash = statement_hash("t", "SELECT 1", 0);
    struct statement *one = statements_add(&all, hash, "t", "SELECT 1");

    cr_assert_eq(hash, statement_hash("t", copy, 0));
    cr_assert_neq(hash, statement_hash("u", copy, 0));
    cr_assert_neq(hash, statement_hash("t", copy, 1));
    cr_assert_eq(statements_find(&all, hash, "t", copy), one);
    cr_assert_null(statements_find(&all, hash, "u", copy));
    cr_assert_null(statements_find(&all, hash, NULL, copy));
    cr_assert_eq(statements_by_id(&all, hash, one->id), one);
    statements_remove(&all, one);
    cr_assert_null(statements_find(&all, hash, "t", copy));
}

/* After a swap another text may stand at an address, also of the same length. */
Test(statements, are_guessed_by_address_and_known_by_content)
{
    static struct seen_all all;
    char owner[] = "t", text[] = "SELECT 1";
    const struct seen like = {.hash = 7, .owner = owner, .text = text, .flags = 1};
    struct seen *seen;

    seen_init(&all);
    seen = seen_add(&all, &like);
    cr_assert_null(seen_guess(&all, "t", text, 1));
    seen_remember(&all, text, seen);
    cr_assert_eq(seen_guess(&all, "t", text, 1), seen);
    cr_assert_null(seen_guess(&all, "u", text, 1));
    cr_assert_null(seen_guess(&all, "t", text, 0));
    text[7] = '2';
    cr_assert_null(seen_guess(&all, "t", text, 1));
    seen_finish(&all);
}

Test(statements, are_found_without_their_text)
{
    struct statements all = {0};
    struct seen seen = {.hash = 7}, other = {.hash = 7};
    struct statement *one = statements_add(&all, 7, "t", "SELECT 1");

    cr_assert_null(statements_find_seen(&all, &seen));
    one->seen = &seen;
    cr_assert_eq(statements_find_seen(&all, &seen), one);
    cr_assert_null(statements_find_seen(&all, &other));
    statements_remove(&all, one);
    cr_assert_null(statements_find_seen(&all, &seen));
}

Test(statements, give_up_the_least_recently_used)
{
    struct statements all = {0};
    char text[32];

    for (int i = 0; i < STATEMENTS_MAX; i++) {
        cr_assert_null(statements_surplus(&all));
        snprintf(text, sizeof(text), "SELECT %d", i);
        statements_add(&all, statement_hash("t", text, 0), "t", text);
    }
    statements_find(&all, statement_hash("t", "SELECT 0", 0), "t", "SELECT 0");
    cr_assert_str_eq(statements_surplus(&all)->text, "SELECT 1");
    while (all.oldest)
        statements_remove(&all, all.oldest);
}

Test(statements, become_slow_past_one_in_twenty)
{
    static struct seen often, seldom;
    bool told = false;

    for (int i = 0; i < 10000; i++) {
        told |= seen_time(&often, i % 10 == 0 ? 6000 : 100);
        cr_assert_not(seen_time(&seldom, i % 30 == 0 ? 6000 : 100));
    }
    cr_assert(told);
    cr_assert(often.slow);
    cr_assert_not(seldom.slow);
}
