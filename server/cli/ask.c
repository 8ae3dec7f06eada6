/* cli/ask.c: the subcommands that ask the running shop: status, plan, apply, confirm, rollback,
 * history.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/control.h"
#include "cli/node.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Asking ---- */

/* The data folder of --data, also when the configuration is broken; else the configuration's. */
static int find_data(const struct cli *cli, char ret[PATH_MAX])
{
    struct diag diag = {0};
    struct node node;
    stoa_str folder;

    if (cli->data) {
        snprintf(ret, PATH_MAX, "%s", cli->data);
        return EXIT_OK;
    }
    if (node_configure(&node, cli, &diag) != STOA_OK)
        return cli_config_error(&diag);
    folder = config_str(node.config, "data");
    snprintf(ret, PATH_MAX, "%.*s", (int)folder.len, folder.ptr);
    node_close(&node);
    return EXIT_OK;
}

/* Asks, prints with --json, else lets show() tell people. Exit status. */
static int ask(const struct cli *cli, const char *question,
               void (*show)(const struct stoa_json *answer, struct stoa_arena *arena))
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct stoa_json *answer = NULL;
    char data[PATH_MAX];
    stoa_str text = {0};
    int status = find_data(cli, data);

    if (status == EXIT_OK)
        status = control_ask(data, question, arena, &text);
    if (status == EXIT_OK && stoa_json_parse(arena, text, NULL, &answer) != STOA_OK)
        status = cli_failed(question, "the answer is no JSON", "");
    if (answer && stoa_json_get(answer, "ok") && !stoa_json_true(answer, "ok"))
        status = EXIT_FAILED;
    if (answer && (cli->is_json || !show))
        printf("%.*s\n", (int)text.len, text.ptr);
    else if (answer && status == EXIT_OK)
        show(answer, arena);
    if (answer && status != EXIT_OK)
        fprintf(stderr, "stoa: %s failed at '%.*s', nothing was changed\n%.*s\n", cli->command,
                (int)stoa_json_str(answer, "step").len, stoa_json_str(answer, "step").ptr,
                (int)stoa_json_str(answer, "text").len, stoa_json_str(answer, "text").ptr);
    stoa_arena_destroy(arena);
    return status;
}

/* ---- Showing ---- */

static void show_text(const char *before, const struct stoa_json *json, const char *path)
{
    stoa_str text = stoa_json_str(json, path);

    printf("%s%.*s", before, (int)text.len, text.ptr);
}

static void show_bits(const char *before, const struct stoa_json *bits)
{
    if (!bits)
        return;
    show_text(before, bits, "version");
    printf(" (%.12s)", stoa_json_str(bits, "sha256").ptr);
}

static void show_plugins(const struct stoa_json *plugins)
{
    for (const struct stoa_json *p = stoa_json_first(plugins); p; p = stoa_json_next(p)) {
        show_text("plugin   ", p, "name");
        show_text(": ", p, "change");
        show_bits("  ", stoa_json_get(p, "from"));
        show_bits(" -> ", stoa_json_get(p, "to"));
        putchar('\n');
    }
}

static void show_value(const char *before, const struct stoa_json *value, struct stoa_arena *arena)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 128);
    if (value)
        stoa_json_format(value, &out);
    else
        stoa_buf_put(&out, STOA_STR("(none)"));
    printf("%s%.*s", before, (int)out.len, out.ptr);
}

static void show_settings(const struct stoa_json *settings, struct stoa_arena *arena)
{
    for (const struct stoa_json *s = stoa_json_first(settings); s; s = stoa_json_next(s)) {
        show_text("setting  ", s, "path");
        show_value(": ", stoa_json_get(s, "from"), arena);
        show_value(" -> ", stoa_json_get(s, "to"), arena);
        putchar('\n');
    }
}

static void show_names(const char *what, const struct stoa_json *names)
{
    for (const struct stoa_json *n = stoa_json_first(names); n; n = stoa_json_next(n))
        printf("%s%.*s\n", what, (int)stoa_json_str(n, "").len, stoa_json_str(n, "").ptr);
}

static void show_moves(const char *what, const struct stoa_json *moves)
{
    for (const struct stoa_json *m = stoa_json_first(moves); m; m = stoa_json_next(m)) {
        show_text(what, m, "plugin");
        show_text(": ", m, "from");
        show_text(" -> ", m, "to");
        putchar('\n');
    }
}

static void show_certificates(const struct stoa_json *certificates)
{
    for (const struct stoa_json *c = stoa_json_first(certificates); c; c = stoa_json_next(c)) {
        show_text("certificate of ", c, "address");
        show_text(" ", c, "change");
        show_text(": ", c, "file");
        show_text(" (", c, "names");
        printf("; %.12s) valid until ", stoa_json_str(c, "sha256").ptr);
        show_text("", c, "until");
        show_text(stoa_json_get(c, "problem") ? "; " : "", c, "problem");
        putchar('\n');
    }
}

static void show_drains(const struct stoa_json *worlds)
{
    for (const struct stoa_json *w = stoa_json_first(worlds); w; w = stoa_json_next(w)) {
        printf("drain    world %lld", (long long)stoa_json_int(w, "world", 0));
        show_text(" (", w, "state");
        printf("): %lld requests and jobs\n", (long long)stoa_json_int(w, "pins", 0));
    }
}

static void show_plan(const struct stoa_json *plan, struct stoa_arena *arena)
{
    if (!stoa_json_true(plan, "changes"))
        printf("nothing would change\n");
    show_plugins(stoa_json_get(plan, "plugins"));
    show_settings(stoa_json_get(plan, "settings"), arena);
    show_names("route    + ", stoa_json_get(plan, "routes.added"));
    show_names("route    - ", stoa_json_get(plan, "routes.removed"));
    show_names("job      + ", stoa_json_get(plan, "jobs.added"));
    show_names("job      - ", stoa_json_get(plan, "jobs.removed"));
    show_moves("place    ", stoa_json_get(plan, "placements"));
    show_moves("grants   ", stoa_json_get(plan, "grants"));
    show_certificates(stoa_json_get(plan, "certificates"));
    show_names("migrate  ", stoa_json_get(plan, "migrations"));
    if (stoa_json_true(plan, "changes"))
        show_drains(stoa_json_get(plan, "drains"));
}

static void show_applied(const struct stoa_json *answer, struct stoa_arena *arena)
{
    const struct stoa_json *steps = stoa_json_get(answer, "steps_us");

    printf("revision %lld is in force (world %lld)\n",
           (long long)stoa_json_int(answer, "revision", 0),
           (long long)stoa_json_int(answer, "world", 0));
    for (const struct stoa_json *s = stoa_json_first(steps); s; s = stoa_json_next(s))
        fprintf(stderr, "%-8.*s %8.1f ms\n", (int)stoa_json_name(s).len, stoa_json_name(s).ptr,
                (double)stoa_json_int(s, "", 0) / 1000);
}

static void show_changes(const struct stoa_json *changes, struct stoa_arena *arena)
{
    const struct stoa_json *settings = stoa_json_get(changes, "settings");

    for (const struct stoa_json *p = stoa_json_first(stoa_json_get(changes, "plugins")); p;
         p = stoa_json_next(p)) {
        show_text("        ", p, "name");
        show_text(" ", p, "from.version");
        show_text(" -> ", p, "to.version");
        putchar('\n');
    }
    for (const struct stoa_json *s = stoa_json_first(settings); s; s = stoa_json_next(s)) {
        show_text("        ", s, "path");
        show_value(": ", stoa_json_get(s, "from"), arena);
        show_value(" -> ", stoa_json_get(s, "to"), arena);
        putchar('\n');
    }
}

static void show_history(const struct stoa_json *answer, struct stoa_arena *arena)
{
    const struct stoa_json *revisions = stoa_json_get(answer, "revisions");
    int64_t in_force = stoa_json_int(answer, "in_force", 0);

    for (const struct stoa_json *r = stoa_json_first(revisions); r; r = stoa_json_next(r)) {
        int64_t number = stoa_json_int(r, "revision", 0);
        printf("%c %5lld", number == in_force ? '*' : ' ', (long long)number);
        show_text("  ", r, "at");
        show_text("  ", r, "who");
        show_text("  ", r, "why");
        printf("  %.12s\n", stoa_json_str(r, "hash").ptr);
        show_changes(stoa_json_get(r, "changes"), arena);
    }
}

static void show_why(const struct stoa_json *answer, struct stoa_arena *arena)
{
    const struct stoa_json *generations = stoa_json_get(answer, "generations");
    const struct stoa_json *holds = stoa_json_get(answer, "holds");

    for (const struct stoa_json *g = stoa_json_first(generations); g; g = stoa_json_next(g)) {
        printf("generation %lld", (long long)stoa_json_int(g, "generation", 0));
        show_text(", version ", g, "version");
        printf(", world %lld", (long long)stoa_json_int(g, "world", 0));
        show_text(": ", g, "state");
        printf(", %lld pins\n", (long long)stoa_json_int(g, "pins", 0));
    }
    for (const struct stoa_json *h = stoa_json_first(holds); h; h = stoa_json_next(h)) {
        printf("  world %lld held for %.1f s by", (long long)stoa_json_int(h, "world", 0),
               (double)stoa_json_int(h, "age_ms", 0) / 1000);
        show_text(" ", h, "kind");
        show_text(" ", h, "name");
        show_text("", h, "id");
        show_text(" ", h, "route");
        putchar('\n');
    }
    if (stoa_json_int(answer, "kept", 0) > 0)
        printf("%lld generations of the process cannot be unloaded\n",
               (long long)stoa_json_int(answer, "kept", 0));
}

/* ---- Commands ---- */

int command_status(const struct cli *cli)
{
    return ask(cli, "status", NULL);
}

int command_plan(const struct cli *cli)
{
    return ask(cli, "plan", show_plan);
}

int command_apply(const struct cli *cli)
{
    char question[48];

    snprintf(question, sizeof question, cli->confirm_s ? "apply %lld" : "apply",
             (long long)cli->confirm_s);
    return ask(cli, question, show_applied);
}

int command_confirm(const struct cli *cli)
{
    return ask(cli, "confirm", show_applied);
}

int command_rollback(const struct cli *cli)
{
    char question[48];
    int64_t number = 0;

    if (cli->argument_count &&
        stoa_str_int(stoa_str_of(cli->arguments[0]), 1, 999999, &number) != STOA_OK) {
        fprintf(stderr, "stoa: rollback takes a revision's number; `stoa history` lists them\n");
        return EXIT_USAGE;
    }
    snprintf(question, sizeof question, number ? "rollback %lld" : "rollback", (long long)number);
    return ask(cli, question, show_applied);
}

/* ---- What the supervisor does ---- */

static void show_upgraded(const struct stoa_json *answer, struct stoa_arena *arena)
{
    show_text("version ", answer, "version");
    printf(" serves (process %lld)\n", (long long)stoa_json_int(answer, "pid", 0));
}

int command_upgrade(const struct cli *cli)
{
    return ask(cli, "upgrade", show_upgraded);
}

static void show_ended(const struct stoa_json *answer, struct stoa_arena *arena)
{
    printf("the shop has ended\n");
}

int command_drain(const struct cli *cli)
{
    return ask(cli, "drain", show_ended);
}

int command_stop(const struct cli *cli)
{
    return ask(cli, "stop", show_ended);
}

int command_history(const struct cli *cli)
{
    return ask(cli, "history", show_history);
}

int plugin_why(const struct cli *cli)
{
    char question[48];

    snprintf(question, sizeof question, "why %.32s", cli->arguments[1]);
    return ask(cli, question, show_why);
}
