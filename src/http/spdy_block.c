// SPDX-License-Identifier: Apache-2.0
/*
 * SPDY/3 header blocks: number, then length-prefixed names and values, through
 * one zlib stream a direction that begins with a dictionary.
 */
#include <errno.h>
#include <zlib.h>
#include "base/assert.h"
#include "http/spdy.h"

enum { PLAIN_MAX = 64 * 1024, DICTIONARY_BYTES = 1423, DICTIONARY_ADLER = 0xe3c6a7c2 };

struct spdy_block {
	z_stream z;
	bool inflate;
};

/* Section 2.6.10.1. Words with their lengths, then text without. */
#define W(len, word) "\0\0\0" len word
static const char dictionary[DICTIONARY_BYTES + 1] =
	W("\007", "options") W("\004", "head") W("\004", "post") W("\003", "put") W("\006", "delete") W("\005", "trace")
	W("\006", "accept") W("\016", "accept-charset") W("\017", "accept-encoding") W("\017", "accept-language")
	W("\015", "accept-ranges") W("\003", "age") W("\005", "allow") W("\015", "authorization") W("\015", "cache-control")
	W("\012", "connection") W("\014", "content-base") W("\020", "content-encoding") W("\020", "content-language")
	W("\016", "content-length") W("\020", "content-location") W("\013", "content-md5") W("\015", "content-range")
	W("\014", "content-type") W("\004", "date") W("\004", "etag") W("\006", "expect") W("\007", "expires") W("\004", "from")
	W("\004", "host") W("\010", "if-match") W("\021", "if-modified-since") W("\015", "if-none-match") W("\010", "if-range")
	W("\023", "if-unmodified-since") W("\015", "last-modified") W("\010", "location") W("\014", "max-forwards")
	W("\006", "pragma") W("\022", "proxy-authenticate") W("\023", "proxy-authorization") W("\005", "range")
	W("\007", "referer") W("\013", "retry-after") W("\006", "server") W("\002", "te") W("\007", "trailer")
	W("\021", "transfer-encoding") W("\007", "upgrade") W("\012", "user-agent") W("\004", "vary") W("\003", "via")
	W("\007", "warning") W("\020", "www-authenticate") W("\006", "method") W("\003", "get") W("\006", "status")
	W("\006", "200 OK") W("\007", "version") W("\010", "HTTP/1.1") W("\003", "url") W("\006", "public") W("\012", "set-cookie")
	W("\012", "keep-alive") W("\006", "origin")
	"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritativ"
	"e Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 I"
	"nternal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec"
	" 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xm"
	"l,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset="
	"iso-8859-1,utf-,*,enq=0.";
#undef W

static int block_new(bool inflate, struct spdy_block **b)
{
	struct spdy_block *x = calloc(1, sizeof *x);
	int r;

	if (!x)
		return -ENOMEM;
	x->inflate = inflate;
	/* headers are few and short: a small window, that still holds the dictionary */
	r = inflate ? inflateInit(&x->z) : deflateInit2(&x->z, Z_BEST_SPEED, Z_DEFLATED, 11, 1, Z_DEFAULT_STRATEGY);
	if (r == Z_OK && !inflate)
		r = deflateSetDictionary(&x->z, (const Bytef *)dictionary, DICTIONARY_BYTES);
	if (r != Z_OK) {
		spdy_block_free(x);
		return -ENOMEM;
	}
	*b = x;
	return 0;
}

void spdy_block_free(struct spdy_block *b)
{
	if (!b)
		return;
	if (b->inflate)
		inflateEnd(&b->z);
	else
		deflateEnd(&b->z);
	free(b);
}

/* --- out */

static void put32(struct buf *b, size_t n)
{
	unsigned char p[4] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n };

	buf_add(b, p, 4);
}

static bool is_repeated(const struct http_headers *h, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (slice_eq_nocase(h->v[k].name, h->v[i].name))
			return true;
	return false;
}

/* All values of one name, a NUL between two. */
static void put_values(struct buf *b, const struct http_headers *h, size_t i)
{
	size_t at = b->len, n;

	put32(b, 0);
	for (size_t k = i; k < h->n; k++) {
		if (!slice_eq_nocase(h->v[k].name, h->v[i].name))
			continue;
		if (k > i)
			buf_addc(b, 0);
		buf_addslice(b, h->v[k].value);
	}
	n = b->len - at - 4;
	for (int k = 0; k < 4 && buf_error(b) == 0; k++)
		b->ptr[at + k] = (char)(n >> (24 - 8 * k));
}

static int plain_block(const struct http_headers *h, struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; h && i < h->n; i++)
		n += !is_repeated(h, i);
	put32(b, n);
	for (size_t i = 0; h && i < h->n; i++) {
		size_t at;

		if (is_repeated(h, i))
			continue;
		put32(b, h->v[i].name.len);
		at = b->len;
		buf_addslice(b, h->v[i].name);
		for (; at < b->len; at++)
			b->ptr[at] = b->ptr[at] >= 'A' && b->ptr[at] <= 'Z' ? (char)(b->ptr[at] | 32) : b->ptr[at];
		put_values(b, h, i);
	}
	return buf_error(b);
}

int spdy_block_encode(struct spdy_block **b, const struct http_headers *h, struct buf *out)
{
	AUTO(buf) struct buf plain = BUF_INIT(PLAIN_MAX);
	int r = *b ? 0 : block_new(false, b);
	z_stream *z;

	if (r == 0)
		r = plain_block(h, &plain);
	if (r < 0)
		return r;
	z = &(*b)->z;
	z->next_in = (Bytef *)plain.ptr;
	z->avail_in = (uInt)plain.len;
	do {
		r = buf_reserve(out, 256);
		if (r < 0)
			return r;
		z->next_out = (Bytef *)out->ptr + out->len;
		z->avail_out = 256;
		must(deflate(z, Z_SYNC_FLUSH) != Z_STREAM_ERROR);
		out->len += 256 - z->avail_out;
	} while (z->avail_out == 0);
	out->ptr[out->len] = 0;
	return 0;
}

/* --- in */

static int inflate_all(z_stream *z, struct slice in, struct buf *plain)
{
	z->next_in = (Bytef *)in.ptr;
	z->avail_in = (uInt)in.len;
	for (;;) {
		int r = buf_reserve(plain, 1024);

		if (r < 0)
			return r;
		z->next_out = (Bytef *)plain->ptr + plain->len;
		z->avail_out = 1024;
		r = inflate(z, Z_SYNC_FLUSH);
		plain->len += 1024 - z->avail_out;
		if (r == Z_NEED_DICT) {
			if (z->adler != DICTIONARY_ADLER || inflateSetDictionary(z, (const Bytef *)dictionary, DICTIONARY_BYTES) != Z_OK)
				return -EBADMSG;
		} else if (r == Z_BUF_ERROR || (r == Z_OK && !z->avail_in && z->avail_out)) {
			return z->avail_in ? -EBADMSG : 0;
		} else if (r != Z_OK) {
			return -EBADMSG;
		}
	}
}

static bool take32(struct slice *in, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)in->ptr;

	if (in->len < 4)
		return false;
	*ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	*in = slice_n(in->ptr + 4, in->len - 4);
	return true;
}

static bool take_text(struct slice *in, struct slice *ret)
{
	uint32_t n;

	if (!take32(in, &n) || n > in->len)
		return false;
	*ret = slice_n(in->ptr, n);
	*in = slice_n(in->ptr + n, in->len - n);
	return true;
}

static bool is_lower_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.ptr[i] >= 'A' && s.ptr[i] <= 'Z') || s.ptr[i] <= ' ' || s.ptr[i] > '~')
			return false;
	return s.len > 0;
}

static bool is_text(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < ' ' && s.ptr[i] != '\t')
			return false;
	return true;
}

static int parse(struct slice in, struct arena *a, struct http_headers *ret)
{
	struct http_header *v = arena_array(a, HTTP_HEADERS_MAX, sizeof *v);
	size_t n = 0;
	uint32_t count;

	if (!v)
		return -ENOMEM;
	if (!take32(&in, &count))
		return -EINVAL;
	while (count--) {
		struct slice name, values, value;

		if (!take_text(&in, &name) || !take_text(&in, &values) || !is_lower_name(name))
			return -EINVAL;
		for (size_t i = 0; i < n; i++)
			if (slice_eq(v[i].name, name))
				return -EINVAL;
		do {
			if (n == HTTP_HEADERS_MAX)
				return -EINVAL;
			slice_cut(values, 0, &value, &values);
			if (!is_text(value))
				return -EINVAL;
			v[n] = (struct http_header){ slice_n(arena_dup(a, name), name.len), slice_n(arena_dup(a, value), value.len) };
			if (!v[n].name.ptr || !v[n].value.ptr)
				return -ENOMEM;
			n++;
		} while (values.ptr && values.len);
	}
	if (in.len)
		return -EINVAL;
	*ret = (struct http_headers){ v, n };
	return 0;
}

int spdy_block_decode(struct spdy_block **b, struct slice in, struct arena *a, struct http_headers *ret)
{
	AUTO(buf) struct buf plain = BUF_INIT(PLAIN_MAX + 1024);
	int r = *b ? 0 : block_new(true, b);

	if (r == 0)
		r = inflate_all(&(*b)->z, in, &plain);
	if (r < 0)
		return r;
	return plain.len > PLAIN_MAX ? -EMSGSIZE : parse(buf_slice(&plain), a, ret);
}
