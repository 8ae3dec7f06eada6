/* theme/context.c: a small model of the HTML tokenizer: one step function per state.
 * SPDX-License-Identifier: Apache-2.0 */
#include "context.h"
#include "text.h"

enum state {
    TEXT,
    RCDATA,  /* <title>, <textarea>: entities count, tags do not */
    RAWTEXT, /* <iframe>, <xmp>, …: nothing counts but the end tag */
    JSON,
    EXTERNAL, /* <script src>: stays empty */
    TAG_OPEN,
    TAG_NAME,
    TAG, /* between attributes */
    ATTR_NAME,
    AFTER_NAME,
    BEFORE_VALUE,
    DOUBLE_QUOTED,
    SINGLE_QUOTED,
    UNQUOTED,
    BOUNDARY, /* branches met inside a tag: a space or the tag's end must follow */
    MARKUP,   /* <!…> and <?…> */
    COMMENT,
    STATES
};

enum kind { PLAIN, URL, SRCSET, SCRIPT_TYPE, SRCDOC };
enum url { URL_START, URL_PREFIX, URL_DYNAMIC, URL_SAFE };
enum script { SCRIPT_HAS_SRC = 1, SCRIPT_IS_JSON = 2, SCRIPT_IS_CODE = 4 };

static const struct {
    const char *name;
    enum state inside;
} elements[] = {
    {"", TEXT},
    {"script", TEXT},
    {"style", TEXT},
    {"title", RCDATA},
    {"textarea", RCDATA},
    {"iframe", RAWTEXT},
    {"xmp", RAWTEXT},
    {"noembed", RAWTEXT},
    {"noframes", RAWTEXT},
    {"plaintext", RAWTEXT},
};
enum { ELEMENT_SCRIPT = 1, ELEMENT_STYLE = 2, ELEMENTS = sizeof(elements) / sizeof(elements[0]) };

/* A step takes one character; it returns false after filling error. */
typedef bool step_fn(struct context *context, char c, struct context_error *error);

static bool refuse(struct context_error *error, const char *message, const char *hint)
{
    error->message = message;
    error->hint = hint;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static void enter(struct context *context, enum state state)
{
    context->state = (uint8_t)state;
    context->match = 0;
    context->len = 0;
    memset(context->name, 0, sizeof(context->name));
}

static void enter_text(struct context *context)
{
    *context = (struct context){.state = TEXT};
}

static void enter_tag(struct context *context)
{
    context->kind = PLAIN;
    context->url = URL_START;
    enter(context, TAG);
}

static void name_add(struct context *context, char c)
{
    if (context->len < sizeof(context->name))
        context->name[context->len] = lower(c);
    if (context->len < UINT8_MAX)
        context->len++;
}

static stoa_str name_of(const struct context *context)
{
    uint64_t len = context->len < sizeof(context->name) ? context->len : sizeof(context->name);
    return (stoa_str){context->name, len};
}

static bool name_is(const struct context *context, const char *name)
{
    return context->len <= sizeof(context->name) && stoa_str_is(name_of(context), name);
}

static bool name_ends(const struct context *context, const char *end)
{
    return stoa_str_ends(name_of(context), stoa_str_of(end));
}

static bool name_in(const struct context *context, const char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (name_is(context, names[i]))
            return true;
    return false;
}

/* --- between elements and inside those whose content is special --- */

static bool step_text(struct context *context, char c, struct context_error *error)
{
    if (c == '<')
        enter(context, TAG_OPEN);
    return true;
}

/* Looks for "</name" of the element, across pieces of constant text. */
static bool saw_end_tag(struct context *context, char c)
{
    const char *name = elements[context->element].name;
    uint64_t len = strlen(name) + 2;
    uint8_t m = context->match;
    char want = m == 0 ? '<' : m == 1 ? '/' : name[m - 2];

    if (lower(c) == want)
        context->match = (uint8_t)(m + 1);
    else
        context->match = c == '<';
    return context->match == len;
}

static bool step_content(struct context *context, char c, struct context_error *error)
{
    if (!saw_end_tag(context, c))
        return true;
    *context = (struct context){.closing = 1};
    enter_tag(context);
    return true;
}

static bool step_external(struct context *context, char c, struct context_error *error)
{
    if (context->match == 0 && c != '<' && !text_is_space(c))
        return refuse(error, "a <script src> stays empty",
                      "put the code into a file in assets/ and link it with asset_url");
    return step_content(context, c, error);
}

/* --- tags --- */

static bool step_tag_open(struct context *context, char c, struct context_error *error)
{
    if (is_letter(c)) {
        enter(context, TAG_NAME);
        name_add(context, c);
    } else if (c == '/' && !context->closing) {
        context->closing = 1;
    } else if (c == '!' || c == '?' || context->closing) {
        bool may_be_comment = c == '!' && !context->closing;
        enter_text(context);
        if (c != '>') {
            enter(context, MARKUP);
            context->match = may_be_comment ? 0 : 3;
        }
    } else if (c != '<') {
        enter_text(context);
    }
    return true;
}

static void finish_tag_name(struct context *context)
{
    uint8_t element = 0;
    for (uint8_t i = 1; i < ELEMENTS && !context->closing; i++)
        if (name_is(context, elements[i].name))
            element = i;
    context->element = element;
    enter_tag(context);
}

static bool close_script(struct context *context, struct context_error *error)
{
    if (context->script & SCRIPT_IS_JSON) {
        enter(context, JSON);
        return true;
    }
    if (context->script & SCRIPT_HAS_SRC) {
        enter(context, EXTERNAL);
        return true;
    }
    return refuse(error, "inline scripts do not run here (Content-Security-Policy)",
                  "put the code into assets/ and write <script src=\"{{ 'x.js' | asset_url }}\" "
                  "defer>; data goes into <script type=\"application/json\">");
}

static bool close_tag(struct context *context, struct context_error *error)
{
    enum state inside = elements[context->element].inside;

    if (context->closing || context->element == 0) {
        enter_text(context);
        return true;
    }
    if (context->element == ELEMENT_SCRIPT)
        return close_script(context, error);
    if (context->element == ELEMENT_STYLE)
        return refuse(error, "inline styles are not applied here (Content-Security-Policy)",
                      "put the rules into a stylesheet in assets/ and use a class");
    enter(context, inside);
    return true;
}

static bool step_tag(struct context *context, char c, struct context_error *error)
{
    if (c == '>')
        return close_tag(context, error);
    if (text_is_space(c) || c == '/')
        return true;
    if (c == '"' || c == '\'' || c == '<')
        return refuse(error, "a quote or '<' stands where an attribute's name is expected",
                      "is a quote missing before it?");
    enter(context, ATTR_NAME);
    name_add(context, c);
    return true;
}

static bool step_tag_name(struct context *context, char c, struct context_error *error)
{
    if (text_is_space(c) || c == '/' || c == '>') {
        finish_tag_name(context);
        return step_tag(context, c, error);
    }
    name_add(context, c);
    return true;
}

static bool step_boundary(struct context *context, char c, struct context_error *error)
{
    if (!text_is_space(c) && c != '>' && c != '/')
        return refuse(error, "an attribute is put together from pieces",
                      "write each attribute whole inside its branch, and a space after it");
    enter_tag(context);
    return step_tag(context, c, error);
}

/* --- attributes --- */

static bool is_url_name(const struct context *context)
{
    static const char *const names[] = {
        "href",   "src",  "action", "formaction", "poster",  "cite",     "background",
        "data",   "ping", "to",     "from",       "values",  "longdesc", "manifest",
        "usemap", "icon", "by",     "codebase",   "classid", "archive",  "profile",
    };
    return name_in(context, names, sizeof(names) / sizeof(names[0])) ||
           name_ends(context, "href") || name_ends(context, "src") || name_ends(context, "url") ||
           name_ends(context, "uri");
}

static bool refuse_attribute(const struct context *context, struct context_error *error)
{
    if (context->len > 2 && context->name[0] == 'o' && context->name[1] == 'n')
        return refuse(error, "event attributes (on…) do not run here (Content-Security-Policy)",
                      "add the listener in a file in assets/, found by a class or data- attribute");
    if (name_is(context, "style"))
        return refuse(error, "style attributes are not applied here (Content-Security-Policy)",
                      "use a class, and put the rules into a stylesheet in assets/");
    if (name_is(context, "http-equiv"))
        return refuse(error, "http-equiv is not for themes", "the host sends headers");
    return true;
}

static bool finish_attr_name(struct context *context, struct context_error *error)
{
    if (!refuse_attribute(context, error))
        return false;
    context->kind = PLAIN;
    if (name_is(context, "srcset") || name_is(context, "imagesrcset"))
        context->kind = SRCSET;
    else if (name_is(context, "srcdoc"))
        context->kind = SRCDOC;
    else if (is_url_name(context))
        context->kind = URL;
    if (context->element == ELEMENT_SCRIPT && name_is(context, "type"))
        context->kind = SCRIPT_TYPE;
    if (context->element == ELEMENT_SCRIPT && name_is(context, "src"))
        context->script |= SCRIPT_HAS_SRC;
    enter(context, AFTER_NAME);
    return true;
}

static bool step_after_name(struct context *context, char c, struct context_error *error)
{
    if (c == '=') {
        enter(context, BEFORE_VALUE);
        return true;
    }
    if (text_is_space(c))
        return true;
    enter_tag(context);
    return step_tag(context, c, error);
}

static bool step_attr_name(struct context *context, char c, struct context_error *error)
{
    if (text_is_space(c) || c == '=' || c == '>' || c == '/')
        return finish_attr_name(context, error) && step_after_name(context, c, error);
    name_add(context, c);
    return true;
}

static bool type_is_json(const struct context *context)
{
    return name_is(context, "application/json") || name_is(context, "application/ld+json");
}

static bool finish_value(struct context *context, struct context_error *error)
{
    if (context->kind == SCRIPT_TYPE)
        context->script |= type_is_json(context) ? SCRIPT_IS_JSON : SCRIPT_IS_CODE;
    enter_tag(context);
    return true;
}

static void url_resolve(struct context *context, enum url url)
{
    context->url = (uint8_t)url;
    context->len = 0;
    memset(context->name, 0, sizeof(context->name));
}

/* Constant text of an address: once its scheme or a path has been seen, what follows is harmless.
 */
static bool step_url(struct context *context, char c, struct context_error *error)
{
    if (context->url == URL_SAFE || (unsigned char)c <= ' ')
        return true;
    if (c == '/' || c == '?' || c == '#') {
        url_resolve(context, URL_SAFE);
        return true;
    }
    if (c == ':') {
        if (context->url != URL_PREFIX || !text_scheme_is_safe(name_of(context)))
            return refuse(error, "this scheme is not allowed in an address",
                          "http, https, mailto, tel, or an address without a scheme");
        url_resolve(context, URL_SAFE);
        return true;
    }
    if (context->url == URL_START)
        context->url = URL_PREFIX;
    if (context->url == URL_PREFIX)
        name_add(context, c);
    return true;
}

static bool step_value(struct context *context, char c, struct context_error *error)
{
    if (context->kind == URL)
        return step_url(context, c, error);
    if (context->kind == SCRIPT_TYPE)
        name_add(context, c);
    return true;
}

static bool step_before_value(struct context *context, char c, struct context_error *error)
{
    if (text_is_space(c))
        return true;
    if (c == '>')
        return refuse(error, "an attribute has '=' and no value", "write =\"\"");
    if (c == '"' || c == '\'') {
        enter(context, c == '"' ? DOUBLE_QUOTED : SINGLE_QUOTED);
        return true;
    }
    enter(context, UNQUOTED);
    return step_value(context, c, error);
}

static bool step_double_quoted(struct context *context, char c, struct context_error *error)
{
    return c == '"' ? finish_value(context, error) : step_value(context, c, error);
}

static bool step_single_quoted(struct context *context, char c, struct context_error *error)
{
    return c == '\'' ? finish_value(context, error) : step_value(context, c, error);
}

static bool step_unquoted(struct context *context, char c, struct context_error *error)
{
    if (!text_is_space(c) && c != '>')
        return step_value(context, c, error);
    return finish_value(context, error) && step_tag(context, c, error);
}

/* --- comments and declarations --- */

static bool step_markup(struct context *context, char c, struct context_error *error)
{
    if (c == '>') {
        enter_text(context);
    } else if (c == '-' && context->match < 2) {
        if (++context->match == 2) {
            enter(context, COMMENT);
            context->match = 2; /* "<!-->" is a whole comment */
        }
    } else {
        context->match = 3; /* a declaration */
    }
    return true;
}

static bool step_comment(struct context *context, char c, struct context_error *error)
{
    if (c == '>' && context->match >= 2)
        enter_text(context);
    else if (c == '-')
        context->match = context->match == 1 || context->match == 2 ? 2 : 1;
    else if (c == '!' && context->match == 2)
        context->match = 3; /* "--!>" ends a comment too */
    else
        context->match = 0;
    return true;
}

static step_fn *const steps[STATES] = {
    [TEXT] = step_text,
    [RCDATA] = step_content,
    [RAWTEXT] = step_content,
    [JSON] = step_content,
    [EXTERNAL] = step_external,
    [TAG_OPEN] = step_tag_open,
    [TAG_NAME] = step_tag_name,
    [TAG] = step_tag,
    [ATTR_NAME] = step_attr_name,
    [AFTER_NAME] = step_after_name,
    [BEFORE_VALUE] = step_before_value,
    [DOUBLE_QUOTED] = step_double_quoted,
    [SINGLE_QUOTED] = step_single_quoted,
    [UNQUOTED] = step_unquoted,
    [BOUNDARY] = step_boundary,
    [MARKUP] = step_markup,
    [COMMENT] = step_comment,
};

bool context_feed(struct context *context, stoa_str text, struct context_error *error)
{
    for (uint64_t i = 0; i < text.len; i++) {
        if (!steps[context->state](context, text.ptr[i], error)) {
            error->offset = i;
            return false;
        }
    }
    return true;
}

/* --- values --- */

static bool value_in_attribute(struct context *context, enum context_mode *mode,
                               struct context_error *error)
{
    *mode = CONTEXT_ATTRIBUTE;
    if (context->kind == SRCDOC)
        return refuse(error, "a value inside srcdoc cannot be made safe", "do without srcdoc");
    if (context->kind == SCRIPT_TYPE)
        return refuse(error, "the type of a script must be constant", NULL);
    if (context->kind == SRCSET)
        *mode = CONTEXT_SRCSET;
    if (context->kind == URL && context->url != URL_SAFE) {
        *mode = CONTEXT_URL;
        url_resolve(context, URL_DYNAMIC);
    }
    return true;
}

static const struct {
    const char *message, *hint;
} refusals[STATES] = {
    [RAWTEXT] = {"no value can be made safe inside this element", "use another element"},
    [EXTERNAL] = {"a <script src> stays empty", "put data into <script type=\"application/json\">"},
    [TAG_OPEN] = {"a value stands where a tag's name is expected",
                  "write the tags out, with {% if %} around them"},
    [TAG_NAME] = {"a value stands inside a tag's name",
                  "write the tags out, with {% if %} around them, or leave a space before it"},
    [TAG] = {"a value stands where an attribute's name is expected",
             "write name=\"{{ value }}\", or {% if x %}name{% endif %}"},
    [ATTR_NAME] = {"a value stands inside an attribute's name",
                   "write the name out, with {% if %} around it"},
    [AFTER_NAME] = {"a value stands where an attribute's name is expected",
                    "write name=\"{{ value }}\""},
    [BEFORE_VALUE] = {"a value stands in an attribute without quotes",
                      "put quotes around it: name=\"{{ value }}\""},
    [UNQUOTED] = {"a value stands in an attribute without quotes",
                  "put quotes around it: name=\"{{ value }}\""},
    [BOUNDARY] = {"a value stands where an attribute's name is expected",
                  "write name=\"{{ value }}\""},
    [MARKUP] = {"a value stands inside a declaration", "only elements and text take values"},
    [COMMENT] = {"a value stands inside an HTML comment",
                 "use {% comment %} … {% endcomment %}, which sends nothing to the visitor"},
};

bool context_value(struct context *context, enum context_mode *mode, struct context_error *error)
{
    switch (context->state) {
    case TEXT:
        *mode = CONTEXT_TEXT;
        return true;
    case RCDATA:
        *mode = CONTEXT_ATTRIBUTE;
        context->match = 0;
        return true;
    case JSON:
        *mode = CONTEXT_JSON;
        context->match = 0;
        return true;
    case DOUBLE_QUOTED:
    case SINGLE_QUOTED:
        return value_in_attribute(context, mode, error);
    default:
        return refuse(error, refusals[context->state].message, refusals[context->state].hint);
    }
}

/* --- branches --- */

static bool is_in_tag(uint8_t state)
{
    return state == TAG_NAME || state == TAG || state == ATTR_NAME || state == AFTER_NAME ||
           state == BOUNDARY;
}

static bool to_boundary(struct context *context)
{
    struct context_error ignored;

    if (context->state == TAG_NAME)
        finish_tag_name(context);
    if (context->state == ATTR_NAME && !finish_attr_name(context, &ignored))
        return false;
    enter_tag(context);
    enter(context, BOUNDARY);
    return true;
}

static bool join_urls(struct context *into, const struct context *other)
{
    uint8_t a = into->url, b = other->url;
    bool mild = (a == URL_START && b == URL_SAFE) || (a == URL_SAFE && b == URL_START);

    if (into->state != other->state || into->kind != URL || other->kind != URL ||
        into->element != other->element || into->script != other->script)
        return false;
    url_resolve(into, mild ? URL_START : URL_DYNAMIC);
    return true;
}

bool context_join(struct context *into, const struct context *other)
{
    struct context b = *other;

    if (memcmp(into, &b, sizeof(b)) == 0)
        return true;
    if (!is_in_tag(into->state) || !is_in_tag(b.state))
        return join_urls(into, &b);
    return to_boundary(into) && to_boundary(&b) && memcmp(into, &b, sizeof(b)) == 0;
}

bool context_is_between_elements(const struct context *context)
{
    return context->state == TEXT;
}
