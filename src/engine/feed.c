/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/feed.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "codec/compress.h"

/* Copies from's plain bytes to `to`. -errno; e is filled where the archive is to blame. */
static int feed_wait(struct stream *from, struct stream *to, struct err *e)
{
	enum { N = 64 * 1024 };
	AUTO(inflate) struct inflate *x = NULL;
	AUTO(free) char *in = malloc(N);
	AUTO(free) char *out = malloc(N);
	size_t have = 0;
	bool end = false;
	if (!in || !out)
		return -ENOMEM;
	while (have < COMPRESSION_MAGIC_BYTES && !end) {
		ssize_t n = stream_read_wait(from, in + have, N - have);
		if (n < 0)
			return (int)n;
		end = n == 0;
		have += (size_t)n;
	}
	enum compression kind = compression_detect(slice_n(in, have));
	int r = inflate_new(kind, &x);
	if (r < 0)
		return r == -ENOTSUP ? err_set(e, EINVAL, "archives compressed with %s cannot be read here", compression_name(kind)) : r;
	for (;;) {
		struct slice rest = slice_n(in, have);
		ssize_t n;
		do {
			n = inflate_step(x, &rest, out, N);
			if (n < 0)
				return err_set(e, EINVAL, "the archive's compression is broken");
			r = n ? stream_write_wait(to, out, (size_t)n) : 0;
			if (r < 0)
				return r;
		} while (n || rest.len);
		if (end)
			return inflate_is_whole(x) || !have ? 0 : err_set(e, EINVAL, "unexpected EOF");
		n = stream_read_wait(from, in, N);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return inflate_is_whole(x) ? 0 : err_set(e, EINVAL, "unexpected EOF");
		have = (size_t)n;
	}
}

/* The process with one end of a pipe as its input; the other end as a stream. */
static int start(struct engine *eng, const struct unpack_job *job, struct job_proc **ret, struct stream **ret_to, struct err *e)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "make a pipe for an archive");
	AUTO(close) int from = ends[0];
	int r = stream_from_fd(engine_loop(eng), ends[1], ret_to);
	if (r < 0) {
		close(ends[1]);
		return err_sys(e, r, "make a pipe for an archive");
	}
	r = jobs_start(eng, job, from, -1, ret, e);
	if (r < 0)
		stream_close(*ret_to);
	return r;
}

int feed_job_wait(struct engine *eng, const struct unpack_job *job, struct stream *in, struct arena *a, struct unpack_report *ret, struct err *e)
{
	struct job_proc *p;
	struct stream *to;
	struct err blame = { 0 };
	int r = start(eng, job, &p, &to, e);
	if (r < 0)
		return r;
	int fed = feed_wait(in, to, &blame);
	stream_close(to);
	*ret = (struct unpack_report){ 0 };
	while ((r = jobs_next_wait(p, a, ret, e)) > 0 && !ret->done)
		;
	jobs_end_wait(p, r < 0 || fed < 0);
	if (r < 0)
		return r;
	if (fed < 0 && fed != -EPIPE && fed != -ECONNRESET)
		return blame.code ? err_set(e, EINVAL, "%s", blame.text) : err_sys(e, fed, "read the archive");
	return ret->done ? 0 : err_set(e, EIO, "the job on the files of an archive ended without a report");
}
