/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an archive: the reader refuses or reads, in bounded memory; what it reads, the writer can write and the reader read back. */
#include <stdint.h>
#include <stdlib.h>

#include "base/auto.h"
#include "codec/tar.h"

struct feed { const uint8_t *p; size_t n, step; };

static ssize_t feed_read(void *arg, void *p, size_t n)
{
	struct feed *f = arg;
	if (n > f->n)
		n = f->n;
	if (n > f->step)
		n = f->step;
	if (n)
		memcpy(p, f->p, n);
	f->p += n;
	f->n -= n;
	return (ssize_t)n;
}

static void again(const struct tar_entry *t)
{
	struct buf b = BUF_INIT(4 << 20);
	struct tar_reader r;
	struct tar_entry u;
	if (tar_put_header(&b, t) == 0) {
		struct feed f = { (uint8_t *)b.ptr, b.len, 100 };
		tar_reader_init(&r, feed_read, &f);
		if (tar_next(&r, &u, NULL) == 1 && (strcmp(t->name, u.name) || strcmp(t->link, u.link) || t->uid != u.uid || t->gid != u.gid ||
						    t->n_xattrs != u.n_xattrs))
			abort();
		tar_reader_release(&r);
	}
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed f = { data, size, size ? data[0] % 251 + 300 : 1 };
	struct tar_reader r;
	struct tar_entry t;
	struct err e = { 0 };
	char piece[1000];
	int64_t off, end;
	int n;
	tar_reader_init(&r, feed_read, &f);
	while ((n = tar_next(&r, &t, &e)) > 0) {
		ssize_t got;
		end = 0;
		while ((got = tar_data(&r, piece, sizeof piece, &off, &e)) > 0) {
			if (off < end || off + got > t.size_bytes)
				abort();
			end = off + got;
		}
		/* the writer takes what an archive of ours can hold */
		if (t.type >= TAR_FILE && t.type <= TAR_FIFO && *t.name && t.mtime_ns >= 0)
			again(&t);
	}
	if (n < 0 && !e.text[0])
		abort();
	tar_reader_release(&r);
	return 0;
}
