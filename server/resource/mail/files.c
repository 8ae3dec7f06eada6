/* Mail as files, for development and for shops whose mail is fetched by something else.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "base/metrics.h"
#include "resource/mail/mail.h"
#include "resource/mail/message.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/time.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIST_MAX = 1000, SCAN_MAX = 100000, FILE_MAX = 4 * 1024 * 1024 };

struct mail {
    struct pool *pool;
    char *from;
    char *folder;
};

static stoa_err run(struct mail *mail, void (*work)(void *arg), void *arg)
{
    if (mail->pool)
        return pool_run(mail->pool, POOL_FILE, work, arg);
    work(arg);
    return STOA_OK;
}

stoa_err mail_open_files(const char *folder, const char *from, struct pool *pool, struct mail **ret)
{
    struct mail *mail;

    STOA_TRY(message_check_from(stoa_str_of(from)));
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return STOA_E_STORE;
    if (access(folder, R_OK | W_OK | X_OK) != 0)
        return STOA_E_STORE;
    mail = calloc(1, sizeof(*mail));
    stoa_assert(mail);
    mail->pool = pool;
    mail->from = strdup(from);
    mail->folder = strdup(folder);
    stoa_assert(mail->from && mail->folder);
    *ret = mail;
    return STOA_OK;
}

void mail_close(struct mail *mail)
{
    if (!mail)
        return;
    free(mail->from);
    free(mail->folder);
    free(mail);
}

/* ---- Sending ---- */

struct send_job {
    const struct mail *mail;
    stoa_str id, bytes;
    stoa_err err;
};

/* The id has no '/' and does not begin with '.': it was checked. */
static void send_work(void *arg)
{
    struct send_job *job = arg;
    char name[NAME_MAX + 1];
    int len = snprintf(name, sizeof(name), "%.*s.eml", (int)job->id.len, job->id.ptr);

    job->err = len < (int)sizeof(name) && file_put(job->mail->folder, name, job->bytes)
                   ? STOA_OK
                   : STOA_E_STORE;
}

stoa_err mail_send(struct mail *mail, const struct stoa_mail *message)
{
    struct send_job job = {.mail = mail, .id = message->message_id};
    struct stoa_arena *arena;
    stoa_err err;

    STOA_TRY(message_check(message));
    arena = stoa_arena_create();
    job.bytes = message_format(arena, message, stoa_str_of(mail->from), clock_utc_ms());
    err = run(mail, send_work, &job);
    stoa_arena_destroy(arena);
    if (err == STOA_OK)
        err = job.err;
    if (err == STOA_OK)
        metric_add(METRIC_mails_sent_total, 1);
    return err;
}

/* ---- Listing ---- */

struct found {
    int64_t at_ms;
    char name[256];
};

struct list_job {
    const struct mail *mail;
    struct found *found; /* newest first, at most limit */
    uint32_t count, limit;
    struct stoa_str *files; /* their bytes, on the heap */
    stoa_err err;
};

static int newest_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? 1 : -1;
    return strcmp(y->name, x->name);
}

/* Keeps the newest: when the list is full, the older half goes. */
static void found_add(struct list_job *job, const struct found *one)
{
    if (job->count == 2 * job->limit) {
        qsort(job->found, job->count, sizeof(*job->found), newest_first);
        job->count = job->limit;
    }
    job->found[job->count++] = *one;
}

static void scan(struct list_job *job, DIR *dir)
{
    struct dirent *entry;

    for (uint32_t i = 0; i < SCAN_MAX && (entry = readdir(dir)); i++) {
        struct found one;
        struct stat st;
        size_t len = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || len < 5 || len >= sizeof(one.name) ||
            strcmp(entry->d_name + len - 4, ".eml") != 0 ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode))
            continue;
        one.at_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
        memcpy(one.name, entry->d_name, len + 1);
        found_add(job, &one);
    }
    qsort(job->found, job->count, sizeof(*job->found), newest_first);
    if (job->count > job->limit)
        job->count = job->limit;
}

static stoa_str read_file(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    stoa_str bytes = {NULL, 0};
    ssize_t n = 0;
    char *text;

    if (fd < 0)
        return bytes;
    if (fstat(fd, &st) == 0 && st.st_size <= FILE_MAX) {
        text = malloc((size_t)st.st_size + 1);
        stoa_assert(text);
        n = read(fd, text, (size_t)st.st_size);
        bytes = (stoa_str){text, n > 0 ? (uint64_t)n : 0};
    }
    close(fd);
    return bytes;
}

static void list_work(void *arg)
{
    struct list_job *job = arg;
    DIR *dir = opendir(job->mail->folder);

    if (!dir) {
        job->err = STOA_E_STORE;
        return;
    }
    scan(job, dir);
    for (uint32_t i = 0; i < job->count; i++)
        job->files[i] = read_file(dirfd(dir), job->found[i].name);
    closedir(dir);
}

static struct stoa_json *list_json(struct list_job *job, struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t i = 0; i < job->count; i++) {
        struct stoa_json *one = message_parse(arena, job->files[i]);
        if (!one)
            continue;
        stoa_json_set_str(one, "time", stoa_time_format(arena, job->found[i].at_ms));
        stoa_json_push(list, one);
    }
    return list;
}

stoa_err mail_list(struct mail *mail, uint32_t limit, struct stoa_arena *arena,
                   const struct stoa_json **ret)
{
    struct list_job job = {.mail = mail,
                           .limit = limit < 1          ? 1
                                    : limit > LIST_MAX ? LIST_MAX
                                                       : limit};
    stoa_err err;

    job.found = calloc(2 * job.limit, sizeof(*job.found));
    job.files = calloc(job.limit, sizeof(*job.files));
    stoa_assert(job.found && job.files);
    err = run(mail, list_work, &job);
    if (err == STOA_OK)
        err = job.err;
    if (err == STOA_OK)
        *ret = list_json(&job, arena);
    for (uint32_t i = 0; i < job.count; i++)
        free((char *)job.files[i].ptr);
    free(job.found);
    free(job.files);
    return err;
}
