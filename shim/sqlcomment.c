/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows an SQL statement as far as to know code from literals and comments (PostgreSQL's manual,
 * section 4.1; MySQL's, sections 9.1 and 9.7). Called by pgwire.c and mysqlwire.c. Context: APP.
 * Where a setting of the server decides what a byte means, the statement has no context:
 * a literal misread as a comment would lend the work to whoever wrote the data.
 */
#include "shim/sqlcomment.h"

#include <string.h>

#include "shim/sqlcomment_step.h"

enum { WORD_ENDED = 255 };

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_identifier(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

void sqlcomment_begin(struct sqlcomment *s, enum sql_dialect dialect, struct request_head *head)
{
	memset(s, 0, sizeof(*s));
	s->dialect = (uint8_t)dialect;
	memset(head->method, 0, sizeof(head->method));
}

/* A comment at the end is one that no code follows. */
static void saw_code(struct sqlcomment *s)
{
	s->code = true;
	if (!s->leading)
		s->found = false;
}

static void keyword_byte(struct sqlcomment *s, struct request_head *head, char c)
{
	if (is_letter(c) && s->word < REQUEST_METHOD_MAX)
		head->method[s->word++] = (char)(c & ~0x20);
	else if (s->word || (!is_space(c) && !strchr("(;/-#", c))) /* of comments before it, too */
		s->word = WORD_ENDED;
}

static void quote(struct sqlcomment *s, enum sql_state state, bool escapes)
{
	s->state = (uint8_t)state;
	s->escapes = escapes;
	s->match = 0;
}

static void code_byte(struct sqlcomment *s, struct request_head *head, char c)
{
	bool mysql = s->dialect == SQL_MYSQL, e = s->identifier == 1 && s->length == 'e';

	if (s->word != WORD_ENDED)
		keyword_byte(s, head, c);
	if (is_identifier(c) || (c == '$' && (s->identifier || mysql))) {
		s->length = (uint8_t)(c | 0x20);
		s->identifier += s->identifier < 2;
		saw_code(s);
		return;
	}
	s->identifier = 0;
	if (c == '-' || c == '/') {
		s->state = c == '-' ? SQL_DASH : SQL_SLASH;
		return;
	}
	if (c == '#' && mysql) {
		s->state = SQL_LINE;
		return;
	}
	if (!is_space(c) && c != ';')
		saw_code(s);
	if (c == '\'')
		quote(s, SQL_QUOTED, mysql || e);
	else if (c == '"')
		quote(s, SQL_QUOTED_NAME, mysql);
	else if (c == '`' && mysql)
		s->state = SQL_BACKQUOTED;
	else if (c == '$' && !mysql)
		s->state = SQL_DOLLAR, s->length = 0;
}

/* A doubled quote is the end of one literal and the beginning of the next, to the same effect. */
static void quoted_byte(struct sqlcomment *s, char end, char c)
{
	if (c == end) {
		s->state = SQL_CODE;
		/* Only a doubled quote goes on as it was: E'a''b\'c'. */
		s->identifier = s->escapes && s->dialect == SQL_POSTGRES;
		s->length = 'e';
		return;
	}
	if (c != '\\')
		return;
	if (s->escapes)
		s->state = s->state == SQL_QUOTED ? SQL_ESCAPED : SQL_ESCAPED_NAME;
	else if (s->state == SQL_QUOTED)
		s->match = 1; /* "standard_conforming_strings" decides about a quote that follows */
}

static void dash_byte(struct sqlcomment *s, struct request_head *head, char c)
{
	s->state = SQL_CODE;
	if (c == '-') {
		s->state = s->dialect == SQL_MYSQL ? SQL_DASHES : SQL_LINE;
		return;
	}
	saw_code(s);
	code_byte(s, head, c);
}

static void dashes_byte(struct sqlcomment *s, struct request_head *head, char c)
{
	if ((unsigned char)c <= ' ') {
		s->state = c == '\n' ? SQL_CODE : SQL_LINE;
		return;
	}
	s->state = SQL_CODE;
	saw_code(s);
	code_byte(s, head, '-');
	if (c == '-')
		s->state = SQL_DASHES;
	else
		dash_byte(s, head, c);
}

static void slash_byte(struct sqlcomment *s, struct request_head *head, char c)
{
	if (c == '*') {
		s->state = SQL_COMMENT;
		s->depth = 1;
		s->star = false;
		s->match = 0;
		sqlcomment_pair_begin(s);
		return;
	}
	s->state = SQL_CODE;
	saw_code(s);
	code_byte(s, head, c);
}

/* MySQL runs what is in these: "/" "*!...", and MariaDB "/" "*M!...". */
static void look_for_code(struct sqlcomment *s, char c)
{
	if (c == '!' && s->match < 2)
		s->doubt = true;
	s->match = s->match == 0 && c == 'M' ? 1 : 2;
}

static void comment_byte(struct sqlcomment *s, char c)
{
	if (s->dialect == SQL_MYSQL)
		look_for_code(s, c);
	if (s->star && c == '/') {
		s->star = false;
		if (--s->depth)
			return;
		s->state = SQL_CODE;
		sqlcomment_pair_end(s);
		return;
	}
	if (s->star)
		sqlcomment_pair_byte(s, '*');
	s->star = c == '*';
	if (c == '/' && s->dialect == SQL_POSTGRES)
		s->state = SQL_COMMENT_SLASH;
	else if (!s->star)
		sqlcomment_pair_byte(s, c);
}

static void comment_slash_byte(struct sqlcomment *s, char c)
{
	s->state = SQL_COMMENT;
	if (c == '*') {
		s->depth += s->depth < UINT16_MAX;
		s->doubt |= s->depth == UINT16_MAX;
		s->pair = PAIR_NONE;
		return;
	}
	sqlcomment_pair_byte(s, '/');
	comment_byte(s, c);
}

static void dollar_byte(struct sqlcomment *s, struct request_head *head, char c)
{
	bool digit = c >= '0' && c <= '9';

	if (c == '$') {
		s->state = SQL_DOLLAR_QUOTED;
		s->match = 255;
	} else if (is_identifier(c) && (s->length || !digit)) {
		if (s->length < SQLCOMMENT_TEXT_MAX)
			s->text[s->length++] = c;
		else
			s->doubt = true;
	} else {
		s->state = SQL_CODE;
		code_byte(s, head, c);
	}
}

/* match: bytes of the tag after a dollar; 255: not after one. */
static void dollar_quoted_byte(struct sqlcomment *s, char c)
{
	if (c == '$' && s->match == s->length)
		s->state = SQL_CODE;
	else if (c == '$')
		s->match = 0;
	else if (s->match < s->length && c == s->text[s->match])
		s->match++;
	else
		s->match = 255;
}

/* Bytes that cannot change anything in the state it is in: how many of them are next? */
static size_t plain(const struct sqlcomment *s, const char *bytes, size_t n)
{
	size_t i = 0;

	if (s->state == SQL_QUOTED && !s->match)
		while (i < n && bytes[i] != '\'' && bytes[i] != '\\')
			i++;
	else if (s->state == SQL_LINE)
		while (i < n && bytes[i] != '\n' && bytes[i] != '\r')
			i++;
	return i;
}

static void byte(struct sqlcomment *s, struct request_head *head, char c)
{
	bool after_backslash = s->match;

	switch (s->state) {
	case SQL_CODE: code_byte(s, head, c); break;
	case SQL_QUOTED:
		s->match = 0;
		s->doubt |= after_backslash && c == '\'';
		quoted_byte(s, '\'', c);
		break;
	case SQL_QUOTED_NAME: quoted_byte(s, '"', c); break;
	case SQL_BACKQUOTED: s->state = c == '`' ? SQL_CODE : SQL_BACKQUOTED; break;
	case SQL_ESCAPED: s->state = SQL_QUOTED; break;
	case SQL_ESCAPED_NAME: s->state = SQL_QUOTED_NAME; break;
	case SQL_DASH: dash_byte(s, head, c); break;
	case SQL_DASHES: dashes_byte(s, head, c); break;
	case SQL_LINE:
		/* PostgreSQL ends it at a carriage return, MySQL does not. */
		if (c == '\n' || (c == '\r' && s->dialect == SQL_POSTGRES))
			s->state = SQL_CODE;
		break;
	case SQL_SLASH: slash_byte(s, head, c); break;
	case SQL_COMMENT: comment_byte(s, c); break;
	case SQL_COMMENT_SLASH: comment_slash_byte(s, c); break;
	case SQL_DOLLAR: dollar_byte(s, head, c); break;
	default: dollar_quoted_byte(s, c); break;
	}
}

void sqlcomment_feed(struct sqlcomment *s, struct request_head *head, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		i += plain(s, bytes + i, n - i);
		if (i < n)
			byte(s, head, bytes[i]);
	}
}

bool sqlcomment_end(const struct sqlcomment *s, struct trace_context *out)
{
	bool ends = s->state == SQL_CODE || s->state == SQL_LINE;

	memset(out, 0, sizeof(*out));
	if (!ends || !s->found || s->doubt)
		return false;
	*out = s->context;
	return true;
}
