/* Migrations: numbered files, each once, each in a transaction with the row that says so.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "resource/sql/driver.h"

#include <ctype.h>
#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILES_MAX = 2000, FILES_FIRST = 16, FILE_BYTES_MAX = 1024 * 1024 };

struct migration {
    int64_t number;
    char name[128]; /* of the file */
    char path[1024];
    char sha256[65];
    stoa_str text;
    bool applied;
};

struct migrations {
    struct sql *sql;
    const char *owner;
    struct stoa_arena *arena;
    struct diag *diag;
    struct trail *trail;
    struct migration *list;
    uint32_t count, room;
};

/* ---- Files ---- */

static int by_number(const void *a, const void *b)
{
    const struct migration *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

/* "0001_what.sql" for all databases, "0001_what.sqlite.sql" for one. */
static bool name_is_right(const char *name)
{
    size_t what;

    for (int i = 0; i < 4; i++)
        if (!isdigit((unsigned char)name[i]))
            return false;
    what = name[4] == '_' ? strspn(name + 5, "abcdefghijklmnopqrstuvwxyz0123456789_-") : 0;
    if (!what)
        return false;
    name += 5 + what;
    return strcmp(name, ".sql") == 0 || strcmp(name, ".sqlite.sql") == 0 ||
           strcmp(name, ".postgresql.sql") == 0;
}

static bool name_is_ours(const struct sql *sql, const char *name)
{
    const char *other = sql->driver->is_postgresql ? ".sqlite.sql" : ".postgresql.sql";

    return !stoa_str_ends(stoa_str_of(name), stoa_str_of(other));
}

static stoa_err migration_hash(struct migration *one)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t len = 0;

    if (!EVP_Q_digest(NULL, "SHA256", NULL, one->text.ptr, one->text.len, digest, &len))
        return STOA_E_INTERNAL;
    for (size_t i = 0; i < len && i < 32; i++)
        snprintf(one->sha256 + 2 * i, 3, "%02x", digest[i]);
    return STOA_OK;
}

static stoa_err migration_read(struct migrations *all, struct migration *one)
{
    FILE *file = fopen(one->path, "rb");
    struct stat st = {0};
    size_t len = 0;
    char *text;

    if (!file || fstat(fileno(file), &st) != 0 || st.st_size > FILE_BYTES_MAX) {
        diag_set(all->diag, one->path, 0, 0, "cannot be read, or is above 1 MiB");
        if (file)
            fclose(file);
        return STOA_E_CONFIG;
    }
    trail_note(all->trail, one->path, &st);
    text = stoa_arena_alloc(all->arena, (uint64_t)st.st_size + 1);
    len = fread(text, 1, (size_t)st.st_size, file);
    fclose(file);
    one->text = (stoa_str){text, len};
    if (memchr(text, 0, len) || !stoa_str_is_utf8(one->text)) {
        diag_set(all->diag, one->path, 0, 0, "is no text in UTF-8");
        return STOA_E_CONFIG;
    }
    return migration_hash(one);
}

static void make_room(struct migrations *all)
{
    struct migration *more;

    if (all->count < all->room)
        return;
    all->room = all->room ? 2 * all->room : FILES_FIRST;
    more = stoa_new_array(all->arena, struct migration, all->room);
    if (all->count > 0)
        memcpy(more, all->list, all->count * sizeof *more);
    all->list = more;
}

static stoa_err migrations_add(struct migrations *all, const char *folder, const char *name)
{
    struct migration *one;

    make_room(all);
    one = &all->list[all->count];
    if (name[0] == '.' || !stoa_str_ends(stoa_str_of(name), STOA_STR(".sql")))
        return STOA_OK;
    snprintf(one->path, sizeof(one->path), "%s/%s", folder, name);
    if (!name_is_right(name) || strlen(name) >= sizeof(one->name)) {
        diag_set(all->diag, one->path, 0, 0, "is not named like a migration");
        diag_hint(all->diag, "NNNN_what.sql, NNNN_what.sqlite.sql or NNNN_what.postgresql.sql, in "
                             "lower case");
        return STOA_E_CONFIG;
    }
    if (!name_is_ours(all->sql, name))
        return STOA_OK;
    if (all->count == FILES_MAX - 1) {
        diag_set(all->diag, folder, 0, 0, "holds more than %d migrations", FILES_MAX - 1);
        return STOA_E_CONFIG;
    }
    snprintf(one->name, sizeof(one->name), "%s", name);
    one->number = strtol(name, NULL, 10);
    all->count++;
    return migration_read(all, one);
}

static stoa_err migrations_list(struct migrations *all, const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    stoa_err err = STOA_OK;
    struct stat st;

    if (!dir || fstat(dirfd(dir), &st) != 0) {
        diag_set(all->diag, folder, 0, 0, "cannot be opened: %m");
        if (dir)
            closedir(dir);
        return STOA_E_CONFIG;
    }
    trail_note(all->trail, folder, &st);
    while (err == STOA_OK && (entry = readdir(dir)))
        err = migrations_add(all, folder, entry->d_name);
    closedir(dir);
    if (all->count > 1)
        qsort(all->list, all->count, sizeof(*all->list), by_number);
    for (uint32_t i = 1; err == STOA_OK && i < all->count; i++)
        if (all->list[i].number == all->list[i - 1].number) {
            diag_set(all->diag, all->list[i].path, 0, 0, "has the number of %s",
                     all->list[i - 1].name);
            err = STOA_E_CONFIG;
        }
    return err;
}

/* folder holds a folder of the owner's, or is it. */
static stoa_err migrations_find(struct migrations *all, const char *folder)
{
    char path[512];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", folder, all->owner);
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        trail_note(all->trail, path, NULL); /* what is there but no folder is read each time */
        snprintf(path, sizeof(path), "%s", folder);
    }
    return migrations_list(all, path);
}

/* ---- What was applied ---- */

static struct sql_param text_param(const char *text)
{
    return (struct sql_param){.s = stoa_str_of(text)};
}

static stoa_err fail_store(struct migrations *all, stoa_err err)
{
    if (!all->diag->message[0])
        diag_set(all->diag, "", 0, 0, "the migrations that were applied cannot be read: %s",
                 sql_last_error());
    return err;
}

static stoa_err ledger_exists(struct migrations *all, bool *ret)
{
    struct stoa_rows *rows = NULL;
    struct sql_call call = sql_inner(
        all->sql->driver->is_postgresql
            ? "SELECT relname FROM pg_class WHERE oid = to_regclass('stoa_migration')"
            : "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'stoa_migration'",
        NULL, 0);

    call.flags = STOA_SQL_READ;
    call.arena = all->arena;
    call.ret = &rows;
    STOA_TRY(all->sql->driver->exec(all->sql, &call));
    *ret = stoa_rows_count(rows) > 0;
    return STOA_OK;
}

static stoa_err ledger_create(struct migrations *all)
{
    struct sql_script script = {.text = "CREATE TABLE IF NOT EXISTS stoa_migration ("
                                        " owner TEXT NOT NULL,"
                                        " number BIGINT NOT NULL,"
                                        " name TEXT NOT NULL,"
                                        " sha256 TEXT NOT NULL,"
                                        " at BIGINT NOT NULL,"
                                        " PRIMARY KEY (owner, number))"};

    return all->sql->driver->script(all->sql, &script, all->diag);
}

static stoa_err check_applied(struct migrations *all, const struct stoa_rows *rows, uint32_t row)
{
    int64_t number = stoa_rows_int(rows, row, "number");

    for (uint32_t i = 0; i < all->count; i++) {
        struct migration *one = &all->list[i];
        if (one->number != number)
            continue;
        one->applied = true;
        if (!stoa_str_is(stoa_rows_str(rows, row, "sha256"), one->sha256)) {
            diag_set(all->diag, one->path, 0, 0, "was changed after it was applied");
            diag_hint(all->diag,
                      "put it back as it was and write what is new into the next number");
            return STOA_E_CONFLICT;
        }
    }
    return STOA_OK;
}

static stoa_err migrations_compare(struct migrations *all)
{
    struct sql_param owner = text_param(all->owner);
    struct stoa_rows *rows = NULL;
    struct sql_call call = sql_inner(
        "SELECT number, sha256 FROM stoa_migration WHERE owner = $1 ORDER BY number", &owner, 1);
    stoa_err err;

    call.flags = STOA_SQL_READ | STOA_SQL_MANY;
    call.arena = all->arena;
    call.ret = &rows;
    if ((err = all->sql->driver->exec(all->sql, &call)) != STOA_OK)
        return fail_store(all, err);
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++)
        STOA_TRY(check_applied(all, rows, i));
    return STOA_OK;
}

/* ---- Applying ---- */

static stoa_err migration_apply(struct migrations *all, const struct migration *one, bool *did)
{
    const struct sql_param params[] = {text_param(all->owner),
                                       {.is_int = true, .i = one->number},
                                       text_param(one->name),
                                       text_param(one->sha256),
                                       {.is_int = true, .i = clock_utc_ms()}};
    const struct sql_call unless =
        sql_inner("SELECT name FROM stoa_migration WHERE owner = $1 AND number = $2", params, 2);
    const struct sql_call after =
        sql_inner("INSERT INTO stoa_migration (owner, number, name, sha256, at)"
                  " VALUES ($1, $2, $3, $4, $5)",
                  params, 5);
    struct sql_script script = {
        .file = one->path, .text = one->text.ptr, .unless = &unless, .after = &after};

    STOA_TRY(all->sql->driver->script(all->sql, &script, all->diag));
    *did = !script.skipped;
    return STOA_OK;
}

static stoa_err migrate(struct migrations *all, const char *folder,
                        struct sql_migration_report *ret)
{
    STOA_TRY(migrations_find(all, folder));
    STOA_TRY(ledger_create(all));
    STOA_TRY(migrations_compare(all));
    for (uint32_t i = 0; i < all->count; i++) {
        bool did = false;
        if (!all->list[i].applied)
            STOA_TRY(migration_apply(all, &all->list[i], &did));
        if (did)
            ret->applied++;
        else
            ret->already++;
    }
    return STOA_OK;
}

stoa_err sql_migrate(struct sql *sql, const char *folder, const char *owner, struct diag *diag,
                     struct sql_migration_report *ret)
{
    struct migrations all = {.sql = sql, .owner = owner, .diag = diag};
    struct sql_migration_report report = {0};
    stoa_err err;

    diag->message[0] = 0;
    all.arena = stoa_arena_create();
    err = migrate(&all, folder, &report);
    if (err == STOA_OK)
        *ret = report;
    stoa_arena_destroy(all.arena);
    return err;
}

static stoa_err pending(struct migrations *all, const char *folder, bool *ret)
{
    bool exists = false;
    stoa_err err;

    STOA_TRY(migrations_find(all, folder));
    if ((err = ledger_exists(all, &exists)) != STOA_OK)
        return fail_store(all, err);
    if (exists)
        STOA_TRY(migrations_compare(all));
    *ret = false;
    for (uint32_t i = 0; i < all->count && !*ret; i++)
        if (!all->list[i].applied) {
            diag_set(all->diag, all->list[i].path, 0, 0, "is not applied yet");
            diag_hint(all->diag, "run: stoa migrate");
            *ret = true;
        }
    return STOA_OK;
}

stoa_err sql_migrations_digest(const struct sql *sql, const char *folder, const char *owner,
                               struct diag *diag, struct sql_migrations_seen *ret)
{
    struct migrations all = {
        .sql = (struct sql *)sql, .owner = owner, .diag = diag, .trail = ret->trail};
    struct migration sum = {0};
    struct stoa_buf text;
    stoa_err err;

    all.arena = stoa_arena_create();
    err = migrations_find(&all, folder);
    stoa_buf_init(&text, all.arena, 1024);
    for (uint32_t i = 0; err == STOA_OK && i < all.count; i++) {
        stoa_buf_put(&text, stoa_str_of(all.list[i].path));
        stoa_buf_char(&text, '\n');
        stoa_buf_put(&text, stoa_str_of(all.list[i].sha256));
        stoa_buf_char(&text, '\n');
    }
    sum.text = stoa_buf_str(&text);
    if (err == STOA_OK)
        err = migration_hash(&sum);
    memcpy(ret->sha256, sum.sha256, sizeof sum.sha256);
    stoa_arena_destroy(all.arena);
    return err;
}

stoa_err sql_migrations_pending(struct sql *sql, const char *folder, const char *owner,
                                struct diag *diag, bool *ret)
{
    struct migrations all = {.sql = sql, .owner = owner, .diag = diag};
    stoa_err err;

    diag->message[0] = 0;
    all.arena = stoa_arena_create();
    err = pending(&all, folder, ret);
    stoa_arena_destroy(all.arena);
    return err;
}
