/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/tar.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/num.h"

enum { WINDOW = 65536, STRINGS_MAX = 8 << 20 };

/* Where the fields of a header block are. */
enum {
	H_NAME = 0, H_MODE = 100, H_UID = 108, H_GID = 116, H_SIZE = 124, H_MTIME = 136, H_SUM = 148, H_TYPE = 156, H_LINK = 157,
	H_MAGIC = 257, H_UNAME = 265, H_GNAME = 297, H_MAJOR = 329, H_MINOR = 337, H_PREFIX = 345,
	H_GNU_SPARSE = 386, H_GNU_EXTENDED = 482, H_GNU_REALSIZE = 483,
};

/* What PAX records and GNU long names say about the entry that follows. */
struct extra {
	const char *name, *link, *uname, *gname, *sparse_name;
	bool has_size, has_uid, has_gid, has_mtime, has_real;
	int64_t size, uid, gid, mtime_ns, real;
	int sparse_major, sparse_minor;
	struct tar_xattr *xattrs;
	size_t n_xattrs;
	struct tar_piece *pieces;
	size_t n_pieces, half;        /* half: numbers seen so far of GNU.sparse.offset/numbytes */
};

void tar_reader_init(struct tar_reader *r, tar_read_fn read, void *arg)
{
	*r = (struct tar_reader){ .read = read, .arg = arg };
	arena_init(&r->strings, STRINGS_MAX);
}

void tar_reader_release(struct tar_reader *r)
{
	arena_release(&r->strings);
	free(r->window);
	r->window = NULL;
	r->ended = true;
}

static int bad(struct err *e, const char *what)
{
	return err_set(e, EBADMSG, "invalid tar: %s", what);
}

static int cut(struct err *e)
{
	return err_set(e, EPIPE, "invalid tar: unexpected end");
}

/* Makes the window non-empty. 1, 0 at the end, -errno. */
static int fill(struct tar_reader *r, struct err *e)
{
	if (r->at < r->end)
		return 1;
	if (!r->window && !(r->window = malloc(WINDOW)))
		return err_nomem(e);
	ssize_t n = r->read(r->arg, r->window, WINDOW);
	if (n < 0)
		return err_sys(e, (int)n, "read the archive");
	r->at = 0;
	r->end = (size_t)n;
	return n > 0;
}

/* Exactly n bytes: 1; nothing at all: 0; fewer: -EPIPE. */
static int take(struct tar_reader *r, char *p, size_t n, struct err *e)
{
	for (size_t got = 0; got < n;) {
		int f = fill(r, e);
		if (f <= 0)
			return f < 0 ? f : got ? cut(e) : 0;
		size_t m = MIN(n - got, r->end - r->at);
		memcpy(p + got, r->window + r->at, m);
		r->at += m;
		got += m;
	}
	return 1;
}

static int skip(struct tar_reader *r, int64_t n, struct err *e)
{
	while (n > 0) {
		int f = fill(r, e);
		if (f <= 0)
			return f < 0 ? f : cut(e);
		size_t m = (size_t)MIN(n, (int64_t)(r->end - r->at));
		r->at += m;
		n -= (int64_t)m;
	}
	return 0;
}

/* Octal with spaces and NULs around, or base 256 (first bit set, second the sign). */
static int number(const char *f, size_t n, int64_t *ret)
{
	if (f[0] & 0x80) {
		bool minus = f[0] & 0x40;
		uint64_t v = minus ? ~0ULL : 0;
		for (size_t i = 0; i < n; i++) {
			uint8_t c = (uint8_t)f[i];
			if (i == 0)
				c = minus ? c | 0x80 : c & 0x3f;
			if (i + 8 < n && c != (minus ? 0xff : 0) && !(i == 0 && minus))
				return -ERANGE;
			v = v << 8 | c;
		}
		if ((int64_t)v < 0 && !minus)
			return -ERANGE;
		*ret = (int64_t)v;
		return 0;
	}
	size_t from = 0, to = 0;
	while (from < n && (f[from] == ' ' || !f[from]))
		from++;
	for (to = from; to < n && f[to] && f[to] != ' ';)
		to++;
	uint64_t v = 0;
	for (size_t i = from; i < to; i++) {
		if (f[i] < '0' || f[i] > '7' || v >> 60)
			return -EINVAL;
		v = v << 3 | (uint64_t)(f[i] - '0');
	}
	if (v > INT64_MAX)
		return -ERANGE;
	*ret = (int64_t)v;
	return 0;
}

static bool checksum_holds(const char *h)
{
	int64_t want, plain = 0, with_sign = 0;
	if (number(h + H_SUM, 8, &want) < 0)
		return false;
	for (int i = 0; i < TAR_BLOCK_BYTES; i++) {
		char c = i >= H_SUM && i < H_SUM + 8 ? ' ' : h[i];
		plain += (uint8_t)c;
		with_sign += (signed char)c;
	}
	return want == plain || want == with_sign;
}

static struct slice field(const char *h, int at, size_t n)
{
	return slice_n(h + at, strnlen(h + at, n));
}

/* Data of a header-like entry (PAX, long name), terminated, in the arena. */
static int meta(struct tar_reader *r, int64_t size, int64_t max, struct slice *ret, struct err *e)
{
	if (size < 0 || size > max)
		return bad(e, "a header is too large");
	char *p = arena_alloc(&r->strings, (size_t)size + 1);
	if (!p)
		return err_nomem(e);
	int t = size ? take(r, p, (size_t)size, e) : 1;
	if (t <= 0)
		return t < 0 ? t : cut(e);
	*ret = slice_n(p, (size_t)size);
	return skip(r, -size & (TAR_BLOCK_BYTES - 1), e);
}

/* "1350244992.023960108", also negative, to nanoseconds. */
static int pax_time(struct slice v, int64_t *ret)
{
	struct slice whole, frac;
	bool minus = slice_starts(v, "-");
	slice_cut(v, '.', &whole, &frac);
	int64_t s, ns = 0, unit = 100000000;
	if (num_parse_i64(whole, -9000000000LL, 9000000000LL, &s) < 0)
		return -EINVAL;
	for (size_t i = 0; i < frac.len; i++, unit /= 10) {
		if (frac.ptr[i] < '0' || frac.ptr[i] > '9')
			return -EINVAL;
		ns += (frac.ptr[i] - '0') * unit;
	}
	*ret = s * 1000000000LL + (minus ? -ns : ns);
	return 0;
}

static int add_piece(struct tar_reader *r, struct extra *x, int64_t offset, int64_t len, struct err *e)
{
	if (x->n_pieces >= TAR_HOLES_MAX)
		return bad(e, "too many pieces in a sparse file");
	if (!x->pieces || (x->n_pieces >= 16 && !(x->n_pieces & (x->n_pieces - 1)))) {
		struct tar_piece *p = arena_array(&r->strings, x->n_pieces < 16 ? 16 : x->n_pieces * 2, sizeof *p);
		if (!p)
			return err_nomem(e);
		if (x->n_pieces)
			memcpy(p, x->pieces, x->n_pieces * sizeof *p);
		x->pieces = p;
	}
	x->pieces[x->n_pieces++] = (struct tar_piece){ offset, len };
	return 0;
}

/* A number of a sparse map; offsets and lengths alternate. */
static int add_half(struct tar_reader *r, struct extra *x, int64_t v, bool is_len, struct err *e)
{
	if ((x->half & 1) != is_len)
		return bad(e, "sparse map out of order");
	x->half++;
	if (is_len) {
		x->pieces[x->n_pieces - 1].len = v;
		return 0;
	}
	return add_piece(r, x, v, 0, e);
}

static int add_xattr(struct tar_reader *r, struct extra *x, struct slice name, struct slice value, struct err *e)
{
	if (!name.len || name.len > 255 || memchr(name.ptr, 0, name.len))
		return bad(e, "bad attribute name");
	if (x->n_xattrs >= TAR_XATTRS_MAX)
		return bad(e, "too many attributes");
	if (!x->xattrs && !(x->xattrs = arena_array(&r->strings, TAR_XATTRS_MAX, sizeof *x->xattrs)))
		return err_nomem(e);
	char *copy = arena_dup(&r->strings, name);
	if (!copy)
		return err_nomem(e);
	x->xattrs[x->n_xattrs++] = (struct tar_xattr){ copy, value };
	return 0;
}

static int sparse_list(struct tar_reader *r, struct extra *x, struct slice v, struct err *e)
{
	struct slice piece;
	while (slice_next(&v, ',', &piece)) {
		int64_t n;
		if (num_parse_i64(piece, 0, INT64_MAX, &n) < 0)
			return bad(e, "bad sparse map");
		int a = add_half(r, x, n, x->half & 1, e);
		if (a < 0)
			return a;
	}
	return x->half & 1 ? bad(e, "bad sparse map") : 0;
}

static int text(struct tar_reader *r, struct slice v, const char **ret, struct err *e)
{
	if (v.len > TAR_NAME_MAX || memchr(v.ptr, 0, v.len))
		return bad(e, "bad name");
	*ret = arena_dup(&r->strings, v);
	return *ret ? 0 : err_nomem(e);
}

static int pax_record(struct tar_reader *r, struct extra *x, struct slice k, struct slice v, struct err *e)
{
	static const struct { const char *key; size_t off; } texts[] = {
		{ "path", offsetof(struct extra, name) }, { "linkpath", offsetof(struct extra, link) },
		{ "uname", offsetof(struct extra, uname) }, { "gname", offsetof(struct extra, gname) },
		{ "GNU.sparse.name", offsetof(struct extra, sparse_name) },
	};
	static const struct { const char *key; size_t off, flag; } numbers[] = {
		{ "size", offsetof(struct extra, size), offsetof(struct extra, has_size) },
		{ "uid", offsetof(struct extra, uid), offsetof(struct extra, has_uid) },
		{ "gid", offsetof(struct extra, gid), offsetof(struct extra, has_gid) },
		{ "GNU.sparse.size", offsetof(struct extra, real), offsetof(struct extra, has_real) },
		{ "GNU.sparse.realsize", offsetof(struct extra, real), offsetof(struct extra, has_real) },
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (slice_is(k, texts[i].key))
			return v.len ? text(r, v, (const char **)((char *)x + texts[i].off), e) : 0;
	int64_t n;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (slice_is(k, numbers[i].key)) {
			if (!v.len)
				return 0;
			if (num_parse_i64(v, 0, INT64_MAX, &n) < 0)
				return bad(e, "bad number in a PAX header");
			*(int64_t *)((char *)x + numbers[i].off) = n;
			*(bool *)((char *)x + numbers[i].flag) = true;
			return 0;
		}
	if (slice_is(k, "mtime")) {
		if (v.len && pax_time(v, &x->mtime_ns) < 0)
			return bad(e, "bad time in a PAX header");
		x->has_mtime = v.len > 0;
		return 0;
	}
	if (slice_starts(k, "SCHILY.xattr."))
		return add_xattr(r, x, slice_n(k.ptr + 13, k.len - 13), v, e);
	if (slice_is(k, "GNU.sparse.map"))
		return sparse_list(r, x, v, e);
	bool major = slice_is(k, "GNU.sparse.major"), minor = slice_is(k, "GNU.sparse.minor");
	bool off = slice_is(k, "GNU.sparse.offset"), len = slice_is(k, "GNU.sparse.numbytes");
	if (!major && !minor && !off && !len)
		return 0;
	if (num_parse_i64(v, 0, INT64_MAX, &n) < 0)
		return bad(e, "bad number in a PAX header");
	if (major || minor)
		*(major ? &x->sparse_major : &x->sparse_minor) = n > 9 ? 9 : (int)n;
	else
		return add_half(r, x, n, len, e);
	return 0;
}

/* "27 mtime=1350244992.0239601\n", the length counting itself. */
static int pax(struct tar_reader *r, struct extra *x, struct slice m, struct err *e)
{
	while (m.len) {
		ptrdiff_t sp = slice_find(m, ' ');
		int64_t n;
		if (sp <= 0 || num_parse_i64(slice_n(m.ptr, (size_t)sp), sp + 3, (int64_t)m.len, &n) < 0 || m.ptr[n - 1] != '\n')
			return bad(e, "bad PAX record");
		struct slice k, v, whole = slice_n(m.ptr + sp + 1, (size_t)n - (size_t)sp - 2);
		if (!slice_cut(whole, '=', &k, &v) || !k.len)
			return bad(e, "bad PAX record");
		int p = pax_record(r, x, k, v, e);
		if (p < 0)
			return p;
		m = slice_n(m.ptr + n, m.len - (size_t)n);
	}
	return 0;
}

/* One decimal line of a sparse 1.0 map at the start of the data. */
static int sparse_line(struct tar_reader *r, char *block, size_t *at, int64_t *ret, struct err *e)
{
	char digits[24];
	size_t n = 0;
	for (;;) {
		if (*at == TAR_BLOCK_BYTES) {
			if (r->data_left < TAR_BLOCK_BYTES)
				return bad(e, "bad sparse map");
			int t = take(r, block, TAR_BLOCK_BYTES, e);
			if (t <= 0)
				return t < 0 ? t : cut(e);
			r->data_left -= TAR_BLOCK_BYTES;
			*at = 0;
		}
		char c = block[(*at)++];
		if (c == '\n')
			break;
		if (n == sizeof digits)
			return bad(e, "bad sparse map");
		digits[n++] = c;
	}
	return num_parse_i64(slice_n(digits, n), 0, INT64_MAX, ret) < 0 ? bad(e, "bad sparse map") : 0;
}

static int sparse_1_0(struct tar_reader *r, struct extra *x, struct err *e)
{
	char block[TAR_BLOCK_BYTES];
	size_t at = TAR_BLOCK_BYTES;
	int64_t count, off, len;
	int s = sparse_line(r, block, &at, &count, e);
	if (s < 0 || count > TAR_HOLES_MAX)
		return s < 0 ? s : bad(e, "too many pieces in a sparse file");
	for (int64_t i = 0; i < count; i++)
		if ((s = sparse_line(r, block, &at, &off, e)) < 0 || (s = sparse_line(r, block, &at, &len, e)) < 0 ||
		    (s = add_piece(r, x, off, len, e)) < 0)
			return s;
	return 0;
}

/* The old GNU form: four pieces in the header, 21 in each block that follows it. */
static int sparse_gnu(struct tar_reader *r, struct extra *x, const char *h, struct err *e)
{
	char block[TAR_BLOCK_BYTES];
	const char *at = h + H_GNU_SPARSE;
	int room = 4;
	bool more = h[H_GNU_EXTENDED];
	if (number(h + H_GNU_REALSIZE, 12, &x->real) < 0 || x->real < 0)
		return bad(e, "bad sparse size");
	for (;;) {
		for (int i = 0; i < room && at[24 * i]; i++) {
			int64_t off, len;
			if (number(at + 24 * i, 12, &off) < 0 || number(at + 24 * i + 12, 12, &len) < 0)
				return bad(e, "bad sparse map");
			int a = add_piece(r, x, off, len, e);
			if (a < 0)
				return a;
		}
		if (!more)
			break;
		int t = take(r, block, sizeof block, e);
		if (t <= 0)
			return t < 0 ? t : cut(e);
		at = block;
		room = 21;
		more = block[504];
	}
	x->has_real = true;
	return 0;
}

/* The map must rise, stay inside the real size and name as many bytes as are stored. */
static int sparse_take(struct tar_reader *r, struct extra *x, struct tar_entry *t, struct err *e)
{
	int64_t end = 0, sum = 0;
	for (size_t i = 0; i < x->n_pieces; i++) {
		struct tar_piece *p = &x->pieces[i];
		if (p->offset < end || p->len < 0 || p->len > x->real || p->offset > x->real - p->len)
			return bad(e, "bad sparse map");
		end = p->offset + p->len;
		sum += p->len;
	}
	if (sum != r->data_left)
		return bad(e, "sparse map and size disagree");
	r->pieces = x->pieces ? x->pieces : arena_new(&r->strings, struct tar_piece);
	if (!r->pieces)
		return err_nomem(e);
	r->n_pieces = x->n_pieces;
	r->piece = 0;
	r->offset = x->n_pieces ? x->pieces[0].offset : 0;
	t->size_bytes = x->real;
	return 0;
}

static int header_numbers(const char *h, struct extra *x, struct tar_entry *t, int64_t *size, struct err *e)
{
	int64_t mode, uid, gid, mtime, major = 0, minor = 0;
	bool device = t->type == TAR_CHAR || t->type == TAR_BLOCK;
	if (number(h + H_MODE, 8, &mode) < 0 || number(h + H_MTIME, 12, &mtime) < 0 ||
	    (device && (number(h + H_MAJOR, 8, &major) < 0 || number(h + H_MINOR, 8, &minor) < 0)))
		return bad(e, "bad number in a header");
	if (x->has_uid)
		uid = x->uid;
	else if (number(h + H_UID, 8, &uid) < 0)
		return bad(e, "bad owner in a header");
	if (x->has_gid)
		gid = x->gid;
	else if (number(h + H_GID, 8, &gid) < 0)
		return bad(e, "bad group in a header");
	if (x->has_size)
		*size = x->size;
	else if (number(h + H_SIZE, 12, size) < 0)
		return bad(e, "bad size in a header");
	/* -1 means "leave it" to chown */
	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return bad(e, "owner out of range");
	if (*size < 0)
		return bad(e, "negative size");
	if (major < 0 || minor < 0 || major > UINT32_MAX || minor > UINT32_MAX)
		return bad(e, "device number out of range");
	t->mode = (uint32_t)mode & 07777;
	t->uid = (uint32_t)uid;
	t->gid = (uint32_t)gid;
	t->dev_major = (uint32_t)major;
	t->dev_minor = (uint32_t)minor;
	if (x->has_mtime)
		t->mtime_ns = x->mtime_ns;
	else
		t->mtime_ns = MAX(MIN(mtime, (int64_t)9000000000LL), (int64_t)-9000000000LL) * 1000000000LL;
	return 0;
}

static int header_names(struct tar_reader *r, const char *h, struct extra *x, struct tar_entry *t, struct err *e)
{
	struct slice name = field(h, H_NAME, 100), prefix = field(h, H_PREFIX, 155);
	bool ustar = !memcmp(h + H_MAGIC, "ustar\0", 6);
	bool star = ustar && !memcmp(h + 508, "tar", 4); /* the last bytes of star's prefix are times */
	if (star)
		prefix = field(h, H_PREFIX, 131);
	if (x->sparse_name)
		t->name = x->sparse_name;
	else if (x->name)
		t->name = x->name;
	else if (ustar && prefix.len)
		t->name = arena_fmt(&r->strings, "%.*s/%.*s", SLICE_FMT(prefix), SLICE_FMT(name));
	else
		t->name = arena_dup(&r->strings, name);
	t->link = x->link ? x->link : arena_dup(&r->strings, field(h, H_LINK, 100));
	t->uname = x->uname ? x->uname : arena_dup(&r->strings, field(h, H_UNAME, 32));
	t->gname = x->gname ? x->gname : arena_dup(&r->strings, field(h, H_GNAME, 32));
	return t->name && t->link && t->uname && t->gname ? 0 : err_nomem(e);
}

/* The header of a real entry, with what came before it in x. */
static int header(struct tar_reader *r, const char *h, struct extra *x, struct tar_entry *t, struct err *e)
{
	int64_t size;
	*t = (struct tar_entry){ .type = h[H_TYPE], .xattrs = x->xattrs, .n_xattrs = x->n_xattrs };
	int n = header_numbers(h, x, t, &size, e);
	if (n < 0 || (n = header_names(r, h, x, t, e)) < 0)
		return n;
	bool gnu_sparse = t->type == 'S';
	if (!t->type || t->type == '7' || gnu_sparse)
		t->type = TAR_FILE;
	if (t->type == TAR_FILE && slice_ends(slice_of(t->name), "/"))
		t->type = TAR_DIR;
	if (strchr("123456", t->type))
		size = 0;
	r->data_left = size;
	r->pad_left = -size & (TAR_BLOCK_BYTES - 1);
	r->offset = 0;
	r->pieces = NULL;
	t->size_bytes = size;
	bool in_data = x->sparse_major == 1 && x->sparse_minor == 0;
	if (gnu_sparse)
		n = sparse_gnu(r, x, h, e);
	else if (t->type == TAR_FILE && in_data && x->has_real)
		n = sparse_1_0(r, x, e);
	else if (t->type != TAR_FILE || !x->has_real || !x->pieces)
		return 1;
	if (n < 0 || (n = sparse_take(r, x, t, e)) < 0)
		return n;
	return 1;
}

static bool all_zero(const char *block)
{
	for (int i = 0; i < TAR_BLOCK_BYTES; i++)
		if (block[i])
			return false;
	return true;
}

int tar_next(struct tar_reader *r, struct tar_entry *entry, struct err *e)
{
	char h[TAR_BLOCK_BYTES];
	struct extra x = { 0 };
	if (r->ended)
		return 0;
	int s = skip(r, r->data_left, e);
	if (s < 0 || (s = skip(r, r->pad_left, e)) < 0)
		return s;
	r->data_left = r->pad_left = 0;
	r->pieces = NULL;
	arena_release(&r->strings);
	for (;;) {
		int t = take(r, h, sizeof h, e);
		if (t < 0)
			return t;
		if (t == 0 || all_zero(h)) {
			r->ended = true;
			return 0;
		}
		if (!checksum_holds(h))
			return bad(e, "header checksum is wrong");
		char type = h[H_TYPE];
		if (!strchr("xgLKX", type) || !type)
			return header(r, h, &x, entry, e);
		int64_t size;
		struct slice m = { 0 };
		if (number(h + H_SIZE, 12, &size) < 0)
			return bad(e, "bad size in a header");
		bool is_pax = type == 'x' || type == 'g' || type == 'X';
		if ((t = meta(r, size, is_pax ? TAR_META_MAX : TAR_NAME_MAX, &m, e)) < 0)
			return t;
		if (type == 'x' || type == 'X')
			t = pax(r, &x, m, e);
		else if (!is_pax)
			t = text(r, slice_n(m.ptr, strnlen(m.ptr, m.len)), type == 'L' ? &x.name : &x.link, e);
		if (t < 0)
			return t;
	}
}

ssize_t tar_data(struct tar_reader *r, void *p, size_t n, int64_t *ret_offset, struct err *e)
{
	while (r->pieces && r->piece < r->n_pieces &&
	       r->offset == r->pieces[r->piece].offset + r->pieces[r->piece].len)
		if (++r->piece < r->n_pieces)
			r->offset = r->pieces[r->piece].offset;
	if (r->data_left == 0 || n == 0)
		return 0;
	int64_t want = MIN((int64_t)n, r->data_left);
	if (r->pieces)
		want = MIN(want, r->pieces[r->piece].offset + r->pieces[r->piece].len - r->offset);
	ssize_t got;
	if (r->at == r->end && want >= WINDOW) {
		got = r->read(r->arg, p, (size_t)want);
		if (got <= 0)
			return got < 0 ? err_sys(e, (int)got, "read the archive") : cut(e);
	} else {
		int f = fill(r, e);
		if (f <= 0)
			return f < 0 ? f : cut(e);
		got = (ssize_t)MIN((size_t)want, r->end - r->at);
		memcpy(p, r->window + r->at, (size_t)got);
		r->at += (size_t)got;
	}
	*ret_offset = r->offset;
	r->offset += got;
	r->data_left -= got;
	return got;
}

int tar_drain(struct tar_reader *r, struct err *e)
{
	int f;
	do
		r->at = r->end;
	while ((f = fill(r, e)) > 0);
	return f;
}
