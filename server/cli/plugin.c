/* cli/plugin.c: `stoa plugin WORD …`: a table of its own. SPDX-License-Identifier: Apache-2.0 */
#include "cli/control.h"
#include "cli/node.h"
#include "config/evaluate.h"
#include "plugin/preflight.h"
#include "plugin/trust.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_MAX = 64 << 20 };

static void print_json(const struct stoa_json *json, struct stoa_arena *arena)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 1024);
    stoa_json_format(json, &out);
    printf("%.*s\n", (int)out.len, out.ptr);
}

static int tell(const struct diag *diag)
{
    STOA_IGNORE(cli_config_error(diag));
    return EXIT_FAILED;
}

/* ---- check ---- */

/* The keys of config.lua; without one there are none. */
static stoa_err judge(const struct cli *cli, struct plugin_bits *bits, struct diag *diag)
{
    struct node node;
    stoa_err err;

    if (access(cli->config, R_OK) != 0)
        return trust_check(NULL, bits, diag);
    STOA_TRY(node_configure(&node, cli, diag));
    err = trust_check(stoa_json_get(config_json(node.config), "trust"), bits, diag);
    node_close(&node);
    return err;
}

static void put_bits(const struct plugin_bits *bits, struct stoa_json *ret)
{
    stoa_json_set_str(ret, "name", stoa_str_of(bits->name));
    stoa_json_set_str(ret, "version", stoa_str_of(bits->version));
    stoa_json_set_str(ret, "sha256", stoa_str_of(bits->sha256));
    stoa_json_set_str(ret, "signed_by", stoa_str_of(bits->signer));
    stoa_json_set_bool(ret, "shipped", bits->is_shipped);
    stoa_json_set_bool(ret, "unmappable", bits->is_pure);
}

static void print_checked(const struct cli *cli, const struct plugin_bits *bits,
                          const struct diag *problem)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *json = stoa_json_object(arena);

    stoa_json_set_bool(json, "ok", !problem);
    if (problem) {
        stoa_json_set_str(json, "message", stoa_str_of(problem->message));
        stoa_json_set_str(json, "hint", stoa_str_of(problem->hint));
    } else {
        put_bits(bits, json);
    }
    if (cli->is_json)
        print_json(json, arena);
    else if (!problem)
        printf("%s: ok, %s %s, %s%s\n", bits->path, bits->name, bits->version,
               bits->signer[0] ? "signed by " : "not signed", bits->signer);
    stoa_arena_destroy(arena);
}

static int check(const struct cli *cli)
{
    struct plugin_bits bits;
    struct diag diag = {0};
    stoa_err err = plugin_bits_open(cli->arguments[1], NULL, &diag, &bits);

    if (err == STOA_OK)
        err = judge(cli, &bits, &diag);
    print_checked(cli, &bits, err == STOA_OK ? NULL : &diag);
    plugin_bits_close(&bits);
    return err == STOA_OK ? EXIT_OK : tell(&diag);
}

/* ---- info ---- */

static int info(const struct cli *cli)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *json = stoa_json_object(arena);
    struct stoa_manifest_note note;
    struct diag diag = {0};
    stoa_str bytes;
    stoa_err err = evaluate_read(arena, cli->arguments[1], FILE_MAX, &bytes);

    if (err != STOA_OK)
        diag_set(&diag, cli->arguments[1], 0, 0, "it cannot be read");
    else
        err = preflight_manifest(cli->arguments[1], bytes, &diag, &note);
    if (err == STOA_OK) {
        char abi[16];
        snprintf(abi, sizeof abi, "%u.%u", note.abi_major, note.abi_minor);
        stoa_json_set_str(json, "name", stoa_str_of(note.name));
        stoa_json_set_str(json, "version", stoa_str_of(note.version));
        stoa_json_set_str(json, "abi", stoa_str_of(abi));
        stoa_json_set_str(json, "capabilities", stoa_str_of(note.capabilities));
        if (cli->is_json)
            print_json(json, arena);
        else
            printf("%s %s, SDK ABI %s\ncapabilities: %s\n", note.name, note.version, abi,
                   note.capabilities[0] ? note.capabilities : "none");
    }
    stoa_arena_destroy(arena);
    return err == STOA_OK ? EXIT_OK : tell(&diag);
}

/* ---- sign, keygen ---- */

/* Whole or not at all; a secret one must be new. */
static bool write_line(const char *path, const char *line, bool is_secret)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (is_secret ? O_EXCL : O_TRUNC);
    int fd = open(path, flags, is_secret ? 0600 : 0644), error;
    ssize_t len = (ssize_t)strlen(line);
    bool ok = fd >= 0 && write(fd, line, (size_t)len) == len && fsync(fd) == 0;

    error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return ok;
}

static int sign(const struct cli *cli)
{
    struct stoa_arena *arena;
    char line[TRUST_LINE_MAX], path[PATH_MAX + 8];
    struct plugin_bits bits;
    struct diag diag = {0};
    stoa_str secret;
    bool ok;

    if (!cli->key) {
        fprintf(stderr,
                "stoa: plugin sign needs --key FILE; `stoa plugin keygen NAME` makes one\n");
        return EXIT_USAGE;
    }
    if (plugin_bits_open(cli->arguments[1], NULL, &diag, &bits) != STOA_OK)
        return tell(&diag);
    arena = stoa_arena_create();
    ok = evaluate_read(arena, cli->key, TRUST_LINE_MAX, &secret) == STOA_OK &&
         trust_sign(secret, bits.sha256, line);
    stoa_arena_destroy(arena);
    plugin_bits_close(&bits);
    if (!ok)
        return cli_failed(cli->key, "it is no secret key", "`stoa plugin keygen NAME` makes one");
    snprintf(path, sizeof path, "%s.sig", cli->arguments[1]);
    if (!write_line(path, line, false))
        return cli_failed(path, strerror(errno), "");
    printf("%s\n", path);
    return EXIT_OK;
}

static int keygen(const struct cli *cli)
{
    char secret[TRUST_LINE_MAX], open_key[TRUST_LINE_MAX], path[80];

    if (!trust_make_key(cli->arguments[1], secret, open_key)) {
        fprintf(stderr, "stoa: a key's name is at most 31 of a-z, 0-9 and -; see `stoa plugin "
                        "--help`\n");
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "%s.key", cli->arguments[1]);
    if (!write_line(path, secret, true))
        return cli_failed(path, strerror(errno), "choose another name, or move the old key away");
    explicit_bzero(secret, sizeof secret);
    fprintf(stderr, "%s is the secret key. For config.lua: trust = { keys = { \"…\" } } with\n",
            path);
    printf("%s\n", open_key);
    return EXIT_OK;
}

/* ---- The table ---- */

static const struct {
    const char *name, *usage;
    int (*run)(const struct cli *cli);
} words[] = {
    {"check", "check FILE.so", check},
    {"info", "info FILE.so", info},
    {"sign", "sign FILE.so --key NAME.key", sign},
    {"keygen", "keygen NAME", keygen},
    {"why", "why NAME", plugin_why},
};

int command_plugin(const struct cli *cli)
{
    const char *word = cli->argument_count ? cli->arguments[0] : "";

    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].name, word) != 0)
            continue;
        if (cli->argument_count == 2)
            return words[i].run(cli);
        fprintf(stderr, "stoa: use it as: stoa plugin %s; `stoa plugin --help` shows more\n",
                words[i].usage);
        return EXIT_USAGE;
    }
    fprintf(stderr,
            "stoa: `stoa plugin` is followed by check, info, sign, keygen or why, not '%s'; "
            "`stoa plugin --help` shows how\n",
            word);
    return EXIT_USAGE;
}
