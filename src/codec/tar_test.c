/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/tar.h"

#include <errno.h>

#include "base/auto.h"
#include "base/test.h"

struct feed { const char *p; size_t n, step; };
static ssize_t feed_read(void *arg, void *p, size_t n)
{
	struct feed *f = arg;
	n = MIN(n, f->step);
	size_t m = MIN(n, f->n);
	memcpy(p, f->p, m);
	f->p += m;
	f->n -= m;
	return (ssize_t)m;
}

static void put(struct buf *b, const struct tar_entry *t, const char *data)
{
	CHECK(tar_put_header(b, t) == 0);
	if (data) {
		buf_adds(b, data);
		tar_put_padding(b, t->size_bytes);
	}
}

/* A bare ustar block whose checksum is right. */
static void raw(struct buf *b, char type, const char *name, const char *size)
{
	struct tar_entry t = { .type = type, .name = name, .link = "", .mode = 0644 };
	size_t at = b->len;
	CHECK(tar_put_header(b, &t) == 0);
	char *h = b->ptr + at;
	memcpy(h + 124, size, strlen(size));
	unsigned sum = 0;
	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (uint8_t)h[i];
	fmt_into(h + 148, 7, "%06o", sum);
}

static void block(struct buf *b, const char *text)
{
	buf_adds(b, text);
	tar_put_padding(b, (int64_t)strlen(text));
}

static int read_one(struct buf *b, struct tar_entry *t, struct err *e)
{
	struct feed f = { b->ptr, b->len, 100 };
	static struct tar_reader r;
	tar_reader_release(&r);
	tar_reader_init(&r, feed_read, &f);
	return tar_next(&r, t, e);
}

TEST(tar_what_was_written_is_read)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	char deep[400];
	memset(deep, 'd', sizeof deep);
	for (int i = 20; i < 380; i += 20)
		deep[i] = '/';
	deep[sizeof deep - 1] = 0;
	struct tar_xattr x = { "security.capability", slice_n("\1\0\n=", 4) };
	put(&b, &(struct tar_entry){ .type = TAR_DIR, .name = "etc/", .link = "", .mode = 0755, .mtime_ns = 1700000000LL * 1000000000 }, NULL);
	put(&b, &(struct tar_entry){ .type = TAR_FILE, .name = deep, .link = "", .mode = 04755, .uid = 3000000000u, .gid = 5,
		.size_bytes = 5, .xattrs = &x, .n_xattrs = 1, .mtime_ns = -5000000000LL }, "hello");
	put(&b, &(struct tar_entry){ .type = TAR_SYMLINK, .name = "l\xc3\xb6", .link = deep }, NULL);
	put(&b, &(struct tar_entry){ .type = TAR_CHAR, .name = "dev/null", .link = "", .dev_major = 1, .dev_minor = 3 }, NULL);
	tar_put_end(&b);
	for (size_t step = 1; step < 2000; step += 333) {
		struct feed f = { b.ptr, b.len, step };
		struct tar_reader r;
		struct tar_entry t;
		struct err e = { 0 };
		tar_reader_init(&r, feed_read, &f);
		CHECK_INT(tar_next(&r, &t, &e), 1);
		CHECK(t.type == TAR_DIR && t.mode == 0755 && t.mtime_ns == 1700000000LL * 1000000000);
		CHECK_STR(t.name, "etc/");
		CHECK_INT(tar_next(&r, &t, &e), 1);
		CHECK_STR(t.name, deep);
		CHECK(t.uid == 3000000000u && t.gid == 5 && t.mode == 04755 && t.mtime_ns == -5000000000LL);
		CHECK(t.n_xattrs == 1 && t.xattrs[0].value.len == 4 && !memcmp(t.xattrs[0].value.ptr, "\1\0\n=", 4));
		CHECK_STR(t.xattrs[0].name, "security.capability");
		char data[8] = "";
		int64_t off;
		for (size_t got = 0; got < 5;) {
			ssize_t n = tar_data(&r, data + got, sizeof data - got, &off, &e);
			CHECK(n > 0 && off == (int64_t)got);
			got += (size_t)n;
		}
		CHECK_STR(data, "hello");
		CHECK_INT(tar_data(&r, data, sizeof data, &off, &e), 0);
		CHECK_INT(tar_next(&r, &t, &e), 1);
		CHECK_STR(t.name, "l\xc3\xb6");
		CHECK_STR(t.link, deep);
		CHECK_INT(tar_next(&r, &t, &e), 1);
		CHECK(t.type == TAR_CHAR && t.dev_major == 1 && t.dev_minor == 3);
		CHECK_INT(tar_next(&r, &t, &e), 0);
		tar_reader_release(&r);
	}
}

TEST(tar_names_of_the_ustar_prefix_and_of_gnu)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct tar_entry t;
	struct err e = { 0 };
	char name[180];
	memset(name, 'n', sizeof name);
	name[120] = '/';
	name[179] = 0;
	put(&b, &(struct tar_entry){ .type = TAR_FILE, .name = name, .link = "" }, NULL);
	CHECK_INT(b.len, 512);
	CHECK_INT(read_one(&b, &t, &e), 1);
	CHECK_STR(t.name, name);
	buf_reset(&b);
	raw(&b, 'L', "././@LongLink", "00000000013");
	block(&b, "long-name/x");
	raw(&b, '0', "long-", "00000000000");
	CHECK_INT(read_one(&b, &t, &e), 1);
	CHECK_STR(t.name, "long-name/x");
}

TEST(tar_sizes_in_base_256_and_pax)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct tar_entry t;
	struct err e = { 0 };
	put(&b, &(struct tar_entry){ .type = TAR_FILE, .name = "big", .link = "", .size_bytes = 20LL << 30 }, NULL);
	CHECK_INT(read_one(&b, &t, &e), 1);
	CHECK_INT(t.size_bytes, 20LL << 30);
	buf_reset(&b);
	raw(&b, '0', "big", "00000000000");
	memcpy(b.ptr + 124, "\x80\0\0\0\0\0\0\x05\0\0\0\0", 12);
	unsigned sum = 0;
	memset(b.ptr + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (uint8_t)b.ptr[i];
	fmt_into(b.ptr + 148, 7, "%06o", sum);
	CHECK_INT(read_one(&b, &t, &e), 1);
	CHECK_INT(t.size_bytes, 20LL << 30);
}

TEST(tar_sparse_pax_0_1_and_1_0)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct err e = { 0 };
	struct tar_entry t;
	struct tar_reader r;
	char p[64];
	int64_t off;
	const char *map = "26 GNU.sparse.map=2,3,7,1\n22 GNU.sparse.size=10\n27 GNU.sparse.name=sparse1\n";
	char size[13];
	fmt_into(size, sizeof size, "%011zo", strlen(map));
	raw(&b, 'x', "p", size);
	block(&b, map);
	raw(&b, '0', "s", "00000000004");
	block(&b, "abcd");
	tar_put_end(&b);
	struct feed f = { b.ptr, b.len, 7 };
	tar_reader_init(&r, feed_read, &f);
	CHECK_OK(tar_next(&r, &t, &e), &e);
	CHECK_STR(t.name, "sparse1");
	CHECK_INT(t.size_bytes, 10);
	CHECK_INT(tar_data(&r, p, sizeof p, &off, &e), 3);
	CHECK_INT(off, 2);
	CHECK_INT(tar_data(&r, p, sizeof p, &off, &e), 1);
	CHECK(off == 7 && p[0] == 'd');
	CHECK_INT(tar_data(&r, p, sizeof p, &off, &e), 0);
	tar_reader_release(&r);
	buf_reset(&b);
	map = "22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n26 GNU.sparse.realsize=10\n";
	fmt_into(size, sizeof size, "%011zo", strlen(map));
	raw(&b, 'x', "p", size);
	block(&b, map);
	raw(&b, '0', "s", "00000001004");
	block(&b, "2\n2\n3\n7\n1\n");
	block(&b, "abcd");
	tar_put_end(&b);
	f = (struct feed){ b.ptr, b.len, 600 };
	tar_reader_init(&r, feed_read, &f);
	CHECK_OK(tar_next(&r, &t, &e), &e);
	CHECK_INT(t.size_bytes, 10);
	CHECK_INT(tar_data(&r, p, sizeof p, &off, &e), 3);
	CHECK_INT(off, 2);
	CHECK_INT(tar_next(&r, &t, &e), 0);
	tar_reader_release(&r);
}

TEST(tar_malformed_and_cut_archives_are_refused)
{
	AUTO(buf) struct buf b = BUF_INIT(1 << 20);
	struct tar_entry t;
	struct err e = { 0 };
	raw(&b, '0', "x", "00000000000");
	b.ptr[3] ^= 1;
	CHECK_INT(read_one(&b, &t, &e), -EBADMSG);
	b.len = 300;
	CHECK_INT(read_one(&b, &t, &e), -EPIPE);
	buf_reset(&b);
	raw(&b, 'x', "p", "77777777777");
	CHECK_INT(read_one(&b, &t, &e), -EBADMSG);
	buf_reset(&b);
	raw(&b, '0', "x", "zz000000000");
	CHECK_INT(read_one(&b, &t, &e), -EBADMSG);
	buf_reset(&b);
	CHECK_INT(read_one(&b, &t, &e), 0);
}
