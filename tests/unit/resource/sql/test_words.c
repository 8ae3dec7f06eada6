/* SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/words.h"

#include <criterion/criterion.h>

static struct stoa_arena *mem;
static struct words *words;

static void set_up(void)
{
    mem = stoa_arena_create();
    words = stoa_new(mem, struct words);
}

static void tear_down(void)
{
    stoa_arena_destroy(mem);
}

TestSuite(words, .init = set_up, .fini = tear_down);

static bool has(const char *word)
{
    for (uint32_t i = 0; i < words->count; i++)
        if (stoa_str_is(words->list[i], word))
            return true;
    return false;
}

static const char *refusal(const char *text, int options)
{
    words_read(mem, text, options, words);
    return words->refused;
}

Test(words, finds_names_wherever_they_stand)
{
    cr_assert_str_empty(
        refusal("SELECT a.Id, \"Quoted \"\"Name\"\"\" FROM/**/T_Item a -- not_this\n"
                "JOIN t_line ON 'in_string' <> E'esc\\' in_string2' || $1 /* /* x */ nor_this */",
                0));
    cr_assert(has("t_item"));
    cr_assert(has("t_line"));
    cr_assert(has("Quoted \"Name\""));
    cr_assert(has("id"));
    cr_assert_not(has("not_this"));
    cr_assert_not(has("nor_this"));
    cr_assert_not(has("in_string"));
    cr_assert_not(has("in_string2"));
}

Test(words, knows_where_a_string_ends)
{
    cr_assert_str_empty(refusal("SELECT 'it''s' || seen1, '\\' || seen2", 0));
    cr_assert(has("seen1"));
    cr_assert(has("seen2"));
    cr_assert_str_not_empty(refusal("SELECT 'open", 0));
    cr_assert_str_not_empty(refusal("SELECT \"open", 0));
    cr_assert_str_empty(refusal("SELECT /* open", 0));
}

Test(words, takes_one_statement_that_reads_or_writes_rows)
{
    static const char *const fine[] = {"SELECT 1",
                                       " \n-- why\nselect 1",
                                       "INSERT INTO t_a (id) VALUES ($1) ON CONFLICT DO NOTHING",
                                       "UPDATE t_a SET id = $1",
                                       "DELETE FROM t_a",
                                       "WITH x AS (SELECT 1) SELECT * FROM x",
                                       "VALUES (1)",
                                       NULL};
    static const char *const bad[] = {"",
                                      "-- nothing",
                                      "DROP TABLE t_a",
                                      "SELECT 1; SELECT 2",
                                      "BEGIN",
                                      "COPY t_a TO '/tmp/x'",
                                      "SET role x",
                                      "DO 'x'",
                                      "CALL x()",
                                      "TRUNCATE t_a",
                                      "(SELECT 1) INTO x",
                                      "\"select\" 1",
                                      "SELECT 1 INTO t_b",
                                      "SELECT [a] FROM t_b",
                                      "SELECT `a`",
                                      NULL};

    for (int i = 0; fine[i]; i++)
        cr_assert_str_empty(refusal(fine[i], 0), "%s: %s", fine[i], words->refused);
    for (int i = 0; bad[i]; i++)
        cr_assert_str_not_empty(refusal(bad[i], 0), "%s", bad[i]);
}

Test(words, lets_reads_only_read)
{
    cr_assert_str_empty(refusal("SELECT updated, deleted_at FROM t_a", WORDS_READ_ONLY));
    cr_assert_str_not_empty(
        refusal("WITH x AS (DELETE FROM t_a RETURNING id) SELECT * FROM x", WORDS_READ_ONLY));
    cr_assert_str_not_empty(refusal("SELECT id FROM t_a FOR UPDATE", WORDS_READ_ONLY));
}

Test(words, keeps_the_databases_own_functions_for_the_host)
{
    cr_assert_str_not_empty(refusal("SELECT PG_SLEEP(1)", 0));
    cr_assert_str_not_empty(refusal("SELECT \"pg_sleep\"(1)", 0));
    cr_assert_str_not_empty(refusal("SELECT table_to_xml('t_b', true, true, '')", 0));
    cr_assert_str_empty(refusal("SELECT pg_sleep(1)", WORDS_HOST));
}
