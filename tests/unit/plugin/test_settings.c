/* A plugin's table of config.lua, typed. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/settings.h"

#include "toys.h"

static struct stoa_arena *arena;
static struct stoa_settings *set;
static struct diag diag;

static void start(void)
{
    arena = stoa_arena_create();
}

static void end(void)
{
    settings_destroy(set);
    stoa_arena_destroy(arena);
}

TestSuite(settings, .init = start, .fini = end);

static const struct stoa_span schema =
    STOA_SETTINGS({"title", STOA_SET_STRING, .otherwise = "Hello"},
                  {"days", STOA_SET_INT, .otherwise = "14", .min = 1, .max = 30},
                  {"loud", STOA_SET_BOOL, .otherwise = "true"},
                  {"price", STOA_SET_MONEY, .otherwise = "4.50 EUR"},
                  {"list", STOA_SET_TABLE, .otherwise = "[1,2]"}, {"empty", STOA_SET_STRING},
                  {"none", STOA_SET_TABLE}, {"zero", STOA_SET_INT});

static const struct stoa_span required =
    STOA_SETTINGS({"key", STOA_SET_STRING, .required = true, .help = "the key of the provider"});
static const struct stoa_span wrong = STOA_SETTINGS({"days", STOA_SET_INT, .otherwise = "soon"});

static stoa_err read_as(const char *json, const struct stoa_span *span)
{
    settings_destroy(set);
    set = NULL;
    diag = (struct diag){0};
    return settings_create(toy_config(arena, json), "plugins.toy", span, &diag, &set);
}

static stoa_err read(const char *json)
{
    return read_as(json, &schema);
}

Test(settings, what_is_not_given_has_its_default)
{
    cr_assert_eq(read("{}"), STOA_OK, "%s", diag.message);
    cr_assert(stoa_str_is(stoa_setting_str(set, "title"), "Hello"));
    cr_assert_eq(stoa_setting_int(set, "days"), 14);
    cr_assert(stoa_setting_bool(set, "loud"));
    cr_assert(stoa_money_eq(stoa_setting_money(set, "price"), stoa_money_of(450, "EUR")));
    cr_assert_eq(stoa_json_int(stoa_setting_json(set, "list"), "1", 0), 2);
    cr_assert_eq(stoa_setting_str(set, "empty").len, 0);
    cr_assert_eq(stoa_json_count(stoa_setting_json(set, "none")), 0);
    cr_assert_eq(stoa_setting_int(set, "zero"), 0);
}

Test(settings, what_is_given_is_read_and_copied)
{
    cr_assert_eq(read("{\"title\":\"Hi\",\"days\":3,\"loud\":false,\"list\":{\"a\":\"b\"},"
                      "\"price\":{\"amount\":500,\"currency\":\"JPY\"}}"),
                 STOA_OK, "%s", diag.message);
    cr_assert(stoa_str_is(stoa_setting_str(set, "title"), "Hi"));
    cr_assert_eq(stoa_setting_int(set, "days"), 3);
    cr_assert(!stoa_setting_bool(set, "loud"));
    cr_assert(stoa_money_eq(stoa_setting_money(set, "price"), stoa_money_of(500, "JPY")));
    cr_assert(stoa_str_is(stoa_json_str(stoa_setting_json(set, "list"), "a"), "b"));
}

Test(settings, the_keys_that_every_plugin_has_are_left_alone)
{
    cr_assert_eq(read("{\"sql\":\"users\"}"), STOA_OK, "%s", diag.message);
}

static void refused(const char *json, const char *message)
{
    cr_assert_eq(read(json), STOA_E_CONFIG, "%s", json);
    cr_assert(strstr(diag.message, message) || strstr(diag.hint, message), "%s; %s", diag.message,
              diag.hint);
    cr_assert_null(set);
}

Test(settings, what_does_not_fit_is_refused_with_its_key)
{
    refused("{\"dayz\":3}", "did you mean");
    refused("{\"days\":\"3\"}", "plugins.toy.days");
    refused("{\"days\":0}", "plugins.toy.days");
    refused("{\"days\":31}", "plugins.toy.days");
    refused("{\"loud\":\"yes\"}", "plugins.toy.loud");
    refused("{\"title\":1}", "plugins.toy.title");
    refused("{\"price\":\"4.505 EUR\"}", "plugins.toy.price");
    refused("{\"price\":{\"amount\":1,\"currency\":\"EURO\"}}", "plugins.toy.price");
    refused("{\"list\":1}", "plugins.toy.list");
}

Test(settings, a_required_one_must_be_there)
{
    cr_assert_eq(read_as("{}", &required), STOA_E_CONFIG);
    cr_assert(strstr(diag.message, "plugins.toy.key is missing"), "%s", diag.message);
    cr_assert_eq(read_as("{\"key\":\"k\"}", &required), STOA_OK);
}

Test(settings, a_default_that_is_none_is_the_authors_mistake)
{
    cr_assert_eq(read_as("{}", &wrong), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "the default of the setting 'days'"));
    cr_assert(strstr(diag.hint, "author"));
}

Test(settings, there_are_64_at_most)
{
    static struct stoa_setting many[SETTINGS_MAX + 1];
    struct stoa_span span = {many, SETTINGS_MAX + 1, sizeof(*many)};

    for (uint32_t i = 0; i <= SETTINGS_MAX; i++)
        many[i] = (struct stoa_setting){.name = "x", .type = STOA_SET_INT};
    cr_assert_eq(read_as("{}", &span), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "65 settings"));
}

Test(settings, an_older_plugins_shorter_entries_are_read)
{
    static const struct {
        const char *name;
        uint32_t type;
        bool required;
        uint8_t reserved[3];
    } old[] = {{"title", STOA_SET_STRING}, {"days", STOA_SET_INT}};
    const struct stoa_span span = {old, 2, sizeof(*old)};

    cr_assert_eq(read_as("{\"days\":9}", &span), STOA_OK, "%s", diag.message);
    cr_assert_eq(stoa_setting_int(set, "days"), 9);
    cr_assert_eq(stoa_setting_str(set, "title").len, 0);
}
