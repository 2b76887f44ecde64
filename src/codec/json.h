/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON text, token by token: what schema/ builds messages and trees from.
 * Nothing else in the tree reads or writes JSON by hand. Pure: no memory, no
 * system call.
 *
 * Accepts what Go's encoding/json accepts (RFC 8259; invalid UTF-8 and lone
 * surrogates become U+FFFD) and says its sentences. The cursor stays at the
 * byte that is wrong.
 */
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#if defined __SSE2__
#include <emmintrin.h>
#endif

struct json_in {
	const char *p, *end, *start;
	const char *what;    /* after a failure: Go's words behind "invalid character 'x' " */
};

static inline struct json_in json_in(struct slice text)
{
	return (struct json_in){ text.ptr, text.ptr + text.len, text.ptr, NULL };
}

enum { JSON_MAX_DEPTH = 1000 };

/* Remembers what was expected; -EBADMSG. */
static inline int json_bad(struct json_in *in, const char *what)
{
	in->what = what;
	return -EBADMSG;
}
/* Turns that into a sentence: "invalid character 'x' looking for beginning of value", "unexpected end of JSON input". -EBADMSG. */
int json_err(const struct json_in *in, struct err *e);

const char *json_space_slow(const char *p, const char *end);
/* Skips white space; the next byte, or 0 at the end (a NUL is no white space and no token either). */
static inline char json_peek(struct json_in *in)
{
	const char *p = in->p;
	if (p < in->end && (unsigned char)*p > ' ')
		return *p;
	if (p < in->end && *p == ' ' && p + 1 < in->end && (unsigned char)p[1] > ' ') {
		in->p = p + 1;
		return p[1];
	}
	in->p = p = json_space_slow(p, in->end);
	return p < in->end ? *p : 0;
}

struct json_text {
	const char *ptr;      /* between the quotes */
	size_t len;
	bool is_plain;        /* no escapes, valid UTF-8: the bytes are the value */
};
/* The cursor is at the opening quote. */
int json_string_slow(struct json_in *in, const char *p, struct json_text *ret);
static inline int json_string(struct json_in *in, struct json_text *ret)
{
	const char *p = in->p + 1;
#if defined __SSE2__
	/* no branch on the length of short strings: sixteen bytes at a time until one is a quote or needs care */
	while (in->end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		unsigned quote = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
		unsigned odd = (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')),
			_mm_cmplt_epi8(v, _mm_set1_epi8(' '))));     /* signed: also bytes over 0x7f */
		if (quote | odd) {
			unsigned at = (unsigned)__builtin_ctz(quote | odd);
			if (!(quote >> at & 1))
				return json_string_slow(in, p + at, ret);
			*ret = (struct json_text){ in->p + 1, (size_t)(p + at - in->p - 1), true };
			in->p = p + at + 1;
			return 0;
		}
		p += 16;
	}
#endif
	return json_string_slow(in, p, ret);
}
/* Room that json_unescape may need, without a terminator. */
static inline size_t json_text_room(const struct json_text *t) { return t->is_plain ? t->len : 3 * t->len; }
/* Writes the value; returns its length. Not for is_plain. */
size_t json_unescape(const struct json_text *t, char *dst);

/* A number's text, checked. */
int json_number(struct json_in *in, struct slice *ret);
/* true, false or null; the cursor is at its first letter. */
int json_literal(struct json_in *in, const char *word, size_t n);
/* Skips and checks one value; *ret is its text without surrounding space. */
int json_skip(struct json_in *in, struct slice *ret);
/* After the value only white space may follow. */
int json_end(struct json_in *in);
/* "string", "number", "object", "array", "bool" or "null", by first byte. */
const char *json_kind(char first);
/* A whole document: 0, or -EBADMSG with the sentence. */
int json_check(struct slice text, struct err *e);

/* --- writing; flags of schema.h's schema_encode_flags -------------------- */
enum { JSON_ESCAPE_HTML = 1, JSON_INDENT = 2 };
void json_put_string(struct buf *out, const char *s, size_t n, unsigned flags);
void json_put_i64(struct buf *out, int64_t v);
void json_put_u64(struct buf *out, uint64_t v);
/* As Go does: shortest text that reads back the same; not a number and infinities are null. */
void json_put_f64(struct buf *out, double v);
/* A newline and `depth` times four spaces. */
void json_put_indent(struct buf *out, unsigned depth);
/* Rewrites a checked document: without spaces, or (JSON_INDENT) indented from `depth` on. */
void json_put_raw(struct buf *out, struct slice text, unsigned flags, unsigned depth);
