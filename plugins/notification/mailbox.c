/* notification/mailbox.c: the mails that were sent, in development. SPDX-License-Identifier:
 * Apache-2.0 */
#include "notification.h"

enum { SHOWN_MAX = 200 };
#define STYLESHEET "aurora.css" /* another theme that has none leaves the page plain */

static void put_head(struct stoa_req *req, struct stoa_buf *out, stoa_str title)
{
    stoa_str style = stoa_asset_path(req, STOA_STR(STYLESHEET));

    stoa_buf_put(out, STOA_STR("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
                               "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
                               "content=\"width=device-width, initial-scale=1\">\n<title>"));
    render_escape(out, title);
    stoa_buf_put(out, STOA_STR("</title>\n"));
    if (style.len > 0) {
        stoa_buf_put(out, STOA_STR("<link rel=\"stylesheet\" href=\""));
        render_escape(out, style);
        stoa_buf_put(out, STOA_STR("\">\n"));
    }
    stoa_buf_put(out, STOA_STR("</head>\n<body>\n<main>\n<h1>"));
    render_escape(out, title);
    stoa_buf_put(out, STOA_STR("</h1>\n"));
}

static void put_cell(struct stoa_buf *out, stoa_str text)
{
    stoa_buf_put(out, STOA_STR("<td>"));
    render_escape(out, text);
    stoa_buf_put(out, STOA_STR("</td>"));
}

static void put_mail_row(struct stoa_req *req, struct stoa_buf *out, const struct stoa_json *mail)
{
    stoa_str subject = stoa_json_str(mail, "subject");

    stoa_buf_put(out, STOA_STR("<tr><td><a href=\"/mailbox?id="));
    stoa_buf_put(out, stoa_url_encode(stoa_req_arena(req), stoa_json_str(mail, "id")));
    stoa_buf_put(out, STOA_STR("\">"));
    render_escape(out, subject.len > 0 ? subject : STOA_STR("(no subject)"));
    stoa_buf_put(out, STOA_STR("</a></td>"));
    put_cell(out, stoa_json_str(mail, "to"));
    put_cell(out, stoa_json_type(stoa_json_get(mail, "time")) == STOA_JSON_INT
                      ? stoa_time_format(stoa_req_arena(req), stoa_json_int(mail, "time", 0))
                      : stoa_json_str(mail, "time"));
    stoa_buf_put(out, STOA_STR("</tr>\n"));
}

static void put_list(struct stoa_req *req, struct stoa_buf *out, const struct stoa_json *mails)
{
    put_head(req, out, STOA_STR("Mailbox"));
    if (stoa_json_count(mails) == 0) {
        stoa_buf_put(out, STOA_STR("<p>No mail has been sent yet.</p>\n"));
        return;
    }
    stoa_buf_put(out, STOA_STR("<table>\n<thead><tr><th scope=\"col\">Subject</th>"
                               "<th scope=\"col\">To</th><th scope=\"col\">Sent</th></tr>"
                               "</thead>\n<tbody>\n"));
    for (const struct stoa_json *e = stoa_json_first(mails); e; e = stoa_json_next(e))
        put_mail_row(req, out, e);
    stoa_buf_put(out, STOA_STR("</tbody>\n</table>\n"));
}

/* The text, with addresses of this shop as links. */
static void put_text(struct stoa_req *req, struct stoa_buf *out, stoa_str text)
{
    stoa_str base = stoa_shop_url(req);

    for (uint64_t i = 0; i < text.len;) {
        stoa_str rest = stoa_str_sub(text, i, text.len);
        uint64_t len = 0;

        if (base.len == 0 || !stoa_str_starts(rest, base)) {
            render_escape(out, stoa_str_sub(rest, 0, 1));
            i++;
            continue;
        }
        while (len < rest.len && (unsigned char)rest.ptr[len] > ' ')
            len++;
        stoa_buf_put(out, STOA_STR("<a href=\""));
        render_escape(out, stoa_str_sub(rest, 0, len));
        stoa_buf_put(out, STOA_STR("\">"));
        render_escape(out, stoa_str_sub(rest, 0, len));
        stoa_buf_put(out, STOA_STR("</a>"));
        i += len;
    }
}

static void put_mail(struct stoa_req *req, struct stoa_buf *out, const struct stoa_json *mail)
{
    put_head(req, out, stoa_json_str(mail, "subject"));
    stoa_buf_put(out, STOA_STR("<p>To: "));
    render_escape(out, stoa_json_str(mail, "to"));
    stoa_buf_put(out, STOA_STR("</p>\n<pre>"));
    put_text(req, out, stoa_json_str(mail, "text"));
    stoa_buf_put(out, STOA_STR("</pre>\n<p><a href=\"/mailbox\">All mails</a></p>\n"));
}

static const struct stoa_json *find(const struct stoa_json *mails, stoa_str id)
{
    for (const struct stoa_json *e = stoa_json_first(mails); e; e = stoa_json_next(e))
        if (stoa_str_eq(stoa_json_str(e, "id"), id))
            return e;
    return NULL;
}

/* GET /mailbox?id= */
stoa_err mailbox_show(struct stoa_req *req, void *self)
{
    stoa_str id = stoa_req_query(req, "id");
    const struct stoa_json *mails, *mail = NULL;
    struct stoa_buf out;

    (void)self;
    STOA_TRY(stoa_mail_list(req, SHOWN_MAX, &mails));
    if (id.ptr && !(mail = find(mails, id)))
        return STOA_E_NOT_FOUND;
    stoa_buf_init(&out, stoa_req_arena(req), 4096);
    if (mail)
        put_mail(req, &out, mail);
    else
        put_list(req, &out, mails);
    stoa_buf_put(&out, STOA_STR("</main>\n</body>\n</html>\n"));
    STOA_TRY(stoa_reply_header(req, "cache-control", STOA_STR("no-store")));
    return stoa_reply(req, 200, "text/html; charset=utf-8", stoa_buf_str(&out));
}
