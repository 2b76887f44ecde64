// SPDX-License-Identifier: Apache-2.0
#include "http/parse.h"
#include <errno.h>
#include "base/auto.h"
#include "base/num.h"

enum { METHOD_MAX = 32, CHUNK_LINE_MAX = 4096, TRAILER_MAX = 16 * 1024 };

/* RFC 9110 5.6.2: tchar. */
static bool is_tchar(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return true;
	if ((c | 32) >= 'a' && (c | 32) <= 'z')
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

bool http_is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_tchar((unsigned char)s.ptr[i]))
			return false;
	return s.len > 0;
}

bool http_is_value(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if ((c < 32 && c != '\t') || c == 127)
			return false;
	}
	return true;
}

size_t http_head_length(const char *p, size_t n, size_t *scan)
{
	const char *at = p + *scan, *end = p + n, *lf;

	while ((lf = memchr(at, '\n', (size_t)(end - at)))) {
		at = lf + 1;
		/* A line that is empty but for its CR; a bare LF ends the head too, and the parser then refuses it. */
		if (at < end && *at == '\n')
			return (size_t)(at + 1 - p);
		if (at + 1 < end && at[0] == '\r' && at[1] == '\n')
			return (size_t)(at + 2 - p);
		if (at + 1 >= end) {
			*scan = (size_t)(lf - p);
			return 0;
		}
	}
	*scan = n;
	return 0;
}

/* Takes one line without its CRLF off *rest; false if it does not end in CRLF or has a stray CR. */
static bool next_line(struct slice *rest, struct slice *line)
{
	const char *lf = memchr(rest->ptr, '\n', rest->len);
	size_t n;

	if (!lf)
		return false;
	n = (size_t)(lf - rest->ptr);
	if (n == 0 || lf[-1] != '\r' || memchr(rest->ptr, '\r', n - 1))
		return false;
	*line = slice_n(rest->ptr, n - 1);
	rest->ptr += n + 1;
	rest->len -= n + 1;
	return true;
}

static int version(struct slice s, int *minor, const char **why)
{
	bool digits = s.len == 8 && s.ptr[5] >= '0' && s.ptr[5] <= '9' && s.ptr[6] == '.' && s.ptr[7] >= '0' && s.ptr[7] <= '9';

	*why = "malformed HTTP version";
	if (!slice_starts(s, "HTTP/") || !digits)
		return -EBADMSG;
	*why = "unsupported HTTP version";
	if (s.ptr[5] != '1' || s.ptr[7] > '1')
		return -EPROTONOSUPPORT;
	*minor = s.ptr[7] - '0';
	return 0;
}

static int request_line(struct slice line, struct http_head *h, const char **why)
{
	struct slice rest, v;

	*why = "malformed request line";
	if (!slice_cut(line, ' ', &h->method, &rest) || !slice_cut(rest, ' ', &h->target, &v))
		return -EBADMSG;
	if (h->method.len > METHOD_MAX || !http_is_token(h->method) || !h->target.len)
		return -EBADMSG;
	for (size_t i = 0; i < h->target.len; i++)
		if ((unsigned char)h->target.ptr[i] <= 32 || h->target.ptr[i] == 127)
			return -EBADMSG;
	return version(v, &h->minor, why);
}

static int status_line(struct slice line, struct http_head *h, const char **why)
{
	struct slice v, rest, code;
	int64_t status;
	int r;

	*why = "malformed status line";
	if (!slice_cut(line, ' ', &v, &rest))
		return -EBADMSG;
	slice_cut(rest, ' ', &code, &h->reason);
	if (code.len != 3 || num_parse_i64(code, 100, 999, &status) < 0)
		return -EBADMSG;
	h->status = (int)status;
	r = version(v, &h->minor, why);
	return r == -EPROTONOSUPPORT && slice_starts(v, "HTTP/1.") ? 0 : r;
}

static int headers(struct arena *a, struct slice rest, struct http_head *h, const char **why)
{
	size_t n = 0;
	struct slice line;

	for (size_t i = 0; i < rest.len; i++)
		n += rest.ptr[i] == '\n';
	*why = "too many headers";
	if (n > HTTP_HEADERS_MAX)
		return -EMSGSIZE;
	h->headers.v = arena_array(a, n, sizeof *h->headers.v);
	if (!h->headers.v)
		return -ENOMEM;
	*why = "malformed header";
	for (;;) {
		struct http_header *x = &h->headers.v[h->headers.n];

		if (!next_line(&rest, &line))
			return -EBADMSG;
		if (!line.len)
			return rest.len ? -EBADMSG : 0;
		if (!slice_cut(line, ':', &x->name, &x->value) || !http_is_token(x->name))
			return -EBADMSG;        /* folded lines and spaces before the colon end here, too */
		x->value = slice_trim(x->value);
		if (!http_is_value(x->value))
			return -EBADMSG;
		h->headers.n++;
	}
}

/* RFC 9112 section 6: how long the body is. */
static int framing(struct http_head *h, bool response, const char **why)
{
	const struct http_header *v = h->headers.v;
	bool coded = false;
	unsigned hosts = 0;

	h->content_length = -1;
	for (size_t i = 0; i < h->headers.n; i++) {
		if (slice_eq_nocase(v[i].name, SLICE("Content-Length"))) {
			int64_t len;

			*why = "bad Content-Length";
			if (num_parse_i64(v[i].value, 0, INT64_MAX, &len) < 0)
				return -EBADMSG;
			if (h->content_length >= 0 && len != h->content_length)
				return -EBADMSG;
			h->content_length = len;
		} else if (slice_eq_nocase(v[i].name, SLICE("Transfer-Encoding"))) {
			*why = "more than one Transfer-Encoding";
			if (coded)
				return -EBADMSG;
			coded = true;
			*why = "unsupported Transfer-Encoding";
			if (!slice_eq_nocase(v[i].value, SLICE("chunked")))
				return -EOPNOTSUPP;
			h->chunked = true;
		} else if (slice_eq_nocase(v[i].name, SLICE("Host"))) {
			hosts++;
		}
	}
	*why = "Transfer-Encoding together with Content-Length";
	if (coded && h->content_length >= 0)
		return -EBADMSG;
	*why = "Transfer-Encoding in HTTP/1.0";
	if (coded && h->minor == 0)
		return -EBADMSG;
	*why = hosts ? "more than one Host" : "missing required Host header";
	if (!response && (hosts > 1 || (h->minor == 1 && hosts == 0)))
		return -EBADMSG;
	return 0;
}

int http_head_parse(struct arena *a, struct slice text, bool response, struct http_head *ret, const char **why)
{
	struct slice line;
	int r;

	*ret = (struct http_head){ 0 };
	*why = "malformed line end";
	if (!next_line(&text, &line))
		return -EBADMSG;
	r = response ? status_line(line, ret, why) : request_line(line, ret, why);
	if (r == 0)
		r = headers(a, text, ret, why);
	if (r == 0)
		r = framing(ret, response, why);
	if (r < 0)
		return r;
	if (http_header_has(&ret->headers, "Connection", "close"))
		ret->keep_alive = false;
	else
		ret->keep_alive = ret->minor == 1 || http_header_has(&ret->headers, "Connection", "keep-alive");
	ret->expect_continue = ret->minor == 1 && slice_eq_nocase(http_header_get(&ret->headers, "Expect"), SLICE("100-continue"));
	return 0;
}

int http_parse_status(int error)
{
	switch (error) {
	case -EPROTONOSUPPORT: return 505;
	case -EOPNOTSUPP: return 501;
	case -EMSGSIZE: return 431;
	case -ENOMEM: return 503;
	default: return 400;
	}
}

/* --- chunks
 *
 *   SIZE ─digits─▶ (EXT ─▶) SIZE_LF ─▶ DATA ─▶ DATA_CR ─▶ DATA_LF ─▶ SIZE …
 *                              └─ size 0 ─▶ TRAILER ⇄ TRAILER_LINE ─▶ … ─▶ LAST_LF ─▶ DONE
 */
enum { SIZE, EXT, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LINE, TRAILER_LF, LAST_LF, DONE };

static int hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of what is not data; the next state or -EBADMSG. */
static int step(struct http_chunks *c, unsigned char b)
{
	switch (c->state) {
	case SIZE:
		if (hex(b) >= 0) {
			if (++c->digits > 15)
				return -EBADMSG;
			c->left = c->left << 4 | (unsigned)hex(b);
			return SIZE;
		}
		if (!c->digits)
			return -EBADMSG;
		if (b == '\r')
			return SIZE_LF;
		return b == ';' || b == ' ' || b == '\t' ? EXT : -EBADMSG;
	case EXT:
		if (b == '\r')
			return SIZE_LF;
		return b < 32 && b != '\t' ? -EBADMSG : EXT;
	case SIZE_LF:
		if (b != '\n')
			return -EBADMSG;
		c->line = 0;
		c->digits = 0;
		return c->left ? DATA : TRAILER;
	case DATA_CR:
		return b == '\r' ? DATA_LF : -EBADMSG;
	case DATA_LF:
		return b == '\n' ? SIZE : -EBADMSG;
	case TRAILER:
		if (b == '\r')
			return LAST_LF;
		return is_tchar(b) ? TRAILER_LINE : -EBADMSG;
	case TRAILER_LINE:
		if (b == '\r')
			return TRAILER_LF;
		return b < 32 && b != '\t' ? -EBADMSG : TRAILER_LINE;
	case TRAILER_LF:
		return b == '\n' ? TRAILER : -EBADMSG;
	case LAST_LF:
		return b == '\n' ? DONE : -EBADMSG;
	}
	return -EBADMSG;
}

void http_chunks_skip(struct http_chunks *c, uint64_t n)
{
	c->left -= n;
	if (!c->left)
		c->state = DATA_CR;
}

int http_chunks_next(struct http_chunks *c, struct slice *in, struct slice *data)
{
	*data = (struct slice){ 0 };
	while (c->state != DONE && in->len) {
		if (c->state == DATA) {
			size_t n = MIN((uint64_t)in->len, c->left);

			*data = slice_n(in->ptr, n);
			in->ptr += n;
			in->len -= n;
			http_chunks_skip(c, n);
			return 0;
		}
		int next = step(c, (unsigned char)in->ptr[0]);

		if (next < 0 || ++c->line > (c->state >= TRAILER ? TRAILER_MAX : CHUNK_LINE_MAX))
			return -EBADMSG;
		c->state = (uint8_t)next;
		if (next == SIZE && !c->digits)
			c->line = 0;
		in->ptr++;
		in->len--;
	}
	return c->state == DONE;
}

uint64_t http_chunks_direct(const struct http_chunks *c) { return c->state == DATA ? c->left : 0; }
