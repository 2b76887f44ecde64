/* SPDX-License-Identifier: Apache-2.0 */
/* Slices and growing buffers. */
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/auto.h"

bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool slice_is(struct slice a, const char *b)
{
	return slice_eq(a, slice_of(b));
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	return true;
}

bool slice_starts(struct slice s, const char *prefix)
{
	size_t n = strlen(prefix);
	return s.len >= n && memcmp(s.ptr ? s.ptr : "", prefix, n) == 0;
}

bool slice_ends(struct slice s, const char *suffix)
{
	size_t n = strlen(suffix);
	return s.len >= n && (n == 0 || memcmp(s.ptr + s.len - n, suffix, n) == 0);
}

int slice_cmp(struct slice a, struct slice b)
{
	size_t n = MIN(a.len, b.len);
	int r = n ? memcmp(a.ptr, b.ptr, n) : 0;
	return r ? r : (a.len > b.len) - (a.len < b.len);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
	while (s.len && is_space(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

ptrdiff_t slice_find(struct slice s, char c)
{
	const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
	return p ? p - s.ptr : -1;
}

ptrdiff_t slice_rfind(struct slice s, char c)
{
	for (size_t i = s.len; i-- > 0;)
		if (s.ptr[i] == c)
			return (ptrdiff_t)i;
	return -1;
}

bool slice_cut(struct slice s, char sep, struct slice *head, struct slice *tail)
{
	ptrdiff_t i = slice_find(s, sep);
	if (i < 0) {
		*head = s;
		*tail = slice_n(s.ptr ? s.ptr + s.len : "", 0);
		return false;
	}
	*tail = slice_n(s.ptr + i + 1, s.len - (size_t)i - 1);
	*head = slice_n(s.ptr, (size_t)i);
	return true;
}

bool slice_next(struct slice *rest, char sep, struct slice *ret)
{
	if (!rest->ptr)
		return false;
	struct slice head, tail;
	if (!slice_cut(*rest, sep, &head, &tail))
		tail.ptr = NULL;
	*ret = head;
	*rest = tail;
	return true;
}

char *slice_dup(struct slice s)
{
	char *p = malloc(s.len + 1);
	if (!p)
		return NULL;
	if (s.len)
		memcpy(p, s.ptr, s.len);
	p[s.len] = 0;
	return p;
}

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = BUF_INIT(max_bytes);
}

void buf_release(struct buf *b)
{
	if (b->cap)
		free(b->ptr);
	*b = BUF_INIT(b->max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->error = 0;
	if (b->cap)
		b->ptr[0] = 0;
}

int buf_error(const struct buf *b)
{
	return b->error;
}

static int fail(struct buf *b, int r)
{
	if (!b->error)
		b->error = r;
	return b->error;
}

int buf_reserve(struct buf *b, size_t more)
{
	if (b->error)
		return b->error;
	if (more > b->max || b->len > b->max - more)
		return fail(b, -EMSGSIZE);
	size_t need = b->len + more;
	if (need <= b->cap && b->cap)
		return 0;
	size_t cap = MAX(b->cap * 2, (size_t)63);
	cap = MAX(MIN(cap, b->max), need);
	cap = MAX(cap, (size_t)1);
	char *p = b->cap ? realloc(b->ptr, cap + 1) : malloc(cap + 1);
	if (!p)
		return fail(b, -ENOMEM);
	p[b->len] = 0;
	b->ptr = p;
	b->cap = cap;
	return 0;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return b->error;
	int r = buf_reserve(b, n);
	if (r < 0)
		return r;
	memcpy(b->ptr + b->len, p, n);
	b->len += n;
	b->ptr[b->len] = 0;
	return 0;
}

int buf_adds(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_addc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_addslice(struct buf *b, struct slice s)
{
	return buf_add(b, s.ptr, s.len);
}

int buf_addfv(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	char small[256];
	int n = vsnprintf(small, sizeof small, fmt, ap);
	int r;
	if (n < 0)
		r = fail(b, -EINVAL);
	else if ((size_t)n < sizeof small)
		r = buf_add(b, small, (size_t)n);
	else if ((r = buf_reserve(b, (size_t)n)) == 0) {
		vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	return r;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = buf_addfv(b, fmt, ap);
	va_end(ap);
	return r;
}

void buf_drop(struct buf *b, size_t n)
{
	must(n <= b->len);
	if (n == 0)
		return;
	memmove(b->ptr, b->ptr + n, b->len - n + 1);
	b->len -= n;
}

void buf_truncate(struct buf *b, size_t len)
{
	must(len <= b->len);
	if (len == b->len)
		return;
	b->len = len;
	b->ptr[len] = 0;
}

char *buf_take(struct buf *b)
{
	char *p = b->cap ? b->ptr : strdup("");
	*b = BUF_INIT(b->max);
	return p;
}

bool fmt_into(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(dst, size, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < size;
}

char *fmt_new(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *p = NULL;
	int n = vasprintf(&p, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : p;
}
