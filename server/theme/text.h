/* theme/text.h: UTF-8 text by characters, and writing it safely into HTML.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_TEXT_H
#define THEME_TEXT_H

#include <stoa/str.h>

uint64_t text_chars(stoa_str s); /* code points */
/* The byte at which character number index starts; s.len past the end. */
uint64_t text_offset(stoa_str s, uint64_t index);
/* Index of the first (last) needle at or after from, or -1. An empty needle is found nowhere. */
int64_t text_find(stoa_str s, stoa_str needle, uint64_t from);
int64_t text_find_last(stoa_str s, stoa_str needle);
static inline bool text_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
/* One character of s at *at, which moves on; a broken byte counts as itself. */
uint32_t text_next_char(stoa_str s, uint64_t *at);
/* Writes c as UTF-8 to buf (4 bytes); returns the length. */
uint32_t text_put_char(char *buf, uint32_t c);
/* Other case, for Latin, Greek and Cyrillic; c itself for all else. */
uint32_t text_upper(uint32_t c);
uint32_t text_lower(uint32_t c);

/* What is written for c inside HTML, or NULL when c stands for itself. keep_amp leaves '&' alone:
 * html that goes into an attribute already has its entities. */
const char *text_entity(char c, bool keep_amp);
/* Whether an address may be followed: relative, or http, https, mailto, tel. Browsers skip white
 * space and control characters in a scheme, so this does too. strict: an '&' counts as ':', for
 * html, whose entities would be decoded after the check. */
bool text_url_is_safe(stoa_str url, bool strict);
bool text_scheme_is_safe(stoa_str scheme);

#endif
