/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text and bytes. A slice looks at memory that somebody else owns; a buf grows
 * up to a ceiling that its owner must give, is never NULL and always
 * terminated by a NUL that does not count.
 *
 * A buf remembers failure (ceiling reached: -EMSGSIZE; no memory: -ENOMEM) and
 * ignores appends after it, so that code which prints many pieces checks once,
 * with buf_error.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *ptr; /* may be NULL when len is 0 */
	size_t len;
};

#define SLICE(lit) ((struct slice){ "" lit, sizeof(lit) - 1 })
#define SLICE_FMT(s) (int)(s).len, (s).ptr /* for "%.*s" */

static inline struct slice slice_of(const char *s)
{
	return (struct slice){ s, s ? strlen(s) : 0 };
}
static inline struct slice slice_n(const void *p, size_t n)
{
	return (struct slice){ p, n };
}
bool slice_eq(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *b);
bool slice_eq_nocase(struct slice a, struct slice b);      /* ASCII only */
bool slice_starts(struct slice s, const char *prefix);
bool slice_ends(struct slice s, const char *suffix);
int slice_cmp(struct slice a, struct slice b);             /* bytewise, like strcmp */
struct slice slice_trim(struct slice s);                   /* spaces, tabs, CR, LF at both ends */
/* Offset of c in s, or -1. */
ptrdiff_t slice_find(struct slice s, char c);
ptrdiff_t slice_rfind(struct slice s, char c);
/* Cuts s at the first `sep`: *head before it, *tail behind it; false (head = s, tail empty) where there is none. */
bool slice_cut(struct slice s, char sep, struct slice *head, struct slice *tail);
/* Takes the next piece before `sep` off *rest; false when *rest is used up (ptr NULL). "a,,b" gives "a" "" "b". */
bool slice_next(struct slice *rest, char sep, struct slice *ret);
/* A malloc'ed, terminated copy; NULL without memory. */
char *slice_dup(struct slice s);

struct buf {
	char *ptr;   /* never NULL after buf_init; ptr[len] is NUL */
	size_t len;
	size_t cap;  /* allocated, without the NUL; 0 while ptr is the shared empty string */
	size_t max;  /* ceiling in bytes */
	int error;   /* 0 or the first -errno */
};

#define BUF_INIT(ceiling) ((struct buf){ .ptr = (char *)"", .max = (ceiling) })
void buf_init(struct buf *b, size_t max_bytes);
void buf_release(struct buf *b);                   /* b is an empty buf with the same ceiling afterwards */
static inline void auto_buf(struct buf *b) { buf_release(b); }
void buf_reset(struct buf *b);                     /* len 0, no error, memory kept */
int buf_error(const struct buf *b);
int buf_reserve(struct buf *b, size_t more);       /* room for `more` bytes behind len */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_adds(struct buf *b, const char *s);
int buf_addc(struct buf *b, char c);
int buf_addslice(struct buf *b, struct slice s);
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_addfv(struct buf *b, const char *fmt, va_list ap);
void buf_drop(struct buf *b, size_t n);            /* removes n bytes (<= len) at the front */
void buf_truncate(struct buf *b, size_t len);
static inline struct slice buf_slice(const struct buf *b) { return (struct slice){ b->ptr, b->len }; }
/* Gives the malloc'ed text away and leaves b empty; NULL without memory. */
char *buf_take(struct buf *b);

/* snprintf into a fixed array; true if it fitted. */
bool fmt_into(char *dst, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A malloc'ed formatted string; NULL without memory. */
char *fmt_new(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
