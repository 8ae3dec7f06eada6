/* SPDX-License-Identifier: Apache-2.0 */
#include "resource/mail/mail.h"
#include "resource/mail/message.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct mail *box;
static struct stoa_arena *mem;

static void set_up(void)
{
    strcpy(folder, "/tmp/stoa-mail-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    mem = stoa_arena_create();
    cr_assert_eq(mail_open_files(folder, "Stoa Käse <shop@example.com>", NULL, &box), STOA_OK);
}

static void tear_down(void)
{
    char line[100];

    mail_close(box);
    stoa_arena_destroy(mem);
    snprintf(line, sizeof(line), "rm -rf %s", folder);
    cr_assert_eq(system(line), 0);
}

TestSuite(mail, .init = set_up, .fini = tear_down);

static struct stoa_mail sample(const char *id)
{
    return (struct stoa_mail){.to = STOA_STR("ada@example.org"),
                              .subject = STOA_STR("Your order"),
                              .text = STOA_STR("Thank you.\nCome again."),
                              .html = STOA_STR("<p>Thank you.</p>"),
                              .message_id = stoa_str_of(id)};
}

static int files_in_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int count = 0;

    while ((entry = readdir(dir)))
        count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(dir);
    return count;
}

static stoa_str file_of(const char *id)
{
    char path[200];
    char *text = stoa_arena_alloc(mem, 65536);
    FILE *file;
    size_t len;

    snprintf(path, sizeof(path), "%s/%s.eml", folder, id);
    file = fopen(path, "rb");
    cr_assert_not_null(file);
    len = fread(text, 1, 65535, file);
    fclose(file);
    return (stoa_str){text, len};
}

static const struct stoa_json *list(uint32_t limit)
{
    const struct stoa_json *mails = NULL;

    cr_assert_eq(mail_list(box, limit, mem, &mails), STOA_OK);
    return mails;
}

Test(mail, reads_back_what_was_sent)
{
    struct stoa_mail mail = sample("ord_1@shop");
    const struct stoa_json *one;

    mail.subject = STOA_STR("Bestätigung für Ihre Bestellung: Käse, Brötchen, Äpfel und "
                            "🧀🧀🧀🧀🧀 noch mehr");
    mail.text = STOA_STR("Grüße\n.\n--stoa-part\nFrom here on\n");
    cr_assert_eq(mail_send(box, &mail), STOA_OK);
    one = stoa_json_at(list(10), 0);
    cr_assert(stoa_str_is(stoa_json_str(one, "id"), "ord_1@shop"));
    cr_assert(stoa_str_is(stoa_json_str(one, "to"), "ada@example.org"));
    cr_assert(stoa_str_eq(stoa_json_str(one, "subject"), mail.subject));
    cr_assert(stoa_str_eq(stoa_json_str(one, "text"), mail.text));
    cr_assert(stoa_str_eq(stoa_json_str(one, "html"), mail.html));
    cr_assert_eq(stoa_json_str(one, "time").len, 24);
}

Test(mail, writes_lines_that_mail_servers_take)
{
    struct stoa_mail mail = sample("lines");
    stoa_str file, line;
    char *text = malloc(5001);

    memset(text, 'x', 5000);
    text[5000] = 0;
    mail.text = stoa_str_of(text);
    mail.subject = (stoa_str){text, 300};
    cr_assert_eq(mail_send(box, &mail), STOA_OK);
    file = file_of("lines");
    cr_assert(stoa_str_ends(file, STOA_STR("\r\n")));
    while (file.len) {
        line = stoa_str_cut(&file, '\n');
        cr_assert_leq(line.len, 77);
        cr_assert(line.len && line.ptr[line.len - 1] == '\r');
    }
    free(text);
}

Test(mail, leaves_the_html_part_out_when_there_is_none)
{
    struct stoa_mail mail = sample("plain");

    mail.html = STOA_STR("");
    cr_assert_eq(mail_send(box, &mail), STOA_OK);
    cr_assert_null(memmem(file_of("plain").ptr, file_of("plain").len, "multipart", 9));
    cr_assert(stoa_str_eq(stoa_json_str(list(1), "0.text"), mail.text));
    cr_assert_eq(stoa_json_str(list(1), "0.html").len, 0);
}

Test(mail, replaces_a_mail_by_its_repeat)
{
    struct stoa_mail mail = sample("ord_1@shop");

    cr_assert_eq(mail_send(box, &mail), STOA_OK);
    mail.text = STOA_STR("second");
    cr_assert_eq(mail_send(box, &mail), STOA_OK);
    cr_assert_eq(files_in_folder(), 1);
    cr_assert(stoa_str_is(stoa_json_str(list(10), "0.text"), "second"));
}

static void age(const char *id, time_t seconds)
{
    const struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    char path[200];

    snprintf(path, sizeof(path), "%s/%s.eml", folder, id);
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

Test(mail, lists_the_newest_first)
{
    char id[16];

    for (int i = 0; i < 7; i++) {
        snprintf(id, sizeof(id), "m%d", i);
        struct stoa_mail mail = sample(id);
        cr_assert_eq(mail_send(box, &mail), STOA_OK);
        age(id, 1000000 + (i * 3) % 7);
    }
    cr_assert_eq(stoa_json_count(list(2)), 2);
    cr_assert(stoa_str_is(stoa_json_str(list(2), "0.id"), "m2"));
    cr_assert(stoa_str_is(stoa_json_str(list(2), "1.id"), "m4"));
    cr_assert_eq(stoa_json_count(list(100)), 7);
}

Test(mail, refuses_headers_within_headers)
{
    static const char *const addresses[] = {"",
                                            "ada",
                                            "@example.org",
                                            "ada@",
                                            "ada@example.org\r\nBcc: all@example.org",
                                            "ada@example.org, eve@example.org",
                                            "ada @example.org",
                                            "<ada@example.org>",
                                            "ada@exa\nmple.org",
                                            "ada@.org",
                                            NULL};
    struct stoa_mail mail = sample("x");

    for (int i = 0; addresses[i]; i++) {
        mail.to = stoa_str_of(addresses[i]);
        cr_assert_eq(mail_send(box, &mail), STOA_E_INVALID, "%s", addresses[i]);
    }
    mail = sample("x");
    mail.to = STOA_STR("ada@example.org\0");
    cr_assert_eq(mail_send(box, &mail), STOA_E_INVALID);
    mail = sample("x");
    mail.subject = STOA_STR("Hello\r\nBcc: all@example.org");
    cr_assert_eq(mail_send(box, &mail), STOA_E_INVALID);
    mail.subject = STOA_STR("Hello\0there");
    cr_assert_eq(mail_send(box, &mail), STOA_E_INVALID);
    cr_assert_eq(files_in_folder(), 0);
}

Test(mail, refuses_ids_that_are_paths)
{
    static const char *const ids[] = {"",    "../etc/passwd", "a/b", ".hidden",
                                      "a b", "a\r\nb",        "a>",  NULL};
    struct stoa_mail mail = sample("x");

    for (int i = 0; ids[i]; i++) {
        mail.message_id = stoa_str_of(ids[i]);
        cr_assert_eq(mail_send(box, &mail), STOA_E_INVALID, "%s", ids[i]);
    }
    cr_assert_eq(files_in_folder(), 0);
}

Test(mail, refuses_a_sender_that_is_none)
{
    struct mail *other;

    cr_assert_eq(mail_open_files(folder, "nobody", NULL, &other), STOA_E_INVALID);
    cr_assert_eq(mail_open_files(folder, "A <a@b.c>\r\nBcc: x@y.z", NULL, &other), STOA_E_INVALID);
    cr_assert_eq(mail_open_files("/nonexistent/mail", "a@b.c", NULL, &other), STOA_E_STORE);
}

Test(mail, says_when_it_could_not_be_kept)
{
    struct stoa_mail mail = sample("x");
    char line[100];

    snprintf(line, sizeof(line), "rm -rf %s", folder);
    cr_assert_eq(system(line), 0);
    cr_assert_eq(mail_send(box, &mail), STOA_E_STORE);
    cr_assert_eq(mkdir(folder, 0700), 0);
}

Test(mail, passes_over_what_is_no_mail)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof(path), "%s/notes.eml", folder);
    file = fopen(path, "w");
    fputs("not a mail", file);
    fclose(file);
    cr_assert_eq(stoa_json_count(list(10)), 0);
}
