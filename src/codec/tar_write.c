/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/tar.h"

#include <errno.h>

static void octal(char *f, size_t n, uint64_t v)
{
	f[n - 1] = 0;
	for (size_t i = n - 1; i-- > 0; v >>= 3)
		f[i] = (char)('0' + (v & 7));
}

static void checksum(char *h)
{
	unsigned sum = 0;
	memset(h + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK_BYTES; i++)
		sum += (uint8_t)h[i];
	octal(h + 148, 7, sum);
}

/* Splits a name at a slash into the 155-byte prefix and the 100-byte name. */
static bool ustar_split(struct slice s, size_t *cut)
{
	if (s.len <= 100) {
		*cut = 0;
		return true;
	}
	if (s.len > 256)
		return false;
	for (size_t i = s.len > 101 ? s.len - 101 : 0; i < s.len - 1 && i <= 155; i++)
		if (i && s.ptr[i] == '/') {
			*cut = i;
			return true;
		}
	return false;
}

static bool ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] & 0x80)
			return false;
	return true;
}

static void pax_record(struct buf *pax, const char *key, const char *sub, struct slice value)
{
	size_t body = strlen(key) + strlen(sub) + value.len + 3, n = body + 1;
	for (size_t digits = 1, ten = 10; n >= ten; ten *= 10)
		n = body + ++digits;
	buf_addf(pax, "%zu %s%s=", n, key, sub);
	buf_addslice(pax, value);
	buf_addc(pax, '\n');
}

static void pax_number(struct buf *pax, const char *key, int64_t v)
{
	char t[24];
	fmt_into(t, sizeof t, "%lld", (long long)v);
	pax_record(pax, key, "", slice_of(t));
}

static void block(char *h, char type, uint64_t size, uint32_t mode)
{
	memset(h, 0, TAR_BLOCK_BYTES);
	octal(h + 100, 8, mode);
	octal(h + 108, 8, 0);
	octal(h + 116, 8, 0);
	octal(h + 124, 12, size);
	octal(h + 136, 12, 0);
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	octal(h + 329, 8, 0);
	octal(h + 337, 8, 0);
}

/* What does not fit the plain header goes here; fills the plain one as far as it goes. */
static void fill(char *h, struct buf *pax, const struct tar_entry *t)
{
	struct slice name = slice_of(t->name), link = slice_of(t->link);
	size_t cut = 0;
	if (ascii(name) && ustar_split(name, &cut)) {
		size_t skip = cut ? cut + 1 : 0;
		memcpy(h, name.ptr + skip, name.len - skip);
		memcpy(h + 345, name.ptr, cut);
	} else {
		pax_record(pax, "path", "", name);
		memcpy(h, name.ptr, name.len < 100 ? name.len : 100);
	}
	if (link.len > 100 || !ascii(link))
		pax_record(pax, "linkpath", "", link);
	if (link.len)
		memcpy(h + 157, link.ptr, link.len < 100 ? link.len : 100);
	if (t->uid > 07777777)
		pax_number(pax, "uid", t->uid);
	else
		octal(h + 108, 8, t->uid);
	if (t->gid > 07777777)
		pax_number(pax, "gid", t->gid);
	else
		octal(h + 116, 8, t->gid);
	if (t->size_bytes > 077777777777)
		pax_number(pax, "size", t->size_bytes);
	int64_t s = t->mtime_ns / 1000000000 - (t->mtime_ns % 1000000000 < 0);
	if (s < 0)
		pax_number(pax, "mtime", s);
	else
		octal(h + 136, 12, (uint64_t)s);
	if (t->type == TAR_CHAR || t->type == TAR_BLOCK) {
		octal(h + 329, 8, t->dev_major);
		octal(h + 337, 8, t->dev_minor);
	}
	for (size_t i = 0; i < t->n_xattrs; i++)
		pax_record(pax, "SCHILY.xattr.", t->xattrs[i].name, t->xattrs[i].value);
}

int tar_put_header(struct buf *out, const struct tar_entry *t)
{
	char h[TAR_BLOCK_BYTES];
	struct buf pax = BUF_INIT(TAR_META_MAX);
	block(h, t->type, t->size_bytes > 077777777777 ? 0 : (uint64_t)t->size_bytes, t->mode & 07777);
	fill(h, &pax, t);
	int r = buf_error(&pax);
	if (r == 0 && pax.len) {
		char x[TAR_BLOCK_BYTES];
		block(x, 'x', pax.len, 0644);
		fmt_into(x, 100, "PaxHeaders.0/%.60s", t->name);
		checksum(x);
		buf_add(out, x, sizeof x);
		buf_add(out, pax.ptr, pax.len);
		tar_put_padding(out, (int64_t)pax.len);
	}
	buf_release(&pax);
	if (r < 0)
		return r;
	checksum(h);
	return buf_add(out, h, sizeof h);
}

int tar_put_padding(struct buf *out, int64_t size_bytes)
{
	static const char zero[TAR_BLOCK_BYTES];
	return buf_add(out, zero, (size_t)(-size_bytes & (TAR_BLOCK_BYTES - 1)));
}

int tar_put_end(struct buf *out)
{
	static const char zero[2 * TAR_BLOCK_BYTES];
	return buf_add(out, zero, sizeof zero);
}
