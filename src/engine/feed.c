/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/feed.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "codec/compress.h"

enum { CHUNK = 64 * 1024 };

struct feed {
	struct stream *in, *out;
	char raw[CHUNK], plain[CHUNK];
};

/* Reads until n bytes or the end; how many. */
static ssize_t read_up_to(struct stream *s, char *p, size_t n)
{
	size_t got = 0;
	while (got < n) {
		ssize_t r = stream_read_wait(s, p + got, n - got);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

static int pass(struct feed *f, const void *p, size_t n, struct err *e)
{
	int r = n ? stream_write_wait(f->out, p, n) : 0;
	return r < 0 ? err_sys(e, r, "pass the archive on") : 0;
}

static int inflate_all(struct feed *f, enum compression kind, size_t have, struct err *e)
{
	AUTO(inflate) struct inflate *x = NULL;
	int r = inflate_new(kind, &x);
	if (r == -ENOTSUP)
		return err_set(e, EOPNOTSUPP, "the archive is compressed with %s, which is not supported here: use gzip, zstd or none", compression_name(kind));
	if (r < 0)
		return err_nomem(e);
	for (;;) {
		struct slice in = slice_n(f->raw, have);
		ssize_t n;
		do {
			n = inflate_step(x, &in, f->plain, CHUNK);
			if (n < 0)
				return err_set(e, EBADMSG, "the archive's %s data is damaged", compression_name(kind));
			if ((r = pass(f, f->plain, (size_t)n, e)) < 0)
				return r;
		} while (in.len || n > 0);
		ssize_t got = stream_read_wait(f->in, f->raw, CHUNK);
		if (got < 0)
			return err_sys(e, (int)got, "read the archive");
		if (got == 0)
			return inflate_is_whole(x) ? 0 : err_set(e, EBADMSG, "the archive ends too early: unexpected EOF");
		have = (size_t)got;
	}
}

static int copy_all(struct feed *f, size_t have, struct err *e)
{
	while (have) {
		int r = pass(f, f->raw, have, e);
		if (r < 0)
			return r;
		ssize_t got = stream_read_wait(f->in, f->raw, CHUNK);
		if (got < 0)
			return err_sys(e, (int)got, "read the archive");
		have = (size_t)got;
	}
	return 0;
}

int feed_wait(struct stream *in, int fd, struct err *e)
{
	struct feed *f = malloc(sizeof *f);
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3), r = f ? own < 0 ? -errno : 0 : -ENOMEM;
	if (r == 0)
		r = stream_from_fd(fiber_loop(fiber_self()), own, &f->out);
	if (r < 0) {
		auto_close(&own);
		free(f);
		return err_sys(e, r, "pass an archive on");
	}
	f->in = in;
	ssize_t have = read_up_to(in, f->raw, COMPRESSION_MAGIC_BYTES);
	if (have < 0) {
		r = err_sys(e, (int)have, "read the archive");
	} else {
		enum compression kind = compression_detect(slice_n(f->raw, (size_t)have));
		r = kind == COMPRESSION_NONE ? copy_all(f, (size_t)have, e) : inflate_all(f, kind, (size_t)have, e);
	}
	stream_close(f->out);
	free(f);
	return r;
}

int feed_job_wait(struct engine *eng, const struct unpack_job *job, struct stream *in, struct arena *a, struct unpack_report *ret, struct err *e)
{
	struct job_proc *p;
	struct err feeding = { 0 };
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for an archive");
	int r = jobs_start(eng, job, ends[0], -1, &p, e);
	close(ends[0]);
	if (r < 0) {
		close(ends[1]);
		return r;
	}
	int fed = feed_wait(in, ends[1], &feeding);
	close(ends[1]);
	if (fed < 0 && feeding.code != EPIPE) {
		jobs_end_wait(p, true);
		if (e)
			*e = feeding;
		return fed;
	}
	while ((r = jobs_next_wait(p, a, ret, e)) > 0)
		;
	jobs_end_wait(p, r < 0);
	return r;
}
