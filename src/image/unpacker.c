/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs for `coracle-runtime unpack`: the job goes in a memfd, the report comes from a pipe. */
#include "image/unpacker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/unpack.h"
#include "base/auto.h"
#include "base/fd.h"

enum { REPORT_MAX = 1 << 20 };

static int job_file(const struct unpack_job *job, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(1 << 20);
	AUTO(close) int fd = memfd_create("unpack job", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "making a job file");
	int r = schema_to_json(T_unpack_job, job, 0, &text);
	if (r < 0 || (r = buf_error(&text)) < 0 || (r = fd_write_all(fd, text.ptr, text.len)) < 0)
		return err_sys(e, r, "writing a job");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "writing a job");
	return take_fd(&fd);
}

/* Reads reports to the pipe's end; the last line counts. */
static int read_report(struct stream *in, struct arena *a, struct unpack_report *ret, struct err *e)
{
	AUTO(buf) struct buf text = BUF_INIT(REPORT_MAX);
	char tmp[4096];
	ssize_t n;
	while ((n = stream_read_wait(in, tmp, sizeof tmp)) > 0)
		if (buf_add(&text, tmp, (size_t)n) < 0)
			return err_set(e, EMSGSIZE, "the report is too long");
	if (n < 0)
		return err_sys(e, (int)n, "reading the report");
	struct slice last = slice_trim(buf_slice(&text));
	ptrdiff_t nl = slice_rfind(last, '\n');
	if (nl >= 0)
		last = slice_n(last.ptr + nl + 1, last.len - (size_t)nl - 1);
	if (last.len == 0)
		return err_set(e, EIO, "the job ended without a report");
	int r = schema_from_json(T_unpack_report, last, 0, a, ret, e);
	if (r < 0)
		return r;
	return ret->done ? 0 : err_set(e, EIO, "the job ended without a report");
}

struct running {
	struct child child;
	struct fiber *waiter;
	bool is_ended;
};

static void job_exited(struct child *c, int status)
{
	struct running *r = container_of(c, struct running, child);
	r->is_ended = true;
	if (r->waiter)
		fiber_wake(r->waiter);
}

/* in and out (or -1) are taken. */
static int run_wait(const char *runtime, const struct unpack_job *job, int in, int out, int64_t *size, struct err *e)
{
	AUTO(close) int in_fd = in;
	AUTO(close) int out_fd = out;
	AUTO(stream) struct stream *report = NULL;
	AUTO(arena) struct arena a;
	struct loop *l = fiber_loop(fiber_self());
	struct running run = { 0 };
	struct unpack_report rep = { 0 };
	int p[2];
	arena_init(&a, 4 << 20);
	AUTO(close) int file = job_file(job, e);
	if (file < 0)
		return file;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "making a pipe");
	AUTO(close) int report_in = p[1];
	int r = stream_from_fd(l, p[0], &report);
	if (r < 0) {
		close(p[0]);
		return err_sys(e, r, "reading a pipe");
	}
	const char *const argv[] = { "coracle-runtime", "unpack", "--report", "3", "--job", "4", NULL };
	const int fds[] = { in_fd, out_fd, STDERR_FILENO, report_in, file };
	struct spawn how = { .path = runtime, .argv = argv, .fds = fds, .n_fds = ARRAY_LEN(fds) };
	if ((r = child_spawn(l, &run.child, &how, job_exited, e)) < 0)
		return r;
	close(take_fd(&report_in));
	if (in_fd >= 0)
		close(take_fd(&in_fd));
	if (out_fd >= 0)
		close(take_fd(&out_fd));
	r = read_report(report, &a, &rep, e);
	if (r == -ECANCELED)
		child_kill(&run.child, SIGKILL);
	run.waiter = fiber_self();
	while (!run.is_ended)
		fiber_suspend_wait();
	if (r >= 0 && rep.code)
		return err_set(e, (int)rep.code, "%s", rep.error ? rep.error : "unknown error");
	if (r >= 0 && size)
		*size = rep.size;
	return r;
}

static int runtime_layer_wait(void *arg, int tar_fd, const char *dir, int64_t *ret_size, struct err *e)
{
	struct unpack_job job = { .op = "layer", .target = { .dir = dir } };
	return run_wait(arg, &job, tar_fd, -1, ret_size, e);
}

static int runtime_pack_wait(void *arg, const char *dir, int tar_fd, struct err *e)
{
	struct unpack_job job = { .op = "pack", .target = { .dir = dir } };
	return run_wait(arg, &job, -1, tar_fd, NULL, e);
}

struct image_unpacker image_unpacker_runtime(const char *runtime)
{
	return (struct image_unpacker){ runtime_layer_wait, runtime_pack_wait, (void *)runtime };
}
