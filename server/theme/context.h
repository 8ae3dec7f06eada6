/* theme/context.h: where in HTML a template stands, followed while it is compiled, so that each
 * value is written in the way its place demands and never in a place where none is safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_CONTEXT_H
#define THEME_CONTEXT_H

#include <stoa/str.h>

/* How a value is written. */
enum context_mode {
    CONTEXT_TEXT,      /* between elements: text is escaped, html is not */
    CONTEXT_ATTRIBUTE, /* quoted attribute, <title>, <textarea>: html keeps its entities only */
    CONTEXT_URL,
    CONTEXT_SRCSET,
    CONTEXT_JSON, /* inside a JSON script: only what the json filter made */
};

/* Compared as bytes where branches meet, so unused members are zero. */
struct context {
    uint8_t state;   /* enum state in context.c; 0 = between elements */
    uint8_t element; /* index into the table of special elements */
    uint8_t kind;    /* of the attribute */
    uint8_t url;     /* how much of an address has been seen */
    uint8_t closing; /* inside </… */
    uint8_t script;  /* what the script's attributes said so far */
    uint8_t match;   /* characters seen of an end tag, of "--", … */
    uint8_t len;     /* of name */
    char name[24];   /* the tag, attribute, script type or scheme being read */
};

struct context_error {
    const char *message; /* NULL: none */
    const char *hint;
    uint64_t offset; /* into the text */
};

/* Follows text. False with *error when it holds what no template may. */
bool context_feed(struct context *context, stoa_str text, struct context_error *error);
/* A value is written here: how? False with *error where none may stand. */
bool context_value(struct context *context, enum context_mode *mode, struct context_error *error);
/* Two branches meet: *into becomes what holds for both. False when they end in different places. */
bool context_join(struct context *into, const struct context *other);
bool context_is_between_elements(const struct context *context);

#endif
