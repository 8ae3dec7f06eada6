/* A plugin is loaded as whose it is. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/trust.h"

#include "toys.h"
#include <sodium.h>
#include <unistd.h>

static struct stoa_arena *arena;
static char folder[] = "/tmp/stoa-trust-XXXXXX";
static const char *path, *sig_path;
static char secret[TRUST_LINE_MAX], open_key[TRUST_LINE_MAX];
static struct diag diag;

static void put(const char *to, stoa_str bytes)
{
    FILE *file = fopen(to, "wbe");

    cr_assert(file && fwrite(bytes.ptr, 1, bytes.len, file) == bytes.len);
    cr_assert_eq(fclose(file), 0);
}

static void start(void)
{
    cr_assert(sodium_init() >= 0);
    cr_assert_not_null(mkdtemp(folder));
    arena = stoa_arena_create();
    path = stoa_concat(arena, stoa_str_of(folder), STOA_STR("/toy.so\0")).ptr;
    sig_path = stoa_concat(arena, stoa_str_of(folder), STOA_STR("/toy.so.sig\0")).ptr;
    put(path, toy_bytes(arena, "toy"));
    cr_assert(trust_make_key("acme", secret, open_key));
}

static void end(void)
{
    unlink(path);
    unlink(sig_path);
    rmdir(folder);
    stoa_arena_destroy(arena);
}

TestSuite(trust, .init = start, .fini = end);

static const struct stoa_json *trust_of(const char *key, bool required)
{
    const struct stoa_json *json = NULL;
    char text[400];

    snprintf(text, sizeof text, "{\"keys\":[\"%s\"],\"require\":%s}", key,
             required ? "true" : "false");
    cr_assert_eq(stoa_json_parse(arena, stoa_str_copy(arena, stoa_str_of(text)), NULL, &json),
                 STOA_OK);
    return json;
}

static void sign(const char *with)
{
    struct plugin_bits bits;
    char line[TRUST_LINE_MAX];

    cr_assert_eq(plugin_bits_open(path, "toy", &diag, &bits), STOA_OK);
    cr_assert(trust_sign(stoa_str_of(with), bits.sha256, line));
    plugin_bits_close(&bits);
    put(sig_path, stoa_str_of(line));
}

/* "" when it may be loaded: whose it is in *signer. */
static const char *judge(const struct stoa_json *trust, const char **signer)
{
    struct plugin_bits bits;
    stoa_err err;

    diag = (struct diag){0};
    cr_assert_eq(plugin_bits_open(path, "toy", &diag, &bits), STOA_OK);
    err = trust_check(trust, &bits, &diag);
    plugin_bits_close(&bits);
    *signer = stoa_cstr(arena, stoa_str_of(bits.signer));
    cr_assert_eq(err, diag.message[0] ? STOA_E_PLUGIN : STOA_OK);
    cr_assert(err == STOA_OK || diag.hint[0]);
    return diag.message;
}

static void expect(const struct stoa_json *trust, const char *message, const char *signer)
{
    const char *got;
    const char *said = judge(trust, &got);

    cr_assert(*message ? strstr(said, message) != NULL : *said == '\0', "%s", said);
    cr_assert_str_eq(got, signer);
}

Test(trust, a_good_signature_names_its_key)
{
    sign(secret);
    expect(trust_of(open_key, true), "", "acme");
    expect(trust_of(open_key, false), "", "acme");
}

Test(trust, without_a_signature_it_is_loaded_unless_one_is_required)
{
    expect(NULL, "", "");
    expect(trust_of(open_key, false), "", "");
    expect(trust_of(open_key, true), "not signed", "");
}

/* As an apply finds one that lies where it lay. */
static stoa_err judge_placed(const struct stoa_json *trust, bool is_shipped)
{
    struct plugin_bits bits;
    stoa_err err;

    cr_assert_eq(plugin_bits_open(path, "toy", &diag, &bits), STOA_OK);
    bits.is_placed = true;
    bits.is_shipped = is_shipped;
    err = trust_check(trust, &bits, &diag);
    cr_assert_eq(bits.is_shipped, is_shipped);
    plugin_bits_close(&bits);
    return err;
}

Test(trust, of_an_unchanged_file_the_signature_is_judged_each_time)
{
    char other_secret[TRUST_LINE_MAX], other_key[TRUST_LINE_MAX];

    cr_assert(trust_make_key("other", other_secret, other_key));
    cr_assert_eq(judge_placed(trust_of(open_key, true), true), STOA_OK);
    cr_assert_eq(judge_placed(trust_of(open_key, true), false), STOA_E_PLUGIN);
    sign(secret);
    cr_assert_eq(judge_placed(trust_of(open_key, true), false), STOA_OK);
    cr_assert_eq(judge_placed(trust_of(other_key, true), false), STOA_E_PLUGIN);
}

Test(trust, bits_that_are_not_what_was_signed_are_refused_always)
{
    sign(secret);
    put(path, toy_bytes(arena, "toy2"));
    expect(trust_of(open_key, false), "not one of these bits", "");
    expect(trust_of(open_key, true), "not one of these bits", "");
}

Test(trust, a_foreign_key_is_as_good_as_none)
{
    char other_secret[TRUST_LINE_MAX], other_open[TRUST_LINE_MAX];

    cr_assert(trust_make_key("other", other_secret, other_open));
    sign(other_secret);
    expect(trust_of(open_key, false), "", "");
    expect(trust_of(open_key, true), "does not have: other", "");
}

Test(trust, another_key_of_the_same_name_is_refused)
{
    char other_secret[TRUST_LINE_MAX], other_open[TRUST_LINE_MAX];

    cr_assert(trust_make_key("acme", other_secret, other_open));
    sign(other_secret);
    expect(trust_of(open_key, false), "not one of these bits", "");
}

Test(trust, what_is_no_signature_is_refused_where_one_is_required)
{
    static const char *const lines[] = {"",
                                        "\n",
                                        "stoa-signature-1 acme",
                                        "stoa-signature-1 acme 00",
                                        "hello",
                                        "stoa-signature-2 acme 00"};

    for (uint32_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put(sig_path, stoa_str_of(lines[i]));
        expect(trust_of(open_key, true), "cannot be read", "");
        expect(trust_of(open_key, false), "", "");
    }
}

Test(trust, keys_have_names_that_can_be_written_anywhere)
{
    cr_assert(!trust_make_key("", secret, open_key));
    cr_assert(!trust_make_key("A", secret, open_key));
    cr_assert(!trust_make_key("../a", secret, open_key));
    cr_assert(!trust_make_key("a-name-that-is-far-too-long-to-be-one", secret, open_key));
}
